"""Streams for tests: logs in a directory or in memory, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from warren.core.storage.disk.stream_files import DiskFiles, OpenFiles
from warren.core.storage.files import Files
from warren.core.streams.chunk import Batch, entries_of, record_entry
from warren.core.streams.cursor import Cursor
from warren.core.streams.log import StreamLog
from warren.core.streams.retention import KEEP_ALL, Retention


def files_in(directory: Path) -> DiskFiles:
    """Files on disk, with few descriptors and little reserved space, so that both show."""
    return DiskFiles(directory, OpenFiles(2), allocation_step=4096)


def log_on(files: Files, *, segment_bytes_max: int = 1000, retention: Retention = KEEP_ALL) -> StreamLog:
    return StreamLog(files, segment_bytes_max=segment_bytes_max, retention=retention)


def flush(log: StreamLog, now_ms: int = 0) -> None:
    """What a commit does."""
    flush = log.begin_flush(now_ms)
    if flush is not None:
        flush.write()
        log.finish_flush(flush)


def store(log: StreamLog, records: Sequence[bytes], now_ms: int = 0, value: bytes | None = None) -> int:
    """Store records in one flush; returns the offset of the first."""
    offsets = [log.append(record_entry(record), 1, now_ms, value) for record in records]
    flush(log, now_ms)
    return offsets[0]


def rest(cursor: Cursor) -> Iterator[tuple[int, bytes]]:
    """Everything from a cursor on, with offsets."""
    while True:
        chunk = cursor.read()
        if chunk is None:
            if cursor.is_at_end:
                return
            continue
        for offset, entry in entries_of(chunk.head, chunk.data):
            yield offset, entry.data if isinstance(entry, Batch) else entry


def no_damage(sentence: str) -> None:
    """For cursors that are to find none."""
    raise AssertionError(sentence)
