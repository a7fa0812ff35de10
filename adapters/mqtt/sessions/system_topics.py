"""$SYS: what the broker says of itself, as messages (spec C.3); the topics are Mosquitto's.

While anybody is subscribed to them, those whose value has changed are published every `TICK_MS`; a new subscription is
given the values of that moment as retained messages.  Nothing happens while nobody is.

Clients, subscriptions and what is stored are those of the subscriber's virtual host; traffic is the whole broker's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions import publishing
from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.mqtt.sessions.session_queue import MqttQueue
from warren.adapters.mqtt.sessions.traffic import MINUTES, TICK_MS
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

    __slots__ = ("_next", "_published", "_refreshed", "_sessions", "_subscribers")

    def __init__(self, sessions: MqttSessions) -> None:
        self._sessions = sessions
        self._subscribers = 0
        self._next: Deadline | None = None
        self._published: dict[str, str] = {}
        self._refreshed = -1

    def values(self) -> dict[str, str]:
        """The topics with their values now."""
        return {PREFIX + name: str(value) for name, value in self._values().items()} | {
            f"{PREFIX}load/{name}/{minutes}min": f"{average:.2f}"
            for name, averages in self._sessions.world.rates.averages.items()
            for minutes, average in zip(MINUTES, averages, strict=True)
        }

    def _values(self) -> dict[str, object]:
        sessions = self._sessions
        broker = sessions.broker
        world = world_of(broker)
        counters = world.counters()
        connected, total = sessions.connected_count, len(sessions.sessions)
        queues = [queue for queue in sessions.vhost.queues.values() if isinstance(queue, MqttQueue)]
        stored = sum(queue.ready_count + queue.unacked_count for queue in queues)
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
            "store/messages/bytes": sum(queue.ready_bytes for queue in queues) + sessions.retained.body_bytes,
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
        if self._subscribers and self._next is None:
            broker = self._sessions.broker
            self._next = broker.deadlines.schedule(broker.now_ms + TICK_MS, self._publish)
        elif not self._subscribers:
            self.stop()

    def refresh(self, first_words: Sequence[str]) -> None:
        """Somebody subscribes to filters that begin so: have the values of this turn retained, if they are asked for.

        Computing them takes time in proportion to the sessions, so many who ask in one turn get the same.
        """
        turn = self._sessions.broker.turn
        if SYSTEM_WORD not in first_words or turn == self._refreshed:
            return
        self._refreshed = turn
        retained = self._sessions.retained
        now_ms = self._sessions.broker.now_ms
        names = self._sessions.world.names
        for topic, value in self.values().items():
            body = value.encode()
            address = Address(*publishing.address_of(names, topic))
            retained.show(topic, Message(0, address, EMPTY, body, 0, len(body), 0, now_ms))

    def stop(self) -> None:
        """Nobody listens."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
            self._published = {}

    def _publish(self, now_ms: int) -> None:
        before, self._published = self._published, self.values()
        for topic, value in self._published.items():
            if before.get(topic) == value:
                continue
            publishing.publish(self._sessions.vhost, topic, value.encode(), EMPTY, retain=False)
        self._next = self._sessions.broker.deadlines.schedule(now_ms + TICK_MS, self._publish)


def _wants(subscription: MqttSubscription | None) -> bool:
    return (
        subscription is not None
        and subscription.topic_filter.startswith(SYSTEM_WORD)
        and subscription.topic_filter.split("/", 1)[0] == SYSTEM_WORD
    )
