"""The log of one stream: messages come to its end, readers go through it at their own pace.

    append        into memory; a message has its offset at once, and isn't read by anybody yet
    begin_flush   what was appended becomes chunks, with their places in segments
    write         in a worker thread (flush.py); nothing is confirmed before it has returned
    finish_flush  now readers may have it, and publishers their confirms

Readers are cursors (cursor.py), which hold a place and nothing else.  Only whole segments go, the oldest first
(retention.py), and never the one that is written to.

A publisher that names itself has its messages numbered, and its last number is noted with the chunk that has the
message (tracking.py), so that what it sends again after a crash is known for a duplicate.  `tracking` has everything
that was noted, `_placed` what is noted in chunks that have a place: a snapshot must not be ahead of the messages
before it.

What a start makes of the files is in opening.py and noted.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from warren.core.storage.files import Files
from warren.core.streams.bloom import SIZE_DEFAULT, FilterBuilder
from warren.core.streams.chunk import ENTRIES_MAX, Kind, encode_chunk
from warren.core.streams.flush import SegmentWrite, StreamFlush, Written
from warren.core.streams.noted import noted_in
from warren.core.streams.opening import open_segments, row_offset
from warren.core.streams.placing import Placing, Sealed
from warren.core.streams.recent import Recent
from warren.core.streams.retention import KEEP_ALL, Retention, expired, next_expiry_ms
from warren.core.streams.segment_file import index_name, segment_name
from warren.core.streams.segments import Segment, Segments
from warren.core.streams.tracking import Tracking, TrackingDelta, trailer_of

SEGMENT_BYTES_DEFAULT: Final = 500_000_000
"""RabbitMQ's: files large enough that there are few of them, and that retention by whole files is still fine."""

CHUNK_BYTES_MAX: Final = 1 << 20
"""From this size on a chunk is closed: it is what one credit of a reader costs, and held in memory as a whole."""

CHUNK_ENTRIES_MAX: Final = 4096
"""The same by number, so that whoever wants one message isn't sent very many; at most ENTRIES_MAX."""

assert CHUNK_ENTRIES_MAX <= ENTRIES_MAX


