"""$SYS: what the broker says of itself, as messages (spec C.3).

While anybody is subscribed to them, the topics are published every `INTERVAL_MS`; a new subscription is given the
values of that moment as retained messages.  Nothing happens while nobody is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from core.address import Address
from core.message import Message
from core.mqtt_sessions import publishing
from core.mqtt_sessions.topics import key_of
from core.properties import EMPTY

if TYPE_CHECKING:
    from core.deadlines import Deadline
    from core.mqtt_sessions.registry import MqttSessions
    from core.mqtt_sessions.subscription import MqttSubscription

SYSTEM_WORD: Final = "$SYS"

INTERVAL_MS: Final = 10_000
"""As Mosquitto's sys_interval."""


class SystemTopics:
    """The $SYS topics of one virtual host."""

    __slots__ = ("_next", "_sessions", "_subscribers")

    def __init__(self, sessions: MqttSessions) -> None:
        self._sessions = sessions
        self._subscribers = 0
        self._next: Deadline | None = None

    def values(self) -> dict[str, str]:
        """The topics with their values now."""
        sessions = self._sessions
        broker = sessions.broker
        world = broker.mqtt
        total = len(sessions.sessions)
        connected = sum(1 for session in sessions.sessions.values() if session.holder is not None)
        return {
            "$SYS/broker/version": "Warren",
            "$SYS/broker/uptime": f"{(broker.now_ms - broker.started_at_ms) // 1000} seconds",
            "$SYS/broker/clients/connected": str(connected),
            "$SYS/broker/clients/disconnected": str(total - connected),
            "$SYS/broker/clients/total": str(total),
            "$SYS/broker/subscriptions/count": str(sessions.subscription_count),
            "$SYS/broker/retained messages/count": str(len(sessions.retained)),
            "$SYS/broker/publish/messages/received": str(world.publish_received),
            "$SYS/broker/publish/messages/sent": str(world.publish_sent),
            "$SYS/broker/publish/messages/dropped": str(world.dropped),
        }

    def subscription_changed(self, now: MqttSubscription | None, before: MqttSubscription | None) -> None:
        """Begin or end publishing, as there are subscribers."""
        self._subscribers += _wants(now) - _wants(before)
        if self._subscribers and self._next is None:
            broker = self._sessions.broker
            self._next = broker.deadlines.schedule(broker.now_ms + INTERVAL_MS, self._publish)
        elif not self._subscribers:
            self.stop()

    def refresh(self, words: Sequence[str]) -> None:
        """Somebody subscribes to `words`: have the values of now retained, for as long as they are read."""
        if words[0] != SYSTEM_WORD:
            return
        retained = self._sessions.retained
        now_ms = self._sessions.broker.now_ms
        for topic, value in self.values().items():
            body = value.encode()
            address = Address(publishing.TOPIC_EXCHANGE, key_of(topic))
            retained.show(topic, Message(0, address, EMPTY, body, 0, len(body), 0, now_ms))

    def stop(self) -> None:
        """Nobody listens."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _publish(self, now_ms: int) -> None:
        for topic, value in self.values().items():
            publishing.publish(self._sessions.vhost, topic, value.encode(), EMPTY, retain=False)
        self._next = self._sessions.broker.deadlines.schedule(now_ms + INTERVAL_MS, self._publish)


def _wants(subscription: MqttSubscription | None) -> bool:
    return subscription is not None and subscription.topic_filter.split("/", 1)[0] == SYSTEM_WORD
