"""Reading messages back by position, in as few reads as possible.

Positions that are wanted together mostly lie together, so a stretch of the file that holds several of them is
read at once: up to a gap that would cost more than a second read.  The length of the last record of a stretch
is unknown; a little more is read in the hope that it suffices.

Only a few files are kept open.  The file of a segment being rewritten is held until the rewrite is booked:
its name changes hands in a worker thread, the meaning of the segment's offsets only with the booking.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from zlib import crc32

from warren.core.errors import MalformedField, StoreUnavailable
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties
from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.storage.disk.flush import no_clock, segment_name
from warren.core.storage.disk.ledger import Ledger
from warren.core.storage.disk.quarantine import Quarantine
from warren.core.storage.disk.records import (
    CHECKSUM_SIZE,
    KIND_MASK,
    MARKER,
    MESSAGE,
    RECORD_HEAD,
    RECORD_HEAD_SIZE,
    decode_message,
)
from warren.core.storage.disk.segment import Segment

STRETCH_BYTES_MAX = 1 << 20
"""One read; bounds what a read of a few messages can hold in memory beyond them."""

GAP_BYTES_MAX = 1 << 15
"""Reading 32 KiB that nobody wants costs about as much as another system call and wait."""

_SLACK_SIZE = 4096
"""Read beyond the start of a stretch's last record."""

_SHARED_PROPERTIES_SIZE = 256
"""Longer property lists seldom repeat, and must not be held in memory for the next one."""

OPEN_FILES_MAX = 8
"""Queues read ahead from few segments at a time."""


