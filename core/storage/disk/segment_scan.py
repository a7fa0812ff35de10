"""What one segment file holds, found by scanning it at start: its entries and its settlements.

A torn tail of the last segment is what a crash leaves of a flush that nobody was told was done: it is
dropped. Within that flush pages may even have reached the disk out of order.  So settlements behind damage
count only if a later flush proves that theirs was complete: otherwise the message that replaces the settled
one (dead-lettering) may be what is missing.

What doesn't count at one start mustn't count at the next, when further segments stand behind this one as if its flush
had been complete: so it is written over (`renounce`) with settlements of a queue that nobody has.
"""

from __future__ import annotations

import os
from array import array
from pathlib import Path
from typing import Final

from warren.core.storage.disk.delivery_counts import Noted
from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.storage.disk.files import sync_data, write_at
from warren.core.storage.disk.flush import segment_name
from warren.core.storage.disk.keys import NO_KEY, LogKey
from warren.core.storage.disk.message_run import Entries, take_run
from warren.core.storage.disk.records import (
    FAILED,
    GROUP,
    KEYED_START_SIZE,
    KIND_MASK,
    MESSAGE,
    RECORD_HEAD,
    RECORD_HEAD_SIZE,
    SEGMENT_HEADER_SIZE,
    SETTLED,
    STARTS_FLUSH,
    UNKEYED_VERSION,
    decode_failed,
    decode_message,
    decode_segment_header,
    decode_settled,
    encode_record,
    encode_settled,
    key_of_start,
)
from warren.core.storage.disk.scanner import DAMAGE, Scanner
from warren.core.storage.disk.segment import LARGE_RECORD_SIZE, Segment

NOBODY: Final = 0
"""A queue id that is never given."""


