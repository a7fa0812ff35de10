"""Every kind of operation is found again by a broker that starts on the directory without a clean stop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.storage.support import (
    TINY_SEGMENT_BYTES,
    crash_copy,
    flush,
    make_message,
    open_disk,
    recover_bodies,
    reopened_bodies,
    segment_files,
    store,
)
from warren.core.messages.address import Address
from warren.core.messages.properties import Properties
from warren.core.storage.disk.engine import DiskEngine


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def engine(directory: Path) -> Iterator[DiskEngine]:
    opened = open_disk(directory)
    assert list(opened.recover()) == []
    yield opened
    opened.close()


def test_an_empty_log(engine: DiskEngine, directory: Path) -> None:
    assert reopened_bodies(directory) == {}


def test_appended_and_flushed(engine: DiskEngine, directory: Path) -> None:
    store(engine, [b"one", b"", b"three"])
    assert reopened_bodies(directory) == {1: [b"one", b"", b"three"]}


def test_appended_but_not_flushed_is_lost(engine: DiskEngine, directory: Path) -> None:
    store(engine, [b"one"])
    engine.append(make_message(b"two"), (1,))
    assert reopened_bodies(directory) == {1: [b"one"]}


def test_settled_by_message(engine: DiskEngine, directory: Path) -> None:
    messages = store(engine, [b"one", b"two", b"three"])
    engine.settle(1, messages[1])
    flush(engine)
    assert reopened_bodies(directory) == {1: [b"one", b"three"]}


def test_settled_by_position(engine: DiskEngine, directory: Path) -> None:
    messages = store(engine, [b"one", b"two", b"three"])
    engine.settle_positions(1, [messages[2].position, messages[0].position])
    flush(engine)
    assert reopened_bodies(directory) == {1: [b"two"]}


def test_settled_but_not_flushed_comes_back(engine: DiskEngine, directory: Path) -> None:
    messages = store(engine, [b"one"])
    engine.settle(1, messages[0])
    assert reopened_bodies(directory) == {1: [b"one"]}


def test_settled_in_the_flush_that_writes_it(engine: DiskEngine, directory: Path) -> None:
    message = make_message(b"both")
    engine.append(message, (1, 2))
    engine.settle(1, message)
    flush(engine)
    assert reopened_bodies(directory) == {2: [b"both"]}


def test_settled_while_its_flush_is_under_way(engine: DiskEngine, directory: Path) -> None:
    message = make_message(b"fast")
    engine.append(message, (1,))
    first = engine.begin_flush()
    assert first is not None
    engine.settle(1, message)
    first.write()
    engine.finish_flush(first)
    assert reopened_bodies(directory) == {1: [b"fast"]}
    flush(engine)
    assert reopened_bodies(directory) == {}
    assert engine.statistics()["entries"] == 0


def test_one_message_in_several_queues(engine: DiskEngine, directory: Path) -> None:
    messages = store(engine, [b"one", b"two"], (1, 2, 3))
    engine.settle(2, messages[0])
    flush(engine)
    assert reopened_bodies(directory) == {1: [b"one", b"two"], 2: [b"two"], 3: [b"one", b"two"]}


def test_a_group(engine: DiskEngine, directory: Path) -> None:
    old = store(engine, [b"old"])
    before, inside, after = (make_message(body) for body in (b"before", b"inside", b"after"))
    engine.append(before, (1,))
    engine.begin_group()
    engine.append(inside, (1, 2))
    engine.settle(1, old[0])
    engine.end_group()
    engine.append(after, (1,))
    flush(engine)
    assert reopened_bodies(directory) == {1: [b"before", b"inside", b"after"], 2: [b"inside"]}
    assert engine.read([inside.position])[0] is not None


def test_a_group_that_settles_what_was_never_written(engine: DiskEngine, directory: Path) -> None:
    message = make_message(b"short-lived")
    engine.append(message, (1,))
    engine.begin_group()
    engine.settle(1, message)
    engine.end_group()
    assert engine.begin_flush() is None
    assert reopened_bodies(directory) == {}


def test_what_a_message_says_is_read_back(engine: DiskEngine) -> None:
    address = Address("exchange-\xe9", "key.\udcff")
    properties = Properties.parse(b"\x90\x00\x0atext/plain\x02")
    message = make_message(bytes(range(256)), address, properties)
    engine.append(message, (1,))
    flush(engine)
    (found,) = engine.read([message.position])
    assert found is not None
    assert (found.address.exchange, found.address.routing_key) == ("exchange-\xe9", "key.\udcff")
    assert found.properties.raw == properties.raw
    assert (found.body, found.body_size) == (message.body, message.body_size)
    assert (found.published_at_ms, found.position) == (message.published_at_ms, message.position)
    assert (found.sequence, found.references, found.framed_for) == (0, 0, 0)


def test_a_message_read_back_can_be_settled(engine: DiskEngine, directory: Path) -> None:
    (message,) = store(engine, [b"paged"])
    (found,) = engine.read([message.position])
    assert found is not None
    engine.settle(1, found)
    flush(engine)
    assert reopened_bodies(directory) == {}
    assert engine.statistics()["entries"] == 0


def test_recovered_messages_are_written_ones(engine: DiskEngine, directory: Path, tmp_path: Path) -> None:
    store(engine, [b"one"])
    reopened = open_disk(crash_copy(directory, tmp_path / "copy"))
    ((_, positions, _),) = reopened.recover()
    (message,) = reopened.read(positions)
    assert message is not None
    assert reopened.is_written(message)
    reopened.close()


def test_large_bodies_and_small_ones_are_read_in_the_order_asked(engine: DiskEngine) -> None:
    bodies = [bytes([number]) * size for number, size in enumerate([1, 200_000, 0, 70_000, 3_000_000, 5, 40_000])]
    positions = [message.position for message in store(engine, bodies)]
    for order in ([0, 1, 2, 3, 4, 5, 6], [6, 0, 4, 2], [4], [5, 1]):
        found = engine.read([positions[index] for index in order])
        assert [message.body for message in found if message is not None] == [bodies[index] for index in order]


def test_the_log_goes_on_after_a_restart(directory: Path) -> None:
    expected: list[bytes] = []
    last_position = 0
    for number in range(40):
        engine = open_disk(directory, TINY_SEGMENT_BYTES)
        assert recover_bodies(engine).get(1, []) == expected
        expected.append(b"%d" % number)
        (message,) = store(engine, expected[-1:])
        assert message.position > last_position
        last_position = message.position
        engine.close()
    assert len(segment_files(directory)) > 3


def test_flushes_rotate_to_new_segments(directory: Path) -> None:
    engine = open_disk(directory, TINY_SEGMENT_BYTES)
    list(engine.recover())
    bodies = [b"number %d" % number for number in range(100)]
    for body in bodies:
        store(engine, [body])
    assert engine.statistics()["segments"] == len(segment_files(directory)) > 5
    assert reopened_bodies(directory) == {1: bodies}
    engine.close()


def test_recovered_entries_can_be_settled_in_every_segment(directory: Path) -> None:
    engine = open_disk(directory, TINY_SEGMENT_BYTES)
    list(engine.recover())
    for number in range(60):
        store(engine, [b"%d" % number])
    engine.close()
    engine = open_disk(directory, TINY_SEGMENT_BYTES)
    ((queue_id, positions, _),) = engine.recover()
    engine.settle_positions(queue_id, positions[::2])
    flush(engine)
    assert reopened_bodies(directory) == {1: [b"%d" % number for number in range(1, 60, 2)]}
    assert engine.statistics()["entries"] == 30
    engine.close()


def test_settlements_of_segments_that_are_not_there_are_ignored(engine: DiskEngine, directory: Path) -> None:
    store(engine, [b"one"])
    engine.settle_positions(1, [1 << 40])
    flush(engine)
    assert reopened_bodies(directory) == {1: [b"one"]}
    assert engine.statistics()["entries"] == 1


def test_closing_gives_reserved_space_back(engine: DiskEngine, directory: Path, tmp_path: Path) -> None:
    store(engine, [b"one"])
    crashed = crash_copy(directory, tmp_path / "crashed")
    engine.close()
    (closed_file,), (crashed_file,) = segment_files(directory), segment_files(crashed)
    assert closed_file.stat().st_size < crashed_file.stat().st_size == 4096
    assert crashed_file.read_bytes().rstrip(b"\0") == closed_file.read_bytes().rstrip(b"\0")
