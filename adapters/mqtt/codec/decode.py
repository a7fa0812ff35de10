"""Bytes to packets: the fixed header (MQTT 5 2.1), and for the rest whoever knows the packet.

Nothing is kept between two calls.  A packet that isn't all there is looked at again from its first byte when more has
come; what that first byte and the length alone make wrong is refused at once, so that nobody waits for a packet that is
too long, and nothing is ever set aside for bytes that are only announced.
"""

from __future__ import annotations

from typing import Final

from warren.adapters.mqtt.codec import clauses, reason_codes, versions
from warren.adapters.mqtt.codec.errors import MalformedPacket, ProtocolViolation
from warren.adapters.mqtt.codec.packets import Packet, PingReq, PingResp
from warren.adapters.mqtt.codec.publish import read_publish, too_large
from warren.adapters.mqtt.codec.reader import Reader, read_length
from warren.adapters.mqtt.codec.wire_answers import read_auth, read_disconnect, read_publish_answer
from warren.adapters.mqtt.codec.wire_connect import read_connack, read_connect
from warren.adapters.mqtt.codec.wire_subscribe import read_suback, read_subscribe, read_unsuback, read_unsubscribe

LENGTH_BYTES_MAX: Final = 4
"""A remaining length has at most so many bytes (1.5.5)."""

_TWO = frozenset({versions.PUBREL, versions.SUBSCRIBE, versions.UNSUBSCRIBE})
"""The packets whose reserved flags are 2; those of all others but PUBLISH are 0 (table 2-2)."""


def decode(
    data: bytes, position: int, end: int, level: int, packet_bytes_max: int = versions.PACKET_BYTES_MAX
) -> tuple[Packet, int] | None:
    """The packet that begins at `position`, and the position behind it; None when it isn't all there before `end`.

    level: the connection's version, or UNKNOWN for a server that waits for CONNECT.  packet_bytes_max: the longest
    packet that was agreed on, its fixed header included.

    Raises MalformedPacket and ProtocolViolation, nothing else, whatever the bytes are.
    """
    if position >= end:
        return None
    first = data[position]
    packet = first >> 4
    if packet == versions.PUBLISH:
        _check_first_byte(packet, first & 0x0F, level)
        return read_publish(data, position, end, level, packet_bytes_max)
    found = find_body(data, position, end, level, packet_bytes_max)
    if found is None:
        return None
    return _read(Reader(data, found[0], found[1], level), packet, first & 0x0F), found[1]


def find_body(data: bytes, position: int, end: int, level: int, packet_bytes_max: int) -> tuple[int, int] | None:
    """Where the body of the packet at `position` begins, and where it ends; None when it isn't all there.

    For any packet but PUBLISH; what the first byte and the length make wrong is refused here.
    """
    first = data[position]
    _check_first_byte(first >> 4, first & 0x0F, level)
    found = read_length(data, position + 1, end, level)
    if found is None:
        return None
    length, body = found
    packet_end = body + length
    if packet_end - position > packet_bytes_max:
        raise too_large(packet_end - position, packet_bytes_max, level)
    return (body, packet_end) if packet_end <= end else None


def missing_bytes(data: bytes, position: int) -> int:
    """How many bytes have to come at least before the packet at `position` is whole; 1 where its length is cut."""
    shift = length = 0
    for at in range(position + 1, min(position + 1 + LENGTH_BYTES_MAX, len(data))):
        byte = data[at]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return max(at + 1 + length - len(data), 0)
        shift += 7
    return 1


def _check_first_byte(packet: int, flags: int, level: int) -> None:
    """CONNECT's flags are checked when its version is known; MQTT 3.1 has no reserved ones."""
    if packet == versions.CONNECT:
        return
    if level == versions.UNKNOWN:
        raise ProtocolViolation(
            reason_codes.PROTOCOL_ERROR, clauses.CONNECT_FIRST.v5, "the first packet is not a CONNECT"
        )
    if not packet or (packet == versions.AUTH and level != versions.V5):
        raise MalformedPacket(
            reason_codes.MALFORMED_PACKET, clauses.PACKET_TYPE.of(level), f"there is no packet of type {packet}"
        )
    if level == versions.V3_1 or packet == versions.PUBLISH:
        return
    if flags != (2 if packet in _TWO else 0):
        raise MalformedPacket(
            reason_codes.MALFORMED_PACKET,
            clauses.HEADER_FLAGS.of(level),
            f"the flags of {versions.TYPE_NAMES[packet]} are {flags}",
        )


def _read(reader: Reader, packet: int, flags: int) -> Packet:
    """The packet whose body is all there."""
    if versions.PUBACK <= packet <= versions.PUBCOMP:
        return read_publish_answer(reader, packet)
    if packet == versions.SUBSCRIBE:
        return read_subscribe(reader)
    if packet == versions.UNSUBSCRIBE:
        return read_unsubscribe(reader)
    if packet == versions.CONNECT:
        return read_connect(reader, flags)
    if packet == versions.DISCONNECT:
        return read_disconnect(reader)
    if packet == versions.AUTH:
        return read_auth(reader)
    return _read_from_server(reader, packet)


def _read_from_server(reader: Reader, packet: int) -> Packet:
    if packet == versions.CONNACK:
        return read_connack(reader)
    if packet == versions.SUBACK:
        return read_suback(reader)
    if packet == versions.UNSUBACK:
        return read_unsuback(reader)
    reader.finish()
    return PingReq() if packet == versions.PINGREQ else PingResp()
