"""Writes the fields of packets (MQTT 5 1.5).

What can't be written is a mistake of whoever made the packet, not of a peer: ValueError.
"""

from __future__ import annotations

from typing import Final

from warren.adapters.mqtt.codec import versions

TEXT_BYTES_MAX: Final = 65_535
"""Strings and binary data have two bytes for their length (1.5.4, 1.5.6)."""


def variable(value: int) -> bytes:
    """A variable byte integer (1.5.5)."""
    if 0 <= value < 0x80:
        return bytes((value,))
    if not 0 <= value <= versions.REMAINING_LENGTH_MAX:
        raise ValueError(f"{value} is out of the range of a variable byte integer")
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def two_bytes(value: int) -> bytes:
    """An integer of two bytes, the high one first (1.5.2)."""
    return number(value, 2)


def number(value: int, size_bytes: int) -> bytes:
    """An integer of `size_bytes`, most significant byte first."""
    try:
        return value.to_bytes(size_bytes, "big")
    except OverflowError:
        raise ValueError(f"{value} doesn't fit into {size_bytes} bytes") from None


def binary(value: bytes) -> bytes:
    """Binary data behind its length (1.5.6)."""
    if len(value) > TEXT_BYTES_MAX:
        raise ValueError(f"{len(value)} bytes are more than a field can hold ({TEXT_BYTES_MAX})")
    return len(value).to_bytes(2, "big") + value


def text(value: str) -> bytes:
    """A UTF-8 encoded string behind its length (1.5.4)."""
    if "\0" in value:
        raise ValueError("a string can't contain the character U+0000")
    return binary(value.encode())


def packet_id(value: int) -> bytes:
    """A packet identifier."""
    if not value:
        raise ValueError("a packet identifier can't be zero")
    return two_bytes(value)


def packet(first_byte: int, body: bytes) -> bytes:
    """A whole packet: `body` behind the fixed header (2.1)."""
    return bytes((first_byte,)) + variable(len(body)) + body
