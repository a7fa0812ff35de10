"""$SYS: what the broker says of itself, as messages (spec C.3); the topics are Mosquitto's.

While anybody is subscribed to them, those whose value has changed are published every `TICK_MS`; a new subscription is
given the values of that moment as retained messages.  Nothing happens while nobody is.

To look at all connections and queues may take several turns.

Clients, subscriptions and what is stored are those of the subscriber's virtual host; traffic is the whole broker's.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions import publishing
from warren.adapters.mqtt.sessions.session_queue import MqttQueue
from warren.adapters.mqtt.sessions.traffic import LOOKED_AT_PER_SLICE, MINUTES, TICK_MS, in_slices
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.registry import MqttSessions
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.core.deadlines import Deadline

SYSTEM_WORD: Final = "$SYS"

PREFIX: Final = "$SYS/broker/"


class SystemTopics:
    """The $SYS topics of one virtual host."""

    __slots__ = ("_is_looking", "_next", "_published", "_refreshed", "_sessions", "_subscribers")

    def __init__(self, sessions: MqttSessions) -> None:
        self._sessions = sessions
        self._subscribers = 0
        self._next: Deadline | None = None
        self._is_looking = False
        self._published: dict[str, str] = {}
        self._refreshed = -1

    def values(self) -> Generator[None, None, dict[str, str]]:
        """The topics with their values, in slices."""
        sessions = self._sessions
        stored = stored_bytes = 0
        for number, queue in enumerate(list(sessions.vhost.queues.values()), 1):
            if isinstance(queue, MqttQueue):
                stored += queue.ready_count + queue.unacked_count
                stored_bytes += queue.ready_bytes
            if number % LOOKED_AT_PER_SLICE == 0:
                yield
        counters = yield from sessions.world.counters()
        values = self._values(stored, stored_bytes, counters)
        return {PREFIX + name: str(value) for name, value in values.items()} | {
            f"{PREFIX}load/{name}/{minutes}min": f"{average:.2f}"
            for name, averages in sessions.world.rates.averages.items()
            for minutes, average in zip(MINUTES, averages, strict=True)
        }

    def _values(self, stored: int, stored_bytes: int, counters: Mapping[str, int]) -> dict[str, object]:
        sessions = self._sessions
        broker, world = sessions.broker, sessions.world
        connected, total = sessions.connected_count, len(sessions.sessions)
        return {
            "version": world.product,
            "uptime": f"{(broker.now_ms - broker.started_at_ms) // 1000} seconds",
            "clients/connected": connected,
            "clients/active": connected,
            "clients/disconnected": total - connected,
            "clients/inactive": total - connected,
            "clients/expired": world.expired_count,
            "clients/maximum": sessions.connected_most,
            "clients/total": total,
            "subscriptions/count": sessions.subscription_count,
            "shared_subscriptions/count": sessions.shared_count,
            "retained messages/count": len(sessions.retained),
            "messages/stored": stored + len(sessions.retained),
            "store/messages/count": stored + len(sessions.retained),
            "store/messages/bytes": stored_bytes + sessions.retained.body_bytes,
            "messages/received": counters["messages/received"],
            "messages/sent": counters["messages/sent"],
            "bytes/received": counters["bytes/received"],
            "bytes/sent": counters["bytes/sent"],
            "publish/messages/received": counters["publish/received"],
            "publish/messages/sent": counters["publish/sent"],
            "publish/messages/dropped": counters["publish/dropped"],
            "publish/bytes/received": world.publish_bytes_received,
            "publish/bytes/sent": world.publish_bytes_sent,
        }

    def subscription_changed(self, now: MqttSubscription | None, before: MqttSubscription | None) -> None:
        """Begin or end publishing, as there are subscribers."""
        self._subscribers += _wants(now) - _wants(before)
        if self._subscribers and self._next is None and not self._is_looking:
            self._schedule()
        elif not self._subscribers:
            self.stop()

    def refresh(self, first_words: Sequence[str]) -> None:
        """Somebody subscribes to filters that begin so: have the values of this turn retained, if they are asked for.

        Many who ask in one turn get the same.  Where there is too much to look at in a turn, they get the values that
        were published last, or, if none were, all as messages as soon as they are known.
        """
        sessions = self._sessions
        turn = sessions.broker.turn
        if SYSTEM_WORD not in first_words or turn == self._refreshed:
            return
        self._refreshed = turn
        if sessions.world.session_count + len(sessions.vhost.queues) < LOOKED_AT_PER_SLICE:
            in_slices(sessions.broker, self.values(), self._retain)
        elif self._published:
            self._retain(self._published)
        else:
            self._publish(sessions.broker.now_ms)

    def stop(self) -> None:
        """Nobody listens."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._published = {}

    def _retain(self, values: Mapping[str, str]) -> None:
        retained = self._sessions.retained
        now_ms = self._sessions.broker.now_ms
        names = self._sessions.world.names
        for topic, value in values.items():
            body = value.encode()
            address = Address(*publishing.address_of(names, topic))
            retained.show(topic, Message(0, address, EMPTY, body, 0, len(body), 0, now_ms))

    def _schedule(self) -> None:
        broker = self._sessions.broker
        self._next = broker.deadlines.schedule(broker.now_ms + TICK_MS, self._publish)

    def _publish(self, now_ms: int) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if not self._is_looking:
            self._is_looking = True
            in_slices(self._sessions.broker, self.values(), self._publish_changed)

    def _publish_changed(self, values: Mapping[str, str]) -> None:
        self._is_looking = False
        if not self._subscribers:
            return
        before, self._published = self._published, dict(values)
        for topic, value in self._published.items():
            if before.get(topic) != value:
                publishing.publish(self._sessions.vhost, topic, value.encode(), EMPTY, retain=False)
        if self._next is None:
            self._schedule()


def _wants(subscription: MqttSubscription | None) -> bool:
    return (
        subscription is not None
        and subscription.topic_filter.startswith(SYSTEM_WORD)
        and subscription.topic_filter.split("/", 1)[0] == SYSTEM_WORD
    )
