"""What every storage engine does alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.core.storage.replicated.streams import MemoryStream, Servers
from tests.core.storage.support import flush, maintain, make_message, open_disk, store
from warren.core.storage.engine import StorageEngine
from warren.core.storage.memory import MemoryEngine
from warren.core.storage.replicated.engine import ReplicatedEngine


def open_replicated(directory: Path) -> StorageEngine:
    servers = Servers()
    return ReplicatedEngine(directory, MemoryStream(servers), MemoryStream(servers), owner="n1", allocation_step=4096)


@pytest.fixture(params=["memory", "disk", "replicated"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorageEngine]:
    kinds: dict[str, Callable[[Path], StorageEngine]] = {
        "memory": lambda _: MemoryEngine(),
        "disk": open_disk,
        "replicated": open_replicated,
    }
    opened: StorageEngine = kinds[request.param](tmp_path)
    assert list(opened.recover()) == []
    yield opened
    opened.close()


def test_a_new_engine_has_nothing_to_do(engine: StorageEngine) -> None:
    assert not engine.pending
    assert engine.begin_flush() is None
    assert engine.begin_maintenance() is None
    assert engine.damage() == []
    assert engine.statistics()["entries"] == 0


def test_append_and_settle_count_references(engine: StorageEngine) -> None:
    message = make_message(b"m")
    engine.append(message, (1, 2, 3))
    assert message.references == 3
    engine.settle(2, message)
    assert message.references == 2
    flush(engine)
    engine.settle(1, message)
    engine.settle(3, message)
    assert message.references == 0
    flush(engine)


def test_nothing_is_pending_after_a_flush(engine: StorageEngine) -> None:
    message = make_message(b"m")
    engine.append(message, (1,))
    flush(engine)
    assert not engine.pending
    engine.settle(1, message)
    flush(engine)
    assert not engine.pending


def test_entries_are_counted_until_settled(engine: StorageEngine) -> None:
    messages = store(engine, [b"a", b"b", b"c"], (1, 2))
    assert engine.statistics()["entries"] == 6
    engine.settle(1, messages[0])
    flush(engine)
    assert engine.statistics()["entries"] == 5


def test_settled_before_the_flush_is_never_written(engine: StorageEngine) -> None:
    message = make_message(b"m")
    engine.append(message, (1, 2))
    engine.settle(1, message)
    engine.settle(2, message)
    assert engine.begin_flush() is None
    assert not engine.pending
    assert not engine.is_written(message)
    assert engine.statistics()["entries"] == 0


def test_an_empty_group_is_nothing(engine: StorageEngine) -> None:
    engine.begin_group()
    engine.end_group()
    assert engine.begin_flush() is None


def test_only_a_durable_engine_lets_content_leave_memory(engine: StorageEngine) -> None:
    message = make_message(b"m")
    engine.append(message, (1,))
    assert not engine.is_written(message)
    flush(engine)
    assert engine.is_written(message) == engine.durable
    assert (message.position > 0) == engine.durable


def test_maintenance_comes_to_an_end(engine: StorageEngine) -> None:
    for message in store(engine, [b"%d" % number for number in range(100)]):
        engine.settle(1, message)
    flush(engine)
    maintain(engine)
    assert engine.begin_maintenance() is None


def test_reading_nothing_gives_nothing(engine: StorageEngine) -> None:
    assert engine.read([]) == []


def test_counts_are_for_queues_that_ask_for_them(engine: StorageEngine) -> None:
    message = make_message(b"counted")
    engine.append(message, (1,))
    flush(engine)
    assert engine.failures(1) == {}
    engine.count_failures(1, message, 2)
    engine.note_ready_from(1, None)
    assert engine.pending == engine.durable
    flush(engine)
    engine.settle(1, message)
    flush(engine)
    assert engine.failures(1) == {}
    engine.forget_queue(1)
    assert not engine.pending
