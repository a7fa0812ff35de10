"""Publishing in MQTT's terms: by topic, with the retain flag; for wills, retained messages and the broker's own topics.

A topic is a routing key of amq.topic; `$queue/NAME` is the queue NAME itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.message import Message
from core.mqtt_sessions.headers import PUBLISH_QOS, RETAIN, RETAINED_FOR, publish_qos
from core.mqtt_sessions.topics import key_of
from core.properties import EMPTY, Properties, encode_properties
from core.vhost import DEFAULT_EXCHANGE

if TYPE_CHECKING:
    from core.mqtt_sessions.session import MqttSession
    from core.mqtt_sessions.subscription import MqttSubscription
    from core.vhost import Outcome, VirtualHost

TOPIC_EXCHANGE: Final = "amq.topic"

QUEUE_PREFIX: Final = "$queue/"

PERSISTENT: Final = encode_properties(delivery_mode=2)
EXACTLY_ONCE: Final = encode_properties(delivery_mode=2, headers={PUBLISH_QOS: 2})
BY_QOS: Final = (EMPTY, PERSISTENT, EXACTLY_ONCE)
"""The properties of a message that has no others, by its QoS; shared by all messages."""

_RETAINED_BY_QOS: Final = (
    encode_properties(headers={RETAIN: True}),
    encode_properties(delivery_mode=2, headers={RETAIN: True}),
    encode_properties(delivery_mode=2, headers={RETAIN: True, PUBLISH_QOS: 2}),
)


def plain_properties(qos: int, *, retain: bool) -> Properties:
    """The properties of a message that has no others."""
    return _RETAINED_BY_QOS[qos] if retain else BY_QOS[qos]


def address_of(topic: str) -> tuple[str, str]:
    """The exchange and the routing key that a topic stands for."""
    if topic.startswith(QUEUE_PREFIX):
        return DEFAULT_EXCHANGE, topic[len(QUEUE_PREFIX) :]
    return TOPIC_EXCHANGE, key_of(topic)


def publish(vhost: VirtualHost, topic: str, body: bytes, properties: Properties, *, retain: bool) -> Outcome:
    """Publish a message of the broker's, or of a client that is gone; no permission is asked for."""
    exchange, key = address_of(topic)
    broker = vhost.broker
    route = vhost.route(exchange, key, properties.headers, (), properties)
    message = Message(broker.next_sequence(), route.address, properties, body, 0, len(body), 0, broker.now_ms)
    outcome = vhost.publish(route, message)
    if retain:
        broker.mqtt.of(vhost).retained.put(topic, message)
    return outcome


def send_retained(session: MqttSession, subscription: MqttSubscription) -> None:
    """Give a session the retained messages that a subscription of its own matches (MQTT 5 3.3.1.3)."""
    registry = session.registry
    registry.system_topics.refresh(subscription.words)
    found = sorted(registry.retained.match(subscription.words), key=lambda each: each[1].published_at_ms)
    queue = session.queue
    if queue is None:
        return
    broker = registry.broker
    for _, message in found:
        qos = min(publish_qos(message.properties), subscription.qos)
        entries: dict[str, int] = {RETAINED_FOR: subscription.identifier}
        if qos == 2:
            entries[PUBLISH_QOS] = 2
        properties = message.properties.with_changes(delivery_mode=2 if qos else None)
        properties = properties.with_header_entries(entries, [PUBLISH_QOS, RETAIN])
        copy = Message(
            broker.next_sequence(),
            message.address,
            properties,
            message.content,
            message.body_at,
            message.body_size,
            0,
            message.published_at_ms,
        )
        queue.append(copy)
        if properties.expiration is not None:
            queue.expects_expiry()
        if qos and queue.store_id:
            broker.store.append(copy, (queue.store_id,))
