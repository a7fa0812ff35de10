"""The segments of a stream, oldest first, as the broker's thread knows them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from warren.core.streams.chunk import Kind
from warren.core.streams.retention import Kept
from warren.core.streams.segment_file import START_SIZE


class Segment:
    """One segment, as far as it is on disk.

    base: its first offset.  end_offset: the offset behind its last record.  key: what its checksums begin with.
    size: bytes in use of its file, 0 before there is one.  rows: of its index; user_rows: those up to the last chunk
    that has messages, 0 where none has.  chunk_offset: the first offset of that one, -1 where it isn't known yet.
    snapshot_at, snapshot_row: where the last snapshot of what is noted (tracking.py) is.  last_ms: when its last chunk
    with messages was stored, in milliseconds since 1970.  is_rewritten: another one has taken its place, in which
    what is noted stands in fewer bytes; there were no messages in it.
    """

    __slots__ = (
        "base",
        "chunk_offset",
        "end_offset",
        "is_rewritten",
        "key",
        "last_ms",
        "rows",
        "size",
        "snapshot_at",
        "snapshot_row",
        "user_rows",
    )

    def __init__(self, base: int, key: int) -> None:
        self.base = base
        self.key = key
        self.end_offset = base
        self.size = 0
        self.rows = self.user_rows = 0
        self.chunk_offset = -1
        self.snapshot_at = self.snapshot_row = 0
        self.last_ms = 0
        self.is_rewritten = False

    @property
    def is_empty(self) -> bool:
        """True while no message is in it."""
        return not self.user_rows

    def add(self, kind: int, size: int, first_offset: int, end_offset: int, time_ms: int) -> None:
        """A chunk was written behind the others; size: in the file, with its prefix."""
        if self.size < START_SIZE:
            self.size = START_SIZE
        if kind == Kind.TRACKING_SNAPSHOT:
            self.snapshot_at = self.size
            self.snapshot_row = self.rows
        self.size += size
        self.rows += 1
        self.end_offset = end_offset
        if kind == Kind.USER:
            self.user_rows = self.rows
            self.chunk_offset = first_offset
            self.last_ms = time_ms


class Segments:
    """All of them; there is always a last one, which is written to."""

    def __init__(self, first: Segment) -> None:
        self._bases = [first.base]
        self._segments = [first]

    def __len__(self) -> int:
        return len(self._segments)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._segments)

    @property
    def first(self) -> Segment:
        """The oldest."""
        return self._segments[0]

    @property
    def last(self) -> Segment:
        """The one that is written to."""
        return self._segments[-1]

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(each.size for each in self._segments)

    @property
    def kept(self) -> list[Kept]:
        """What retention asks of them."""
        return [Kept(each.size, each.last_ms) for each in self._segments]

    def add(self, segment: Segment) -> None:
        """One behind the last; in its place, where it begins with the same offset."""
        if segment.base == self.last.base:
            self.last.is_rewritten = True
            self._segments[-1] = segment
            return
        self._bases.append(segment.base)
        self._segments.append(segment)

    def remove_oldest(self, count: int) -> list[Segment]:
        """Let go of so many; returns them."""
        gone = self._segments[:count]
        del self._segments[:count], self._bases[:count]
        return gone

    def holding(self, offset: int) -> Segment:
        """The segment that an offset is in: the first for what is gone, the last for what is to come."""
        return self._segments[max(0, bisect_right(self._bases, offset) - 1)]

    def behind(self, segment: Segment) -> Segment | None:
        """The next one; None for the last."""
        at = bisect_right(self._bases, segment.base)
        return self._segments[at] if at < len(self._segments) else None

    def since(self, time_ms: int) -> Segment | None:
        """The first that has something of then or later."""
        for segment in self._segments:
            if not segment.is_empty and segment.last_ms >= time_ms:
                return segment
        return None
