"""Damage on disk: everything around it is recovered, it is set aside and reported, and the broker starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.storage.support import (
    TINY_SEGMENT_BYTES,
    crash_copy,
    flip_byte,
    flush,
    maintain,
    make_message,
    open_disk,
    record_ranges,
    recover_bodies,
    segment_files,
    store,
)
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.disk.records import KEYED_START_SIZE, MARKER_BYTES, MESSAGE, encode_record

BODIES = [b"body %02d" % number for number in range(10)]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Ten messages, each a flush, all in one segment."""
    engine = open_disk(tmp_path / "data")
    list(engine.recover())
    for body in BODIES:
        store(engine, [body])
    engine.close()
    return tmp_path / "data"


@pytest.fixture
def reopened(directory: Path) -> Iterator[list[DiskEngine]]:
    """Engines that the test opened, closed at its end."""
    engines: list[DiskEngine] = []
    yield engines
    for engine in engines:
        engine.close()


def test_a_flipped_byte_anywhere_costs_one_record(directory: Path, tmp_path: Path) -> None:
    (path,) = segment_files(directory)
    ranges = record_ranges(path)
    for offset in range(ranges[0][0], ranges[-2][1]):
        copy = crash_copy(directory, tmp_path / "copy")
        flip_byte(segment_files(copy)[0], offset)
        hit = next(index for index, (start, end) in enumerate(ranges) if start <= offset < end)
        engine = open_disk(copy)
        assert recover_bodies(engine) == {1: BODIES[:hit] + BODIES[hit + 1 :]}
        (report,) = engine.damage()
        assert f"bytes {ranges[hit][0]} to {ranges[hit][1]} are damaged" in report
        (copied,) = (copy / "messages" / "quarantine").iterdir()
        assert len(copied.read_bytes()) == ranges[hit][1] - ranges[hit][0]
        engine.close()


def test_a_flipped_byte_in_what_a_segment_begins_with_costs_nothing(directory: Path, tmp_path: Path) -> None:
    """In its header, or in the key behind it."""
    for offset in range(KEYED_START_SIZE):
        copy = crash_copy(directory, tmp_path / "copy")
        flip_byte(segment_files(copy)[0], offset)
        engine = open_disk(copy)
        assert recover_bodies(engine) == {1: BODIES}
        assert len(engine.damage()) == 1
        engine.close()


def test_damage_is_repaired_by_maintenance(directory: Path) -> None:
    (path,) = segment_files(directory)
    flip_byte(path, record_ranges(path)[4][0] + 20)
    engine = open_disk(directory)
    remaining = BODIES[:4] + BODIES[5:]
    assert recover_bodies(engine) == {1: remaining}
    assert maintain(engine) == 1
    store(engine, [b"new"], (2,))
    engine.close()
    engine = open_disk(directory)
    assert recover_bodies(engine) == {1: remaining, 2: [b"new"]}
    assert engine.damage() == []
    engine.close()


def test_a_damaged_range_over_several_records(directory: Path, reopened: list[DiskEngine]) -> None:
    (path,) = segment_files(directory)
    ranges = record_ranges(path)
    data = bytearray(path.read_bytes())
    start, end = ranges[2][0] + 7, ranges[5][0] + 3
    data[start:end] = (MARKER_BYTES * (end - start))[: end - start]
    path.write_bytes(data)
    engine = open_disk(directory)
    reopened.append(engine)
    assert recover_bodies(engine) == {1: BODIES[:2] + BODIES[6:]}
    assert len(engine.damage()) == 1


def test_damage_in_the_last_record_is_a_torn_tail(directory: Path, reopened: list[DiskEngine]) -> None:
    (path,) = segment_files(directory)
    flip_byte(path, path.stat().st_size - 1)
    engine = open_disk(directory)
    reopened.append(engine)
    assert recover_bodies(engine) == {1: BODIES[:-1]}
    assert engine.damage() == []


def test_a_damaged_end_of_an_older_segment_is_reported(tmp_path: Path) -> None:
    engine = open_disk(tmp_path, TINY_SEGMENT_BYTES)
    list(engine.recover())
    bodies = [b"%03d" % number for number in range(20)]
    for body in bodies:
        store(engine, [body])
    engine.close()
    path = segment_files(tmp_path)[0]
    lost = len(record_ranges(path)) - 1
    flip_byte(path, path.stat().st_size - 1)
    engine = open_disk(tmp_path, TINY_SEGMENT_BYTES)
    assert recover_bodies(engine) == {1: bodies[:lost] + bodies[lost + 1 :]}
    assert len(engine.damage()) == 1
    engine.close()


