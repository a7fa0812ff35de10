"""Frames: what a shard's stream holds.  All integers are little-endian.

    magic 4s, kind u8, three octets of zero, base u64, offset u64, before 16s, chain 16s, data

LOG frames hold what one flush wrote to the message log, or a part of it: `data` at `offset` of the segment that begins
at position `base` (disk/records.py).  A CLAIM says who owns the shard from here on, in words, and repeats where the
log ends.

`chain` is a checksum over the chain before and everything in the frame but itself, and `before` is the chain of the
frame before.  So one chain stands for the whole history up to it: two copies with the same chain at the same sequence
are the same.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from typing import Final

from warren.core.storage.replicated.errors import StreamDiverged

MAGIC: Final = b"WSh1"
_HEAD: Final = Struct("<4sB3xQQ16s16s")
HEAD_SIZE: Final = _HEAD.size
_PLACE: Final = Struct("<BQQ")
CHAIN_SIZE: Final = 16

LOG: Final = 1
CLAIM: Final = 2

NO_CHAIN: Final = bytes(CHAIN_SIZE)
"""Before the first frame there is."""


class Frame:
    """One frame.  data: shared with what it was decoded from."""

    __slots__ = ("base", "before", "chain", "data", "kind", "offset")

    def __init__(self, kind: int, base: int, offset: int, before: bytes, chain: bytes, data: memoryview) -> None:
        self.kind = kind
        self.base = base
        self.offset = offset
        self.before = before
        self.chain = chain
        self.data = data


def encode_frame(kind: int, base: int, offset: int, before: bytes, data: bytes | memoryview) -> tuple[bytes, bytes]:
    """(the frame, its chain)."""
    chain = _chain(kind, base, offset, before, data)
    return b"".join((_HEAD.pack(MAGIC, kind, base, offset, before, chain), data)), chain


def decode_frame(octets: bytes, sequence: int) -> Frame:
    """A frame that is sound.  sequence: its own, for the error.  Raises StreamDiverged."""
    if len(octets) < HEAD_SIZE:
        raise StreamDiverged(f"message {sequence} of the stream is no frame of a message log")
    magic, kind, base, offset, before, chain = _HEAD.unpack_from(octets)
    data = memoryview(octets)[HEAD_SIZE:]
    if magic != MAGIC or kind not in (LOG, CLAIM):
        raise StreamDiverged(f"message {sequence} of the stream is no frame of a message log, or of a newer Warren's")
    if chain != _chain(kind, base, offset, before, data):
        raise StreamDiverged(f"message {sequence} of the stream is damaged: it fails its checksum")
    return Frame(kind, base, offset, before, chain, data)


def _chain(kind: int, base: int, offset: int, before: bytes, data: bytes | memoryview) -> bytes:
    checksum = blake2b(before, digest_size=CHAIN_SIZE)
    checksum.update(_PLACE.pack(kind, base, offset))
    checksum.update(data)
    return checksum.digest()
