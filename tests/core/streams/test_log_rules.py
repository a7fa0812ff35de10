"""A model of a stream's log, and rules by which both are driven: append, note, flush, retain, crash, read."""

from __future__ import annotations

import os
import shutil
import tempfile
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.core.streams.support import files_in, flush, log_on, no_damage, rest
from warren.core.streams import cursor
from warren.core.streams.chunk import entries_of, record_entry
from warren.core.streams.cursor import Cursor
from warren.core.streams.retention import Retention
from warren.core.streams.segment_file import (
    LEAD_SIZE,
    ROW_SIZE,
    START_SIZE,
    index_name,
    rewritten_name,
    segment_name,
)

pytestmark = pytest.mark.limits(seconds=600)  # four seconds, which a very busy machine may take minutes for

SEGMENT_BYTES = 400

NOTES_BYTES_MAX = 200
"""A chunk of what these rules note of readers."""

HALF = 0.5
"""Below, a crash comes before what takes a segment's place has it."""


class StreamRules(RuleBasedStateMachine):
    """`stored` is what must be read: record and time by offset; `pending` what a crash may take.

    `numbered`: which of the pending messages are whose, with their publishing ids.  `sequences`, `offsets`: what is
    noted and on disk; `noted`: offsets that a crash may take, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.now_ms = 1000
        self.stored: dict[int, tuple[bytes, int]] = {}
        self.pending: dict[int, tuple[bytes, int]] = {}
        self.readers: list[tuple[Cursor, int]] = []
        self.numbered: list[tuple[int, bytes, int]] = []
        self.sequences: dict[bytes, int] = {}
        self.offsets: dict[bytes, int] = {}
        self.noted: list[tuple[bytes, int]] = []
        self.open()

    def open(self) -> None:
        self.log = log_on(files_in(self.directory / "stream"), segment_bytes_max=SEGMENT_BYTES)
        self.readers = []

    def teardown(self) -> None:
        self.log.let_go()
        self.log.files.remove_all()
        assert not (self.directory / "stream").exists()
        shutil.rmtree(self.directory)

    @rule(records=st.lists(st.binary(max_size=40), min_size=1, max_size=5), together=st.booleans())
    def append(self, records: list[bytes], together: bool) -> None:
        entries = [record_entry(record) for record in records]
        if together:
            first = self.log.append_all(entries, self.now_ms)
            offsets = list(range(first, first + len(entries)))
        else:
            offsets = [self.log.append(entry, 1, self.now_ms) for entry in entries]
        self.pending.update({offset: (record, self.now_ms) for offset, record in zip(offsets, records, strict=True)})

    @rule(
        publisher=st.sampled_from([b"a", b"b", b"\xff" * 255]),
        steps=st.lists(st.integers(1, 3), min_size=1, max_size=5),
        together=st.booleans(),
    )
    def publish(self, publisher: bytes, steps: list[int], together: bool) -> None:
        """Ids go up by these steps from the last one."""
        last = self.log.last_publishing_id(publisher)
        ids = list(accumulate(steps, initial=-1 if last is None else last))[1:]
        entries = [record_entry(b"%d" % each) for each in ids]
        if together:
            first = self.log.append_all(entries, self.now_ms, publisher, ids)
            offsets = list(range(first, first + len(entries)))
        else:
            offsets = [
                self.log.append(entry, 1, self.now_ms, None, publisher, each)
                for entry, each in zip(entries, ids, strict=True)
            ]
        self.pending.update({offset: (b"%d" % each, self.now_ms) for offset, each in zip(offsets, ids, strict=True)})
        self.numbered += [(offset, publisher, each) for offset, each in zip(offsets, ids, strict=True)]

    @rule(reader=st.sampled_from([b"r", b"s"]), offset=st.integers(0, 2**64 - 1))
    def store_offset(self, reader: bytes, offset: int) -> None:
        self.log.store_offset(reader, offset)
        self.noted.append((reader, offset))

    @rule(offset=st.integers(0, 2**64 - 1), times=st.integers(1, 12))
    def store_offsets_alone(self, offset: int, times: int) -> None:
        """As a reader does that stores an offset now and then of a stream that nobody publishes to."""
        for number in range(times):
            self.store_offset(b"r", (offset + number) % 2**64)
            self.flush()

    @rule()
    def flush(self) -> None:
        assert self.log.pending or not (self.pending or self.noted)
        flush(self.log, self.now_ms)
        self.stored.update({offset: (record, self.now_ms) for offset, (record, _) in self.pending.items()})
        self.pending.clear()
        self.sequences.update({publisher: each for _, publisher, each in self.numbered})
        self.numbered.clear()
        self.offsets.update(self.noted)
        self.noted.clear()
        assert not self.log.pending

    @rule(ms=st.integers(1, 100))
    def wait(self, ms: int) -> None:
        self.now_ms += ms

    @rule(bytes_max=st.integers(0, 2000))
    def retain(self, bytes_max: int) -> None:
        self.log.retention = Retention(bytes_max=bytes_max)
        self.log.retain(self.now_ms)
        self.log.retention = Retention()
        segments = [each for each in self.log.segments if each.rows or len(self.log.segments) == 1]
        assert len(segments) == 1 or sum(each.size for each in segments) <= bytes_max
        first = self.log.first_offset
        self.stored = {offset: value for offset, value in self.stored.items() if offset >= first}

    @rule()
    def stop_and_start(self) -> None:
        self.flush()
        self.log.close()
        self.open()
        assert self.log.reports == []

    @rule(kept=st.floats(0, 1), index_lost=st.booleans())
    def crash_while_writing(self, kept: float, index_lost: bool) -> None:
        """What was under way is there in part; nothing of it was confirmed, so only its beginning may be."""
        before = self.log.segments.last
        size, rows = before.size, before.rows
        begun = self.log.begin_flush(self.now_ms)
        if begun is not None:
            segment, index = (self.directory / "stream" / of(before.base) for of in (segment_name, index_name))
            had = [(path, path.read_bytes()) for path in (segment, index) if path.exists()]
            begun.write()
            if had and segment.read_bytes()[:START_SIZE] != had[0][1][:START_SIZE]:
                self.cut_rewriting(before.base, had, kept)
            else:
                self.cut(before.base, size, rows, kept)
            if index_lost:
                index.unlink(missing_ok=True)
        self.open()
        assert self.log.reports == []
        end = max(self.stored, default=self.log.first_offset - 1) + 1
        assert self.log.end_offset >= end
        survived = {offset: value for offset, value in self.pending.items() if offset < self.log.end_offset}
        found = dict(rest(cursor.at_first(self.log, no_damage)))
        assert all(found[offset] == record for offset, (record, _) in survived.items())
        self.stored.update({offset: (record, self.now_ms) for offset, (record, _) in survived.items()})
        self.pending.clear()
        self.sequences.update({publisher: each for offset, publisher, each in self.numbered if offset in survived})
        self.numbered.clear()
        for reader, offset in self.log.tracking.offsets.items():
            assert offset == self.offsets.get(reader) or (reader, offset) in self.noted
        assert self.offsets.keys() <= self.log.tracking.offsets.keys()
        self.offsets = dict(self.log.tracking.offsets)
        self.noted.clear()

    def cut_rewriting(self, base: int, had: list[tuple[Path, bytes]], kept: float) -> None:
        """A segment was written anew: the old one is still there, or it has its place, maybe beside the old index."""
        (segment, old), *index = had
        new = segment.read_bytes()
        if kept < HALF:
            for path in self.directory.glob("stream/*"):
                if int(path.name.partition(".")[0]) > base:
                    path.unlink()
            segment.write_bytes(old)
            (segment.parent / rewritten_name(base)).write_bytes(new[: int(len(new) * kept * 2)])
        if kept < HALF + HALF / 2:
            for path, rows in index:
                path.write_bytes(rows)

    def cut(self, base: int, size: int, rows: int, kept: float) -> None:
        """Keep so much of what was written behind this size of this segment, and in those behind it.

        An index is written behind the sync of its segment, so where that is cut there are the rows of before.
        """
        paths = sorted(path for path in self.directory.glob("stream/*.segment") if int(path.stem) >= base)
        starts = [size if int(path.stem) == base else 0 for path in paths]
        left = int(sum(path.stat().st_size - start for path, start in zip(paths, starts, strict=True)) * kept)
        for path, start in zip(paths, starts, strict=True):
            written = path.stat().st_size - start
            if left < written:
                os.truncate(path, start + left)
                index = path.with_suffix(".index")
                if start:
                    os.truncate(index, rows * ROW_SIZE)
                else:
                    index.unlink()
            if not (left or start):
                path.unlink()
            left -= min(written, left)

    @rule()
    def read_from_first(self) -> None:
        expected = [(offset, record) for offset, (record, _) in sorted(self.stored.items())]
        assert list(rest(cursor.at_first(self.log, no_damage))) == expected

    @rule(offset=st.integers(0, 60))
    def read_from_offset(self, offset: int) -> None:
        found = list(rest(cursor.at_offset(self.log, offset, no_damage)))
        expected = [(each, record) for each, (record, _) in sorted(self.stored.items()) if each >= offset]
        assert [(each, record) for each, record in found if each >= offset] == expected
        if found and self.log.first_offset <= offset < self.log.end_offset:
            chunk = cursor.at_offset(self.log, offset, no_damage).read()
            assert chunk is not None
            assert chunk.head.first_offset <= offset < chunk.head.end_offset

    @rule(ago=st.integers(0, 200))
    def read_from_time(self, ago: int) -> None:
        since = self.now_ms - ago
        found = [each for each, _ in rest(cursor.at_time(self.log, since, no_damage))]
        assert found == [each for each, (_, time_ms) in sorted(self.stored.items()) if time_ms >= since]

    @rule()
    def read_last_chunk(self) -> None:
        chunk = cursor.at_last(self.log, no_damage).read()
        if not self.stored:
            assert chunk is None
        else:
            assert chunk is not None
            assert chunk.head.end_offset == max(self.stored) + 1

    @rule()
    def follow(self) -> None:
        self.readers.append((cursor.at_next(self.log, no_damage), self.log.end_offset))

    @rule(data=st.data())
    def read_on(self, data: st.DataObject) -> None:
        if not self.readers:
            return
        number = data.draw(st.integers(0, len(self.readers) - 1))
        reader, offset = self.readers[number]
        chunk = reader.read()
        if chunk is None:
            assert reader.is_at_end
            assert max(offset, self.log.first_offset) == self.log.end_offset
            return
        assert chunk.head.first_offset == max(offset, self.log.first_offset)
        for each, record in entries_of(chunk.head, chunk.data):
            assert record == self.stored[each][0]
        self.readers[number] = reader, chunk.head.end_offset

    @invariant()
    def bounds(self) -> None:
        assert self.log.first_offset <= self.log.end_offset <= self.log.next_offset
        assert self.log.next_offset == self.log.end_offset + len(self.pending)

    @invariant()
    def notes_take_no_more_than_they_need(self) -> None:
        last = self.log.segments.last
        if last.is_empty:
            snapshot = len(self.log.tracking.snapshot())
            assert last.size <= max(SEGMENT_BYTES, 2 * snapshot + 4 * LEAD_SIZE) + NOTES_BYTES_MAX
        assert not list(self.directory.glob("stream/*.rewritten"))

    @invariant()
    def what_is_noted(self) -> None:
        expected = self.sequences | {publisher: each for _, publisher, each in self.numbered}
        assert {each: self.log.last_publishing_id(each) for each in self.log.tracking.sequences} == expected
        assert self.log.tracking.offsets == self.offsets | dict(self.noted)


TestStreamRules = StreamRules.TestCase
TestStreamRules.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
