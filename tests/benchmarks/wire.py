"""The few AMQP 0-9-1 frames that the load generator sends and expects, encoded by hand.

Written independently of the broker's codec on purpose: the generator must not share its mistakes.  Layouts
are those of the 0-9-1 specification: a frame is type u8, channel u16, size u32, payload, 0xCE.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD, HEADER, BODY = 1, 2, 3
FRAME_END = b"\xce"
FRAME_HEAD = struct.Struct(">BHI")
FRAME_OVERHEAD = FRAME_HEAD.size + 1

BASIC = 60
CHANNEL = 1
"""The generator uses one channel per connection."""

CONSUMER_TAG = "c"
NUMBER = struct.Struct(">Q")
"""Every body begins with the message's number, counted from 0."""

DELIVERY_MODE_FLAG = 0x1000
PERSISTENT = 2

ACK_FRAME = struct.Struct(">BHIHHQBB")
"""A whole basic.ack frame: type, channel, size, class, method, delivery tag, multiple, frame end."""
ACK_SIZE = 13
ACK, NACK = 80, 120


def shortstr(text: str) -> bytes:
    """A string of at most 255 bytes, with its length."""
    data = text.encode()
    return struct.pack("B", len(data)) + data


def longstr(data: bytes) -> bytes:
    """A byte string with a u32 length."""
    return struct.pack(">I", len(data)) + data


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """One frame."""
    return FRAME_HEAD.pack(kind, channel, len(payload)) + payload + FRAME_END


def method(channel: int, class_id: int, method_id: int, arguments: bytes = b"") -> bytes:
    """A method frame with encoded arguments."""
    return frame(METHOD, channel, struct.pack(">HH", class_id, method_id) + arguments)


def content(body: bytes, persistent: bool) -> bytes:
    """Header and body frames.  The only property is the delivery-mode 2 of a persistent message."""
    properties = struct.pack(">HB", DELIVERY_MODE_FLAG, PERSISTENT) if persistent else b"\x00\x00"
    header = frame(HEADER, CHANNEL, struct.pack(">HHQ", BASIC, 0, len(body)) + properties)
    return header + frame(BODY, CHANNEL, body)


def body(size: int) -> bytes:
    """A body of `size` bytes, which begins with room for the number."""
    return NUMBER.pack(0) + b"x" * (size - NUMBER.size)


@dataclass(frozen=True, slots=True)
class NumberedFrames:
    """The frames of one message as bytes, and where in them the fields lie that differ per message."""

    data: bytes
    number_at: int
    tag_at: int


def publication(exchange: str, routing_key: str, body_size: int, persistent: bool) -> NumberedFrames:
    """basic.publish with its content."""
    arguments = b"\x00\x00" + shortstr(exchange) + shortstr(routing_key) + b"\x00"
    return _numbered(method(CHANNEL, BASIC, 40, arguments), body_size, persistent, tag_at=-1)


def delivery(exchange: str, routing_key: str, body_size: int, persistent: bool) -> NumberedFrames:
    """basic.deliver with its content, as the server is to send it, not redelivered."""
    before_tag = shortstr(CONSUMER_TAG)
    arguments = before_tag + NUMBER.pack(0) + b"\x00" + shortstr(exchange) + shortstr(routing_key)
    deliver = method(CHANNEL, BASIC, 60, arguments)
    return _numbered(deliver, body_size, persistent, tag_at=FRAME_HEAD.size + 4 + len(before_tag))


def ack(tag: int, multiple: bool) -> bytes:
    """basic.ack."""
    return ACK_FRAME.pack(METHOD, CHANNEL, ACK_SIZE, BASIC, ACK, tag, multiple, FRAME_END[0])


def _numbered(first: bytes, body_size: int, persistent: bool, tag_at: int) -> NumberedFrames:
    data = first + content(body(body_size), persistent)
    return NumberedFrames(data, len(data) - 1 - body_size, tag_at)
