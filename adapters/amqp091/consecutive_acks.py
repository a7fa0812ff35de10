"""Acknowledgements of one delivery after the other, as most consumers send them, found many at a time.

Their frames are known beforehand: those of 64 delivery tags that differ in the last octet are made at once, and what
has come is compared with them in one step.  Whoever acknowledges in another order is told so by the second tag.

    type=1, channel u16, size u32 = 13 | 60, 80, delivery tag u64 at + 11, an octet for multiple = 0 | 0xCE
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from warren.adapters.amqp091.codec.constants import FRAME_END, FRAME_OVERHEAD_BYTES

ACK_PAYLOAD_BYTES: Final = 13
"""basic.ack: ids, delivery tag, the octet of the multiple bit."""

ACK_TAG_AT: Final = 11
"""Where the delivery tag begins in a basic.ack frame: behind envelope and ids."""

ACK_FRAME_BYTES: Final = ACK_PAYLOAD_BYTES + FRAME_OVERHEAD_BYTES

BLOCK_TAGS: Final = 64
"""Frames that are made at once; they are kept for each channel that acknowledges so."""

WORTHWHILE: Final = 4
"""Fewer acknowledgements in a read are taken one by one."""

_TAILS: Final = [bytes((octet, 0, FRAME_END)) for octet in range(256)]
"""A frame from the last octet of its tag on."""

_pack_tag: Final = Struct(">Q").pack
_unpack_tag: Final = Struct(">Q").unpack_from


class ConsecutiveAcks:
    """Of one channel."""

    __slots__ = ("_block", "_frames")

    def __init__(self) -> None:
        self._block = -1
        self._frames = b""

    def count(self, before_tag: bytes, tag: int, data: bytes, position: int) -> int:
        """How many acknowledgements there are in a row, from that of `tag` on, which is whole and at `position`.

        before_tag: what its frame begins with, the same in every call for one channel.
        """
        at = tag % BLOCK_TAGS
        most = min((len(data) - position) // ACK_FRAME_BYTES, BLOCK_TAGS - at)
        if most < WORTHWHILE:
            return 1
        following: int = _unpack_tag(data, position + ACK_FRAME_BYTES + ACK_TAG_AT)[0]
        if following != tag + 1:
            return 1
        if tag - at != self._block:
            self._make(before_tag, tag - at)
        start = at * ACK_FRAME_BYTES
        while most > 1:
            size = most * ACK_FRAME_BYTES
            if data[position : position + size] == self._frames[start : start + size]:
                return most
            most //= 2
        return 1

    def _make(self, before_tag: bytes, first: int) -> None:
        beginning = before_tag + _pack_tag(first)[:-1]
        octet = first % 256
        self._frames = beginning + beginning.join(_TAILS[octet : octet + BLOCK_TAGS])
        self._block = first
