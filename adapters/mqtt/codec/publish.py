"""PUBLISH without objects: taken apart and put together as slices of bytes (MQTT 5 3.3).

A PUBLISH on the wire, with the names used here:

    first byte   3, then the flags: duplicate, QoS (two bits), retain
    length       remaining length, one to four bytes
    topic        two bytes of length, then UTF-8
    packet_id    two bytes, only with QoS 1 and 2
    properties   MQTT 5 only: their length, then they themselves; always kept together
    payload      the rest

`peek_publish` finds the parts and checks all that can be told without looking into them.  Topic and properties are left
as they are, since the same few come again and again: check a topic (topics.topic_name) and properties
(`read_publish_properties`) when they are seen for the first time.

A broker forwards mostly what it got.  The properties of a PUBLISH that goes to an MQTT 5 client can be those that came;
without any they are NO_PROPERTIES, and for MQTT 3 they are b"".
"""

from __future__ import annotations

from typing import Final

from warren.adapters.mqtt.codec import clauses, reason_codes, versions, writer
from warren.adapters.mqtt.codec.errors import MalformedPacket, ProtocolViolation
from warren.adapters.mqtt.codec.packets import Publish
from warren.adapters.mqtt.codec.properties import Properties
from warren.adapters.mqtt.codec.reader import Reader, read_length
from warren.adapters.mqtt.codec.topics import topic_name
from warren.adapters.mqtt.codec.wire_properties import read_properties, write_properties
from warren.core.limit_hits import limited

DUPLICATE: Final = 0x08
QOS_SHIFT: Final = 1
QOS_MASK: Final = 0x06
RETAIN: Final = 0x01
"""The flags, bits of the first byte (3.3.1)."""

FIRST_BYTE: Final = versions.PUBLISH << 4
"""The first byte without flags."""

PACKET_ID_MAX: Final = 0xFFFF
"""Packet identifiers have two bytes (2.2.1)."""

TOPIC_LENGTH_BYTES: Final = 2
PACKET_ID_BYTES: Final = 2
"""How many bytes these fields take; a topic's own bytes come behind its length."""

NO_PROPERTIES: Final = b"\0"
"""The properties of an MQTT 5 PUBLISH that has none (2.2.2.1)."""


def peek_publish(
    data: bytes, position: int, end: int, level: int, packet_bytes_max: int
) -> tuple[int, bytes, int, bytes, int, int] | None:
    """Take apart the PUBLISH that begins at `position` (where the first byte's upper half must be 3).

    level: the connection's, never UNKNOWN.  Gives (flags, topic, packet_id, properties, payload_start, packet_end), or
    None when the packet isn't all there before `end`.  The payload is data[payload_start:packet_end], the whole packet
    data[position:packet_end]; packet_id is 0 with QoS 0; properties are b"" in MQTT 3 and as on the wire in MQTT 5,
    their length included.  Raises the two errors of decode; topic and properties aren't looked into.
    """
    if position + 2 > end:
        return None
    flags = data[position] & 0x0F
    length = data[position + 1]
    at = position + 2
    if length > 0x7F:
        found = read_length(data, position + 1, end, level)
        if found is None:
            return None
        length, at = found
    packet_end = at + length
    if packet_end - position > packet_bytes_max:
        raise too_large(packet_end - position, packet_bytes_max, level)
    if packet_end > end:
        return None
    if length < TOPIC_LENGTH_BYTES:
        raise _too_short(level)
    topic_start = at + 2
    at = topic_start + (data[at] << 8 | data[at + 1])
    topic_end = at
    packet_id = 0
    if flags & QOS_MASK:
        if flags & QOS_MASK == QOS_MASK:
            raise _bad_flags(flags, level)
        at += 2
        if at > packet_end:
            raise _too_short(level)
        packet_id = data[topic_end] << 8 | data[topic_end + 1]
        if not packet_id:
            raise ProtocolViolation(
                reason_codes.PROTOCOL_ERROR, clauses.PACKET_ID.of(level), "the packet identifier is zero"
            )
    elif flags & DUPLICATE:
        raise _bad_flags(flags, level)
    properties = b""
    if level == versions.V5:
        found = read_length(data, at, packet_end, level)
        if found is None:
            raise _too_short(level)
        properties_start = at
        at = found[0] + found[1]
        properties = data[properties_start:at]
    if at > packet_end:
        raise _too_short(level)
    return flags, data[topic_start:topic_end], packet_id, properties, at, packet_end


def read_publish_properties(raw: bytes) -> Properties:
    """The properties that peek_publish gave, decoded and checked; raises the two errors of decode."""
    if len(raw) < 2:
        return {}
    return read_properties(Reader(raw, 0, len(raw), versions.V5), versions.PUBLISH)


def write_publish_properties(properties: Properties) -> bytes:
    """The other way round; ValueError for what a PUBLISH can't carry."""
    return write_properties(properties, versions.PUBLISH)


def add_properties(raw: bytes, added: bytes) -> bytes:
    """`raw` and behind it `added`, both as from write_publish_properties; nothing is decoded.

    The caller sees to it that nothing comes twice.
    """
    if len(raw) < 2:
        return added or NO_PROPERTIES
    if len(added) < 2:
        return raw
    body = _without_length(raw) + _without_length(added)
    return writer.variable(len(body)) + body


