"""Where the chunks of one flush go: behind the last of the log, and into new segments where one is full."""

from __future__ import annotations

from typing import Final, NamedTuple

from warren.core.streams.chunk import Kind
from warren.core.streams.flush import SegmentWrite, Written
from warren.core.streams.segment_file import PREFIX_SIZE, START_SIZE, Row, drawn_key, encode_row, encode_start, framed
from warren.core.streams.segments import Segment

SNAPSHOT_EVERY_BYTES: Final = 8 << 20
"""From so much on behind the last snapshot there is another one: no more than that is read at a start."""

SNAPSHOT_EVERY_CHUNKS: Final = 1024
"""The same by chunks, where they are small."""


class Sealed(NamedTuple):
    """A chunk that has no place yet.  noted: what it says of publishers and readers (tracking.py)."""

    kind: int
    data: bytes
    noted: bytes
    filter_size: int
    first_offset: int
    end_offset: int
    time_ms: int


class Placing:
    """The writes of one flush, as they come together; segment: where the log ends now."""

    def __init__(self, segment: Segment, segment_bytes_max: int) -> None:
        self._segment = segment
        self._segment_bytes_max = segment_bytes_max
        self._at = self._size = segment.size
        self._first_row = self._rows = segment.rows
        self._snapshot_at = segment.snapshot_at
        self._snapshot_row = segment.snapshot_row
        self._has_messages = segment.user_rows > 0
        self._is_rewritten = False
        self._data: list[bytes] = []
        self._row_data: list[bytes] = []
        self._writes: list[SegmentWrite] = []
        self._written: list[Written] = []

    @property
    def is_full(self) -> bool:
        """True when the segment takes no more; one without messages has no offset that the next could be called by."""
        return self._size >= self._segment_bytes_max and self._has_messages

    @property
    def is_full_of_notes(self) -> bool:
        """True when the segment has nothing but notes, and so many that a snapshot alone may do."""
        size_max = min(self._segment_bytes_max, SNAPSHOT_EVERY_BYTES)
        return self._size >= size_max and self._rows > 0 and not self._has_messages

    @property
    def size(self) -> int:
        """Bytes of the segment."""
        return self._size

    @property
    def wants_snapshot(self) -> bool:
        """True when a snapshot is to come next; a stream begins without, since nothing is noted yet."""
        if not self._rows:
            return self._segment.base > 0
        return (
            self._size - self._snapshot_at >= SNAPSHOT_EVERY_BYTES
            or self._rows - self._snapshot_row >= SNAPSHOT_EVERY_CHUNKS
        )

    def rewrite(self, snapshot: Sealed) -> None:
        """Have the segment, which is full of notes, begin anew with all that is noted."""
        self.begin(self._segment.base)
        self._is_rewritten = True
        self.add(snapshot)

    def begin(self, base: int) -> None:
        """Go on in a new segment that begins with this offset."""
        self._close_writes(is_last=True)
        self._segment = Segment(base, drawn_key())
        self._at = self._size = self._first_row = self._rows = self._snapshot_at = self._snapshot_row = 0
        self._has_messages = False

    def add(self, chunk: Sealed) -> None:
        """A chunk comes next."""
        segment = self._segment
        if not self._size:
            self._data.append(encode_start(segment.base, segment.key))
            self._size = START_SIZE
        if chunk.kind == Kind.TRACKING_SNAPSHOT:
            self._snapshot_at = self._size
            self._snapshot_row = self._rows
        self._row_data.append(encode_row(Row(chunk.first_offset, chunk.time_ms, self._size, chunk.kind)))
        self._data.append(framed(chunk.data, chunk.filter_size, segment.key))
        size = PREFIX_SIZE + len(chunk.data)
        self._written.append(Written(segment, chunk.kind, size, chunk.first_offset, chunk.end_offset, chunk.time_ms))
        self._size += size
        self._rows += 1
        if chunk.kind == Kind.USER:
            self._has_messages = True

    def take(self) -> tuple[list[SegmentWrite], list[Written]]:
        """All of it."""
        self._close_writes(is_last=self.is_full)
        return self._writes, self._written

    def _close_writes(self, *, is_last: bool) -> None:
        if self._data:
            write = SegmentWrite(
                self._segment.base,
                self._at,
                self._data,
                self._first_row,
                self._row_data,
                is_last=is_last,
                is_rewritten=self._is_rewritten,
            )
            self._writes.append(write)
            self._data, self._row_data = [], []
            self._is_rewritten = False
