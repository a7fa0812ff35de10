"""Counts of failed deliveries outlive a crash, whatever becomes of the segments that they were written to."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.storage.support import (
    TINY_SEGMENT_BYTES,
    crash_copy,
    flush,
    maintain,
    make_message,
    open_disk,
    segment_files,
    store,
)
from warren.core.messages.message import Message
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.storage.disk.records import FAILURES_MAX, decode_failed, encode_failed

QUEUE = 1


def reopened(directory: Path) -> tuple[DiskEngine, list[int]]:
    """An engine on the directory, and the positions of what it recovered in the queue."""
    engine = open_disk(directory, TINY_SEGMENT_BYTES)
    found = {queue_id: list(positions) for queue_id, positions, _ in engine.recover()}
    return engine, found.get(QUEUE, [])


def test_the_latest_count_is_found_again(tmp_path: Path) -> None:
    engine, _ = reopened(tmp_path)
    first, second, third = store(engine, [b"1", b"2", b"3"])
    for failures in (1, 2):
        engine.count_failures(QUEUE, first, failures)
        engine.count_failures(QUEUE, third, failures + 5)
        assert engine.pending
        flush(engine)
    assert not engine.pending
    engine.close()
    engine, positions = reopened(tmp_path)
    assert positions == [first.position, second.position, third.position]
    assert engine.failures(QUEUE) == {first.position: 2, third.position: 7}
    assert engine.failures(QUEUE + 1) == {}
    engine.close()


def test_what_is_with_consumers_has_failed_once_more(tmp_path: Path) -> None:
    engine, _ = reopened(tmp_path)
    first, second, third = store(engine, [b"1", b"2", b"3"])
    engine.count_failures(QUEUE, first, 4)
    engine.note_ready_from(QUEUE, third)
    flush(engine)
    engine.close()
    for _ in range(2):  # reading it changes nothing
        engine, _ = reopened(tmp_path)
        assert engine.failures(QUEUE) == {first.position: 5, second.position: 1}
        engine.close()
    engine, _ = reopened(tmp_path)
    engine.note_ready_from(QUEUE, second.position)
    flush(engine)
    engine.close()
    engine, _ = reopened(tmp_path)
    assert engine.failures(QUEUE) == {first.position: 6, second.position: 1}
    engine.close()


@pytest.mark.parametrize("ready_from", [0, None])
def test_nothing_or_everything_may_be_with_consumers(tmp_path: Path, ready_from: int | None) -> None:
    engine, _ = reopened(tmp_path)
    message = make_message(b"1")
    engine.append(message, (QUEUE,))
    engine.note_ready_from(QUEUE, ready_from)
    flush(engine)
    later = store(engine, [b"2"])
    engine.close()
    engine, positions = reopened(tmp_path)
    assert positions == [message.position, later[0].position]
    assert engine.failures(QUEUE) == ({} if ready_from == 0 else {message.position: 1})
    engine.close()


def test_nothing_is_written_for_queues_that_do_not_count(tmp_path: Path) -> None:
    engine, _ = reopened(tmp_path)
    message = make_message(b"1")
    engine.count_failures(QUEUE, message, 1)
    engine.settle(QUEUE, message)
    flush(engine)
    assert segment_files(tmp_path) == []
    engine.note_ready_from(QUEUE, None)
    engine.forget_queue(QUEUE)
    assert not engine.pending
    engine.close()


def test_segments_wait_until_the_next_one_knows_all(tmp_path: Path) -> None:
    """The first flush of a segment holds what only the segment before knew; until it is done, that one must stay."""
    engine, _ = reopened(tmp_path)
    kept, _ = store(engine, [b"kept", b"x" * TINY_SEGMENT_BYTES])
    (filler,) = store(engine, [b"y" * 370], (2,))
    assert len(segment_files(tmp_path)) == 2
    engine.count_failures(QUEUE, kept, 3)
    engine.settle(2, filler)
    flush(engine)
    engine.append(make_message(b"next"), (QUEUE,))
    beginning = engine.begin_flush()
    assert beginning is not None
    assert engine.begin_maintenance() is None
    again, _ = reopened(crash_copy(tmp_path, tmp_path.with_name("copy")))
    assert again.failures(QUEUE) == {kept.position: 3}
    again.close()
    beginning.write()
    engine.finish_flush(beginning)
    assert maintain(engine) == 1
    assert len(segment_files(tmp_path)) == 2, "the middle one is gone"
    engine.close()
    engine, _ = reopened(tmp_path)
    assert engine.failures(QUEUE) == {kept.position: 3}
    engine.close()


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_like_a_dictionary(seed: int) -> None:
    """Random doings in tiny segments, with upkeep; every now and then a crash, of which the copy is looked at."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "data"
        engine, _ = reopened(directory)
        messages: list[Message] = []
        failures: dict[int, int] = {}
        ready_from = 0
        for _ in range(chance.randrange(20, 150)):
            doing = chance.randrange(6)
            if doing <= 1:
                messages += store(engine, [b"m" * chance.randrange(120)])
            elif doing == 2 and messages:
                message = messages.pop(chance.randrange(len(messages)))
                engine.settle(QUEUE, message)
                failures.pop(message.position, None)
            elif doing == 3 and messages:
                message = chance.choice(messages)
                failures[message.position] = failures.get(message.position, 0) + chance.randint(1, 3)
                engine.count_failures(QUEUE, message, failures[message.position])
            elif doing == 4 and messages:
                first = chance.choice(messages)
                ready_from = first.position
                engine.note_ready_from(QUEUE, chance.choice((first, first.position)))
            flush(engine)
            if chance.random() < 0.3:
                maintain(engine)
            if chance.random() < 0.1:
                again, positions = reopened(crash_copy(directory, Path(name) / "copy"))
                assert positions == [message.position for message in messages]
                counted = {at: failures.get(at, 0) + (at < ready_from) for at in positions}
                assert again.failures(QUEUE) == {at: count for at, count in counted.items() if count}
                again.close()
        engine.close()


