"""The format of the message log: segment headers and records.  All integers are little-endian.

A *position* is an offset in the one endless log of the broker.  A segment file `messages/<base>.log` (16 hex
digits) holds the records from position `base` on, behind a header of 32 bytes that counts as part of the log;
so no record has position 0, and in a dense segment the record at position p begins at file offset p - base.
A compacted segment is *sparse*: records were left out and the others moved together, each keeping its
position; its header says so and says where the range of positions that it stands for ends.

    segment header   magic 8s, checksum u32, version u32, base u64, end u64 (0: dense, runs to the file's end)
    record           checksum u32, marker u16, kind u8, payload length u32, own position u64, payload
    MESSAGE          published_at_ms i64, queue count u32, address length u16, properties length u32,
                     queue ids u64 each, Address.encoded, Properties.raw, body (the rest)
    SETTLED          queue id u64, positions u64 each: these entries of the queue are done with
    GROUP            complete MESSAGE and SETTLED records that count together or not at all
    FAILED           queue id u64, first ready position u64, count u32, positions u64 each, failures u32 each:
                     see delivery_counts.py
    KEY              key u32: right behind the segment header, and nowhere else

Checksums are CRC-32 of everything behind them (in a segment header: of the other fields), begun with the key
of the log (keys.py); those of segment headers and KEY records begin with 0, as all do in segments before
version 3.  The marker and the own position let a scan find the next record behind a damaged one.  Two flags
ride in `kind`: STARTS_FLUSH on the first record of a flush, which proves that the flush before was synced;
INNER on records in a group, which a scan that lost its way must not take for records of their own.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence
from struct import Struct, error, pack
from typing import Final
from zlib import crc32

from warren.core.storage.disk.errors import DamagedRecordError

FORMAT_VERSION: Final = 3
"""Raised when a broker that knows only the version before could not read what is written."""

UNKEYED_VERSION: Final = 2
"""Of segments without a KEY record."""

SEGMENT_MAGIC: Final = b"WarrenML"
_SEGMENT_HEADER: Final = Struct("<8sIIQQ")
_SEGMENT_FIELDS: Final = Struct("<IQQ")
SEGMENT_HEADER_SIZE: Final = _SEGMENT_HEADER.size

MARKER: Final = 0xB1D7
"""Neither byte is common in text or small integers, so that a scan for it stops seldom in vain."""
MARKER_BYTES: Final = MARKER.to_bytes(2, "little")
MARKER_AT: Final = 4

MESSAGE: Final = 1
SETTLED: Final = 2
GROUP: Final = 3
FAILED: Final = 4
KEY: Final = 5
KIND_MASK: Final = 0x3F
INNER: Final = 0x40
STARTS_FLUSH: Final = 0x80

RECORD_HEAD: Final = Struct("<IHBIQ")
"""checksum, marker, kind with flags, payload length, own position."""
RECORD_HEAD_SIZE: Final = RECORD_HEAD.size
CHECKSUM_SIZE: Final = 4

_KEY_FIELD: Final = Struct("<I")
KEYED_START_SIZE: Final = SEGMENT_HEADER_SIZE + RECORD_HEAD_SIZE + _KEY_FIELD.size
"""What stands before the first record of a segment with a key."""

pack_checksum: Final = Struct("<I").pack
pack_record_head: Final = Struct("<HBIQ").pack
"""marker, kind with flags, payload length, own position: a record's head behind the checksum."""
pack_message_head: Final = Struct("<HBIQq").pack
"""The same and published_at_ms, which is the first field of a MESSAGE."""

_MESSAGE_FIELDS: Final = Struct("<qIHI")
MESSAGE_FIELDS_SIZE: Final = _MESSAGE_FIELDS.size
_FAILED_FIELDS: Final = Struct("<QQI")
FAILURES_MAX: Final = 2**32 - 1
QUEUE_ID_SIZE: Final = 8
POSITION_SIZE: Final = 8


def encode_segment_header(base: int, end: int, *, version: int = FORMAT_VERSION) -> bytes:
    """The header of a segment; `end` is 0 for a dense one.  version: of its format."""
    fields = _SEGMENT_FIELDS.pack(version, base, end)
    return SEGMENT_MAGIC + pack_checksum(crc32(fields)) + fields


def decode_segment_header(data: bytes) -> tuple[int, int, int]:
    """(version, base, end) of a segment header; raises DamagedRecordError.

    The fields' places are the same in all versions to come, so that a newer version can be told from damage.
    """
    if len(data) < SEGMENT_HEADER_SIZE:
        raise DamagedRecordError("the segment header is cut off")
    magic, checksum, version, base, end = _SEGMENT_HEADER.unpack_from(data)
    if magic != SEGMENT_MAGIC or checksum != crc32(data[12:SEGMENT_HEADER_SIZE]):
        raise DamagedRecordError("the segment header fails its checksum")
    return version, base, end


