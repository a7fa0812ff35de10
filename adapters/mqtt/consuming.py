"""A connection's consumers follow its session's subscriptions: one per queue that brings messages.

The session's own queue has the key "", a shared or named queue its subscription's filter.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from warren.adapters.mqtt.consumer import MqttConsumer
from warren.adapters.mqtt.outflow import resend
from warren.core.declaring.queues import end_consumer

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription


def begin(connection: MqttConnection, session: MqttSession) -> None:
    """CONNACK is sent: send again what an earlier connection left, then what waits in the queues."""
    connection.session = session
    connection.resending = deque(session.outgoing.values()) or None
    resend(connection)
    for subscription in session.subscriptions.values():
        connection.has_no_local = connection.has_no_local or subscription.no_local
        _consume(connection, subscription)


def subscribed(connection: MqttConnection, subscription: MqttSubscription) -> None:
    """A subscription was added or replaced."""
    connection.has_no_local = any(each.no_local for each in connection.session.subscriptions.values())
    _consume(connection, subscription)


def leave_queue(connection: MqttConnection, filter: str) -> None:
    """A shared or named queue's subscription will be taken away: stop consuming before the last member's queue goes."""
    consumer = (connection.consumers or {}).pop(filter, None) if filter else None
    if consumer is not None:
        end_consumer(consumer)


def unsubscribed(connection: MqttConnection) -> None:
    """A subscription was taken away."""
    connection.has_no_local = any(each.no_local for each in connection.session.subscriptions.values())
    own = (connection.consumers or {}).get("")
    if own is not None:
        own.subscriptions_changed()


def _consume(connection: MqttConnection, subscription: MqttSubscription) -> None:
    consumers = connection.consumers
    if consumers is None:
        consumers = connection.consumers = {}
    key = "" if subscription.is_own else subscription.filter
    existing = consumers.get(key)
    if existing is not None:
        if not subscription.is_own:
            existing.subscription = subscription
        existing.subscriptions_changed()
        return
    queue = connection.sessions.queue_of(connection.session, subscription)
    if queue is None:
        return
    consumer = MqttConsumer(connection, queue, None if subscription.is_own else subscription)
    queue.add_consumer(consumer)
    connection.broker.ack_timeouts.added(consumer)
    consumers[key] = consumer
