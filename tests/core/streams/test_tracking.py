"""Publishing ids and offsets that a stream notes: by reference, bounded, and as safe as the messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.streams.support import files_in, flush, log_on, no_damage, rest, store
from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.storage.files import MemoryFiles
from warren.core.streams import cursor
from warren.core.streams.chunk import record_entry
from warren.core.streams.log import CHUNK_ENTRIES_MAX, StreamLog
from warren.core.streams.placing import SNAPSHOT_EVERY_BYTES, SNAPSHOT_EVERY_CHUNKS
from warren.core.streams.retention import Retention
from warren.core.streams.segment_file import index_name, segment_name
from warren.core.streams.tracking import Tracking, TrackingDelta, entries_in, trailer_of

LONGEST = b"\xff" * 255


def publish(log: StreamLog, publisher: bytes, *ids: int) -> None:
    log.append_all([record_entry(b"%d" % each) for each in ids], 0, publisher, ids)
    flush(log)


def records(log: StreamLog) -> list[tuple[int, bytes]]:
    return list(rest(cursor.at_first(log, no_damage)))


# As bytes


def test_what_is_noted_comes_back_from_a_trailer() -> None:
    delta = TrackingDelta()
    assert not delta
    delta.note_sequence(b"p", 3)
    delta.note_sequence(b"p", 2**64 - 1)
    delta.note_offset(LONGEST, 0)
    assert delta
    tracking = Tracking()
    tracking.apply(entries_in(trailer_of(delta.take())), 77)
    assert tracking.sequences == {b"p": (2**64 - 1, 77)}
    assert tracking.offsets == {LONGEST: 0}
    assert not delta
    assert trailer_of(delta.take()) == b""
    assert entries_in(b"") == b""


def test_a_snapshot_has_all_of_it_in_order() -> None:
    tracking = Tracking()
    for number, name in enumerate([b"b", b"a", LONGEST]):
        tracking.note_sequence(name, number, 10 * number)
        tracking.note_offset(name, number)
    tracking.note_sequence(b"b", 5, 50)
    loaded = Tracking()
    loaded.note_offset(b"left from before", 1)
    loaded.load(tracking.snapshot())
    assert list(loaded.sequences.items()) == [(b"a", (1, 10)), (LONGEST, (2, 20)), (b"b", (5, 50))]
    assert list(loaded.offsets.items()) == list(tracking.offsets.items())
    assert bool(loaded)
    assert not Tracking()


def test_what_is_damaged_is_refused() -> None:
    delta = TrackingDelta()
    delta.note_sequence(b"name", 3)
    trailer = trailer_of(delta.take())
    for at in range(len(trailer)):
        spoiled = trailer[:at] + bytes([trailer[at] ^ 1]) + trailer[at + 1 :]
        with pytest.raises(DamagedRecordError):
            entries_in(spoiled)
    entries = entries_in(trailer)
    for end in range(1, len(entries)):
        with pytest.raises(DamagedRecordError):
            Tracking().apply(entries[:end], 0)
        with pytest.raises(DamagedRecordError):
            Tracking().load(entries[:end])
    with pytest.raises(DamagedRecordError):
        Tracking().apply(b"\x02" + entries[1:], 0)


def test_whoever_was_noted_longest_ago_is_forgotten() -> None:
    tracking = Tracking(publishers_max=2, readers_max=2)
    assert tracking.note_sequence(b"a", 1, 10) is None
    assert tracking.note_sequence(b"b", 1, 20) is None
    assert tracking.note_sequence(b"a", 2, 30) is None
    assert tracking.note_sequence(b"c", 1, 40) == (b"b", 20)
    assert tracking.sequences == {b"a": (2, 30), b"c": (1, 40)}
    assert [tracking.note_offset(name, 1) for name in (b"a", b"b", b"a", b"c")] == [None, None, None, b"b"]
    assert tracking.offsets == {b"a": 1, b"c": 1}


# In a log


def test_who_is_forgotten_though_its_messages_are_there_is_told(tmp_path: Path) -> None:
    log = log_on(files_in(tmp_path), segment_bytes_max=10**6)
    log.tracking = Tracking(publishers_max=2)
    for name in (b"a", b"b", b"c"):
        publish(log, name, 1)
    assert log.forgotten == [b"a"]


def test_who_is_forgotten_when_its_messages_are_gone_is_not(tmp_path: Path) -> None:
    log = log_on(files_in(tmp_path), segment_bytes_max=1, retention=Retention(bytes_max=0))
    log.tracking = Tracking(publishers_max=2)
    for name in (b"a", b"b", b"c"):
        publish(log, name, 1)
        log.retain(0)
    assert log.forgotten == []
    assert list(log.tracking.sequences) == [b"b", b"c"]


def test_what_is_noted_takes_no_offset_and_is_not_read(tmp_path: Path) -> None:
    log = log_on(files_in(tmp_path))
    reader = cursor.at_next(log, no_damage)
    log.store_offset(b"r", 5)
    assert log.pending
    flush(log, 10)
    assert (log.next_offset, log.end_offset) == (0, 0)
    store(log, [b"zero"], 20)
    log.store_offset(b"r", 6)
    flush(log, 30)
    assert [offset for offset, _ in rest(reader)] == [0]
    assert records(log) == [(0, b"zero")]
    assert reader.is_at_end
    last = cursor.at_last(log, no_damage).read()
    assert last is not None
    assert last.head.first_offset == 0
    assert list(rest(cursor.at_time(log, 25, no_damage))) == []
    assert [offset for offset, _ in rest(cursor.at_time(log, 15, no_damage))] == [0]
    again = log_on(files_in(tmp_path))
    assert again.tracking.offsets == {b"r": 6}
    last = cursor.at_last(again, no_damage).read()
    assert last is not None
    assert last.head.first_offset == 0


def test_what_is_noted_outlives_the_segments_that_it_was_noted_in(tmp_path: Path) -> None:
    log = log_on(files_in(tmp_path), segment_bytes_max=200, retention=Retention(bytes_max=0))
    publish(log, b"p", 1, 2, 3)
    log.store_offset(b"r", 2)
    flush(log)
    for number in range(20):
        store(log, [b"%d" % number])
        log.retain(0)
    flush(log)
    assert log.first_offset > 10
    assert len(list(tmp_path.glob("*.segment"))) == 1
    again = log_on(files_in(tmp_path))
    assert again.last_publishing_id(b"p") == 3
    assert again.last_publishing_id(b"q") is None
    assert again.tracking.offsets == {b"r": 2}


@pytest.fixture(scope="module")
def whole_flush(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A log in which one flush wrote several chunks, with a new segment for each; and the bytes of the first."""
    directory = tmp_path_factory.mktemp("whole")
    log = log_on(files_in(directory), segment_bytes_max=150)
    publish(log, b"p", 0)
    size = log.segments.last.size
    ids = range(1, 3 * CHUNK_ENTRIES_MAX + 10)
    log.append_all([record_entry(b"")] * len(ids), 0, b"p", ids)
    flush(log)
    log.close()
    assert len(log.segments) == 4
    return directory, size


