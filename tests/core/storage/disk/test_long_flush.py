"""A flush that is encoded in slices, and groups that are collected over several: what is on disk is the same.

Slices are small here, so that a few messages make several.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.storage.support import flush, make_message, open_disk, store
from warren.core.storage.disk import encoder
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.disk.flush import LogFlush


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "ENCODED_PER_SLICE", 3)
    monkeypatch.setattr("warren.core.storage.disk.engine.ENCODED_PER_SLICE", 3)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DiskEngine]:
    made = open_disk(tmp_path)
    list(made.recover())
    yield made
    made.close()


def recovered(engine: DiskEngine, tmp_path: Path) -> dict[int, list[bytes]]:
    """What the next start finds, by queue."""
    engine.close()
    again = open_disk(tmp_path)
    found = {}
    for queue_id, positions, _ in again.recover():
        found[queue_id] = [message.body for message in again.read(positions) if message is not None]
    assert not again.damage()
    again.close()
    return {queue_id: bodies for queue_id, bodies in found.items() if bodies}


BODIES = [b"%d" % number for number in range(10)]


@pytest.mark.interpreted("makes a constant smaller, which the compiled form holds by value")
def test_many_messages_and_settlements(engine: DiskEngine, tmp_path: Path) -> None:
    old = store(engine, BODIES)
    for message in old[:8]:
        engine.settle(1, message)
    for body in BODIES:
        engine.append(make_message(body), (2,))
    job = engine.begin_flush()
    assert job is not None
    slices = 0
    while job.encode_some():
        slices += 1
    assert slices >= 5
    job.write()
    engine.finish_flush(job)
    assert engine.statistics()["entries"] == 12
    assert recovered(engine, tmp_path) == {1: BODIES[8:], 2: BODIES}


@pytest.mark.interpreted("makes a constant smaller, which the compiled form holds by value")
def test_writing_encodes_what_is_left(engine: DiskEngine, tmp_path: Path) -> None:
    for body in BODIES:
        engine.append(make_message(body), (1,))
    job = engine.begin_flush()
    assert job is not None
    assert job.encode_some()
    job.write()
    engine.finish_flush(job)
    assert recovered(engine, tmp_path) == {1: BODIES}


@pytest.mark.parametrize("slices", range(5))
def test_what_comes_between_two_slices_is_for_the_next_flush(engine: DiskEngine, tmp_path: Path, slices: int) -> None:
    messages = [make_message(body) for body in BODIES]
    for message in messages:
        engine.append(message, (1,))
    job = engine.begin_flush()
    assert job is not None
    for _ in range(slices):
        job.encode_some()
    for message in (messages[0], messages[9]):
        engine.settle(1, message)
    engine.append(make_message(b"later"), (1,))
    job.write()
    engine.finish_flush(job)
    assert engine.pending
    flush(engine)
    assert engine.statistics()["entries"] == 9
    assert recovered(engine, tmp_path) == {1: [*BODIES[1:9], b"later"]}


def test_counts_of_failures_in_between_wait_for_their_messages(engine: DiskEngine, tmp_path: Path) -> None:
    first = [make_message(body) for body in BODIES]
    for message in first:
        engine.append(message, (1,))
    engine.count_failures(1, first[0], 1)
    job = engine.begin_flush()
    assert job is not None
    job.encode_some()
    later = make_message(b"later")
    engine.append(later, (1,))
    engine.count_failures(1, later, 7)
    job.write()
    engine.finish_flush(job)
    flush(engine)
    engine.close()
    again = open_disk(tmp_path)
    list(again.recover())
    assert dict(again.failures(1)) == {first[0].position: 1, later.position: 7}
    again.close()


def test_a_large_flush_that_has_nothing_to_write(engine: DiskEngine, tmp_path: Path) -> None:
    messages = [make_message(body) for body in BODIES]
    for message in messages:
        engine.append(message, (1,))
        engine.settle(1, message)
    flush(engine)
    assert not engine.pending
    store(engine, [b"after"])
    assert recovered(engine, tmp_path) == {1: [b"after"]}


def collect(engine: DiskEngine, old: list[bytes]) -> list[bytes]:
    """A long group that moves what is stored from queue 1 to queue 2, with flushes in between; what is in it."""
    stored = store(engine, old)
    group = engine.long_group()
    for message in stored:
        with engine.collecting(group):
            engine.append(make_message(b"moved " + message.body), (2,))
            engine.settle(1, message)
        store(engine, [b"between"], (3,))
    engine.add_group(group)
    return [b"moved " + body for body in old]


def test_a_group_that_is_collected_over_several_turns(engine: DiskEngine, tmp_path: Path) -> None:
    moved = collect(engine, BODIES)
    assert engine.pending
    flush(engine)
    assert recovered(engine, tmp_path) == {2: moved, 3: [b"between"] * 10}


def test_until_it_is_added_nothing_of_it_has_happened(engine: DiskEngine, tmp_path: Path) -> None:
    collect(engine, BODIES)
    assert recovered(engine, tmp_path) == {1: BODIES, 3: [b"between"] * 10}


def test_its_place_is_where_it_is_added(engine: DiskEngine, tmp_path: Path) -> None:
    group, other = engine.long_group(), engine.long_group()
    for each, body in ((group, b"group"), (other, b"other")):
        with engine.collecting(each):
            engine.append(make_message(body), (1,))
    engine.append(make_message(b"before"), (1,))
    engine.begin_group()
    engine.append(make_message(b"short"), (1,))
    engine.end_group()
    engine.add_group(group)
    engine.append(make_message(b"behind"), (1,))
    engine.add_group(other)
    flush(engine)
    assert recovered(engine, tmp_path) == {1: [b"before", b"short", b"group", b"behind", b"other"]}


def test_what_a_group_settles_before_it_was_written_is_written_until_then(engine: DiskEngine, tmp_path: Path) -> None:
    """The group may never be added: then the message has to be there."""
    message = make_message(b"m")
    engine.append(message, (1,))
    group = engine.long_group()
    with engine.collecting(group):
        engine.settle(1, message)
    flush(engine)
    assert engine.statistics()["entries"] == 1
    engine.add_group(group)
    flush(engine)
    assert engine.statistics()["entries"] == 0
    assert recovered(engine, tmp_path) == {}


@pytest.mark.interpreted("makes a constant smaller, which the compiled form holds by value")
def test_much_is_encoded_in_later_turns(engine: DiskEngine, tmp_path: Path) -> None:
    """The turn that begins it has published all of it, most likely."""
    for body in BODIES:
        engine.append(make_message(body), (1,))
    job = engine.begin_flush()
    assert isinstance(job, LogFlush)
    assert job.encode_some()
    assert job.chunks == []
    job.write()
    engine.finish_flush(job)
    assert recovered(engine, tmp_path) == {1: BODIES}
