"""A segment of a stream as a file, and its index beside it.

A segment begins with a start that names its format, its first offset and a key; behind it stand its chunks, each behind
a prefix of eight bytes: a marker, and the checksum of the chunk's head and filter, which the chunk's own layout leaves
unprotected.
That checksum begins with the key, which is drawn by lot and told to nobody, so that no message can look like a chunk to
a scan that has lost its way.

The index has a row of 24 bytes for each chunk: its first offset, its time, and where it is; the two highest bits of
that say what kind of chunk it is.  It is never synced, as it can be made again from the segment, and is believed only
where the chunk that it points to says the same.  It is written behind the sync of the segment, so what has a row is on
the device.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final, NamedTuple, TypeAlias
from zlib import crc32

from warren.core.errors import NewerFormatError
from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.streams.chunk import HEAD_SIZE, Head, decode_head

FORMAT_VERSION: Final = 2
"""Raised when a broker that knows only the version before could not read what is written.  In version 1 chunks have no
trailers, and none but those of messages follow a segment's start."""

_START: Final = Struct(">7sBQI")
_START_MAGIC: Final = b"WSTREAM"
_VERSION_ZERO: Final = ord("0")
"""The version stands behind the magic, as a digit."""
START_SIZE: Final = _START.size + 4

_PREFIX: Final = Struct(">4sI")
MARKER: Final = b"\xf5CHK"
"""The first byte is none of UTF-8's, so text rarely makes a scan look closer."""
PREFIX_SIZE: Final = _PREFIX.size

LEAD_SIZE: Final = PREFIX_SIZE + HEAD_SIZE
LEAD_MAX: Final = LEAD_SIZE + 255
"""Prefix, head and the largest filter."""

REWRITTEN: Final = ".rewritten"
"""What the name of a file ends in that is to take a segment's place."""

_ROW: Final = Struct(">QqQ")
ROW_SIZE: Final = _ROW.size

_KIND_SHIFT: Final = 62
_POSITION_MASK: Final = (1 << _KIND_SHIFT) - 1

_ROWS_AT_ONCE: Final = 1024
"""Rows that are read together where an index is read backwards."""


ReadAt: TypeAlias = Callable[[int, int], bytes]
"""Read a file: so many bytes, or what there is, from this place on.  Raises OSError."""


class Row(NamedTuple):
    """A row of an index: where the chunk is that begins with this offset, its time, and of which kind it is."""

    first_offset: int
    time_ms: int
    position: int
    kind: int


class Lead(NamedTuple):
    """What stands in front of a chunk's data, checked."""

    head: Head
    filter_: bytes

    @property
    def data_at(self) -> int:
        """Bytes from the beginning of the prefix to the data."""
        return LEAD_SIZE + len(self.filter_)

    @property
    def size(self) -> int:
        """Bytes that the chunk takes in the file, with its prefix."""
        return PREFIX_SIZE + self.head.size

    @property
    def trailer_at(self) -> int:
        """Bytes from the beginning of the prefix to the trailer."""
        return self.data_at + self.head.data_size

    def row(self, position: int) -> Row:
        """Its row of the index, if the chunk is here."""
        return Row(self.head.first_offset, self.head.time_ms, position, self.head.kind)


def segment_name(base: int) -> str:
    """The file name of the segment whose first offset this is."""
    return f"{base:020d}.segment"


def index_name(base: int) -> str:
    """That of its index."""
    return f"{base:020d}.index"


def rewritten_name(base: int) -> str:
    """That of the file that is to take the segment's place."""
    return f"{base:020d}{REWRITTEN}"


def base_of(name: str) -> int | None:
    """The first offset of a segment by its file name; None for a file that is none."""
    stem, _, suffix = name.partition(".")
    return int(stem) if suffix == "segment" and stem.isdecimal() else None


def drawn_key() -> int:
    """A key for a new segment."""
    return secrets.randbits(32)


def encode_row(row: Row) -> bytes:
    """A row as it stands in the index."""
    return _ROW.pack(row.first_offset, row.time_ms, row.position | row.kind << _KIND_SHIFT)


def _decoded_row(data: bytes, at: int) -> Row:
    first_offset, time_ms, place = _ROW.unpack_from(data, at)
    return Row(first_offset, time_ms, place & _POSITION_MASK, place >> _KIND_SHIFT)


def encode_start(base: int, key: int, *, version: int = FORMAT_VERSION) -> bytes:
    """The start of a segment.  version: of its format."""
    start = _START.pack(_START_MAGIC, _VERSION_ZERO + version, base, key)
    return start + crc32(start).to_bytes(4, "big")


