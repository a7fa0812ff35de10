"""Frames (part 2, 2.3): a size, where the body begins, the type, and a channel.

    SIZE u32 | DOFF u8, in words of four bytes | TYPE u8 | CHANNEL u16 | extended header | performative | payload

A frame without a body is an empty one, a sign of life.  Protocol headers, which come before frames, are `AMQP`, an id
of what is spoken, and the version 1.0.0 (2.2).
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.encoding import EMPTY_LIST
from warren.adapters.amqp10.codec.errors import FRAMING_ERROR, PeerMistake
from warren.core.limit_hits import limited

AMQP_HEADER: Final = b"AMQP\x00\x01\x00\x00"
SASL_HEADER: Final = b"AMQP\x03\x01\x00\x00"
TLS_HEADER: Final = b"AMQP\x02\x01\x00\x00"
HEADER_BYTES: Final = 8
"""Of a protocol header, and of a frame."""

AMQP_FRAME: Final = 0
SASL_FRAME: Final = 1

DATA_OFFSET: Final = 2
"""Of our frames, in words: they have no extended header."""

DESCRIPTOR_BYTES: Final = 3
"""Of performatives, whose codes are small."""

COUNTED_EMPTY_LIST: Final = b"\xc0\x01\x00"

EMPTY_FRAME: Final = b"\0\0\0\x08\x02\0\0\0"

_pack_head = Struct(">IBBH").pack
_unpack_head = Struct(">IBBH").unpack_from


def head_of(data: bytes, at: int, frame_bytes_max: int) -> tuple[int, int, int, int]:
    """The head of the frame at `at`, whose eight bytes are there: its size, where its body begins, type and channel.

    Raises PeerMistake (amqp:connection:framing-error), after which nothing can be understood any more.
    """
    size, offset, kind, channel = _unpack_head(data, at)
    if size < HEADER_BYTES:
        raise PeerMistake(FRAMING_ERROR, f"a frame of {size} bytes; its head alone has {HEADER_BYTES}", clause="2.3.1")
    if size > frame_bytes_max:
        raise limited(
            PeerMistake(FRAMING_ERROR, f"a frame of {size} bytes; at most {frame_bytes_max} are taken", clause="2.3.1"),
            "frames of amqp10",
        )
    if offset < DATA_OFFSET or offset * 4 > size:
        raise PeerMistake(FRAMING_ERROR, f"a data offset of {offset} in a frame of {size} bytes", clause="2.3.1")
    return size, at + offset * 4, kind, channel


def frame(channel: int, body: object, kind: int = AMQP_FRAME) -> bytes:
    """A frame with this performative and no payload."""
    encoded = encode_composite(body)
    if encoded[-1:] == EMPTY_LIST and len(encoded) == DESCRIPTOR_BYTES + 1:
        # The decoder of Azure's clients looks for the count of every performative's fields.
        encoded = encoded[:DESCRIPTOR_BYTES] + COUNTED_EMPTY_LIST
    return _pack_head(HEADER_BYTES + len(encoded), DATA_OFFSET, kind, channel) + encoded


def frame_of(channel: int, body: bytes) -> bytes:
    """A frame with this body, which is encoded already."""
    return _pack_head(HEADER_BYTES + len(body), DATA_OFFSET, AMQP_FRAME, channel) + body
