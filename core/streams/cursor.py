"""A reader's place in a stream: it goes forward a chunk at a time, and costs nothing for what it hasn't got yet."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.streams.bloom import may_hold
from warren.core.streams.chunk import HEAD_SIZE, Head
from warren.core.streams.log import StreamLog
from warren.core.streams.opening import reader_of
from warren.core.streams.segment_file import (
    LEAD_MAX,
    PREFIX_SIZE,
    START_SIZE,
    Index,
    Row,
    check_data,
    decode_lead,
    index_name,
    segment_name,
)
from warren.core.streams.segments import Segment

WINDOW_BYTES: Final = 256 << 10
"""Read at a time where chunks are small; given back once the reader has caught up."""

SKIPPED_MAX: Final = 64
"""Chunks that a filter leaves out in one call: a millisecond's worth, so that a rare value doesn't hold up the rest."""


class Chunk(NamedTuple):
    """A chunk that was read: its head, decoded and as bytes, and its data."""

    head: Head
    head_bytes: bytes
    data: bytes


class Cursor:
    """Where a reader is; made by `at_offset` and its like.

    on_damage: told, in a sentence, of what can't be read and is left out.
    """

    __slots__ = ("_log", "_on_damage", "_position", "_segment", "_window", "_window_at")

    def __init__(self, log: StreamLog, segment: Segment, position: int, on_damage: Callable[[str], None]) -> None:
        self._log = log
        self._segment = segment
        self._position = position
        self._on_damage = on_damage
        self._window = b""
        self._window_at = 0

    @property
    def is_at_end(self) -> bool:
        """True when it has read all that there is."""
        segment = self._segment
        return segment is self._log.segments.last and (self._position >= segment.size or segment.is_empty)

    def read(self, wanted: Collection[bytes] = (), *, unfiltered: bool = True) -> Chunk | None:
        """The next chunk, to go behind it; None where there is none now.

        wanted, unfiltered: leave out chunks that have no message with one of these values for filters, or without any.
        None may also mean that many were left out; `is_at_end` tells.  Raises OSError where the disk fails.
        """
        for _ in range(SKIPPED_MAX):
            if not self._step_into_segment():
                self._window = b""
                self._log.recent.clear()
                return None
            try:
                chunk = self._read_chunk(wanted, unfiltered=unfiltered)
            except DamagedRecordError as error:
                self._go_behind_damage(error)
                continue
            if chunk is not None:
                return chunk
        return None

    def _step_into_segment(self) -> bool:
        """Be where a chunk begins; False at the end of all.  A segment that is gone is left for the oldest."""
        segments = self._log.segments
        if self._segment.base < segments.first.base:
            self._enter(segments.first)
        if self._segment.is_rewritten:
            self._enter(segments.holding(self._segment.base))
        while self._position >= self._segment.size or self._segment.is_empty:
            following = segments.behind(self._segment)
            if following is None:
                return False
            self._enter(following)
        return True

    def _enter(self, segment: Segment) -> None:
        self._segment = segment
        self._position = START_SIZE
        self._window = b""

    def _read_chunk(self, wanted: Collection[bytes], *, unfiltered: bool) -> Chunk | None:
        """The chunk here, to go behind it; None if the filter leaves it out."""
        at = self._position
        recent = self._log.recent
        if not wanted and (found := recent.get(self._segment.base, at)) is not None:
            self._position = at + found[1]
            return found[0]
        lead = decode_lead(self._bytes(at, LEAD_MAX), 0, self._segment.key)
        head = lead.head
        if at + lead.size > self._segment.size:
            raise DamagedRecordError("a chunk ends behind its segment")
        if head.kind or (wanted and not may_hold(lead.filter_, wanted, unfiltered=unfiltered)):
            self._position = at + lead.size
            return None
        data = self._bytes(at + lead.data_at, head.data_size)
        check_data(head, data)
        head_bytes = self._bytes(at + PREFIX_SIZE, HEAD_SIZE)
        self._position = at + lead.size
        chunk = Chunk(head, head_bytes, data)
        recent.add(self._segment.base, at, chunk, lead.size)
        return chunk

    def _bytes(self, at: int, size: int) -> bytes:
        """So many bytes from here on, or what is in the segment, by way of the window."""
        start = at - self._window_at
        if start < 0 or start + size > len(self._window):
            end = min(self._segment.size, at + max(size, WINDOW_BYTES))
            self._window = self._log.files.read(segment_name(self._segment.base), end - at, at)
            self._window_at = at
            start = 0
        return self._window[start : start + size]

    def _go_behind_damage(self, error: DamagedRecordError) -> None:
        """Go on with the next chunk that the index knows, or with the next segment."""
        name = segment_name(self._segment.base)
        self._on_damage(
            f"{name}: a chunk at byte {self._position} can't be read ({error}); its messages are lost, readers go on "
            "behind it. Check the disk."
        )
        try:
            row = index_of(self._log, self._segment).behind(self._position)
        except (DamagedRecordError, OSError):
            row = None
        self._position = self._segment.size if row is None else row.position
        self._window = b""


def index_of(log: StreamLog, segment: Segment) -> Index:
    """The index of a segment, as far as it is booked."""
    return Index(reader_of(log.files, index_name(segment.base)), segment.rows)


def at_first(log: StreamLog, on_damage: Callable[[str], None]) -> Cursor:
    """At the oldest message."""
    return Cursor(log, log.segments.first, START_SIZE, on_damage)


def at_next(log: StreamLog, on_damage: Callable[[str], None]) -> Cursor:
    """Behind the last message."""
    last = log.segments.last
    return Cursor(log, last, max(last.size, START_SIZE), on_damage)


def at_last(log: StreamLog, on_damage: Callable[[str], None]) -> Cursor:
    """At the last chunk, or behind all where there is none."""
    segment = next((each for each in reversed(list(log.segments)) if each.user_rows), None)
    if segment is None:
        return at_next(log, on_damage)
    number = segment.user_rows - 1
    return Cursor(log, segment, _position(log, segment, lambda index: index.row(number)), on_damage)


def at_offset(log: StreamLog, offset: int, on_damage: Callable[[str], None]) -> Cursor:
    """At the chunk that holds an offset; at the oldest for what is gone, and behind all for what is to come.

    It may be at an earlier one, where the index is damaged.
    """
    if offset >= log.end_offset:
        return at_next(log, on_damage)
    segment = log.segments.holding(offset)
    return Cursor(log, segment, _position(log, segment, lambda index: index.holding(offset)), on_damage)


def at_time(log: StreamLog, time_ms: int, on_damage: Callable[[str], None]) -> Cursor:
    """At the first chunk that was stored then or later, in milliseconds since 1970; behind all where there is none.

    It may be at an earlier one, where the index is damaged.
    """
    segment = log.segments.since(time_ms)
    if segment is None:
        return at_next(log, on_damage)
    return Cursor(log, segment, _position(log, segment, lambda index: index.since(time_ms)), on_damage)


def _position(log: StreamLog, segment: Segment, find: Callable[[Index], Row | None]) -> int:
    """Where a chunk is that the index finds; the beginning of the segment if the index can't be believed."""
    try:
        row = find(index_of(log, segment))
        if row is None:
            return START_SIZE
        lead = decode_lead(log.files.read(segment_name(segment.base), LEAD_MAX, row.position), 0, segment.key)
    except (DamagedRecordError, OSError):
        return START_SIZE
    return row.position if lead.head.first_offset == row.first_offset else START_SIZE
