"""The few AMQP 0-9-1 frames that the load generator sends and expects, encoded by hand.

Written independently of the broker's codec on purpose: the generator must not share its mistakes.  Layouts
are those of the 0-9-1 specification: a frame is type u8, channel u16, size u32, payload, 0xCE.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

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

HEADERS_FLAG = 0x2000
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


def content(body: bytes, persistent: bool, headers: bytes = b"") -> bytes:
    """Header and body frames.  The only properties are headers, if any, and delivery-mode 2 of a persistent message."""
    flags = (HEADERS_FLAG if headers else 0) | (DELIVERY_MODE_FLAG if persistent else 0)
    table = longstr(headers) if headers else b""
    properties = struct.pack(">H", flags) + table + (bytes((PERSISTENT,)) if persistent else b"")
    header = frame(HEADER, CHANNEL, struct.pack(">HHQ", BASIC, 0, len(body)) + properties)
    return header + frame(BODY, CHANNEL, body)


OFFSET_HEADER = shortstr("x-stream-offset") + b"l" + NUMBER.pack(0)
"""What a delivery of a stream has as its only header, with room for the offset at its end."""


def longstr_table(name: str, value: str) -> bytes:
    """An entry of a table that is a long string."""
    return shortstr(name) + b"S" + longstr(value.encode())


def body(size: int) -> bytes:
    """A body of `size` bytes, which begins with room for the number."""
    return NUMBER.pack(0) + b"x" * (size - NUMBER.size)


@dataclass(frozen=True, slots=True)
class NumberedFrames:
    """The frames of one message as bytes, and where in them the fields lie that differ per message.

    variants: all that take turns, of one length, where there are several routing keys; `data` is the first.
    free: (from, to) of bytes that may be anything.  offset_at: where a stream's deliveries have their number, too.
    """

    data: bytes
    number_at: int
    tag_at: int
    variants: tuple[bytes, ...]
    free: tuple[int, int] = (0, 0)
    offset_at: int = -1

    def of(self, number: int) -> bytes:
        """The frames of this message, without its number."""
        return self.variants[number % len(self.variants)]


def publication(exchange: str, routing_key: str | Sequence[str], body_size: int, persistent: bool) -> NumberedFrames:
    """basic.publish with its content.  routing_key: one, or several of one length that take turns."""
    heads = [
        method(CHANNEL, BASIC, 40, b"\x00\x00" + shortstr(exchange) + shortstr(key) + b"\x00")
        for key in _several(routing_key)
    ]
    return _numbered(heads, body_size, persistent, tag_at=-1)


def consumer_tag(number: int) -> str:
    """The tag of one of several consumers on a channel."""
    return f"{CONSUMER_TAG}{number:07}"


def delivery(
    exchange: str,
    routing_key: str | Sequence[str],
    body_size: int,
    persistent: bool,
    *,
    tagged: bool = False,
    stream: bool = False,
) -> NumberedFrames:
    """basic.deliver with its content, as the server is to send it, not redelivered.

    routing_key: as there.  tagged: to any of several consumers, whose tags are made by `consumer_tag`.  stream: from a
    stream.
    """
    before_tag = shortstr(consumer_tag(0) if tagged else CONSUMER_TAG)
    heads = [
        method(CHANNEL, BASIC, 60, before_tag + NUMBER.pack(0) + b"\x00" + shortstr(exchange) + shortstr(key))
        for key in _several(routing_key)
    ]
    tag_at = FRAME_HEAD.size + 4 + len(before_tag)
    frames = _numbered(heads, body_size, persistent, tag_at, OFFSET_HEADER if stream else b"")
    if stream:
        # Behind the header frame's beginning, flags and the size of the table.
        offset_at = len(heads[0]) + FRAME_HEAD.size + 12 + 2 + 4 + len(OFFSET_HEADER) - NUMBER.size
        frames = replace(frames, offset_at=offset_at)
    return replace(frames, free=(FRAME_HEAD.size + 5, tag_at)) if tagged else frames


def ack(tag: int, multiple: bool) -> bytes:
    """basic.ack."""
    return ACK_FRAME.pack(METHOD, CHANNEL, ACK_SIZE, BASIC, ACK, tag, multiple, FRAME_END[0])


def _several(routing_key: str | Sequence[str]) -> Sequence[str]:
    return [routing_key] if isinstance(routing_key, str) else routing_key


def _numbered(
    heads: Sequence[bytes], body_size: int, persistent: bool, tag_at: int, headers: bytes = b""
) -> NumberedFrames:
    rest = content(body(body_size), persistent, headers)
    variants = tuple(head + rest for head in heads)
    return NumberedFrames(variants[0], len(variants[0]) - 1 - body_size, tag_at, variants)
