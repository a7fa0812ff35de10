"""What a message's topic means to one client, and so what its PUBLISH looks like.

The session's own queue brings one copy of a message, however many of its subscriptions match.  What they make of it
together (the highest QoS, all identifiers, whether the retain flag shows) is a `Plan`.  Queues that are shared, and
named ones, belong to one subscription each, whose plan depends on no match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.publish import (
    NO_PROPERTIES,
    add_properties,
    publish_flags,
    write_publish_properties,
)
from warren.adapters.mqtt.properties import mqtt_properties_of, remaining_expiry_s
from warren.adapters.mqtt.sessions.headers import PUBLISHER, RETAIN, RETAINED_FOR
from warren.adapters.mqtt.sessions.publishing import QUEUE_PREFIX
from warren.adapters.mqtt.sessions.stream_reading import STREAM_PREFIX
from warren.adapters.mqtt.sessions.subscription import MqttSubscription

if TYPE_CHECKING:
    from warren.adapters.mqtt.codec.properties import Properties as MqttProperties
    from warren.adapters.mqtt.sessions.names import TopicNames
    from warren.adapters.mqtt.sessions.outgoing import Outgoing
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.core.messages.message import Message

FRAMED_FOR_LEVEL: Final = 0x20000
"""`Message.framed_for` of a whole PUBLISH of QoS 0 without flags and properties, plus its level (3.1: 3.1.1's)."""

NO_MATCH: Final = -1
"""The `qos` of a plan for a topic that no subscription matches (any more)."""

QOS_MAX: Final = 2
"""Exactly once: what is sent again keeps the QoS that it had, whatever that was."""


class Plan:
    """What a topic means to a consumer.

    qos: the most that the subscriptions ask for; NO_MATCH when there are none (any more).  topic: UTF-8.
    identifiers: the properties that hold them.  retain: the flag shows as it was published.  alias: the topic's, 0
    before it has one.
    """

    __slots__ = ("alias", "identifiers", "qos", "retain", "topic")

    def __init__(self, topic: str, subscriptions: list[MqttSubscription]) -> None:
        self.topic = topic.encode("utf-8", "surrogateescape")
        self.qos = max((each.qos for each in subscriptions), default=NO_MATCH) if topic else NO_MATCH
        self.identifiers = identifiers_of([each.identifier for each in subscriptions if each.identifier])
        self.retain = any(each.retain_as_published for each in subscriptions)
        self.alias = 0


def planned(session: MqttSession, subscription: MqttSubscription | None, topic: str) -> Plan:
    """The plan of a topic.  subscription: that of a shared or named queue; None for the session's own."""
    if subscription is None:
        return Plan(topic, session.matching(topic))
    if subscription.queue_name:
        prefix = QUEUE_PREFIX if subscription.stream is None else STREAM_PREFIX
        return Plan(prefix + subscription.queue_name, [subscription])
    if topic.startswith("$") and subscription.topic_filter[:1] in ("+", "#"):
        return Plan(topic, [])
    return Plan(topic, [subscription])


def planned_for(session: MqttSession, subscription: MqttSubscription | None, topic: str, message: Message) -> Plan:
    """The plan of one message, where that may depend on who published it: of a session that has no-local ones."""
    if subscription is None and is_own(session, message):
        return Plan(topic, [each for each in session.matching(topic) if not each.no_local])
    return planned(session, subscription, topic)


def is_own(session: MqttSession, message: Message) -> bool:
    """Whether the session's client published the message, and that matters (headers.PUBLISHER)."""
    if not session.no_local_count or not message.properties.has_headers:
        return False
    return (message.properties.headers or {}).get(PUBLISHER) == session.client_id


def plan_without_subscription(topic: str) -> Plan:
    """How a message is sent again whose subscription is gone meanwhile."""
    return Plan(topic, [MqttSubscription("", topic, qos=QOS_MAX)])


def identifiers_of(identifiers: list[int]) -> bytes:
    """Subscription identifiers as properties."""
    if not identifiers:
        return NO_PROPERTIES
    return write_publish_properties({"subscription_identifiers": sorted(identifiers)})


def encode_delivery(
    plan: Plan,
    message: Message,
    outgoing: Outgoing | None,
    *,
    names: TopicNames,
    level: int,
    duplicate: bool,
    now_ms: int,
) -> tuple[int, bytes]:
    """The flags and the properties of a delivery; properties are b"" below MQTT 5."""
    headers = message.properties.headers
    retain = False
    identifiers = plan.identifiers
    if headers:
        retained_for = headers.get(RETAINED_FOR)
        if isinstance(retained_for, int):
            retain = True
            identifiers = identifiers_of([int(retained_for)] if retained_for else [])
        else:
            retain = plan.retain and RETAIN in headers
    flags = publish_flags(outgoing.qos if outgoing is not None else 0, retain=retain, duplicate=duplicate)
    if level != versions.V5:
        return flags, b""
    properties = add_properties(mqtt_properties_of(names, message), identifiers)
    expiry_s = remaining_expiry_s(message, now_ms)
    if expiry_s is not None:
        properties = add_properties(properties, write_publish_properties({"message_expiry_interval": expiry_s}))
    return flags, properties


def with_alias(properties: bytes, alias: int) -> bytes:
    """The properties with a topic alias."""
    added: MqttProperties = {"topic_alias": alias}
    return add_properties(properties, write_publish_properties(added))
