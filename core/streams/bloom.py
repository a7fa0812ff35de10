"""Which filter values the messages of a chunk have, as a Bloom filter: no says no, yes says maybe.

A reader with a filter is not sent chunks that say no to all of its values, so it is sent some messages that it must
leave out itself (spec H.2).  Messages without a value are known by the first bit of the filter, which values don't use.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from typing import Final

SIZES: Final = range(16, 256)
"""Bytes that a filter may have: RabbitMQ's bounds."""

SIZE_DEFAULT: Final = 16

_PROBES: Final = 3
"""Bits per value: best for about 30 values in the smallest filter, 500 in the largest."""

UNFILTERED: Final = 1
"""The bit of messages without a value."""


def bits_of(value: bytes, size: int) -> int:
    """The bits of a filter of `size` bytes that a value sets."""
    digest = blake2b(value, digest_size=4 * _PROBES).digest()
    bits = 0
    for at in range(0, len(digest), 4):
        bits |= 1 << (1 + int.from_bytes(digest[at : at + 4], "big") % (size * 8 - 1))
    return bits


class FilterBuilder:
    """Collects the filter of one chunk."""

    __slots__ = ("_bits", "_is_used", "_size", "_values")

    def __init__(self, size: int) -> None:
        self._size = size
        self._bits = 0
        self._is_used = False
        self._values: set[bytes] = set()

    def add(self, value: bytes | None) -> None:
        """A message with this value goes into the chunk; None: one without."""
        if value is None:
            self._bits |= UNFILTERED
        elif value not in self._values:
            self._values.add(value)
            self._bits |= bits_of(value, self._size)
            self._is_used = True

    def take(self) -> bytes:
        """The filter, to begin anew; empty where no message had a value: then nobody need be asked."""
        made = self._bits.to_bytes(self._size, "big") if self._is_used else b""
        self._bits = 0
        self._is_used = False
        self._values.clear()
        return made


def may_hold(filter_: bytes, wanted: Collection[bytes], *, unfiltered: bool) -> bool:
    """Whether a chunk may hold a message with one of these values or, if `unfiltered`, one without a value.

    filter_: the chunk's; an empty one says that no message in it has a value.
    """
    if not filter_:
        return unfiltered
    bits = int.from_bytes(filter_, "big")
    if unfiltered and bits & UNFILTERED:
        return True
    for value in wanted:
        asked = bits_of(value, len(filter_))
        if bits & asked == asked:
            return True
    return False