def test_a_damaged_group_is_dropped_as_a_whole(tmp_path: Path) -> None:
    engine = open_disk(tmp_path / "data")
    list(engine.recover())
    (old,) = store(engine, [b"old"])
    engine.begin_group()
    for body in BODIES:
        engine.append(make_message(body), (2,))
    engine.settle(1, old)
    engine.end_group()
    flush(engine)
    store(engine, [b"later"], (3,))
    engine.close()
    start, end = record_ranges(segment_files(tmp_path / "data")[0])[1]
    for offset in range(start, end, 3):
        copy = crash_copy(tmp_path / "data", tmp_path / "copy")
        flip_byte(segment_files(copy)[0], offset)
        engine = open_disk(copy)
        assert recover_bodies(engine) == {1: [b"old"], 3: [b"later"]}
        assert len(engine.damage()) == 1
        engine.close()


def test_a_record_inside_a_body_is_never_taken_for_one(tmp_path: Path) -> None:
    """A body may look like records; when the real record around them is damaged, they stay dead."""
    engine = open_disk(tmp_path)
    list(engine.recover())
    fakes = b"".join(encode_record(MESSAGE, position, bytes(40), 0) for position in range(400))
    store(engine, [b"first"])
    store(engine, [fakes])
    store(engine, [b"last"])
    engine.close()
    (path,) = segment_files(tmp_path)
    flip_byte(path, record_ranges(path)[1][0])
    engine = open_disk(tmp_path)
    found = recover_bodies(engine)
    assert found == {1: [b"first", b"last"]}
    engine.close()


def test_a_segment_with_another_ones_name_is_moved_away(tmp_path: Path) -> None:
    engine = open_disk(tmp_path, TINY_SEGMENT_BYTES)
    list(engine.recover())
    for number in range(30):
        store(engine, [b"%d" % number])
    engine.close()
    files = segment_files(tmp_path)
    content = files[0].read_bytes()
    files[1].write_bytes(content)
    expected_count = 30 - len(record_ranges(files[0]))
    engine = open_disk(tmp_path, TINY_SEGMENT_BYTES)
    assert len(recover_bodies(engine)[1]) == expected_count
    (report,) = engine.damage()
    assert files[1].name in report
    assert "moved to" in report
    assert (tmp_path / "messages" / "quarantine" / files[1].name).read_bytes() == content
    engine.close()


def test_a_segment_that_cannot_be_opened_is_moved_away(directory: Path, reopened: list[DiskEngine]) -> None:
    (path,) = segment_files(directory)
    broken = path.with_name(f"{1 << 30:016x}.log")
    broken.mkdir()
    engine = open_disk(directory)
    reopened.append(engine)
    assert recover_bodies(engine) == {1: BODIES}
    assert len(engine.damage()) == 1
    assert (directory / "messages" / "quarantine" / broken.name).is_dir()
    (message,) = store(engine, [b"new"])
    assert engine.read([message.position])[0] is not None


def test_a_file_of_garbage_is_moved_away(directory: Path, reopened: list[DiskEngine]) -> None:
    (path,) = segment_files(directory)
    path.with_name(f"{1 << 30:016x}.log").write_bytes(b"not a segment" * 1000)
    path.with_name(f"{1 << 31:016x}.log").write_bytes(b"")
    engine = open_disk(directory)
    reopened.append(engine)
    assert recover_bodies(engine) == {1: BODIES}
    assert len(engine.damage()) == 1
    store(engine, [b"new"])


def test_damage_found_while_reading(directory: Path, reopened: list[DiskEngine]) -> None:
    engine = open_disk(directory)
    reopened.append(engine)
    ((_, positions, _),) = engine.recover()
    (path,) = segment_files(directory)
    flip_byte(path, record_ranges(path)[3][1] - 1)
    found = engine.read(positions)
    assert [message and message.body for message in found] == [*BODIES[:3], None, *BODIES[4:]]
    assert len(engine.damage()) == 1
    engine.read(positions)
    assert len(engine.damage()) == 1, "the same damage is reported once"
    engine.settle_positions(1, positions)
    flush(engine)
    assert engine.statistics()["entries"] == 0


def test_reading_where_nothing_is_gives_none(directory: Path, reopened: list[DiskEngine]) -> None:
    engine = open_disk(directory)
    reopened.append(engine)
    list(engine.recover())
    assert engine.read([40, 5, 1 << 50]) == [None, None, None]
    assert engine.damage()


def test_damage_found_while_compacting(tmp_path: Path) -> None:
    engine = open_disk(tmp_path, TINY_SEGMENT_BYTES)
    list(engine.recover())
    messages = [store(engine, [b"%02d" % number])[0] for number in range(30)]
    path = segment_files(tmp_path)[0]
    ranges = record_ranges(path)
    flip_byte(path, ranges[1][0] + 30)
    for message in messages[2:]:
        engine.settle(1, message)
    flush(engine)
    maintain(engine)
    assert len(engine.damage()) == 1
    found = engine.read([message.position for message in messages[:2]])
    assert [message and message.body for message in found] == [b"00", None]
    assert engine.statistics()["entries"] == 2
    engine.settle_positions(1, [message.position for message in messages[:2]])
    flush(engine)
    maintain(engine)
    assert engine.statistics()["entries"] == 0
    assert len(segment_files(tmp_path)) == 1
    engine.close()
