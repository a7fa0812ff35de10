"""Faults of connections: those that are there, and those that come and go."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from warren.core.administration.diagnosing import catalogue
from warren.core.administration.diagnosing.finding import Place
from warren.core.administration.diagnosing.thresholds import (
    BRIEF_CHANNELS_LEAST,
    BRIEF_CHANNELS_SHARE,
    BRIEF_CONNECTIONS_LEAST,
    BRIEF_QUEUES_LEAST,
)
from warren.core.administration.diagnosing.words import counted, span
from warren.core.brief import PERIOD_MS
from warren.core.clients.transport import peer_of

if TYPE_CHECKING:
    from warren.core.administration.diagnosing.examination import Examination
    from warren.core.administration.listing.connections import ConnectionRow
    from warren.core.clients.client import Client

HELD_BACK: Final = "AMQP 0-"
"""How the protocols are called whose publishes are held back under an alarm together with what is behind
them; their clients can as well have several connections."""

BRIEF_CHANNEL_EVERY_MS: Final = 60_000
"""Channels come and go if there was one in so many milliseconds on average."""


def examine_connections(exam: Examination) -> Generator[None, None, None]:
    """Each connection that is logged in and came over a network."""
    names = {vhost.name for vhost in exam.vhosts}
    for session in list(exam.broker.sessions):
        row = session.connection_row()
        client = row.client
        if client is not None and client.vhost.name in names and peer_of(client.name):
            exam.count("connections")
            _examine(exam, row, client)
        if exam.has_worked(5):
            yield


def _examine(exam: Examination, row: ConnectionRow, client: Client) -> None:
    called = f" '{row.user_provided_name}'" if row.user_provided_name else ""
    who = f"{client.protocol}{called} of {client.user.name}"
    place = (client.vhost.name, "connection", client.name)
    if not row.timeout:
        exam.report(catalogue.NO_HEARTBEAT, Place(*place, who))
    if not client.protocol.startswith(HELD_BACK):
        return
    counts = row.message_stats
    if client in exam.consuming and counts["publish"] and counts["deliver_get"]:
        both = f"{counts['publish']:,} published, {counts['deliver_get']:,} received"
        exam.report(catalogue.SHARED_CONNECTION, Place(*place, f"{who}: {both}"))
    closed, brief = client.counts.closed_count, client.counts.brief
    life_ms = exam.now_ms - client.made_at_ms
    if (
        brief >= BRIEF_CHANNELS_LEAST
        and brief >= closed * BRIEF_CHANNELS_SHARE
        and brief * BRIEF_CHANNEL_EVERY_MS >= life_ms
    ):
        detail = (
            f"{who}: {counted(closed, 'channel')} closed in {span(life_ms)}, {brief:,} of them with a message at most"
        )
        exam.report(catalogue.CHANNEL_CHURN, Place(*place, detail))


def examine_what_ended(exam: Examination) -> Generator[None, None, None]:
    """Connections and queues that were there for a moment (core/brief.py)."""
    names = {vhost.name for vhost in exam.vhosts}
    in_time = f"in the last {2 * PERIOD_MS // 60_000} minutes"
    for whose, count in exam.broker.brief.counts(exam.now_ms):
        if whose.vhost not in names:
            continue
        if whose.kind == "connection" and count >= BRIEF_CONNECTIONS_LEAST:
            detail = f"{counted(count, 'connection')} from {whose.where} {in_time} with next to no messages each"
            exam.report(catalogue.CONNECTION_CHURN, Place(whose.vhost, "user", whose.user, detail))
        elif whose.kind == "queue" and count >= BRIEF_QUEUES_LEAST:
            by = f" by connections of {whose.user}" if whose.user else ""
            detail = f"{counted(count, 'queue')} made and deleted {in_time}{by}"
            exam.report(catalogue.QUEUE_CHURN, Place(whose.vhost, "queue", f"{whose.where}...", detail))
        if exam.has_worked():
            yield
