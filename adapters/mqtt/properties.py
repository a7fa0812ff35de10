"""MQTT 5's properties of a message to AMQP's and back (spec C.1).

    content type            content_type
    correlation data        correlation_id if it is text, else the header x-correlation-id
    response topic          the header x-reply-to-topic, as a routing key; an AMQP reply_to is `$queue/NAME` in MQTT
    user properties         headers, strings; the last of several with the same name
    message expiry          expiration, in milliseconds
    payload format          in `x-mqtt-properties` alone

What AMQP can't hold (payload format, duplicate user properties, their order) stays with the message, as the bytes that
came, in a header that only MQTT consumers see (adapters.mqtt.sessions.headers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from warren.adapters.mqtt.codec.properties import Properties as MqttProperties
from warren.adapters.mqtt.codec.publish import NO_PROPERTIES, write_publish_properties
from warren.adapters.mqtt.sessions.headers import PUBLISH_QOS, RAW_PROPERTIES, RETAIN, TOPIC
from warren.adapters.mqtt.sessions.publishing import QUEUE_PREFIX, plain_properties
from warren.adapters.session.field_text import text_of
from warren.core.messages.address import fits_key
from warren.core.messages.checks import DELIVERY_COUNTS
from warren.core.messages.internal_headers import is_internal
from warren.core.messages.properties import PropertyChanges, encode_properties

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.names import TopicNames
    from warren.core.messages.field_table import Encodable
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties

SHORT_BYTES_MAX: Final = 255
"""A shortstr, or a header's name (AMQP 0-9-1 4.2.5.3)."""

CORRELATION_HEADER: Final = "x-correlation-id"
REPLY_TOPIC_HEADER: Final = "x-reply-to-topic"
"""RabbitMQ's names, for what has no field in AMQP."""

TEXT_CHARACTERS_MAX: Final = 16_000
"""Of a string that becomes one of MQTT's, which has at most 65,535 bytes (1.5.4): four to a character."""

DATA_BYTES_MAX: Final = 65_535
"""Of MQTT's binary data (1.5.6)."""

EXPIRY_S_MAX: Final = 0xFFFF_FFFF
"""The longest message expiry, whose field has four bytes (3.3.2.3.3)."""

_FORWARDED: Final = (
    "payload_format_indicator",
    "content_type",
    "response_topic",
    "correlation_data",
    "user_properties",
)
"""What goes on to subscribers as it came; aliases, expiry and subscription identifiers are made for each."""


_NOT_TRANSLATED: Final = (*DELIVERY_COUNTS, TOPIC)
"""Headers that are no user properties, beside those that are internal."""

HEADER_BYTES_MAX: Final = 48 * 1024
"""Of names and values that become headers.  What is beyond stays for MQTT 5 clients alone: AMQP clients can't take
properties in pieces, and mostly allow 128 KiB for them, where a long topic must fit, too."""


def properties_of(names: TopicNames, mqtt: MqttProperties, qos: int, *, retain: bool) -> Properties:
    """The properties of a published message, as the broker keeps them.

    names: for the response topic.  mqtt: the PUBLISH's own.  qos: 1 and 2 make a message persistent.  retain: whether
    the PUBLISH was to be retained.  Raises ValueError for what AMQP's properties can't hold.
    """
    kept = forwarded(mqtt)
    expiry_s = mqtt.get("message_expiry_interval")
    if not kept and expiry_s is None:
        return plain_properties(qos, retain=retain)
    headers = _headers_of(names, mqtt)
    fields: dict[str, object] = {}
    content_type = mqtt.get("content_type")
    if content_type is not None and content_type.isascii() and len(content_type) <= SHORT_BYTES_MAX:
        fields["content_type"] = content_type
    correlation = mqtt.get("correlation_data")
    if correlation is not None and _is_short_text(correlation):
        fields["correlation_id"] = correlation.decode()
    response_topic = mqtt.get("response_topic", "")
    if response_topic.startswith(QUEUE_PREFIX) and fits_key(response_topic[len(QUEUE_PREFIX) :]):
        fields["reply_to"] = response_topic[len(QUEUE_PREFIX) :]
    if kept:
        headers[RAW_PROPERTIES] = write_publish_properties(kept)
    if qos:
        fields["delivery_mode"] = 2
    if qos == 2:
        headers[PUBLISH_QOS] = 2
    if retain:
        headers[RETAIN] = True
    if expiry_s is not None:
        fields["expiration"] = str(expiry_s * 1000)
    if headers:
        fields["headers"] = headers
    return encode_properties(**cast("PropertyChanges", fields))