def key_of_start(data: bytes, base: int) -> int:
    """The key that the start of a segment names.  Raises DamagedRecordError for anything else."""
    if version_of_start(data) is None:
        raise DamagedRecordError("its start is damaged")
    _, _, named, key = _START.unpack_from(data)
    if named != base:
        raise DamagedRecordError(f"its start is that of another segment ({named})")
    return int(key)


def version_of_start(data: bytes) -> int | None:
    """The format of the segment that begins with this; None where it is no start of one.

    The fields' places are the same in all versions to come, so that a newer version can be told from damage.
    """
    if len(data) < START_SIZE or crc32(data[: _START.size]) != int.from_bytes(data[_START.size : START_SIZE], "big"):
        return None
    magic, version, _, _ = _START.unpack_from(data)
    return version - _VERSION_ZERO if magic == _START_MAGIC else None


def refuse_newer_format(data: bytes, where: str) -> None:
    """Nothing is changed in a segment that a newer broker has written: raises NewerFormatError.

    data: its start.  where: its path, for people.
    """
    version = version_of_start(data)
    if version is not None and version > FORMAT_VERSION:
        raise NewerFormatError(
            f"{where} has stream format {version}, this broker knows formats up to {FORMAT_VERSION}: the data "
            "directory belongs to a newer version of Warren; start that one, or name another data directory"
        )


def framed(chunk: bytes, filter_size: int, key: int) -> bytes:
    """A chunk as it stands in a segment with this key."""
    return _PREFIX.pack(MARKER, crc32(chunk[: HEAD_SIZE + filter_size], key)) + chunk


def decode_lead(data: bytes, at: int, key: int) -> Lead:
    """What stands in front of the data of the chunk whose prefix begins here.

    data has LEAD_MAX bytes from there on, or all that there are.  Raises DamagedRecordError where no chunk begins.
    """
    if at + PREFIX_SIZE > len(data):
        raise DamagedRecordError("the prefix of a chunk is cut off")
    marker, checksum = _PREFIX.unpack_from(data, at)
    if marker != MARKER:
        raise DamagedRecordError("no chunk begins there")
    head_at = at + PREFIX_SIZE
    head = decode_head(data, head_at)
    data_at = head_at + HEAD_SIZE + head.filter_size
    if data_at > len(data):
        raise DamagedRecordError("the filter of a chunk is cut off")
    if crc32(data[head_at:data_at], key) != checksum:
        raise DamagedRecordError("the head of a chunk is damaged")
    return Lead(head, data[head_at + HEAD_SIZE : data_at])


def check_data(head: Head, data: bytes) -> None:
    """Raise DamagedRecordError where the data of a chunk aren't what was stored."""
    if len(data) < head.data_size:
        raise DamagedRecordError("the data of a chunk are cut off")
    if crc32(data) != head.checksum:
        raise DamagedRecordError("the data of a chunk are damaged")


class Index:
    """Looking into an index that has so many rows."""

    __slots__ = ("_read", "_rows")

    def __init__(self, read: ReadAt, rows: int) -> None:
        self._read = read
        self._rows = rows

    def row(self, number: int) -> Row:
        """A row by its number, from 0.  Raises DamagedRecordError for one that isn't there."""
        data = self._read(ROW_SIZE, number * ROW_SIZE)
        if len(data) < ROW_SIZE:
            raise DamagedRecordError(f"the index has no row {number}")
        return _decoded_row(data, 0)

    def backwards(self) -> Iterator[tuple[int, Row]]:
        """All rows with their numbers, the last first; it ends early where the file does."""
        end = self._rows
        while end > 0:
            start = max(0, end - _ROWS_AT_ONCE)
            data = self._read((end - start) * ROW_SIZE, start * ROW_SIZE)
            for number in range(start + len(data) // ROW_SIZE - 1, start - 1, -1):
                yield number, _decoded_row(data, (number - start) * ROW_SIZE)
            end = start

    def holding(self, offset: int) -> Row | None:
        """The chunk that holds an offset, or the last before it; None where the first begins behind it."""
        number = self._count(lambda row: row.first_offset <= offset)
        return self.row(number - 1) if number else None

    def since(self, time_ms: int) -> Row | None:
        """The first chunk that was stored then or later."""
        return self._at(self._count(lambda row: row.time_ms < time_ms))

    def behind(self, position: int) -> Row | None:
        """The first chunk that begins behind this place of the file."""
        return self._at(self._count(lambda row: row.position <= position))

    def _at(self, number: int) -> Row | None:
        return self.row(number) if number < self._rows else None

    def _count(self, is_before: Callable[[Row], bool]) -> int:
        """How many rows this is true of; those come first."""
        low, high = 0, self._rows
        while low < high:
            middle = (low + high) // 2
            if is_before(self.row(middle)):
                low = middle + 1
            else:
                high = middle
        return low
