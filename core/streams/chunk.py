"""A chunk: the messages that were stored together, in the layout that readers are sent.

The layout is that of RabbitMQ's stream protocol (spec H.2), so that what is stored goes over the wire as it is:

    u8   magic and version, 0x50        u64  offset of the first record
    u8   kind of chunk                  u32  CRC-32 of the data
    u16  number of entries              u32  bytes of data
    u32  number of records              u32  bytes of trailer
    i64  time, milliseconds since 1970  u8   bytes of filter
    u64  epoch                          u24  reserved

Behind the head stand the filter (bloom.py), the data and the trailer (tracking.py); readers are sent the data alone.
Those are entries one behind the other.  An entry is one record (a u32 of its size, the highest bit 0, and the record),
or a batch that a publisher packed:

    u8   1 in the highest bit, then 3 bits that say how it is compressed
    u16  number of records
    u32  bytes when it is unpacked
    u32  bytes as it is

A record is a message in the encoding of AMQP 1.0; this file doesn't look into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

from warren.core.storage.disk.errors import DamagedRecordError

MAGIC: Final = 0x50

_HEAD: Final = Struct(">BBHIqQQIIIB3x")
HEAD_SIZE: Final = 48

_SIZE: Final = Struct(">I")
_BATCH: Final = Struct(">BHII")
PACKED_BIT: Final = 0x80
COMPRESSION_SHIFT: Final = 4
COMPRESSION_MASK: Final = 0x7

ENTRIES_MAX: Final = 0xFFFF
"""The head has 16 bits for their number."""


class Kind(IntEnum):
    """What a chunk holds: users' messages, or what the broker notes of publishers and readers."""

    USER = 0
    TRACKING = 1
    TRACKING_SNAPSHOT = 2


class Head(NamedTuple):
    """What the head of a chunk says; times in milliseconds since 1970, sizes in bytes."""

    kind: int
    entries: int
    records: int
    time_ms: int
    epoch: int
    first_offset: int
    checksum: int
    data_size: int
    filter_size: int
    trailer_size: int

    @property
    def end_offset(self) -> int:
        """The offset behind the last record."""
        return self.first_offset + self.records

    @property
    def size(self) -> int:
        """Bytes of the whole chunk as it is stored."""
        return HEAD_SIZE + self.filter_size + self.data_size + self.trailer_size


class Batch(NamedTuple):
    """An entry that holds several records, as the publisher packed them.

    compression: 0 none, 1 gzip, 2 snappy, 3 LZ4, 4 zstd.  unpacked_size: in bytes, as the publisher says.
    """

    compression: int
    records: int
    unpacked_size: int
    data: bytes


def record_entry(record: bytes) -> bytes:
    """The entry of one record."""
    return _SIZE.pack(len(record)) + record


def records_of(entry: bytes) -> int:
    """How many records an entry is."""
    return int.from_bytes(entry[1:3], "big") if entry[0] & PACKED_BIT else 1


def batch_entry(batch: Batch) -> bytes:
    """The entry of a batch."""
    head = PACKED_BIT | batch.compression << COMPRESSION_SHIFT
    return _BATCH.pack(head, batch.records, batch.unpacked_size, len(batch.data)) + batch.data


def encode_chunk(
    kind: int,
    entries: Sequence[bytes],
    records: int,
    *,
    time_ms: int,
    first_offset: int,
    epoch: int = 1,
    filter_: bytes = b"",
    trailer: bytes = b"",
) -> bytes:
    """A chunk of these entries, at most ENTRIES_MAX of them, with so many records in all."""
    data = b"".join(entries)
    sizes = len(data), len(trailer), len(filter_)
    head = _HEAD.pack(MAGIC, kind, len(entries), records, time_ms, epoch, first_offset, crc32(data), *sizes)
    return head + filter_ + data + trailer


def decode_head(data: bytes, at: int = 0) -> Head:
    """What the head at this place says.  Raises DamagedRecordError for what is no head."""
    if len(data) - at < HEAD_SIZE:
        raise DamagedRecordError("the head of a chunk is cut off")
    magic, kind, entries, records, time_ms, epoch, first, checksum, size, trailer, filter_size = _HEAD.unpack_from(
        data, at
    )
    if magic != MAGIC:
        raise DamagedRecordError(f"a chunk begins with {MAGIC:#x}, not {magic:#x}")
    return Head(kind, entries, records, time_ms, epoch, first, checksum, size, filter_size, trailer)


class Entries:
    """The entries of a chunk that are left, for who takes one after the other.

    Messages of a stream are much alike, so who knows how an entry begins can see whether the next one is of that kind,
    and take a row of them from `data` without looking into each.

    data: that of the chunk, without head and filter.  at: where the next entry begins.  offset: of its first record.
    left: so many entries are.  Raises DamagedRecordError where they aren't what the head says.
    """

    __slots__ = ("_end_offset", "at", "data", "left", "offset")

    def __init__(self, head: Head, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.offset = head.first_offset
        self.left = head.entries
        self._end_offset = head.end_offset
        self.took(0, 0)

    def next(self) -> bytes | Batch | None:
        """The next entry, a record or a batch; None at the end."""
        if not self.left:
            return None
        data, at = self.data, self.at
        if at + _SIZE.size > len(data):
            raise DamagedRecordError("an entry of a chunk is cut off")
        if data[at] & PACKED_BIT:
            batch, end = _decode_batch(data, at)
            self.took(1, end - at, batch.records)
            return batch
        (size,) = _SIZE.unpack_from(data, at)
        begin = at + _SIZE.size
        self.took(1, _SIZE.size + size)
        return data[begin : begin + size]

    def took(self, count: int, size: int, records: int = -1) -> None:
        """So many entries, with so many bytes in all, have been taken; records: in them, if not one each."""
        self.at += size
        self.left -= count
        self.offset += count if records < 0 else records
        if self.at > len(self.data):
            raise DamagedRecordError("an entry of a chunk is cut off")
        if not self.left and (self.at != len(self.data) or self.offset != self._end_offset):
            raise DamagedRecordError("a chunk holds other entries than its head says")


def entries_of(head: Head, data: bytes) -> Iterator[tuple[int, bytes | Batch]]:
    """The entries of a chunk, each with the offset of its first record.

    data: that of the chunk, without head and filter.  Raises DamagedRecordError where they aren't what the head says.
    """
    entries = Entries(head, data)
    while True:
        offset = entries.offset
        entry = entries.next()
        if entry is None:
            return
        yield offset, entry


def _decode_batch(data: bytes, at: int) -> tuple[Batch, int]:
    """The batch whose entry begins here, and where it ends.  Raises DamagedRecordError where it is cut off."""
    if at + _BATCH.size > len(data):
        raise DamagedRecordError("a batch in a chunk is cut off")
    first, records, unpacked_size, size = _BATCH.unpack_from(data, at)
    begin = at + _BATCH.size
    if begin + size > len(data):
        raise DamagedRecordError("an entry of a chunk is cut off")
    compression = first >> COMPRESSION_SHIFT & COMPRESSION_MASK
    return Batch(compression, records, unpacked_size, data[begin : begin + size]), begin + size
