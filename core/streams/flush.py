"""What one flush of a stream writes, for a worker thread; it touches nothing of the log but its files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from warren.core.storage.files import Files
from warren.core.streams.segment_file import ROW_SIZE, index_name, rewritten_name, segment_name
from warren.core.streams.segments import Segment


class SegmentWrite(NamedTuple):
    """Bytes at the end of a segment and of its index, in parts.

    is_last: no more will be written to it.  is_rewritten: they are all of it, and take the place of what was there.
    """

    base: int
    at: int
    data: Sequence[bytes]
    row_number: int
    rows: Sequence[bytes]
    is_last: bool
    is_rewritten: bool


class Written(NamedTuple):
    """A chunk, for the book: its segment, its kind, bytes in the file, its offset and that behind it, its time."""

    segment: Segment
    kind: int
    size: int
    first_offset: int
    end_offset: int
    time_ms: int


class StreamFlush:
    """Chunks of one stream on their way to disk, and segments on their way from it.

    If the write fails nothing of it is confirmed; it may be tried again as long as the sync was not what failed.
    """

    __slots__ = ("_files", "_writes", "gone", "written")

    def __init__(
        self, files: Files, writes: Sequence[SegmentWrite], written: Sequence[Written], gone: Sequence[int]
    ) -> None:
        self._files = files
        self._writes = writes
        self.written = written
        self.gone = gone

    @property
    def place(self) -> str:
        """Where the files are, for people."""
        return self._files.place

    def write(self) -> None:
        """Write and sync; raises OSError when the disk fails."""
        files = self._files
        names_changed = False
        for base in self.gone:
            # The index goes last, so that a segment without one is never there.
            files.remove(segment_name(base))
            files.remove(index_name(base))
            names_changed = True
        for each in self._writes:
            data = b"".join(each.data)
            rows = b"".join(each.rows)
            if each.is_rewritten:
                files.remove(rewritten_name(each.base))
                files.write(rewritten_name(each.base), data, 0, sync=True)
                files.replace(segment_name(each.base), by=rewritten_name(each.base))
            else:
                files.write(segment_name(each.base), data, each.at, sync=True)
            files.write(index_name(each.base), rows, each.row_number * ROW_SIZE, sync=False)
            if each.is_rewritten:
                files.truncate(index_name(each.base), len(rows))
            names_changed = names_changed or each.at == 0
            if each.is_last:
                files.truncate(segment_name(each.base), each.at + len(data))
        if names_changed:
            files.sync_names()
