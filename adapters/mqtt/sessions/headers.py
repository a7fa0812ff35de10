"""Headers by which a message carries what MQTT says of it and AMQP's properties have no room for.

All but the topic are the broker's own (core.messages.internal_headers): other protocols don't see them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.messages.internal_headers import declare_internal

if TYPE_CHECKING:
    from warren.core.messages.properties import Properties

PREFIX: Final = "x-mqtt-"

PUBLISH_QOS: Final = "x-mqtt-publish-qos"
"""2 for a message published with QoS 2; for the others the delivery mode tells."""

RETAIN: Final = "x-mqtt-retain"
"""True for a message that was published with the retain flag."""

RETAINED_FOR: Final = "x-mqtt-retained-for"
"""On a retained message that a new subscription is given: the subscription's identifier, 0 for none."""

RAW_PROPERTIES: Final = "x-mqtt-properties"
"""An MQTT 5 publisher's properties as they came, user properties in order and with duplicates."""

TOPIC: Final = "x-mqtt-topic"
"""The topic of a message whose routing key is only its beginning; consumers of other protocols see it, too."""

PUBLISHER: Final = "x-mqtt-publisher"
"""The client identifier of who published a message, where its own session gets that by some of its subscriptions and
not by others, which want none of its own (MQTT-3.8.3-3)."""

PACKET_ID: Final = "x-mqtt-packet-id"
SOURCE: Final = "x-mqtt-source"
RELEASED: Final = "x-mqtt-released"
"""On records of a session's own: see session.py."""

declare_internal(PREFIX, (PUBLISH_QOS, RETAIN, RETAINED_FOR, RAW_PROPERTIES, PUBLISHER, PACKET_ID, SOURCE, RELEASED))


def publish_qos(properties: Properties) -> int:
    """The QoS that a message was published with: by its header, else 1 for persistent ones (spec C.1)."""
    if not properties.persistent:
        return 0
    if properties.has_headers:
        headers = properties.headers
        if headers is not None and headers.get(PUBLISH_QOS) == 2:
            return 2
    return 1