class StreamLog:
    """One stream's messages.  It opens what is there; raises OSError where that can't be read.

    segment_bytes_max: from this size on a segment is closed.  filter_size: bytes of a chunk's filter.
    reports: what was found damaged, and what was done about it, oldest first.
    recent: the chunks that were read last.
    tracking: what is noted of publishers and readers; it is changed by `append`, `append_all` and `store_offset` alone.
    forgotten: publishers that had to be forgotten while messages of theirs are still there; who tells of it empties it.
    """

    def __init__(
        self,
        files: Files,
        *,
        segment_bytes_max: int = SEGMENT_BYTES_DEFAULT,
        filter_size: int = SIZE_DEFAULT,
        retention: Retention = KEEP_ALL,
    ) -> None:
        self.files = files
        self.segment_bytes_max = segment_bytes_max
        self.retention = retention
        self.reports: list[str] = []
        self.recent = Recent()
        self.segments: Segments = open_segments(files, self.reports)
        self.next_offset = self.end_offset
        self._last_ms = max((each.last_ms for each in self.segments), default=0)
        self._filter = FilterBuilder(filter_size)
        self._entries: list[bytes] = []
        self._records = 0
        self._bytes = 0
        self._sealed: list[Sealed] = []
        self._is_flushing = False
        self._gone: list[int] = []
        self.tracking: Tracking = noted_in(files, self.segments, self.reports)
        self.forgotten: list[bytes] = []
        self._placed = self.tracking.copy()
        self._delta = TrackingDelta()

    # Writing

    def append(
        self,
        entry: bytes,
        records: int,
        now_ms: int,
        filter_value: bytes | None = None,
        publisher: bytes = b"",
        publishing_id: int = 0,
    ) -> int:
        """Take an entry (chunk.py) with so many records; returns the offset of the first.  No I/O.

        publisher, publishing_id: whose it is, and its number there, which is above `last_publishing_id`.
        """
        offset = self.next_offset
        if publisher:
            self._note_sequence(publisher, publishing_id)
        self.next_offset = offset + records
        self._entries.append(entry)
        self._records += records
        self._bytes += len(entry)
        self._filter.add(filter_value)
        if self._bytes >= CHUNK_BYTES_MAX or len(self._entries) >= CHUNK_ENTRIES_MAX:
            self._seal(now_ms)
        return offset

    def append_all(
        self,
        entries: Sequence[bytes],
        now_ms: int,
        publisher: bytes = b"",
        publishing_ids: Sequence[int] = (),
        filter_value: bytes | None = None,
    ) -> int:
        """Take entries of one record each, all with this value; returns the offset of the first.  No I/O.

        publisher, publishing_ids: whose they are, and their numbers there, one for each entry, which go up.
        """
        offset = self.next_offset
        at = 0
        while at < len(entries):
            some = entries[at : at + CHUNK_ENTRIES_MAX - len(self._entries)]
            self._entries.extend(some)
            self._records += len(some)
            self._bytes += sum(map(len, some))
            self._filter.add(filter_value)
            at += len(some)
            if publisher:
                self._note_sequence(publisher, publishing_ids[at - 1])
            self.next_offset += len(some)
            if self._bytes >= CHUNK_BYTES_MAX or len(self._entries) >= CHUNK_ENTRIES_MAX:
                self._seal(now_ms)
        return offset

    def store_offset(self, reader: bytes, offset: int) -> None:
        """Note where a reader is, by its reference.  No I/O."""
        self.tracking.note_offset(reader, offset)
        self._delta.note_offset(reader, offset)

    def last_publishing_id(self, publisher: bytes) -> int | None:
        """The number of the last message that came from this publisher; None for one that isn't known."""
        found = self.tracking.sequences.get(publisher)
        return None if found is None else found[0]

    def _note_sequence(self, publisher: bytes, publishing_id: int) -> None:
        forgotten = self.tracking.note_sequence(publisher, publishing_id, self.next_offset)
        self._delta.note_sequence(publisher, publishing_id)
        if forgotten is not None and forgotten[1] >= self.first_offset:
            self.forgotten.append(forgotten[0])

    @property
    def pending(self) -> bool:
        """True when there is anything to flush."""
        return bool(self._entries or self._sealed or self._gone or self._delta)

    def begin_flush(self, now_ms: int) -> StreamFlush | None:
        """Hand over what was appended (None: nothing to write)."""
        assert not self._is_flushing
        if self._entries:
            self._seal(now_ms)
        elif self._delta:
            self._seal_notes(now_ms)
        if not self._sealed and not self._gone:
            return None
        writes, written = self._place()
        gone, self._gone = self._gone, []
        self._is_flushing = True
        return StreamFlush(self.files, writes, written, gone)

    def finish_flush(self, flush: StreamFlush) -> bool:
        """Book a flush whose `write` returned: readers may have what it wrote.

        True when it began a segment, so that an older one may have to go (`retain`).
        """
        self._is_flushing = False
        count_before = len(self.segments)
        for each in flush.written:
            last = self.segments.last
            if each.segment is not last:
                if each.segment.base == last.base:
                    self._forget(last)
                self.segments.add(each.segment)
            each.segment.add(each.kind, each.size, each.first_offset, each.end_offset, each.time_ms)
        return len(self.segments) > count_before

    def retain(self, now_ms: int) -> int | None:
        """Let segments go that are too many or too old; their files go with the next flush.

        Returns when the next one will be too old, in milliseconds since 1970; None where that doesn't come by itself.
        """
        kept = self.segments.kept
        if not self.segments.last.rows:
            # What is noted is in the one before it.
            kept.pop()
        count = expired(self.retention, kept, now_ms)
        for segment in self.segments.remove_oldest(count):
            self._gone.append(segment.base)
            self._forget(segment)
        return next_expiry_ms(self.retention, kept[count:])

    # Reading

    @property
    def first_offset(self) -> int:
        """The offset of the oldest message that is kept."""
        return self.segments.first.base

    @property
    def end_offset(self) -> int:
        """The offset behind the last message that may be read."""
        return self.segments.last.end_offset

    @property
    def last_chunk_offset(self) -> int:
        """The first offset of the last chunk with messages that may be read; -1 where there is none."""
        segment = next((each for each in reversed(list(self.segments)) if each.user_rows), None)
        if segment is None:
            return -1
        if segment.chunk_offset < 0:
            segment.chunk_offset = row_offset(self.files, segment)
        return segment.chunk_offset

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.segments.size

    def close(self) -> None:
        """Give back the space that was reserved.  Everything must have been flushed.  Raises OSError."""
        last = self.segments.last
        if last.size:
            self.files.truncate(segment_name(last.base), last.size)
        self.let_go()

    def let_go(self) -> None:
        """Nobody reads it any more."""
        for segment in self.segments:
            self._forget(segment)

    def _forget(self, segment: Segment) -> None:
        self.files.forget(segment_name(segment.base))
        self.files.forget(index_name(segment.base))

    # Chunks and their places

    def _seal(self, now_ms: int) -> None:
        """What was collected is a chunk now; times of chunks never run backwards, so that they can be looked for."""
        self._last_ms = max(self._last_ms, now_ms)
        filter_ = self._filter.take()
        first = self.next_offset - self._records
        noted = self._delta.take() if self._delta else b""
        chunk = encode_chunk(
            Kind.USER,
            self._entries,
            self._records,
            time_ms=self._last_ms,
            first_offset=first,
            filter_=filter_,
            trailer=trailer_of(noted),
        )
        self._sealed.append(Sealed(Kind.USER, chunk, noted, len(filter_), first, self.next_offset, self._last_ms))
        self._entries = []
        self._records = 0
        self._bytes = 0

    def _seal_notes(self, now_ms: int) -> None:
        """What is noted while nothing is published is a chunk of its own, which takes no offset."""
        self._last_ms = max(self._last_ms, now_ms)
        self._sealed.append(self._chunk_of_notes(Kind.TRACKING, self._delta.take(), self.next_offset, self._last_ms))

    def _snapshot(self, offset: int, time_ms: int) -> Sealed:
        """All that is noted up to here, as a chunk in front of this offset."""
        return self._chunk_of_notes(Kind.TRACKING_SNAPSHOT, self._placed.snapshot(), offset, time_ms)

    def _chunk_of_notes(self, kind: Kind, noted: bytes, offset: int, time_ms: int) -> Sealed:
        data = encode_chunk(kind, [noted], 0, time_ms=time_ms, first_offset=offset)
        return Sealed(kind, data, noted if kind == Kind.TRACKING else b"", 0, offset, offset, time_ms)

    def _place(self) -> tuple[list[SegmentWrite], list[Written]]:
        """Where the sealed chunks go: behind the last, and into new segments where one is full."""
        sealed, self._sealed = self._sealed, []
        placing = Placing(self.segments.last, self.segment_bytes_max)
        if sealed and placing.is_full_of_notes:
            snapshot = self._snapshot(sealed[0].first_offset, sealed[0].time_ms)
            if len(snapshot.data) <= placing.size // 2:
                placing.rewrite(snapshot)
        for chunk in sealed:
            if placing.is_full:
                placing.begin(chunk.first_offset)
            if placing.wants_snapshot:
                placing.add(self._snapshot(chunk.first_offset, chunk.time_ms))
            placing.add(chunk)
            if chunk.noted:
                self._placed.apply(chunk.noted, chunk.first_offset)
        return placing.take()
