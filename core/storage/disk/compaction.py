"""Upkeep of the log as jobs for a worker thread: deleting dead segments and rewriting mostly dead ones.

A job gets a snapshot of what it needs when it is made on the broker's thread; while it runs, the broker goes
on appending, settling and reading.  What is settled meanwhile is booked as ever and simply is dead weight in
the rewritten file.  Reads use the old file, whose descriptor the reader holds, until the job is booked.

A rewritten segment is complete and synced under a temporary name before it takes the old one's, so a crash
leaves one or the other.  Settlements elsewhere that the rewrite made needless are freed only once the new
name is durable.

A job that fails changes nothing that matters and stops nobody: `failure` says why, for the report.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from pathlib import Path

from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.storage.disk.files import FILE_MODE, sync_directory, write_at
from warren.core.storage.disk.flush import segment_name
from warren.core.storage.disk.quarantine import Quarantine
from warren.core.storage.disk.records import (
    GROUP,
    KIND_MASK,
    MESSAGE,
    RECORD_HEAD,
    RECORD_HEAD_SIZE,
    SETTLED,
    decode_message,
    decode_settled,
    encode_record,
    encode_routing,
    encode_segment_start,
    encode_settled,
    start_size,
)
from warren.core.storage.disk.scanner import DAMAGE, Scanner
from warren.core.storage.disk.segment import LARGE_RECORD_SIZE, Segment

TEMPORARY_SUFFIX = ".tmp"
_WRITE_SIZE = 1 << 18
_CHUNK_SIZE = 1 << 16
"""Bytes checked between two pauses: below a millisecond for small records."""


class DeletionJob:
    """Removes the files of dead segments."""

    def __init__(self, directory: Path, segments: list[Segment]) -> None:
        self.segments = segments
        self.failure: OSError | DamagedRecordError | None = None
        self._directory = directory

    def write(self) -> None:
        """Remove the files and make that durable; failing is noted, not raised."""
        try:
            for segment in self.segments:
                _remove(self._directory / segment_name(segment.base))
            sync_directory(self._directory)
        except OSError as error:
            self.failure = error


class CompactionJob:
    """Rewrites one segment with only its live messages and the settlements still needed.

    settled: the segment's dead entries, by queue.  needed: dead entries of older segments, by queue, whose
    settlements must be kept.  settlement_counts: what to free elsewhere when this is done.
    `replaced` is True once the new file has the old one's name, `completed` once that is durable.
    """

    def __init__(
        self,
        directory: Path,
        segment: Segment,
        needed: dict[int, list[array[int]]],
        settlement_counts: dict[int, int],
        pause: Callable[[], None],
    ) -> None:
        self.segment = segment
        self.settled = segment.settled
        self.settlement_counts = settlement_counts
        self.live_count = segment.live_count
        self.rewritten = Segment(segment.base, segment.key)
        self.failure: OSError | DamagedRecordError | None = None
        self.quarantine = Quarantine(directory)
        self.replaced = False
        self.completed = False
        self._needed = needed
        self._directory = directory
        self._name = segment_name(segment.base)
        self._end = segment.end
        self._pause = pause
        self._positions = array("Q")
        self._offsets = array("Q")
        self._chunks: list[bytes] = []

    def write(self) -> None:
        """Rewrite the file; failing is noted, not raised."""
        temporary = self._directory / (self._name + TEMPORARY_SUFFIX)
        try:
            self._rewrite(temporary)
            os.rename(temporary, self._directory / self._name)
            self.replaced = True
            sync_directory(self._directory)
            self.completed = True
        except (OSError, DamagedRecordError) as error:
            self.failure = error
            if not self.replaced:
                _try_to_remove(temporary)

    def _rewrite(self, temporary: Path) -> None:
        """The complete new file under its temporary name."""
        source = os.open(self._directory / self._name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
            try:
                self._copy_live(source, target)
                os.fsync(target)
            finally:
                os.close(target)
        finally:
            os.close(source)
        self.rewritten.end = self._end
        self.rewritten.positions = self._positions
        self.rewritten.offsets = self._offsets

    def _copy_live(self, source: int, target: int) -> None:
        """Scan the old file and write what is still needed."""
        dead = {queue_id: set(positions) for queue_id, positions in self.settled.items()}
        needed = {queue_id: set().union(*parts) for queue_id, parts in self._needed.items()}
        size = os.fstat(source).st_size
        sparse_end = self._end if self.segment.sparse else 0
        key = self.segment.key
        scanner = Scanner(source, self.segment.base, size, sparse_end, key, _CHUNK_SIZE, self._pause)
        self._chunks = [encode_segment_start(self.segment.base, self._end, key)]
        self.rewritten.size = start_size(key)
        written = 0
        for kind, position, buffer, start, end in scanner.steps():
            if kind == DAMAGE:
                self._set_aside(start, end)
            else:
                self._copy_record(kind & KIND_MASK, position, buffer, start, end, dead, needed)
            if self.rewritten.size - written > _WRITE_SIZE:
                written = self._write_chunks(target, written)
        if scanner.tail is not None:
            self._set_aside(*scanner.tail)
        self._write_chunks(target, written)

    def _set_aside(self, start: int, end: int) -> None:
        """Bytes that would be lost with the old file."""
        if not self.quarantine.copy_range(self._name, start, end, "found while compacting"):
            raise OSError(f"damaged bytes of {self._name} could not be copied")

    def _copy_record(
        self,
        kind: int,
        position: int,
        buffer: bytes,
        start: int,
        end: int,
        dead: dict[int, set[int]],
        needed: dict[int, set[int]],
    ) -> None:
        """What is still needed of one record; the parts of a durable group may stand alone."""
        if kind == GROUP:
            at = start
            while at < end:
                _, _, inner_kind, length, inner_position = RECORD_HEAD.unpack_from(buffer, at)
                at += RECORD_HEAD_SIZE
                inner = inner_kind & KIND_MASK
                self._copy_record(inner, inner_position, buffer, at, at + length, dead, needed)
                at += length
        elif kind == MESSAGE:
            self._copy_message(position, buffer, start, end, dead)
        elif kind == SETTLED:
            queue_id, positions = decode_settled(buffer, start, end)
            wanted = needed.get(queue_id)
            kept = array("Q", filter(wanted.__contains__, positions)) if wanted else None
            if kept:
                record = encode_record(SETTLED, position, encode_settled(queue_id, kept), self.segment.key)
                self.rewritten.add_settlements(len(kept), len(record))
                self._add(record)

    def _copy_message(self, position: int, buffer: bytes, start: int, end: int, dead: dict[int, set[int]]) -> None:
        """The message for those of its queues that haven't settled it."""
        _, queue_ids, address_at, properties_at, body_at = decode_message(buffer, start, end)
        kept = [queue_id for queue_id in queue_ids if position not in dead.get(queue_id, ())]
        if not kept:
            return
        routing = encode_routing(kept, buffer[address_at:properties_at], buffer[properties_at:body_at])
        published = buffer[start : start + 8]
        payload = published + routing + buffer[body_at:end]
        record = encode_record(MESSAGE, position, payload, self.segment.key)
        self._positions.append(position)
        self._offsets.append(self.rewritten.size)
        if len(record) >= LARGE_RECORD_SIZE:
            self.rewritten.add_large(position, len(kept), len(record))
        else:
            self.rewritten.add_small(len(kept), len(record))
        self._add(record)

    def _add(self, record: bytes) -> None:
        self._chunks.append(record)
        self.rewritten.size += len(record)

    def _write_chunks(self, target: int, written: int) -> int:
        """Write what is collected at offset `written`; return how far the file has got."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        write_at(target, data, written)
        return written + len(data)


def _remove(path: Path) -> None:
    """Remove a file that an earlier, failed job may have removed already."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _try_to_remove(path: Path) -> None:
    """Remove a temporary file if that is possible; recovery does it otherwise."""
    try:
        os.unlink(path)
    except OSError:
        pass