class SegmentScan:
    """What the scan of one segment found.

    entries: by queue.  settlements: positions by queue, of entries here and in older segments.
    failed: what FAILED records say, in order.  damaged: ranges of file offsets.
    file_size: bytes of the file, allocated space included.
    """

    def __init__(self, base: int, path: Path, key: LogKey) -> None:
        """key: of the log."""
        self.segment = Segment(base, key.of_segment(base))
        self._log_key = key.value
        self.path = path
        self.entries: dict[int, Entries] = {}
        self.settlements: dict[int, array[int]] = {}
        self.failed: list[Noted] = []
        self.damaged: list[tuple[int, int]] = []
        self.tail: tuple[int, int] | None = None
        self.header_is_valid = False
        self.record_count = 0
        self.file_size = 0
        self._sparse_positions = array("Q")
        self._sparse_offsets = array("Q")
        self._doubtful: list[tuple[int, array[int], int, int]] = []
        self._is_doubtful = False

    def run(self, is_last: bool) -> None:
        """Scan the file. Raises OSError if it can't be read, DamagedRecordError if it is another's."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.file_size = os.fstat(descriptor).st_size
            sparse_end = self._read_header(descriptor)
            base, key = self.segment.base, self.segment.key
            scanner = Scanner(descriptor, base, self.file_size, sparse_end, key, taker=self._take_run)
            for kind, position, buffer, start, end in scanner.steps():
                if kind == DAMAGE:
                    self.damaged.append((start, end))
                    self._is_doubtful = is_last
                    continue
                if kind & STARTS_FLUSH:
                    self._end_doubt()
                self.record_count += 1
                offset = scanner.end - RECORD_HEAD_SIZE - (end - start)
                self._take(kind & KIND_MASK, position, buffer, start, end, offset)
        finally:
            os.close(descriptor)
        if not is_last:
            self._end_doubt()
        self.tail = scanner.tail
        self._finish(scanner.end, sparse_end)

    def _read_header(self, descriptor: int) -> int:
        """Note whether the header is good, and the key; return the end of a sparse segment, 0 for a dense one."""
        data = os.pread(descriptor, KEYED_START_SIZE, 0)
        key = key_of_start(data, self.segment.base)
        if key is not None:
            self.segment.key = key
        try:
            version, base, end = decode_segment_header(data[:SEGMENT_HEADER_SIZE])
        except DamagedRecordError:
            return 0
        if key is None:
            self.segment.key = self._log_key if version > UNKEYED_VERSION else NO_KEY
        if base != self.segment.base:
            raise DamagedRecordError(f"its header says that it is {segment_name(base)}")
        self.header_is_valid = True
        return end

    def _take_run(self, buffer: bytes, view: memoryview, at: int, position: int) -> int:
        """Book the ordinary messages that follow; where they end.  In doubt each record is looked at by itself."""
        if self._is_doubtful:
            return at
        count, end = take_run(buffer, view, at, position, self.segment.key, self.entries)
        if count:
            self.record_count += count
            self.segment.add_small(count, end - at)
        return end

    def _take(self, kind: int, position: int, buffer: bytes, start: int, end: int, offset: int) -> None:
        """Book one record; `offset` is where it begins in the file."""
        try:
            if kind == MESSAGE:
                self._take_message(position, buffer, start, end, offset)
            elif kind == SETTLED:
                queue_id, positions = decode_settled(buffer, start, end)
                self.segment.add_settlements(len(positions), RECORD_HEAD_SIZE + end - start)
                if self._is_doubtful:
                    self._doubtful.append((queue_id, positions, offset, position))
                else:
                    self._take_settled(queue_id, positions)
            elif kind == GROUP:
                self._take_group(buffer, start, end, offset)
            elif kind == FAILED:
                self.failed.append(decode_failed(buffer, start, end))
        except DamagedRecordError:
            self.damaged.append((offset, offset + RECORD_HEAD_SIZE + end - start))

    def _take_group(self, buffer: bytes, start: int, end: int, offset: int) -> None:
        """Book what a complete group holds; its settlements are never in doubt, being here as a whole."""
        was_doubtful, self._is_doubtful = self._is_doubtful, False
        at = start
        while at < end:
            _, _, kind, length, position = RECORD_HEAD.unpack_from(buffer, at)
            inner_offset = offset + RECORD_HEAD_SIZE + at - start
            at += RECORD_HEAD_SIZE
            self._take(kind & KIND_MASK, position, buffer, at, at + length, inner_offset)
            at += length
        self._is_doubtful = was_doubtful

    def _take_message(self, position: int, buffer: bytes, start: int, end: int, offset: int) -> None:
        """Book a message for each of its queues."""
        _, queue_ids, _, _, body_at = decode_message(buffer, start, end)
        record_size = RECORD_HEAD_SIZE + end - start
        if record_size >= LARGE_RECORD_SIZE:
            self.segment.add_large(position, len(queue_ids), record_size)
        else:
            self.segment.add_small(len(queue_ids), record_size)
        for queue_id in queue_ids:
            entries = self.entries.get(queue_id)
            if entries is None:
                entries = self.entries[queue_id] = (array("Q"), array("I"))
            entries[0].append(position)
            entries[1].append(end - body_at)
        self._sparse_positions.append(position)
        self._sparse_offsets.append(offset)

    def _take_settled(self, queue_id: int, positions: array[int]) -> None:
        self.settlements.setdefault(queue_id, array("Q")).extend(positions)

    def _end_doubt(self) -> None:
        """The flush that the damage was in is known to have been complete."""
        self._is_doubtful = False
        for queue_id, positions, _, _ in self._doubtful:
            self._take_settled(queue_id, positions)
        self._doubtful.clear()

    @property
    def is_in_doubt(self) -> bool:
        """True where settlements behind damage don't count, as far as the scan has got."""
        return bool(self._doubtful)

    def renounce(self) -> None:
        """Have those settle nothing, also for later starts; on the device when this returns.  Raises OSError."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            for _, positions, offset, position in self._doubtful:
                payload = encode_settled(NOBODY, positions)
                write_at(descriptor, encode_record(SETTLED, position, payload, self.segment.key), offset)
            sync_data(descriptor)
        finally:
            os.close(descriptor)
        self._doubtful.clear()

    def _finish(self, end_offset: int, sparse_end: int) -> None:
        """Complete the segment."""
        segment = self.segment
        segment.size = end_offset
        segment.end = sparse_end or segment.base + end_offset
        if sparse_end:
            segment.positions, segment.offsets = self._sparse_positions, self._sparse_offsets
        else:
            self._sparse_positions = self._sparse_offsets = array("Q")
