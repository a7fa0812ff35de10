"""What is wrong with how MQTT's sessions are used, for `warren doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from warren.core.administration.diagnosing import catalogue
from warren.core.administration.diagnosing.finding import Place
from warren.core.administration.diagnosing.thresholds import ABSENT_SESSIONS_LEAST, BACKLOG_LEAST
from warren.core.administration.diagnosing.words import counted, moment, span

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.registry import MqttSessions
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.sessions.world import MqttWorld
    from warren.core.administration.diagnosing.examination import Examination

EXAMPLES: Final = 3
"""Client identifiers that are named of sessions that pile up."""

PROTOCOL: Final = "MQTT"
"""How the names begin under which its messages are counted."""


def dropped_as_expected(world: MqttWorld) -> Iterator[tuple[str, str, int]]:
    """A topic that nobody subscribes to is normal in MQTT; which of the exchange's drops those are isn't counted.

    So as many are taken for normal as its clients have published, in each virtual host.
    """
    published = sum(sum(sizes.buckets) for name, sizes in world.broker.message_sizes if name.startswith(PROTOCOL))
    for sessions in world.all():
        yield sessions.vhost.name, world.names.exchange, published


def examine(world: MqttWorld, exam: Examination) -> Iterator[None]:
    """Sessions whose clients are away for long: very many, or with very many messages."""
    for sessions in world.all():
        if sessions.vhost in exam.vhosts:
            yield from _examine(sessions, exam)


def _examine(sessions: MqttSessions, exam: Examination) -> Iterator[None]:
    absent_count = 0
    examples: list[str] = []
    for session in list(sessions.sessions.values()):
        exam.count("mqtt_sessions")
        away_ms = _away_ms(session, exam.now_ms)
        if away_ms is not None and away_ms >= exam.patience_ms:
            absent_count += 1
            if len(examples) < EXAMPLES:
                examples.append(f"'{session.client_id}'")
            waiting = 0 if session.queue is None else session.queue.ready_count
            if waiting >= BACKLOG_LEAST:
                since = f"away for {span(away_ms)}, since {moment(exam.now_ms - away_ms)}"
                place = Place(
                    sessions.vhost.name, "mqtt session", session.client_id, f"{counted(waiting, 'message')}; {since}"
                )
                exam.report(catalogue.BACKLOGGED_SESSION, place)
        if exam.has_worked():
            yield
    if absent_count >= ABSENT_SESSIONS_LEAST and absent_count > sessions.connected_count:
        detail = f"{counted(absent_count, 'session')} of clients that are away for {span(exam.patience_ms)} or longer"
        detail += f", {sessions.connected_count:,} connected; such as {', '.join(examples)}"
        exam.report(catalogue.ABSENT_SESSIONS, Place(sessions.vhost.name, "mqtt sessions", "", detail))


def _away_ms(session: MqttSession, now_ms: int) -> int | None:
    """For how long its client has been away; None while it is there."""
    if session.holder is not None or session.detached_at_ms is None:
        return None
    return now_ms - session.detached_at_ms
