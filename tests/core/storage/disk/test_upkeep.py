"""Deleting and compacting segments: disk use follows what is alive, and nothing comes back or is lost."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.storage.support import (
    TINY_SEGMENT_BYTES,
    flush,
    maintain,
    make_message,
    open_disk,
    reopened_bodies,
    segment_files,
    store,
)
from warren.core.messages.message import Message
from warren.core.storage.disk.compaction import CompactionJob, DeletionJob
from warren.core.storage.disk.engine import DiskEngine


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def engine(directory: Path) -> Iterator[DiskEngine]:
    opened = open_disk(directory, TINY_SEGMENT_BYTES)
    list(opened.recover())
    yield opened
    assert opened.damage() == []
    opened.close()


def _pass_through(engine: DiskEngine, count: int) -> None:
    """Messages that are stored, flushed and settled a little later, as behind a consumer that keeps up."""
    waiting: list[Message] = []
    for number in range(count):
        waiting += store(engine, [b"passing %d" % number], (2,))
        if len(waiting) == 5:
            for message in waiting:
                engine.settle(2, message)
            waiting.clear()
        maintain(engine)
    for message in waiting:
        engine.settle(2, message)
    flush(engine)
    maintain(engine)


def _compact(engine: DiskEngine) -> CompactionJob:
    """The next maintenance job, which must be a compaction."""
    job = engine.begin_maintenance()
    assert isinstance(job, CompactionJob)
    return job


def _mostly_dead(engine: DiskEngine) -> list[Message]:
    """Twenty messages in several segments; the returned ones, two in ten, are live, the others settled."""
    messages = [store(engine, [b"%02d" % number])[0] for number in range(20)]
    live = [message for number, message in enumerate(messages) if number % 10 in (3, 4)]
    for message in messages:
        if message not in live:
            engine.settle(1, message)
    flush(engine)
    return live


def _bodies(messages: list[Message | None]) -> list[bytes | None]:
    return [None if message is None else message.body for message in messages]


def test_dead_segments_are_deleted(engine: DiskEngine, directory: Path) -> None:
    messages = [store(engine, [b"%d" % number])[0] for number in range(100)]
    assert len(segment_files(directory)) > 10
    for message in messages:
        engine.settle(1, message)
    flush(engine)
    maintain(engine)
    assert len(segment_files(directory)) == 1
    assert reopened_bodies(directory) == {}


def test_a_segment_dies_only_when_its_settlements_are_synced(engine: DiskEngine, directory: Path) -> None:
    for message in [store(engine, [b"%d" % number])[0] for number in range(20)]:
        engine.settle(1, message)
    job = engine.begin_flush()
    assert job is not None
    assert engine.begin_maintenance() is None
    job.write()
    assert engine.begin_maintenance() is None
    engine.finish_flush(job)
    assert isinstance(engine.begin_maintenance(), DeletionJob)


def test_settlements_outlive_their_segment_as_long_as_they_are_needed(engine: DiskEngine, directory: Path) -> None:
    """The first segment stays (most of it is live); a later one holds only settlements of its entries."""
    first = [store(engine, [b"%02d" % number])[0] for number in range(8)]
    engine.settle(1, first[0])
    _pass_through(engine, 100)
    assert reopened_bodies(directory) == {1: [b"%02d" % number for number in range(1, 8)]}
    for message in first[1:]:
        engine.settle(1, message)
    flush(engine)
    maintain(engine)
    assert reopened_bodies(directory) == {}
    assert len(segment_files(directory)) == 1


@pytest.mark.parametrize("restart", [False, True])
def test_a_stuck_message_does_not_pin_the_log(directory: Path, restart: bool) -> None:
    engine = open_disk(directory, TINY_SEGMENT_BYTES)
    list(engine.recover())
    store(engine, [b"stuck"], (1, 3))
    for _ in range(10):
        _pass_through(engine, 200)
        assert len(segment_files(directory)) <= 3
        assert engine.statistics()["bytes_on_disk"] < 4 * TINY_SEGMENT_BYTES
        assert sum(path.stat().st_size for path in segment_files(directory)) < 4096 + 4 * TINY_SEGMENT_BYTES
        if restart:
            engine.close()
            engine = open_disk(directory, TINY_SEGMENT_BYTES)
            assert {queue_id for queue_id, _, _ in engine.recover()} == {1, 3}
    assert reopened_bodies(directory) == {1: [b"stuck"], 3: [b"stuck"]}
    engine.close()


def test_small_stuck_messages_do_not_hide_large_dead_ones(directory: Path) -> None:
    engine = open_disk(directory, 1 << 20)
    list(engine.recover())
    store(engine, [b"small %d" % number for number in range(200)])
    for large in store(engine, [bytes(200_000)] * 10, (2,)):
        engine.settle(2, large)
    store(engine, [b"next segment"])
    maintain(engine)
    assert engine.statistics()["bytes_on_disk"] < 50_000
    assert len(reopened_bodies(directory)[1]) == 201
    engine.close()


def test_compaction_keeps_live_messages_readable(engine: DiskEngine, directory: Path) -> None:
    live = _mostly_dead(engine)
    bodies = [message.body for message in live]
    size_before = engine.statistics()["bytes_on_disk"]
    assert maintain(engine) > 0
    assert engine.statistics()["bytes_on_disk"] < size_before
    assert _bodies(engine.read([message.position for message in live])) == bodies
    assert _bodies(engine.read([message.position for message in reversed(live)])) == bodies[::-1]
    assert reopened_bodies(directory) == {1: bodies}


def test_compaction_keeps_only_the_unsettled_queues_of_a_message(engine: DiskEngine, directory: Path) -> None:
    messages = [store(engine, [b"%02d" % number], (1, 2, 3))[0] for number in range(20)]
    for message in messages:
        engine.settle(2, message)
        engine.settle(3, message)
    for message in messages[1:]:
        engine.settle(1, message)
    flush(engine)
    maintain(engine)
    assert reopened_bodies(directory) == {1: [b"00"]}
    engine.settle(1, messages[0])
    flush(engine)
    maintain(engine)
    assert reopened_bodies(directory) == {}


def test_groups_are_compacted_into_their_parts(engine: DiskEngine, directory: Path) -> None:
    old = store(engine, [b"old"])
    inside = [make_message(b"inside %02d" % number) for number in range(20)]
    engine.begin_group()
    for message in inside:
        engine.append(message, (1,))
    engine.settle(1, old[0])
    engine.end_group()
    flush(engine)
    for message in inside[:15]:
        engine.settle(1, message)
    flush(engine)
    store(engine, [b"next segment"])
    assert maintain(engine) > 0
    expected = [message.body for message in inside[15:]]
    assert _bodies(engine.read([message.position for message in inside[15:]])) == expected
    assert reopened_bodies(directory) == {1: [*expected, b"next segment"]}


def test_the_broker_goes_on_while_a_segment_is_compacted(engine: DiskEngine, directory: Path) -> None:
    live = _mostly_dead(engine)
    job = _compact(engine)
    concerned, other = live[:2], live[2:]
    engine.settle(1, concerned[0])
    store(engine, [b"during"])
    assert engine.begin_maintenance() is None, "one job at a time"
    assert _bodies(engine.read([message.position for message in live])) == [message.body for message in live]
    job.write()
    assert _bodies(engine.read([message.position for message in live])) == [message.body for message in live]
    engine.settle(1, concerned[1])
    flush(engine)
    expected = {1: [message.body for message in other] + [b"during"]}
    assert reopened_bodies(directory) == expected
    engine.finish_maintenance(job)
    assert _bodies(engine.read([message.position for message in other])) == [message.body for message in other]
    assert engine.statistics()["entries"] == 3
    assert reopened_bodies(directory) == expected
    maintain(engine)
    assert reopened_bodies(directory) == expected


def test_a_segment_is_read_first_between_its_rewriting_and_the_booking(engine: DiskEngine) -> None:
    live = _mostly_dead(engine)
    job = _compact(engine)
    job.write()
    assert _bodies(engine.read([message.position for message in live])) == [message.body for message in live]


def test_what_is_settled_during_a_compaction_stays_settled(engine: DiskEngine, directory: Path) -> None:
    """Its settlement lies in a segment without live entries, which must outlive the compaction."""
    live = _mostly_dead(engine)
    job = _compact(engine)
    engine.settle(1, live[0])
    flush(engine)
    passing = store(engine, [bytes(TINY_SEGMENT_BYTES)], (2,))
    store(engine, [b"next segment"], (3,))
    job.write()
    engine.finish_maintenance(job)
    engine.settle(2, passing[0])
    flush(engine)
    maintain(engine)
    assert reopened_bodies(directory)[1] == [message.body for message in live[1:]]


def test_a_crash_before_the_rename(engine: DiskEngine, directory: Path) -> None:
    live = _mostly_dead(engine)
    job = _compact(engine)
    leftover = directory / "messages" / (segment_files(directory)[0].name + ".tmp")
    leftover.write_bytes(b"half a segment")
    assert reopened_bodies(directory) == {1: [message.body for message in live]}
    job.write()
    assert not leftover.exists()


def test_a_crash_after_the_rename(engine: DiskEngine, directory: Path) -> None:
    live = _mostly_dead(engine)
    job = _compact(engine)
    job.write()
    assert reopened_bodies(directory) == {1: [message.body for message in live]}
    engine.finish_maintenance(job)
    assert reopened_bodies(directory) == {1: [message.body for message in live]}


def test_the_last_segment_may_be_a_compacted_one(engine: DiskEngine, directory: Path) -> None:
    """The log must not go on inside a range of positions that is in use."""
    live = _mostly_dead(engine)
    maintain(engine)
    engine.close()
    last = segment_files(directory)[-1]
    last.unlink()
    reopened = open_disk(directory, TINY_SEGMENT_BYTES)
    positions = {position for _, found, _ in reopened.recover() for position in found}
    (message,) = store(reopened, [b"new"])
    assert message.position > max(positions)
    expected = [old.body for old in live if old.position in positions]
    assert reopened_bodies(directory) == {1: [*expected, b"new"]}
    reopened.close()


def test_a_job_that_fails_changes_nothing(directory: Path) -> None:
    engine = open_disk(directory, TINY_SEGMENT_BYTES)
    list(engine.recover())
    live = _mostly_dead(engine)
    obstacle = directory / "messages" / (segment_files(directory)[0].name + ".tmp")
    obstacle.mkdir()
    job = _compact(engine)
    job.write()
    assert isinstance(job.failure, OSError)
    assert job.failure.errno == errno.EISDIR
    engine.settle(1, live[0])
    engine.finish_maintenance(job)
    assert engine.begin_maintenance() is None, "not tried again at once"
    assert len(engine.damage()) == 1
    assert "messages are safe" in engine.damage()[0]
    flush(engine)
    obstacle.rmdir()
    assert reopened_bodies(directory) == {1: [message.body for message in live[1:]]}
    while (job_again := engine.begin_maintenance()) is None:
        pass
    job_again.write()
    engine.finish_maintenance(job_again)
    assert reopened_bodies(directory) == {1: [message.body for message in live[1:]]}
    engine.close()


def test_compaction_pauses_between_pieces_of_work(directory: Path) -> None:
    pauses: list[None] = []
    engine = DiskEngine(directory, segment_bytes_max=1 << 20, pause=lambda: pauses.append(None))
    list(engine.recover())
    for message in store(engine, [bytes(1000)] * 1500)[:1400]:
        engine.settle(1, message)
    flush(engine)
    store(engine, [b"next segment"])
    assert maintain(engine) == 1
    assert len(pauses) >= 20
    engine.close()
