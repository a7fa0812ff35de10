"""What a user must be allowed to subscribe, and to go on being subscribed (spec C.4, docs/access.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.queue_names import queue_name_of, session_queue_name
from warren.core.errors import AccessRefused, NotFound

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.registry import MqttSessions
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.core.access.accounts import User
    from warren.core.clients.client import Client


NOTHING_GRANTED: Final = (0, "", "", "")


class SubscribePermits:
    """Of one virtual host."""

    __slots__ = ("_granted", "_sessions")

    def __init__(self, sessions: MqttSessions) -> None:
        self._sessions = sessions
        # The latest answer of the permissions, for packets with many filters: which users there were, who, what queue.
        self._granted = NOTHING_GRANTED

    def check(self, client: Client, client_id: str, subscription: MqttSubscription) -> None:
        """AccessRefused (403) for what the user may not do."""
        sessions = self._sessions
        users = sessions.broker.users
        user, vhost = client.user, sessions.vhost.name
        if subscription.queue_name:
            users.check(user, vhost, "queue", subscription.queue_name, "read")
            return
        self._check_queue(client, client_id, subscription.filter if subscription.group else "", subscription)
        key = sessions.key_of(subscription)
        users.check_topic(user, vhost, sessions.world.names.exchange, key, "read", {"client_id": client_id})
        self.check_exchange()

    def check_all(self, client: Client, client_id: str, subscriptions: Sequence[MqttSubscription]) -> None:
        """The same for many of a session's own, of one of the broker's own users."""
        users, exchange = self._sessions.broker.users, self._sessions.world.names.exchange
        self._check_queue(client, client_id, "", subscriptions[0])
        if users.narrows_topics(client.user, self._sessions.vhost.name, exchange):
            for subscription in subscriptions:
                self.check(client, client_id, subscription)
        self.check_exchange()

    def check_reading(self, session: MqttSession, subscription: MqttSubscription, user: User | str) -> None:
        """AccessRefused (403) when the session's user may not read any more what comes by a subscription."""
        sessions = self._sessions
        users = sessions.broker.users
        vhost, client_id = sessions.vhost.name, session.client_id
        users.check(user, vhost, "queue", queue_name_of(client_id, subscription), "read")
        if not subscription.queue_name:
            exchange = sessions.world.names.exchange
            users.check(user, vhost, "exchange", exchange, "read")
            users.check_topic(user, vhost, exchange, sessions.key_of(subscription), "read", {"client_id": client_id})

    def may_read(self, session: MqttSession, subscription: MqttSubscription) -> bool:
        """The same as a yes or a no."""
        try:
            self.check_reading(session, subscription, session.actor)
        except AccessRefused:
            return False
        return True

    def check_owning(self, client: Client, client_id: str) -> None:
        """AccessRefused (403) unless the user may do with a session's queue what subscribing takes."""
        for verb in ("configure", "write", "read"):
            client.check("queue", session_queue_name(client_id), verb)

    def check_exchange(self) -> None:
        """NotFound (404) says that the exchange of all topics isn't there, or isn't one that can be used."""
        sessions = self._sessions
        name = sessions.world.names.exchange
        exchange = sessions.vhost.exchanges.get(name)
        if exchange is None or exchange.type_name != "topic" or not exchange.durable:
            raise NotFound(
                f"there is no durable topic exchange '{name}' in vhost '{sessions.vhost.name}', and MQTT is configured "
                "to use it (mqtt_exchange): declare it"
            )

    def _check_queue(self, client: Client, client_id: str, group: str, subscription: MqttSubscription) -> None:
        """What is granted for one filter of a session's own is granted for all; each group has a queue of its own."""
        sessions = self._sessions
        users = sessions.broker.users
        user, vhost = client.user, sessions.vhost.name
        granted = (users.version, user.name, client_id, group)
        if granted != self._granted:
            name = queue_name_of(client_id, subscription)
            for verb in ("configure", "write", "read"):
                users.check(user, vhost, "queue", name, verb)
            users.check(user, vhost, "exchange", sessions.world.names.exchange, "read")
            # Two logins of one name may have different rights where another back-end gives them.
            self._granted = granted if user.rights is None else NOTHING_GRANTED
