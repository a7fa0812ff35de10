"""What a stream notes: the last publishing id of each publisher, and offsets that readers left.

Both are by reference, a name that clients choose.  A publishing id is noted with the chunk that has the message, in its
trailer, so that either both are on disk or neither; offsets go there, too, or into a chunk of their own where nothing
is published.  Each segment begins with a snapshot of everything, so that older ones may go; more follow within it, so
that a start needn't read it all.

An entry, in a trailer or a chunk of kind TRACKING:

    u8   0 publishing id, 1 offset
    u8   bytes of the reference, and the reference
    u64  the publishing id, the offset

In a snapshot a publishing id has, before it, the u64 offset of the chunk that it came with.  A trailer ends with the
CRC-32 of what stands before it, since the CRC in a chunk's head, which readers check, is of the data alone.
"""

from __future__ import annotations

from struct import Struct
from typing import Final
from zlib import crc32

from warren.core.storage.disk.errors import DamagedRecordError

REFERENCE_BYTES_MAX: Final = 255
"""As in RabbitMQ: its size is one byte."""

PUBLISHERS_MAX: Final = 4096
"""References of publishers that a stream remembers: a snapshot of so many takes a megabyte at most.  RabbitMQ: 255."""

READERS_MAX: Final = 4096
"""References of readers whose offsets a stream remembers."""

_KIND_SENT: Final = 0
_KIND_LEFT: Final = 1

_NUMBER: Final = Struct(">Q")
_TWO_NUMBERS: Final = Struct(">QQ")
_CHECKSUM_SIZE: Final = 4


class Tracking:
    """All that is noted; whoever was noted longest ago comes first, and is forgotten first.

    sequences: by reference of the publisher, its last publishing id, and the offset of the chunk that it came with.
    offsets: by reference of the reader.
    """

    __slots__ = ("_publishers_max", "_readers_max", "offsets", "sequences")

    def __init__(self, publishers_max: int = PUBLISHERS_MAX, readers_max: int = READERS_MAX) -> None:
        self.sequences: dict[bytes, tuple[int, int]] = {}
        self.offsets: dict[bytes, int] = {}
        self._publishers_max = publishers_max
        self._readers_max = readers_max

    def __bool__(self) -> bool:
        return bool(self.sequences or self.offsets)

    def note_sequence(self, reference: bytes, publishing_id: int, chunk_offset: int) -> tuple[bytes, int] | None:
        """This is the publisher's last id.  Returns who is forgotten for that, and the offset of its last chunk."""
        sequences = self.sequences
        forgotten = None
        if sequences.pop(reference, None) is None and len(sequences) >= self._publishers_max:
            oldest = next(iter(sequences))
            forgotten = (oldest, sequences.pop(oldest)[1])
        sequences[reference] = (publishing_id, chunk_offset)
        return forgotten

    def note_offset(self, reference: bytes, offset: int) -> bytes | None:
        """Where a reader is.  Returns who is forgotten for that."""
        offsets = self.offsets
        forgotten = None
        if offsets.pop(reference, None) is None and len(offsets) >= self._readers_max:
            forgotten = next(iter(offsets))
            del offsets[forgotten]
        offsets[reference] = offset
        return forgotten

    def apply(self, entries: bytes, chunk_offset: int) -> None:
        """Note what a chunk says.  Raises DamagedRecordError."""
        at = 0
        while at < len(entries):
            kind, reference, at = _head(entries, at)
            at, (value,) = _numbers(_NUMBER, entries, at)
            if kind == _KIND_SENT:
                self.note_sequence(reference, value, chunk_offset)
            else:
                self.note_offset(reference, value)

    def snapshot(self) -> bytes:
        """All of it, as bytes."""
        parts = [
            _encoded_head(_KIND_SENT, reference) + _TWO_NUMBERS.pack(chunk_offset, publishing_id)
            for reference, (publishing_id, chunk_offset) in self.sequences.items()
        ]
        parts += [
            _encoded_head(_KIND_LEFT, reference) + _NUMBER.pack(offset) for reference, offset in self.offsets.items()
        ]
        return b"".join(parts)

    def load(self, snapshot: bytes) -> None:
        """Be what a snapshot says.  Raises DamagedRecordError."""
        self.sequences.clear()
        self.offsets.clear()
        at = 0
        while at < len(snapshot):
            kind, reference, at = _head(snapshot, at)
            if kind == _KIND_SENT:
                at, (chunk_offset, publishing_id) = _numbers(_TWO_NUMBERS, snapshot, at)
                self.note_sequence(reference, publishing_id, chunk_offset)
            else:
                at, (offset,) = _numbers(_NUMBER, snapshot, at)
                self.note_offset(reference, offset)

    def copy(self) -> Tracking:
        """Another one that says the same."""
        made = Tracking(self._publishers_max, self._readers_max)
        made.sequences = self.sequences.copy()
        made.offsets = self.offsets.copy()
        return made


class TrackingDelta:
    """What was noted since the last chunk."""

    __slots__ = ("_offsets", "_sequences")

    def __init__(self) -> None:
        self._sequences: dict[bytes, int] = {}
        self._offsets: dict[bytes, int] = {}

    def __bool__(self) -> bool:
        return bool(self._sequences or self._offsets)

    def note_sequence(self, reference: bytes, publishing_id: int) -> None:
        """The last id of a publisher."""
        self._sequences[reference] = publishing_id

    def note_offset(self, reference: bytes, offset: int) -> None:
        """Where a reader is."""
        self._offsets[reference] = offset

    def take(self) -> bytes:
        """The entries, to begin anew."""
        parts = [_encoded_head(_KIND_SENT, each) + _NUMBER.pack(value) for each, value in self._sequences.items()]
        parts += [_encoded_head(_KIND_LEFT, each) + _NUMBER.pack(value) for each, value in self._offsets.items()]
        self._sequences.clear()
        self._offsets.clear()
        return b"".join(parts)


def trailer_of(entries: bytes) -> bytes:
    """The trailer of a chunk that has these entries; none where there are none."""
    return entries + crc32(entries).to_bytes(_CHECKSUM_SIZE, "big") if entries else b""


def entries_in(trailer: bytes) -> bytes:
    """The entries in a trailer.  Raises DamagedRecordError."""
    if not trailer:
        return b""
    entries = trailer[:-_CHECKSUM_SIZE]
    if crc32(entries) != int.from_bytes(trailer[-_CHECKSUM_SIZE:], "big"):
        raise DamagedRecordError("the trailer of a chunk is damaged")
    return entries


def _encoded_head(kind: int, reference: bytes) -> bytes:
    return bytes((kind, len(reference))) + reference


def _head(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Kind and reference of the entry here, and where it goes on."""
    if at + 2 > len(data) or data[at] not in (_KIND_SENT, _KIND_LEFT):
        raise DamagedRecordError("what is noted of publishers and readers is damaged")
    end = at + 2 + data[at + 1]
    return data[at], data[at + 2 : end], end


def _numbers(layout: Struct, data: bytes, at: int) -> tuple[int, tuple[int, ...]]:
    """The numbers here, behind where they end."""
    end = at + layout.size
    if end > len(data):
        raise DamagedRecordError("what is noted of publishers and readers is cut off")
    return end, layout.unpack_from(data, at)