@pytest.mark.parametrize("back", [0, 1, 20, 60, 10_000], ids=str)
@pytest.mark.parametrize("segments", [1, 2, 3, 4])
def test_a_flush_that_is_cut_off_notes_what_is_there(
    whole_flush: tuple[Path, int], tmp_path: Path, segments: int, back: int
) -> None:
    """Neither is a message known that is lost, nor one unknown that is there."""
    directory, kept = whole_flush
    paths = sorted(directory.glob("*.segment"))[:segments]
    for path in paths:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    last = tmp_path / paths[-1].name
    with last.open("r+b") as file:
        file.truncate(max(last.stat().st_size - back, kept if segments == 1 else 0))
    log = log_on(files_in(tmp_path))
    assert log.last_publishing_id(b"p") == log.end_offset - 1


@pytest.mark.parametrize("index", ["as it is", "lost", "cut"])
def test_a_snapshot_that_is_damaged_is_replaced_by_what_is_before_it(tmp_path: Path, index: str) -> None:
    log = log_on(files_in(tmp_path), segment_bytes_max=200)
    for number in range(10):
        publish(log, b"p", number)
        log.store_offset(b"r", number)
    flush(log)
    log.close()
    last = tmp_path / segment_name(log.segments.last.base)
    data = bytearray(last.read_bytes())
    at = data.index(b"\0\1p") + 6
    data[at] ^= 1
    last.write_bytes(data)
    path = tmp_path / index_name(log.segments.last.base)
    if index == "lost":
        path.unlink()
    elif index == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    again = log_on(files_in(tmp_path))
    assert len(again.reports) >= 1
    assert again.last_publishing_id(b"p") == 9
    assert again.tracking.offsets == {b"r": 9}


# What a start reads


class CountingFiles(MemoryFiles):
    """Counts the bytes that are read of segments and of indexes."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = {"segment": 0, "index": 0}

    def read(self, name: str, size: int, at: int) -> bytes:
        data = super().read(name, size, at)
        self.counted[name.rpartition(".")[2]] += len(data)
        return data


LEADS_BYTES = 2 * 311 * (SNAPSHOT_EVERY_CHUNKS + 10)
"""What stands in front of the chunks behind a snapshot is read twice."""


@pytest.mark.interpreted("gives in files of its own, which the compiled form refuses")
@pytest.mark.parametrize(
    ("chunks", "size", "most"),
    [
        pytest.param(20 * SNAPSHOT_EVERY_CHUNKS, 10, 100 * SNAPSHOT_EVERY_CHUNKS, id="small"),
        pytest.param(40, SNAPSHOT_EVERY_BYTES // 8, SNAPSHOT_EVERY_BYTES + SNAPSHOT_EVERY_BYTES // 4, id="large"),
    ],
)
def test_a_start_reads_a_large_segment_from_its_last_snapshot_on(chunks: int, size: int, most: int) -> None:
    files = CountingFiles()
    log = StreamLog(files)
    record = b"." * size
    publish(log, b"p", 7)
    for _ in range(chunks):
        store(log, [record])
    assert len(log.segments) == 1
    files.counted.update(segment=0, index=0)
    again = StreamLog(files)
    assert again.end_offset == chunks + 1
    assert again.last_publishing_id(b"p") == 7
    assert again.reports == []
    assert files.counted["segment"] < most + LEADS_BYTES < log.size
    assert files.counted["index"] < 4 * 24 * 1024 * 3
    assert store(again, [b"next"]) == chunks + 1
    assert len(list(rest(cursor.at_offset(again, chunks, no_damage)))) == 2


def test_a_start_without_an_index_reads_all_and_makes_it_again(tmp_path: Path) -> None:
    log = log_on(files_in(tmp_path), segment_bytes_max=10**9)
    for number in range(2 * SNAPSHOT_EVERY_CHUNKS):
        log.append(record_entry(b"%d" % number), 1, number, None, b"p", number)
    flush(log)
    path = tmp_path / index_name(0)
    before = path.read_bytes()
    path.unlink()
    again = log_on(files_in(tmp_path))
    assert path.read_bytes() == before
    assert again.end_offset == 2 * SNAPSHOT_EVERY_CHUNKS
