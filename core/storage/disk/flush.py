"""Writing to the end of the log: the part of a flush that waits, for a worker thread.

The writer holds the descriptor of the last segment and knows how far its file is allocated; nothing else
touches it, and at most one flush is under way, so it needs no lock.  Every flush says by itself where it
goes.  If its write fails nothing of it is confirmed; it may be tried again as long as the sync was not what
failed.
"""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

from warren.core.storage.disk.files import FILE_MODE, allocate, sync_data, sync_directory, write_at
from warren.core.storage.disk.segment import Segment

ALLOCATION_STEP = 4 << 20
"""Space reserved ahead of the writes: 25 times a second at 100 MB/s, and little lost on a quiet broker."""


def no_clock() -> int:
    """For who doesn't want to know how long it takes."""
    return 0


class LogWriter:
    """Writes at the end of the last segment; makes its file when it is new, and completes the one before.

    clock_ns: the time, for how long it takes.  writes, written_bytes: how often, each with a sync, and how much so far.
    write_ns, sync_ns: how long that took, in nanoseconds.
    """

    def __init__(self, directory: Path, allocation_step: int, clock_ns: Callable[[], int] = no_clock) -> None:
        self._directory = directory
        self._allocation_step = allocation_step
        self._clock_ns = clock_ns
        self._descriptor = -1
        self._base = -1
        self._used = 0
        self._allocated = 0
        self.writes = 0
        self.written_bytes = 0
        self.write_ns = 0
        self.sync_ns = 0

    def write(self, base: int, offset: int, data: bytes) -> None:
        """Write `data` at `offset` of the segment `base` and sync; offset 0 makes the file."""
        is_new = offset == 0
        began_ns = self._clock_ns()
        if base != self._base:
            self._open(base, is_new)
        self._reserve(offset + len(data))
        write_at(self._descriptor, data, offset)
        written_ns = self._clock_ns()
        try:
            sync_data(self._descriptor)
            if is_new:
                sync_directory(self._directory)
        except OSError as error:
            # Whatever it says: what was written before may be lost by it, so it must not look as if it could be tried
            # again.
            raise OSError(errno.EIO, f"it can't be synced: {error.strerror or error}") from error
        self._used = offset + len(data)
        self.write_ns += written_ns - began_ns
        self.sync_ns += self._clock_ns() - written_ns
        self.writes += 1
        self.written_bytes += len(data)

    def close(self) -> None:
        """Give back the space that was reserved, and close the file."""
        if self._descriptor >= 0:
            descriptor, self._descriptor, self._base = self._descriptor, -1, -1
            try:
                os.ftruncate(descriptor, self._used)
            finally:
                os.close(descriptor)

    def _open(self, base: int, is_new: bool) -> None:
        """Turn to another segment."""
        self.close()
        path = self._directory / segment_name(base)
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if is_new else 0)
        self._descriptor = os.open(path, flags, FILE_MODE)
        self._base = base
        self._used = self._allocated = os.fstat(self._descriptor).st_size

    def _reserve(self, end: int) -> None:
        """Allocate in steps up to `end`; where that fails the write itself will say why."""
        if end > self._allocated and self._allocation_step:
            size = max(self._allocation_step, end - self._allocated)
            if allocate(self._descriptor, self._allocated, size):
                self._allocated += size


class LogFlush:
    """Everything one flush writes: `chunks` at `offset` of `segment`; `settled` is booked when it is done.

    slices: what is left of the encoding.  end: of the log, behind it; 0 where nothing is to be written.  size_bytes: of
    `chunks`, once that is done.
    """

    __slots__ = ("_writer", "chunks", "end", "offset", "segment", "settled", "size_bytes", "slices")

    def __init__(
        self,
        writer: LogWriter,
        segment: Segment,
        chunks: list[bytes | memoryview],
        settled: list[tuple[int, array[int]]],
    ) -> None:
        self.segment = segment
        self.end = 0
        self.offset = 0
        self.size_bytes = 0
        self.settled = settled
        self.slices: Iterator[None] = iter(())
        self.chunks = chunks
        self._writer = writer

    def encode_some(self) -> bool:
        """A slice of the encoding; False when nothing is left of it."""
        for _ in self.slices:
            return True
        return False

    def encode(self) -> None:
        """All that is left of the encoding."""
        for _ in self.slices:
            pass

    def write(self) -> None:
        """Write and sync; raises OSError when the disk fails."""
        self.encode()
        if self.chunks:
            self._writer.write(self.segment.base, self.offset, b"".join(self.chunks))


def segment_name(base: int) -> str:
    """The file name of the segment with this base."""
    return f"{base:016x}.log"
