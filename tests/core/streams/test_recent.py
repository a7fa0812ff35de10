"""Readers that go side by side read a chunk once between them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.core.streams.support import flush, log_on, no_damage, rest, store
from warren.core.storage.files import MemoryFiles
from warren.core.streams.chunk import Head, record_entry
from warren.core.streams.cursor import Chunk, Cursor, at_first, at_offset
from warren.core.streams.log import StreamLog
from warren.core.streams.recent import RECENT_BYTES_MAX, Recent

pytestmark = pytest.mark.interpreted("gives in files of its own, which the compiled form refuses")


class CountedFiles(MemoryFiles):
    """reads: how often each was read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()

    def read(self, name: str, size: int, at: int) -> bytes:
        self.reads[name] += 1
        return super().read(name, size, at)


@pytest.fixture
def files() -> CountedFiles:
    return CountedFiles()


@pytest.fixture
def log(files: CountedFiles) -> StreamLog:
    """Three chunks in a segment."""
    log = log_on(files, segment_bytes_max=1 << 20)
    for number in range(3):
        store(log, [b"%d" % number] * 2, now_ms=number, value=b"%d" % number)
    files.reads.clear()
    return log


def readers(log: StreamLog, count: int) -> list[Cursor]:
    return [at_first(log, no_damage) for _ in range(count)]


def offset(chunk: Chunk | None) -> int | None:
    return None if chunk is None else chunk.head.first_offset


def test_ten_side_by_side_read_once(log: StreamLog, files: CountedFiles) -> None:
    assert len(list(rest(at_first(log, no_damage)))) == 6
    by_one = files.reads.total()
    ten = readers(log, 10)
    files.reads.clear()
    for first in (0, 2, 4):
        chunks = [each.read() for each in ten]
        assert [offset(each) for each in chunks] == [first] * 10
        assert all(each is chunks[0] for each in chunks)
    assert 0 < files.reads.total() <= by_one


def test_who_is_a_few_chunks_behind_reads_nothing(log: StreamLog, files: CountedFiles) -> None:
    first, second = readers(log, 2)
    for _ in range(3):
        first.read()
    count = files.reads.total()
    assert [offset(second.read()) for _ in range(3)] == [0, 2, 4]
    assert files.reads.total() == count


def test_who_has_caught_up_lets_go_of_all(log: StreamLog) -> None:
    first, second = readers(log, 2)
    assert len(list(rest(first))) == 6
    assert log.recent.size == 0
    assert len(list(rest(second))) == 6


def test_who_goes_on_with_others_chunks_and_its_own(log: StreamLog) -> None:
    first, second = readers(log, 2)
    assert offset(first.read()) == 0
    assert offset(second.read()) == 0
    log.recent.clear()
    assert offset(second.read()) == 2
    assert offset(first.read()) == 2
    store(log, [b"new"])
    assert [found for found, _ in rest(first)] == [4, 5, 6]
    assert [found for found, _ in rest(second)] == [4, 5, 6]


def test_a_filter_is_asked_for_each_reader(log: StreamLog) -> None:
    first, second = readers(log, 2)
    for _ in range(3):
        first.read()
    assert offset(second.read([b"1"], unfiltered=False)) == 2


def test_a_segment_that_is_gone_is_not_read_from_here() -> None:
    log = log_on(MemoryFiles(), segment_bytes_max=100)
    for number in range(4):
        store(log, [b"%d" % number * 60])
    first, second = readers(log, 2)
    assert offset(first.read()) == 0
    log.segments.remove_oldest(2)
    assert offset(second.read()) == 2
    assert offset(at_offset(log, 0, no_damage).read()) == 2


def test_the_largest_chunks_push_each_other_out() -> None:
    recent = Recent()
    half = RECENT_BYTES_MAX // 2
    head = Head(0, 1, 1, 0, 1, 0, 0, half, 0, 0)
    chunks = [Chunk(head, b"", b"%d" % number) for number in range(4)]
    for number, chunk in enumerate(chunks):
        recent.add(0, number, chunk, half)
    assert [recent.get(0, number) is not None for number in range(4)] == [False, False, True, True]
    assert recent.size == RECENT_BYTES_MAX
    recent.add(0, 9, chunks[0], 3 * RECENT_BYTES_MAX)
    assert recent.get(0, 9) == (chunks[0], 3 * RECENT_BYTES_MAX)
    assert recent.get(0, 3) is None
    recent.clear()
    assert recent.size == 0


def test_a_flush_changes_nothing_of_what_was_read(log: StreamLog) -> None:
    reader, other = readers(log, 2)
    reader.read()
    log.append(record_entry(b"more"), 1, 9)
    flush(log, 9)
    assert [found for found, _ in rest(other)] == [0, 1, 2, 3, 4, 5, 6]
