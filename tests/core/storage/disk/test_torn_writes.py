"""A crash in mid-flush: cut at every byte, what was confirmed is there and nothing is half done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.core.storage.support import (
    crash_copy,
    flush,
    make_message,
    open_disk,
    record_ranges,
    recover_bodies,
    segment_files,
    store,
)


def _cut(path: Path, size: int, *, keep_allocation: bool) -> None:
    """Lose everything behind `size`: as a shorter file, or as allocated space never written."""
    full_size = path.stat().st_size
    os.truncate(path, size)
    if keep_allocation:
        os.truncate(path, full_size)


def _recovered(directory: Path) -> dict[int, list[bytes]]:
    """What a start finds, then again after one more flush and start; a torn tail is no damage."""
    engine = open_disk(directory)
    bodies = recover_bodies(engine)
    assert engine.damage() == []
    store(engine, [b"and on"], (9,))
    engine.close()
    engine = open_disk(directory)
    assert recover_bodies(engine) == {**bodies, 9: [b"and on"]}
    assert engine.damage() == []
    engine.close()
    return bodies


@pytest.mark.parametrize("keep_allocation", [False, True])
def test_appends_survive_in_order_up_to_the_cut(tmp_path: Path, keep_allocation: bool) -> None:
    engine = open_disk(tmp_path / "data")
    list(engine.recover())
    store(engine, [b"kept"])
    (path,) = segment_files(tmp_path / "data")
    start = record_ranges(path)[-1][1]
    store(engine, [b"a", b"b", b"c"])
    engine.close()
    ends = [record_end for _, record_end in record_ranges(path)][1:]
    for cut in range(start, path.stat().st_size):
        copy = crash_copy(tmp_path / "data", tmp_path / "copy")
        _cut(segment_files(copy)[0], cut, keep_allocation=keep_allocation)
        whole = sum(1 for end in ends if end <= cut)
        assert _recovered(copy) == {1: [b"kept", *[b"a", b"b", b"c"][:whole]]}


@pytest.mark.parametrize("keep_allocation", [False, True])
def test_a_moved_message_may_double_but_is_never_lost(tmp_path: Path, keep_allocation: bool) -> None:
    engine = open_disk(tmp_path / "data")
    list(engine.recover())
    (message,) = store(engine, [b"m"])
    (path,) = segment_files(tmp_path / "data")
    start = record_ranges(path)[-1][1]
    engine.settle(1, message)
    engine.append(make_message(b"m"), (2,))
    flush(engine)
    engine.close()
    outcomes = set()
    for cut in range(start, path.stat().st_size + 1):
        copy = crash_copy(tmp_path / "data", tmp_path / "copy")
        _cut(segment_files(copy)[0], cut, keep_allocation=keep_allocation)
        outcomes.add(tuple(sorted(_recovered(copy))))
    assert outcomes == {(1,), (1, 2), (2,)}


@pytest.mark.parametrize("keep_allocation", [False, True])
def test_a_group_is_there_as_a_whole_or_not_at_all(tmp_path: Path, keep_allocation: bool) -> None:
    engine = open_disk(tmp_path / "data")
    list(engine.recover())
    old = store(engine, [b"old 1", b"old 2", b"old 3"])
    (path,) = segment_files(tmp_path / "data")
    start = record_ranges(path)[-1][1]
    engine.append(make_message(b"before"), (2,))
    engine.begin_group()
    engine.append(make_message(b"new 1"), (1, 2))
    engine.settle(1, old[0])
    engine.settle_positions(1, [old[1].position])
    engine.append(make_message(b"new 2"), (2,))
    engine.end_group()
    engine.append(make_message(b"after"), (3,))
    flush(engine)
    engine.close()
    before = {1: [b"old 1", b"old 2", b"old 3"]}
    after = {1: [b"old 3", b"new 1"], 2: [b"before", b"new 1", b"new 2"]}
    allowed = [before, {**before, 2: [b"before"]}, after, {**after, 3: [b"after"]}]
    seen = []
    for cut in range(start, path.stat().st_size + 1):
        copy = crash_copy(tmp_path / "data", tmp_path / "copy")
        _cut(segment_files(copy)[0], cut, keep_allocation=keep_allocation)
        found = _recovered(copy)
        assert found in allowed
        if found not in seen:
            seen.append(found)
    assert seen == allowed


def test_a_torn_tail_of_a_full_segment_is_no_damage_later(tmp_path: Path) -> None:
    engine = open_disk(tmp_path, segment_bytes_max=64)
    list(engine.recover())
    store(engine, [b"kept" * 20, b"torn"])
    engine.close()
    (path,) = segment_files(tmp_path)
    os.truncate(path, path.stat().st_size - 1)
    for expected in ([b"kept" * 20], [b"kept" * 20, b"next"], [b"kept" * 20, b"next", b"next"]):
        engine = open_disk(tmp_path, segment_bytes_max=64)
        assert recover_bodies(engine) == {1: expected}
        assert engine.damage() == []
        store(engine, [b"next"])
        engine.close()


def test_the_first_flush_of_a_segment_cut_anywhere(tmp_path: Path) -> None:
    engine = open_disk(tmp_path / "data", segment_bytes_max=64)
    list(engine.recover())
    store(engine, [b"kept"])
    store(engine, [b"torn"])
    engine.close()
    for cut in range(segment_files(tmp_path / "data")[1].stat().st_size):
        copy = crash_copy(tmp_path / "data", tmp_path / "copy")
        _cut(segment_files(copy)[1], cut, keep_allocation=cut % 2 == 0)
        assert _recovered(copy) == {1: [b"kept"]}


def test_pages_that_reached_the_disk_out_of_order_lose_no_confirmed_message(tmp_path: Path) -> None:
    """A settlement got there, the message that replaces the settled one did not: it must not count."""
    engine = open_disk(tmp_path / "data")
    list(engine.recover())
    (message,) = store(engine, [b"m"])
    (path,) = segment_files(tmp_path / "data")
    engine.settle(1, message)
    engine.append(make_message(b"m"), (2,))
    flush(engine)
    start, end = record_ranges(path)[1]
    torn = crash_copy(tmp_path / "data", tmp_path / "torn")
    _blank(segment_files(torn)[0], start, end)
    engine_on_torn = open_disk(torn)
    assert recover_bodies(engine_on_torn) == {1: [b"m"]}
    engine_on_torn.close()

    store(engine, [b"later"], (3,))
    engine.close()
    damaged = crash_copy(tmp_path / "data", tmp_path / "damaged")
    _blank(segment_files(damaged)[0], start, end)
    engine_on_damaged = open_disk(damaged)
    assert recover_bodies(engine_on_damaged) == {3: [b"later"]}, "the flush was complete"
    engine_on_damaged.close()


def test_what_does_not_count_at_one_start_does_not_count_at_the_next(tmp_path: Path) -> None:
    """The second start finds another segment behind the torn one, which was made by the first, and proves nothing."""
    engine = open_disk(tmp_path / "data")
    list(engine.recover())
    (message,) = store(engine, [b"m"])
    (path,) = segment_files(tmp_path / "data")
    engine.settle(1, message)
    engine.append(make_message(b"m"), (2,))
    flush(engine)
    engine.close()
    start, end = record_ranges(path)[1]
    torn = crash_copy(tmp_path / "data", tmp_path / "torn")
    _blank(segment_files(torn)[0], start, end)
    for number in range(3):
        engine = open_disk(torn)
        assert recover_bodies(engine) == {1: [b"m"], **({3: [b"x"] * number} if number else {})}
        store(engine, [b"x"], (3,))
        engine.close()


def test_what_has_gone_on_is_not_there_without_where_it_came_from(tmp_path: Path) -> None:
    """Published in a group, moved on in another, all in one flush, and torn anywhere: both count, or neither does."""
    engine = open_disk(tmp_path / "data")
    list(engine.recover())
    store(engine, [b"kept"], (3,))
    (path,) = segment_files(tmp_path / "data")
    start = record_ranges(path)[-1][1]
    engine.begin_group()
    engine.append(message := make_message(b"came"), (1, 2))
    engine.append(make_message(b"its packet identifier"), (4,))
    engine.end_group()
    engine.append(make_message(b"another's"), (5,))
    engine.begin_group()
    engine.append(make_message(b"goes on"), (6,))
    engine.settle(1, message)
    engine.end_group()
    flush(engine)
    engine.close()
    whole = {
        2: [b"came"],
        3: [b"kept"],
        4: [b"its packet identifier"],
        5: [b"another's"],
        6: [b"goes on"],
    }
    seen = []
    size = path.stat().st_size
    for torn in range(start, size + 1):
        copy = crash_copy(tmp_path / "data", tmp_path / "copy")
        if torn < size:
            _blank(segment_files(copy)[0], torn, min(torn + 16, size))
        found = _recovered_once(copy)
        assert found in ({3: [b"kept"]}, whole)
        seen.append(found)
    assert seen[-1] == whole
    assert {3: [b"kept"]} in seen


def _recovered_once(directory: Path) -> dict[int, list[bytes]]:
    engine = open_disk(directory)
    bodies = recover_bodies(engine)
    engine.close()
    return bodies


def _blank(path: Path, start: int, end: int) -> None:
    data = bytearray(path.read_bytes())
    data[start:end] = bytes(end - start)
    path.write_bytes(data)


def test_torn_bytes_are_counted_and_cut_off(tmp_path: Path) -> None:
    engine = open_disk(tmp_path)
    list(engine.recover())
    store(engine, [b"kept", b"torn"])
    engine.close()
    (path,) = segment_files(tmp_path)
    kept_end = record_ranges(path)[0][1]
    os.truncate(path, path.stat().st_size - 1)
    engine = open_disk(tmp_path)
    assert recover_bodies(engine) == {1: [b"kept"]}
    assert engine.statistics()["torn_bytes"] > 0
    assert path.stat().st_size == kept_end
    engine.close()