def test_a_torn_record_leaves_what_was_known_before(tmp_path: Path) -> None:
    """Wherever it is cut off."""
    directory, copy = tmp_path / "data", tmp_path / "copy"
    engine, _ = reopened(directory)
    first, second = store(engine, [b"1", b"2"])
    engine.count_failures(QUEUE, first, 1)
    flush(engine)
    before = engine.statistics()["bytes_on_disk"]
    engine.count_failures(QUEUE, first, 2)
    engine.count_failures(QUEUE, second, 1)
    flush(engine)
    after = engine.statistics()["bytes_on_disk"]
    engine.close()
    for size in range(before, after + 1):
        (segment,) = segment_files(crash_copy(directory, copy))
        with segment.open("r+b") as file:
            file.truncate(size)
        again, _ = reopened(copy)
        counted = {first.position: 1} if size < after else {first.position: 2, second.position: 1}
        assert again.failures(QUEUE) == counted
        again.close()


def test_a_damaged_record_is_set_aside(tmp_path: Path) -> None:
    engine, _ = reopened(tmp_path)
    (message,) = store(engine, [b"1"])
    engine.count_failures(QUEUE, message, 5)
    flush(engine)
    store(engine, [b"2"])
    engine.close()
    (segment,) = segment_files(tmp_path)
    content = segment.read_bytes()
    offset = content.index((5).to_bytes(4, "little"), content.index(b"1") + 40)
    segment.write_bytes(content[:offset] + b"\xff" + content[offset + 1 :])
    engine, positions = reopened(tmp_path)
    assert len(positions) == 2
    assert engine.failures(QUEUE) == {}
    assert len(engine.damage()) == 1
    engine.close()


def test_a_record_of_failures() -> None:
    payload = encode_failed(7, 2**63, {10: 1, 20: FAILURES_MAX + 5})
    assert decode_failed(b"__" + payload, 2, 2 + len(payload)) == (7, 2**63, {10: 1, 20: FAILURES_MAX})
    for damaged in (payload[:-1], payload + b"\0", payload[:10]):
        with pytest.raises(DamagedRecordError):
            decode_failed(damaged, 0, len(damaged))
