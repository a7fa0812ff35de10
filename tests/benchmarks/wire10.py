"""The few AMQP 1.0 frames that the load generator sends and expects, encoded by hand.

Written independently of the broker's codec on purpose, as wire.py is.  Layouts are those of the specification's parts
1 and 2: a frame is size u32, data offset u8 = 2, type u8, channel u16, and a described list; a list of less than 256
bytes is 0xC0, size u8, count u8, values; uint is 0x70 and four bytes, or 0x52 and one, or 0x43 for zero.
"""

from __future__ import annotations

import struct

SASL_HEADER = b"AMQP\x03\x01\x00\x00"
AMQP_HEADER = b"AMQP\x00\x01\x00\x00"

OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)

ACCEPTED = b"\x00\x53\x24\x45"

WINDOW = 2**31 - 1
"""Of a session, or credit of a link, that is never used up."""

WIDE = 256
"""The first delivery id of a load: from here on, ids are encoded in four bytes, and frames are of one length."""

TRUE, FALSE, NULL = b"\x41", b"\x42", b"\x40"


def uint(number: int) -> bytes:
    """An unsigned int of 32 bits, in four bytes."""
    return b"\x70" + struct.pack(">I", number)


def short(number: int) -> bytes:
    """One in as few bytes as it takes."""
    return b"\x43" if not number else b"\x52%c" % number if number < 256 else uint(number)


def string(text: str, code: int = 0xA1) -> bytes:
    """A string of at most 255 bytes, or with the code 0xA3 a symbol, or 0xA0 bytes."""
    data = text.encode()
    return b"%c%c%b" % (code, len(data), data)


def described(descriptor: int, *values: bytes) -> bytes:
    """A described list."""
    joined = b"".join(values)
    if len(joined) < 255:
        return b"\x00\x53%c\xc0%c%c%b" % (descriptor, len(joined) + 1, len(values), joined)
    return b"\x00\x53%c\xd0%b%b%b" % (
        descriptor,
        struct.pack(">I", len(joined) + 4),
        struct.pack(">I", len(values)),
        joined,
    )


def frame(body: bytes, kind: int = 0, channel: int = 0) -> bytes:
    """One frame, of AMQP or of SASL (1)."""
    return struct.pack(">IBBH", 8 + len(body), 2, kind, channel) + body


def data(body: bytes) -> bytes:
    """A message that is one data section."""
    if len(body) < 256:
        return b"\x00\x53\x75\xa0%c%b" % (len(body), body)
    return b"\x00\x53\x75\xb0%b%b" % (struct.pack(">I", len(body)), body)


def transfer(handle: int, delivery_id: int, message: bytes, *, settled: bool) -> bytes:
    """A message in one frame; its tag is its id."""
    tag = b"\xa0\x04" + struct.pack(">I", delivery_id)
    values = (short(handle), uint(delivery_id), tag, b"\x43", TRUE if settled else FALSE)
    return frame(described(TRANSFER, *values) + message)


def disposition(first: int, last: int | None = None, *, receiver: bool = True) -> bytes:
    """Deliveries are accepted, and settled."""
    values = (TRUE if receiver else FALSE, uint(first), NULL if last is None else uint(last), TRUE, ACCEPTED)
    return frame(described(DISPOSITION, *values))
