"""Bytes that changed on disk: what they held is left out and told of, everything else is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.streams.support import files_in, flush, log_on, rest, store
from warren.core.streams import cursor
from warren.core.streams.chunk import record_entry
from warren.core.streams.log import StreamLog
from warren.core.streams.segment_file import index_name, segment_name

COUNT = 30


@pytest.fixture
def log(tmp_path: Path) -> StreamLog:
    """Thirty messages of which each is a chunk, in segments of five."""
    made = log_on(files_in(tmp_path), segment_bytes_max=450)
    for number in range(COUNT):
        store(made, [b"message %02d" % number], now_ms=number)
    made.close()
    assert len(made.segments) > 3
    return made


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0x10]))


def place_of(path: Path, text: bytes) -> int:
    at = path.read_bytes().find(text)
    assert at >= 0
    return at


def read_all(log: StreamLog, sentences: list[str]) -> list[int]:
    return [offset for offset, _ in rest(cursor.at_first(log, sentences.append))]


def without(*offsets: int) -> list[int]:
    return [offset for offset in range(COUNT) if offset not in offsets]


@pytest.mark.parametrize("back", [0, 14, 30, 60], ids=["data", "entry size", "head", "prefix"])
def test_a_damaged_chunk_is_left_out_while_others_are_read(log: StreamLog, tmp_path: Path, back: int) -> None:
    segment = log.segments.holding(7)
    path = tmp_path / segment_name(segment.base)
    flip(path, place_of(path, b"message 07") - back)
    sentences: list[str] = []
    assert read_all(log, sentences) == without(7)
    assert len(sentences) == 1
    assert segment_name(segment.base) in sentences[0]


def test_a_damaged_chunk_of_the_last_segment_is_set_aside_at_the_start(log: StreamLog, tmp_path: Path) -> None:
    base = log.segments.last.base
    path = tmp_path / segment_name(base)
    flip(path, place_of(path, b"message %02d" % base))
    opened = log_on(files_in(tmp_path))
    assert len(opened.reports) == 1
    copies = list(tmp_path.glob("*.damaged"))
    assert len(copies) == 1
    assert b"message" not in copies[0].read_bytes()[:8]
    assert copies[0].name in opened.reports[0]
    sentences: list[str] = []
    assert read_all(opened, sentences) == without(base)
    assert store(opened, [b"new"]) == COUNT


def test_damage_at_the_very_end_is_copied_before_it_is_cut(
    log: StreamLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / segment_name(log.segments.last.base)
    flip(path, place_of(path, b"message 29"))
    opened = log_on(files_in(tmp_path))
    assert opened.reports == []
    assert "cut off" in caplog.text
    assert [
        b"\x6dessage" in copy.read_bytes() or b"essage 29" in copy.read_bytes() for copy in tmp_path.glob("*.damaged")
    ]
    assert opened.end_offset == COUNT - 1
    assert read_all(opened, []) == without(29)


def test_a_segment_whose_start_is_damaged_stays_where_it_is(log: StreamLog, tmp_path: Path) -> None:
    second = list(log.segments)[1]
    flip(tmp_path / segment_name(second.base), 9)
    opened = log_on(files_in(tmp_path))
    assert len(opened.reports) == 1
    assert segment_name(second.base) in opened.reports[0]
    assert (tmp_path / segment_name(second.base)).exists()
    assert read_all(opened, []) == without(*range(second.base, second.end_offset))


def test_offsets_go_on_behind_a_last_segment_that_cannot_be_read(log: StreamLog, tmp_path: Path) -> None:
    last = log.segments.last
    flip(tmp_path / segment_name(last.base), 9)
    opened = log_on(files_in(tmp_path))
    assert opened.next_offset > last.base
    assert store(opened, [b"new"]) == opened.end_offset - 1
    assert read_all(opened, [])[-1] == opened.end_offset - 1


def remove(path: Path) -> None:
    path.unlink()


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-24])


def confuse(path: Path) -> None:
    path.write_bytes(bytes(reversed(path.read_bytes())))


@pytest.mark.parametrize("spoil", [remove, shorten, confuse])
def test_an_index_is_made_again_at_the_start(log: StreamLog, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    segment = log.segments.holding(7)
    path = tmp_path / index_name(segment.base)
    before = path.read_bytes()
    spoil(path)
    opened = log_on(files_in(tmp_path))
    assert opened.reports == []
    assert path.read_bytes() == before
    assert [offset for offset, _ in rest(cursor.at_offset(opened, 7, pytest.fail))] == list(range(7, COUNT))


@pytest.mark.parametrize("spoil", [remove, shorten, confuse])
def test_a_reader_does_not_need_the_index(log: StreamLog, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    segment = log.segments.holding(8)
    log.files.forget(index_name(segment.base))
    spoil(tmp_path / index_name(segment.base))
    found = [offset for offset, _ in rest(cursor.at_offset(log, 8, pytest.fail))]
    assert found == list(range(found[0], COUNT))
    assert segment.base <= found[0] <= 8
    by_time = [offset for offset, _ in rest(cursor.at_time(log, 8, pytest.fail))]
    assert set(range(8, COUNT)) <= set(by_time)


def test_what_was_left_of_a_deletion_is_removed(log: StreamLog, tmp_path: Path) -> None:
    first = log.segments.first
    (tmp_path / segment_name(first.base)).unlink()
    opened = log_on(files_in(tmp_path))
    assert not (tmp_path / index_name(first.base)).exists()
    assert opened.first_offset == first.end_offset


def test_a_message_that_looks_like_a_segment_is_not_taken_for_one(log: StreamLog, tmp_path: Path) -> None:
    """Whoever publishes the bytes of a chunk, prefix included, doesn't know the key of the segment."""
    first = log.segments.first
    theirs = (tmp_path / segment_name(first.base)).read_bytes()
    made = log_on(files_in(tmp_path / "other"), segment_bytes_max=10**6)
    store(made, [b"before"])
    store(made, [theirs])
    store(made, [b"behind"])
    made.close()
    path = tmp_path / "other" / segment_name(0)
    flip(path, place_of(path, record_entry(theirs)[:8]))
    opened = log_on(files_in(tmp_path / "other"))
    sentences: list[str] = []
    found = [record for _, record in rest(cursor.at_first(opened, sentences.append))]
    assert found == [b"before", b"behind"]
    assert len(opened.reports) == len(sentences) == 1


def test_nothing_is_read_of_a_write_that_is_not_booked(log: StreamLog) -> None:
    log.append(record_entry(b"new"), 1, 0)
    begun = log.begin_flush(0)
    assert begun is not None
    begun.write()
    assert read_all(log, []) == without()
    log.finish_flush(begun)
    assert read_all(log, []) == [*without(), COUNT]
    flush(log)