def _headers_of(names: TopicNames, mqtt: MqttProperties) -> dict[str, Encodable]:
    """What of the properties AMQP has no field for, as far as there is room."""
    headers: dict[str, Encodable] = {}
    room = HEADER_BYTES_MAX
    correlation = mqtt.get("correlation_data")
    if correlation is not None and not _is_short_text(correlation) and len(correlation) <= room:
        headers[CORRELATION_HEADER] = correlation
        room -= len(correlation)
    response_topic = mqtt.get("response_topic")
    if response_topic is not None and not response_topic.startswith(QUEUE_PREFIX):
        key = names.key_of(response_topic)
        size = len(key.encode())
        if size <= room:
            headers[REPLY_TOPIC_HEADER] = key
            room -= size
    for name, value in mqtt.get("user_properties", []):
        name_bytes = len(name.encode())
        if name in _NOT_TRANSLATED or is_internal(name) or name_bytes > SHORT_BYTES_MAX:
            continue
        room -= name_bytes + len(value.encode())
        if room < 0:
            break
        headers[name] = value
    return headers


def mqtt_properties_of(names: TopicNames, message: Message) -> bytes:
    """The properties of a PUBLISH that brings a message, but for expiry, aliases and subscription identifiers."""
    properties = message.properties
    headers = properties.headers
    if headers:
        raw = headers.get(RAW_PROPERTIES)
        if isinstance(raw, bytes):
            return raw
    mqtt = translated(names, properties)
    return write_publish_properties(mqtt) if mqtt else NO_PROPERTIES


def forwarded(mqtt: MqttProperties) -> MqttProperties:
    """What of a PUBLISH's properties goes on with the message, as it came."""
    return cast("MqttProperties", {name: mqtt[name] for name in _FORWARDED if name in mqtt})


def translated(names: TopicNames, properties: Properties) -> MqttProperties:
    """AMQP's properties of a message that another protocol published, or an older MQTT client."""
    headers = properties.headers or {}
    mqtt: MqttProperties = {}
    content_type = properties.content_type
    if content_type is not None and _is_text(content_type):
        mqtt["content_type"] = content_type
    correlation_id = properties.correlation_id
    if correlation_id is not None:
        mqtt["correlation_data"] = correlation_id.encode("utf-8", "surrogateescape")
    user_properties: list[tuple[str, str]] = []
    for name, value in headers.items():
        if name in _NOT_TRANSLATED or is_internal(name):
            continue
        if name == CORRELATION_HEADER and correlation_id is None:
            data = value if isinstance(value, bytes) else text_of(value).encode("utf-8", "surrogateescape")
            mqtt["correlation_data"] = data[:DATA_BYTES_MAX]
            continue
        text = text_of(value)
        if name == REPLY_TOPIC_HEADER and _is_text(text):
            mqtt["response_topic"] = names.topic_of(text)
        elif _is_text(name) and _is_text(text):
            user_properties.append((name, text))
    if "response_topic" not in mqtt and properties.reply_to and _is_text(properties.reply_to):
        mqtt["response_topic"] = QUEUE_PREFIX + properties.reply_to
    response_topic = mqtt.get("response_topic")
    if response_topic is not None and (not response_topic or "+" in response_topic or "#" in response_topic):
        del mqtt["response_topic"]
    if user_properties:
        mqtt["user_properties"] = user_properties
    return mqtt


def remaining_expiry_s(message: Message, now_ms: int) -> int | None:
    """What is left of a message's lifetime at `now_ms`, in whole seconds (MQTT-3.3.2-6); None when it has no end.

    Rounded up, so that a message that hasn't expired has at least a second.
    """
    expiration = message.properties.expiration
    if expiration is None:
        return None
    left_ms = int(expiration) - (now_ms - message.published_at_ms)
    return min(max(-(-left_ms // 1000), 0), EXPIRY_S_MAX)


def _is_short_text(data: bytes) -> bool:
    if len(data) > SHORT_BYTES_MAX:
        return False
    try:
        return data.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _is_text(text: str) -> bool:
    """What can stand in an MQTT string."""
    if "\0" in text or len(text) > TEXT_CHARACTERS_MAX:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
