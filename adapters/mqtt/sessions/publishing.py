"""Publishing in MQTT's terms: by topic, with the retain flag; for wills, retained messages and the broker's own topics.

A topic is a routing key of a topic exchange (names.py); `$queue/NAME` is the queue NAME itself.  A topic that is too
long for a routing key travels in a header, and the key is as much of its beginning as fits.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.headers import PUBLISH_QOS, PUBLISHER, RETAIN, TOPIC
from warren.adapters.mqtt.sessions.place import world_of
from warren.core.messages.address import fits_key, short_key
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY, Properties, encode_properties
from warren.core.routing.route import Route
from warren.core.routing.vhost import DEFAULT_EXCHANGE, Outcome

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.names import TopicNames
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.core.routing.vhost import VirtualHost

_log = logging.getLogger("warren.mqtt")

CUT_BYTES_MIN: Final = 252
"""A routing key that was cut has at least so many bytes: the last character may not fit in whole."""

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


def address_of(names: TopicNames, topic: str) -> tuple[str, str]:
    """The exchange and the routing key that a topic stands for."""
    if topic.startswith(QUEUE_PREFIX):
        return DEFAULT_EXCHANGE, topic[len(QUEUE_PREFIX) :]
    return names.exchange, names.key_of(topic)


def with_topic(properties: Properties, topic: str, key: str) -> Properties:
    """The properties of a message with this topic: as they are, unless its routing key can't hold the topic."""
    if fits_key(key):
        return properties
    return properties.with_header_entries({TOPIC: topic})


def may_be_cut(key: str) -> bool:
    """True for a routing key that is so long that it may be the beginning of a topic only."""
    return len(key) * 4 > CUT_BYTES_MIN and len(key.encode("utf-8", "surrogateescape")) >= CUT_BYTES_MIN


def topic_of_message(names: TopicNames, message: Message) -> str:
    """The topic that a message was published to, wherever that was; empty for the empty routing key."""
    key = message.address.routing_key
    if may_be_cut(key) and message.properties.has_headers:
        topic = (message.properties.headers or {}).get(TOPIC)
        # Who publishes elsewhere what it got, header and all, doesn't mean this topic.
        if isinstance(topic, str) and short_key(names.key_of(topic)) == key:
            return topic
    return names.topic_of(key)


def publish(
    vhost: VirtualHost, topic: str, body: bytes, properties: Properties, *, retain: bool, publisher: str = ""
) -> Outcome:
    """Publish a message of the broker's, or of the client `publisher` that is gone; no permission is asked for."""
    broker = vhost.broker
    sessions = world_of(broker).of(vhost)
    exchange, key = address_of(world_of(broker).names, topic)
    if exchange != DEFAULT_EXCHANGE:
        properties = with_topic(properties, topic, key)
        if exchange not in vhost.exchanges:
            _log.warning("'%s' is not published: vhost '%s' has no exchange '%s'", topic, vhost.name, exchange)
            return Outcome.TAKEN
    route = vhost.route(exchange, key, properties.headers, (), properties)
    session = sessions.sessions.get(publisher) if publisher else None
    if session is not None:
        route, properties = apart_from_own(route, session, topic, properties)
    message = Message(broker.next_sequence(), route.address, properties, body, 0, len(body), 0, broker.now_ms)
    outcome = vhost.publish(route, message)
    if retain:
        sessions.retained.put(topic, message, publisher)
    return outcome


def apart_from_own(route: Route, session: MqttSession, topic: str, properties: Properties) -> tuple[Route, Properties]:
    """The way of a message of the session's own client, and its properties, if some subscriptions want none of these.

    If all that match the topic are so, the session's queue is not on the way; if some are, the message says whose it
    is, and those have no part in how it is delivered (MQTT-3.8.3-3).
    """
    own = session.queue
    if own is None or own not in route.queues:
        return route, properties
    matching = session.matching(topic)
    unwanted = sum(each.no_local for each in matching)
    if not unwanted:
        return route, properties
    if unwanted < len(matching):
        return route, properties.with_header_entries({PUBLISHER: session.client_id})
    if session.feed:
        # It isn't asked about this one, which may take the place of what it still has coming.
        session.feed.hand_over(topic)
    others = tuple(queue for queue in route.queues if queue is not own)
    without = Route(
        route.address,
        others,
        routed=bool(others or route.holders),
        cacheable=route.cacheable,
        observers=route.observers,
        holders=route.holders,
        extra_keys=route.extra_keys,
    )
    return without, properties
