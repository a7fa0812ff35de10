"""Reading a segment file from front to back, past damage.

The file is read in chunks rather than mapped: a bad sector is then an OSError here instead of a signal that
ends the process.  Each record is accepted only with its marker, its checksum and the right position: in a
dense segment the one that its file offset implies, in a sparse one any that grows and stays in the segment's
range.

Where no record begins, the scan looks for the next marker that begins a valid one.  If there is one, the
bytes between are a damaged range, reported as a DAMAGE step.  If there is none, the rest is the tail: zeros
are space that was allocated ahead and never used, anything else is what `tail` says: the trace of a write
that a crash cut off, or damage at the very end, which look alike.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Final
from zlib import crc32

from warren.core.storage.disk.records import (
    CHECKSUM_SIZE,
    FAILED,
    INNER,
    KEYED_START_SIZE,
    KIND_MASK,
    MARKER,
    MARKER_AT,
    MARKER_BYTES,
    RECORD_HEAD,
    RECORD_HEAD_SIZE,
    SEGMENT_HEADER_SIZE,
    key_of_start,
)

DAMAGE: Final = 0
"""Kind of the step that stands for a damaged range."""

CHUNK_SIZE: Final = 1 << 20
"""Large enough that reading costs little beside checking."""

Step = tuple[int, int, bytes, int, int]
"""(kind with flags, position, buffer, start and end of the payload in it).

For DAMAGE start and end are file offsets.
"""


Taker = Callable[[bytes, memoryview, int, int], int]
"""Given a buffer, a view of it, where in it a record may begin, and the position that it has then.

Returns where what it took ends: records that are valid, whole and in the buffer.
"""


def no_pause() -> None:
    """The pause of a scan that nothing else waits for."""


class Scanner:
    """One pass over the records of one segment file.

    descriptor: the open file; base: the segment's first position; size: file size in bytes.
    sparse_end: end of the range of positions of a sparse segment, 0 for a dense one.
    pause: called between chunks, so that a scan in a worker thread can leave the processor to others.
    taker: of a dense segment; is given what lies behind each record that was yielded, and may take some of it.
    """

    def __init__(
        self,
        descriptor: int,
        base: int,
        size: int,
        sparse_end: int,
        key: int,
        chunk_size: int = CHUNK_SIZE,
        pause: Callable[[], None] = no_pause,
        taker: Taker | None = None,
    ) -> None:
        keyed = key_of_start(os.pread(descriptor, KEYED_START_SIZE, 0), base) is not None
        self.start = self.end = KEYED_START_SIZE if keyed else SEGMENT_HEADER_SIZE
        self._key = key
        self.tail: tuple[int, int] | None = None
        self._descriptor = descriptor
        self._base = base
        self._size = size
        self._sparse_end = sparse_end
        self._chunk_size = chunk_size
        self._pause = pause
        self._taker = taker if not sparse_end else None
        self._buffer = b""
        self._view = memoryview(b"")
        self._buffer_at = 0

    def steps(self) -> Iterator[Step]:
        """Every valid outer record and damaged range, in order.

        Afterwards `end` is the offset behind the last record, and `tail` the range of a non-zero tail.
        Raises OSError when the file can't be read.
        """
        offset = self.start
        previous = self._base
        while True:
            step = self._record_at(offset, previous)
            if step is None:
                found = self._next_record(offset + 1, previous)
                if found is None:
                    self.tail = self._nonzero_range(offset)
                    return
                yield DAMAGE, 0, b"", offset, found
                offset = found
                continue
            previous = step[1]
            offset += RECORD_HEAD_SIZE + step[4] - step[3]
            self.end = offset
            yield step
            if self._taker is not None:
                at = offset - self._buffer_at
                offset += self._taker(self._buffer, self._view, at, self._base + offset) - at
                self.end = offset

    def _record_at(self, offset: int, previous: int) -> Step | None:
        """The record at this file offset if a valid one begins there."""
        at = offset - self._buffer_at
        if not 0 <= at <= len(self._buffer) - RECORD_HEAD_SIZE:
            if not self._load(offset, RECORD_HEAD_SIZE):
                return None
            at = 0
        checksum, marker, kind, length, position = RECORD_HEAD.unpack_from(self._buffer, at)
        if marker != MARKER or kind & INNER or not 0 < kind & KIND_MASK <= FAILED:
            return None
        if self._sparse_end:
            if not previous < position < self._sparse_end:
                return None
        elif position != self._base + offset:
            return None
        end = at + RECORD_HEAD_SIZE + length
        if end > len(self._buffer):
            if not self._load(offset, RECORD_HEAD_SIZE + length):
                return None
            at, end = 0, RECORD_HEAD_SIZE + length
        if crc32(self._view[at + CHECKSUM_SIZE : end], self._key) != checksum:
            return None
        return kind, position, self._buffer, at + RECORD_HEAD_SIZE, end

    def _load(self, offset: int, needed: int) -> bool:
        """Fill the buffer from `offset` on; False when the file hasn't got `needed` bytes there."""
        if offset + needed > self._size:
            return False
        self._pause()
        wanted = min(max(needed, self._chunk_size), self._size - offset)
        parts: list[bytes] = []
        at = offset
        while wanted > 0:
            part = os.pread(self._descriptor, wanted, at)
            if not part:
                break
            parts.append(part)
            at += len(part)
            wanted -= len(part)
        self._buffer = b"".join(parts)
        self._view = memoryview(self._buffer)
        self._buffer_at = offset
        return len(self._buffer) >= needed

    def _next_record(self, offset: int, previous: int) -> int | None:
        """The first file offset from `offset` on where a valid record begins."""
        while self._covers(offset + MARKER_AT):
            found = self._buffer.find(MARKER_BYTES, offset + MARKER_AT - self._buffer_at)
            if found < 0:
                offset = max(offset + 1, self._buffer_at + len(self._buffer) - MARKER_AT - 1)
                continue
            offset = self._buffer_at + found - MARKER_AT
            if self._record_at(offset, previous) is not None:
                return offset
            offset += 1
        return None

    def _covers(self, offset: int) -> bool:
        """Have a marker's length of bytes from `offset` on in the buffer; False at the end of the file."""
        at = offset - self._buffer_at
        if 0 <= at <= len(self._buffer) - len(MARKER_BYTES):
            return True
        return self._load(offset, len(MARKER_BYTES))

    def _nonzero_range(self, offset: int) -> tuple[int, int] | None:
        """From `offset` to behind the last byte of the file that isn't zero; None when all are."""
        last = None
        while offset < self._size and self._load(offset, 1):
            used = len(self._buffer.rstrip(b"\0"))
            if used:
                last = offset + used
            offset += len(self._buffer)
        if last is None:
            return None
        return self.end, last
