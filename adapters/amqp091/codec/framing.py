"""Content frames: how a message looks on the wire (AMQP 0-9-1 4.2.6; spec A.1).

A message is a content header frame and as many body frames as frame_max makes necessary; an empty body has none.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from warren.adapters.amqp091.codec.constants import CLASS_BASIC, FRAME_BODY, FRAME_HEADER

FRAMED_FOR_CHANNEL: Final = 0x10000
"""Added to a channel number: `Message.framed_for` of content that came in as one header and at most one body frame."""

HEARTBEAT_FRAME: Final = b"\x08\0\0\0\0\0\0\xce"

_pack_envelope = Struct(">BHI").pack
_pack_header = Struct(">BHIHHQ").pack

_HEADER_FIXED_BYTES: Final = 12
"""Class u16, weight u16 and body size u64 stand before the property list."""


def content_frames(channel: int, properties: bytes, body: bytes, body_frame_max: int) -> bytes:
    """The header and body frames of a message; `body_frame_max` is frame_max less the frame's overhead, in bytes."""
    size = len(body)
    header = b"%b%b\xce" % (
        _pack_header(FRAME_HEADER, channel, _HEADER_FIXED_BYTES + len(properties), CLASS_BASIC, 0, size),
        properties,
    )
    if not size:
        return header
    if size <= body_frame_max:
        return b"%b%b%b\xce" % (header, _pack_envelope(FRAME_BODY, channel, size), body)
    chunks = [header]
    for start in range(0, size, body_frame_max):
        part = body[start : start + body_frame_max]
        chunks.append(b"%b%b\xce" % (_pack_envelope(FRAME_BODY, channel, len(part)), part))
    return b"".join(chunks)