def publish_flags(qos: int, *, retain: bool = False, duplicate: bool = False) -> int:
    """The lower half of a PUBLISH's first byte."""
    return duplicate << 3 | qos << QOS_SHIFT | retain


def publish_head(flags: int, topic: bytes, packet_id: int, properties: bytes, payload_bytes: int) -> bytes:
    """All of a PUBLISH that stands before its payload of `payload_bytes` bytes.

    topic: UTF-8, at most 65,535 bytes.  packet_id: looked at with QoS 1 and 2 only.  properties: as peek_publish gives
    them; b"" for MQTT 3, at least NO_PROPERTIES for MQTT 5.
    """
    topic_bytes = len(topic)
    if flags & QOS_MASK:
        length = TOPIC_LENGTH_BYTES + topic_bytes + PACKET_ID_BYTES + len(properties) + payload_bytes
        identifier = packet_id.to_bytes(2, "big")
    else:
        length = TOPIC_LENGTH_BYTES + topic_bytes + len(properties) + payload_bytes
        identifier = b""
    if length < 0x80:
        start = bytes((FIRST_BYTE | flags, length, topic_bytes >> 8, topic_bytes & 0xFF))
    else:
        start = bytes((FIRST_BYTE | flags,)) + writer.variable(length) + topic_bytes.to_bytes(2, "big")
    return start + topic + identifier + properties


def join_publish(flags: int, topic: bytes, packet_id: int, properties: bytes, payload: bytes) -> bytes:
    """A whole PUBLISH; the arguments are publish_head's."""
    return publish_head(flags, topic, packet_id, properties, len(payload)) + payload


def read_publish(data: bytes, position: int, end: int, level: int, packet_bytes_max: int) -> tuple[Publish, int] | None:
    """The PUBLISH at `position` as an object, looked into and checked, and the position behind it."""
    peeked = peek_publish(data, position, end, level, packet_bytes_max)
    if peeked is None:
        return None
    flags, raw_topic, packet_id, raw_properties, payload_start, packet_end = peeked
    properties = read_publish_properties(raw_properties)
    publish = Publish(
        topic=_topic(raw_topic, properties, level),
        payload=data[payload_start:packet_end],
        qos=(flags & QOS_MASK) >> QOS_SHIFT,
        packet_id=packet_id,
        retain=bool(flags & RETAIN),
        duplicate=bool(flags & DUPLICATE),
        properties=properties,
    )
    return publish, packet_end


def write_publish(publish: Publish, level: int) -> bytes:
    """A PUBLISH as bytes; ValueError when it isn't one."""
    qos = publish.qos
    if not 0 <= qos <= 2:
        raise ValueError(f"there is no QoS {qos}")
    if (publish.packet_id != 0) != (qos != 0) or not 0 <= publish.packet_id <= PACKET_ID_MAX:
        raise ValueError(f"the packet identifier {publish.packet_id} doesn't go with QoS {qos}")
    if publish.duplicate and not qos:
        raise ValueError("a message of QoS 0 can't be a duplicate")
    if "+" in publish.topic or "#" in publish.topic:
        raise ValueError(f"the topic name '{publish.topic}' contains a wildcard")
    if not publish.topic and (level != versions.V5 or "topic_alias" not in publish.properties):
        raise ValueError("the topic name is empty")
    return join_publish(
        publish_flags(qos, retain=publish.retain, duplicate=publish.duplicate),
        writer.text(publish.topic)[2:],
        publish.packet_id,
        write_publish_properties(publish.properties) if level == versions.V5 else b"",
        publish.payload,
    )


def too_large(packet_bytes: int, packet_bytes_max: int, level: int) -> ProtocolViolation:
    """The error for a packet that is longer than what was agreed on."""
    text = f"a packet of {packet_bytes} bytes is longer than {packet_bytes_max}, the most that is allowed"
    error = ProtocolViolation(reason_codes.PACKET_TOO_LARGE, clauses.PACKET_TOO_LARGE.of(level), text)
    return limited(error, "mqtt_max_packet_bytes")


def _topic(raw: bytes, properties: Properties, level: int) -> str:
    if raw:
        return topic_name(raw, level)
    if "topic_alias" in properties:
        return ""
    raise ProtocolViolation(
        reason_codes.PROTOCOL_ERROR, clauses.TOPIC_OR_ALIAS.of(level), "the topic name is empty and there is no alias"
    )


def _without_length(raw: bytes) -> bytes:
    start = 1
    while raw[start - 1] > 0x7F:
        start += 1
    return raw[start:]


def _too_short(level: int) -> MalformedPacket:
    return MalformedPacket(
        reason_codes.MALFORMED_PACKET, clauses.LENGTHS.of(level), "a field reaches beyond the end of the packet"
    )


def _bad_flags(flags: int, level: int) -> MalformedPacket:
    if flags & QOS_MASK == QOS_MASK:
        return MalformedPacket(reason_codes.MALFORMED_PACKET, clauses.PUBLISH_QOS.of(level), "there is no QoS 3")
    return MalformedPacket(
        reason_codes.MALFORMED_PACKET, clauses.PUBLISH_DUPLICATE.of(level), "a message of QoS 0 is marked as duplicate"
    )