class MessageReader:
    """Reads messages of the segments in `ledger`; damage goes to `quarantine.reports`.

    reads, read_bytes, read_ns: of stretches, how often and how much so far, and how long that took by `clock_ns`; what
    of a long record lies behind one isn't counted.
    """

    def __init__(
        self, directory: Path, ledger: Ledger, quarantine: Quarantine, clock_ns: Callable[[], int] = no_clock
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._quarantine = quarantine
        self._descriptors: dict[int, int] = {}
        self._held: set[int] = set()
        self.reads = 0
        self.read_bytes = 0
        self.read_ns = 0
        self._clock_ns = clock_ns

    def read(self, positions: Sequence[int]) -> list[Message | None]:
        """The messages at `positions`, in that order; None for one that is damaged or not there."""
        wanted = sorted(positions)
        found: dict[int, Message | None] = {}
        index = 0
        while index < len(wanted):
            segment = self._ledger.find(wanted[index])
            if segment is None:
                self._quarantine.report(f"no segment holds the message at log position {wanted[index]}")
                found[wanted[index]] = None
                index += 1
            else:
                stop = bisect_left(wanted, segment.end, index)
                self._read_segment(segment, wanted[index:stop], found)
                index = stop
        return [found[position] for position in positions]

    def hold(self, segment: Segment) -> None:
        """Keep the file of `segment` as it is now until `release`. Raises OSError."""
        self._descriptor(segment)
        self._held.add(segment.base)

    def release(self, segment: Segment) -> None:
        """The segment's file may have been replaced or removed: close it."""
        self._held.discard(segment.base)
        descriptor = self._descriptors.pop(segment.base, None)
        if descriptor is not None:
            os.close(descriptor)

    def close(self) -> None:
        """Close all files."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()
        self._held.clear()

    def _read_segment(self, segment: Segment, wanted: list[int], found: dict[int, Message | None]) -> None:
        """Read ascending positions, all in one segment, stretch by stretch."""
        offsets = _offsets(segment, wanted)
        if -1 in offsets:
            self._quarantine.report(f"{self._path(segment)} no longer holds all messages asked for")
            found.update((position, None) for position in wanted)
            wanted = [position for position, offset in zip(wanted, offsets, strict=True) if offset >= 0]
            offsets = [offset for offset in offsets if offset >= 0]
        try:
            descriptor = self._descriptor(segment)
            start = 0
            while start < len(wanted):
                stop = start + 1
                while (
                    stop < len(wanted)
                    and offsets[stop] - offsets[stop - 1] <= GAP_BYTES_MAX
                    and offsets[stop] - offsets[start] <= STRETCH_BYTES_MAX
                ):
                    stop += 1
                self._read_stretch(descriptor, segment, wanted[start:stop], offsets[start:stop], found)
                start = stop
        except OSError as error:
            raise StoreUnavailable(
                f"{self._path(segment)} can't be read: {error.strerror}; it is tried again, check disk and open files"
            ) from error

    def _read_stretch(
        self,
        descriptor: int,
        segment: Segment,
        wanted: list[int],
        offsets: list[int],
        found: dict[int, Message | None],
    ) -> None:
        """Read one stretch and decode the messages in it."""
        first = offsets[0]
        began_ns = self._clock_ns()
        buffer = os.pread(descriptor, offsets[-1] - first + _SLACK_SIZE, first)
        self.read_ns += self._clock_ns() - began_ns
        self.reads += 1
        self.read_bytes += len(buffer)
        for position, offset in zip(wanted, offsets, strict=True):
            try:
                found[position] = self._decode(descriptor, segment.key, buffer, offset - first, position, offset)
            except DamagedRecordError as damage:
                found[position] = None
                self._quarantine.report(f"{self._path(segment)}: the message at byte {offset} is lost: {damage}")

    def _decode(self, descriptor: int, key: int, buffer: bytes, at: int, position: int, offset: int) -> Message:
        """The message whose record begins at buffer[at]; raises DamagedRecordError."""
        if at + RECORD_HEAD_SIZE > len(buffer):
            raise DamagedRecordError("no record is there")
        checksum, marker, kind, length, own_position = RECORD_HEAD.unpack_from(buffer, at)
        if marker != MARKER or own_position != position or kind & KIND_MASK != MESSAGE:
            raise DamagedRecordError("another record or none is there")
        end = at + RECORD_HEAD_SIZE + length
        if end > len(buffer):
            buffer = _read_record(descriptor, offset, RECORD_HEAD_SIZE + length)
            at, end = 0, RECORD_HEAD_SIZE + length
        if crc32(memoryview(buffer)[at + CHECKSUM_SIZE : end], key) != checksum:
            raise DamagedRecordError("it fails its checksum")
        return _message(buffer, position, at + RECORD_HEAD_SIZE, end)

    def _descriptor(self, segment: Segment) -> int:
        """The segment's open file; closes the one used longest ago when there are too many."""
        descriptor = self._descriptors.pop(segment.base, None)
        if descriptor is None:
            if len(self._descriptors) >= OPEN_FILES_MAX:
                self._close_oldest()
            descriptor = self._open(segment)
        self._descriptors[segment.base] = descriptor
        return descriptor

    def _open(self, segment: Segment) -> int:
        """Open the segment's file, giving another one up when the process has no descriptor left."""
        try:
            return os.open(self._path(segment), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            if not self._close_oldest():
                raise
            return os.open(self._path(segment), os.O_RDONLY | os.O_CLOEXEC)

    def _close_oldest(self) -> bool:
        """Close the file used longest ago that isn't held; False when there is none."""
        for base, descriptor in self._descriptors.items():
            if base not in self._held:
                del self._descriptors[base]
                os.close(descriptor)
                return True
        return False

    def _path(self, segment: Segment) -> Path:
        return self._directory / segment_name(segment.base)


def _offsets(segment: Segment, positions: list[int]) -> list[int]:
    """File offsets of messages in `segment`; -1 for one that a compaction has dropped."""
    if segment.positions is None or segment.offsets is None:
        return [position - segment.base for position in positions]
    offsets = []
    for position in positions:
        index = bisect_left(segment.positions, position)
        is_there = index < len(segment.positions) and segment.positions[index] == position
        offsets.append(segment.offsets[index] if is_there else -1)
    return offsets


def _read_record(descriptor: int, offset: int, size: int) -> bytes:
    """`size` bytes at `offset`; raises DamagedRecordError when the file ends before."""
    if offset + size > os.fstat(descriptor).st_size:
        raise DamagedRecordError("it claims to be longer than its file")
    parts = []
    while size:
        part = os.pread(descriptor, size, offset)
        if not part:
            raise DamagedRecordError("its file ends too early")
        parts.append(part)
        offset += len(part)
        size -= len(part)
    return b"".join(parts)


def _message(buffer: bytes, position: int, start: int, end: int) -> Message:
    """The message in the MESSAGE payload buffer[start:end]; raises DamagedRecordError."""
    published_at_ms, _, address_at, properties_at, body_at = decode_message(buffer, start, end)
    try:
        address = _address(buffer[address_at:properties_at])
        raw = buffer[properties_at:body_at]
        properties = _properties(raw) if len(raw) <= _SHARED_PROPERTIES_SIZE else Properties.parse(raw)
    except (MalformedField, IndexError) as error:
        raise DamagedRecordError(f"its properties can't be decoded: {error}") from error
    message = Message(0, address, properties, buffer[body_at:end], 0, end - body_at, 0, published_at_ms)
    message.position = position
    return message


@lru_cache(maxsize=1024)
def _address(encoded: bytes) -> Address:
    """Addresses repeat; a queue's backlog mostly has a handful."""
    return Address.decode(encoded)


@lru_cache(maxsize=256)
def _properties(raw: bytes) -> Properties:
    """Property lists repeat too where they carry no identifiers; a Properties may be shared."""
    return Properties.parse(raw)
