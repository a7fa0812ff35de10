"""What brings a client its messages: one consumer per queue that its session is subscribed by.

The session's own queue has the key "", a shared or named queue its subscription's filter.  The session itself knows
what it is subscribed to (adapters.mqtt.sessions), also while nobody is connected; consumers are there for as long as
the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.mqtt.codec import reason_codes
from warren.adapters.mqtt.consumer import MqttConsumer
from warren.core.declaring.queues import end_consumer

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.adapters.mqtt.outflow import Outflow
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.core.clients.client import Client


class Subscriptions:
    """Of one client.  disconnect: ends its connection, with a reason code and a text."""

    __slots__ = ("_consumers", "_disconnect", "_ended", "_outflow", "client", "session")

    def __init__(
        self, client: Client, session: MqttSession, outflow: Outflow, disconnect: Callable[[int, str], None]
    ) -> None:
        self.client = client
        self.session = session
        self._outflow = outflow
        self._disconnect = disconnect
        self._consumers: dict[str, MqttConsumer] | None = None
        self._ended = False

    def __len__(self) -> int:
        """How many queues are consumed from."""
        return len(self._consumers or ())

    def begin(self) -> None:
        """The client is there: what waits in the session's queues may come."""
        for subscription in self.session.subscriptions.values():
            self.changed(subscription)

    def consumer_of(self, source: str) -> MqttConsumer | None:
        """The consumer that brought a message (see Outgoing.source), if it is there still."""
        return self._consumers.get(source) if self._consumers is not None else None

    def changed(self, subscription: MqttSubscription) -> None:
        """A subscription was added or replaced: have its messages come, and what they mean looked up anew."""
        existing = self.consumer_of("" if subscription.is_own else subscription.filter)
        if existing is None:
            self._consume(subscription)
            return
        if not subscription.is_own:
            existing.subscription = subscription
        existing.subscriptions_changed()

    def leave_queue(self, filter: str) -> None:
        """A shared or named queue's subscription will be taken away: stop before the last member's queue goes."""
        consumer = self._consumers.pop(filter, None) if self._consumers is not None and filter else None
        if consumer is not None:
            end_consumer(consumer)
            self._outflow.consumer_gone(consumer)

    def taken_away(self) -> None:
        """A subscription was taken away: what comes by the session's own queue may mean something else now."""
        own = self.consumer_of("")
        if own is not None:
            own.subscriptions_changed()

    def end(self) -> None:
        """The connection ends: its consumers leave their queues."""
        self._ended = True
        consumers, self._consumers = self._consumers, None
        for consumer in (consumers or {}).values():
            end_consumer(consumer)

    def _consume(self, subscription: MqttSubscription) -> None:
        queue = self.session.registry.queue_of(self.session, subscription)
        if queue is None:
            return
        source = None if subscription.is_own else subscription
        consumer = MqttConsumer(queue, self.client, source, self._outflow, self._queue_deleted)
        queue.add_consumer(consumer)
        queue.vhost.broker.ack_timeouts.added(consumer)
        if self._consumers is None:
            self._outflow.consumers = self._consumers = {}
        self._consumers[consumer.tag] = consumer

    def _queue_deleted(self, consumer: MqttConsumer) -> None:
        """A session without its queue can't go on (spec C.5)."""
        session = self.session
        if self._consumers is not None:
            self._consumers.pop(consumer.tag, None)
        self._outflow.consumer_gone(consumer)
        if self._ended or session.ended:
            return
        if consumer.subscription is None:
            session.queue = None
            session.end()
        self._disconnect(reason_codes.ADMINISTRATIVE_ACTION, f"{consumer.queue.description} was deleted")