def encode_segment_start(base: int, end: int, key: int) -> bytes:
    """A segment header, and the KEY record that belongs to it, unless the key is 0."""
    if not key:
        return encode_segment_header(base, end, version=UNKEYED_VERSION)
    return encode_segment_header(base, end) + encode_record(KEY, base + SEGMENT_HEADER_SIZE, _KEY_FIELD.pack(key), 0)


def key_of_start(data: bytes, base: int) -> int | None:
    """The key in what a segment begins with; None without a sound KEY record."""
    if len(data) < KEYED_START_SIZE:
        return None
    checksum, marker, kind, length, position = RECORD_HEAD.unpack_from(data, SEGMENT_HEADER_SIZE)
    if (marker, kind, length, position) != (MARKER, KEY, _KEY_FIELD.size, base + SEGMENT_HEADER_SIZE):
        return None
    if crc32(data[SEGMENT_HEADER_SIZE + CHECKSUM_SIZE : KEYED_START_SIZE]) != checksum:
        return None
    return int(_KEY_FIELD.unpack_from(data, KEYED_START_SIZE - _KEY_FIELD.size)[0])


def start_size(key: int) -> int:
    """How much stands before the first record of a segment."""
    return KEYED_START_SIZE if key else SEGMENT_HEADER_SIZE


def encode_record(kind: int, position: int, payload: bytes, key: int) -> bytes:
    """A complete record; `kind` includes its flags.  key: what the checksum begins with."""
    head = pack_record_head(MARKER, kind, len(payload), position)
    return pack_checksum(crc32(payload, crc32(head, key))) + head + payload


def encode_routing(queue_ids: Sequence[int], address: bytes, properties: bytes) -> bytes:
    """What a MESSAGE holds between published_at_ms and the body; messages published alike share it."""
    count = len(queue_ids)
    return pack(f"<IHI{count}Q", count, len(address), len(properties), *queue_ids) + address + properties


def encode_settled(queue_id: int, positions: array[int]) -> bytes:
    """The payload of a SETTLED record; `positions` has the type code Q."""
    return queue_id.to_bytes(8, "little") + _swapped(positions).tobytes()


def decode_settled(buffer: bytes, start: int, end: int) -> tuple[int, array[int]]:
    """(queue id, positions) of the SETTLED payload in buffer[start:end]; raises DamagedRecordError."""
    positions = array("Q")
    if end - start < QUEUE_ID_SIZE or (end - start) % POSITION_SIZE:
        raise DamagedRecordError("a settlement record has an impossible length")
    positions.frombytes(buffer[start + QUEUE_ID_SIZE : end])
    return int.from_bytes(buffer[start : start + QUEUE_ID_SIZE], "little"), _swapped(positions)


def encode_failed(queue_id: int, ready_from: int, failures: Mapping[int, int]) -> bytes:
    """The payload of a FAILED record."""
    count = len(failures)
    numbers = (min(each, FAILURES_MAX) for each in failures.values())
    return _FAILED_FIELDS.pack(queue_id, ready_from, count) + pack(f"<{count}Q{count}I", *failures, *numbers)


def decode_failed(buffer: bytes, start: int, end: int) -> tuple[int, int, dict[int, int]]:
    """(queue id, first ready position, failures by position) of the FAILED payload in buffer[start:end].

    Raises DamagedRecordError.
    """
    try:
        queue_id, ready_from, count = _FAILED_FIELDS.unpack_from(buffer, start)
        numbers = Struct(f"<{count}Q{count}I").unpack(buffer[start + _FAILED_FIELDS.size : end])
    except error as wrong:
        raise DamagedRecordError("a record of failed deliveries has an impossible length") from wrong
    return queue_id, ready_from, dict(zip(numbers[:count], numbers[count:], strict=True))


def decode_message(buffer: bytes, start: int, end: int) -> tuple[int, tuple[int, ...], int, int, int]:
    """The fields of the MESSAGE payload in buffer[start:end]; raises DamagedRecordError.

    Returns (published_at_ms, queue ids, where the address starts, where the properties start, where the body
    starts).
    """
    try:
        published_at_ms, queue_count, address_size, properties_size = _MESSAGE_FIELDS.unpack_from(buffer, start)
        address_at = start + MESSAGE_FIELDS_SIZE + QUEUE_ID_SIZE * queue_count
        properties_at = address_at + address_size
        body_at = properties_at + properties_size
        if body_at > end:
            raise DamagedRecordError("a message record is shorter than its fields say")
        if queue_count == 1:
            queue_ids: tuple[int, ...] = _ONE_QUEUE.unpack_from(buffer, start + MESSAGE_FIELDS_SIZE)
        else:
            queue_ids = Struct(f"<{queue_count}Q").unpack_from(buffer, start + MESSAGE_FIELDS_SIZE)
    except error as cut:
        raise DamagedRecordError("a message record is shorter than its fields say") from cut
    return published_at_ms, queue_ids, address_at, properties_at, body_at


_ONE_QUEUE: Final = Struct("<Q")


def _swapped(positions: array[int]) -> array[int]:
    """`positions` in the log's byte order (or back)."""
    if sys.byteorder == "little":
        return positions
    copy = positions[:]
    copy.byteswap()
    return copy
