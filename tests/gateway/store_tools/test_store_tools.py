"""`warren store check`, `repair` and `backup`, with brokers as processes and damage to what they leave."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pika import BasicProperties, BlockingConnection, ConnectionParameters
from pika.adapters.blocking_connection import BlockingChannel

from tests.support.ctl import ctl
from tests.support.warren_process import WarrenProcess, start_warren
from warren.core.errors import StorageError
from warren.gateway.command_line import main
from warren.gateway.store_tools.checking import check_store
from warren.gateway.store_tools.repairing import repair_store

MESSAGES = 300


@contextmanager
def broker_on(directory: Path) -> Iterator[WarrenProcess]:
    directory.parent.mkdir(exist_ok=True)
    broker = start_warren(directory.parent, data_directory=directory)
    try:
        yield broker
    finally:
        assert broker.stop() == 0


@contextmanager
def channel_to(broker: WarrenProcess) -> Iterator[BlockingChannel]:
    connection = BlockingConnection(ConnectionParameters("127.0.0.1", broker.amqp_port))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
    finally:
        connection.close()


def publish(channel: BlockingChannel, queue: str, numbers: range) -> None:
    for number in numbers:
        channel.basic_publish("", queue, b"message %d of many" % number, BasicProperties(delivery_mode=2))


def taken(channel: BlockingChannel, queue: str) -> list[bytes]:
    """Everything that waits in a queue."""
    found: list[bytes] = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return found
        found.append(body)


def all_of(numbers: range) -> list[bytes]:
    return [b"message %d of many" % number for number in numbers]


def state(directory: Path) -> dict[str, bytes]:
    """Every file, with what is in it."""
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a queue whose messages are partly settled, an empty one, and a stream."""
    directory = tmp_path_factory.mktemp("sound") / "data"
    with broker_on(directory) as broker, channel_to(broker) as channel:
        channel.queue_declare("orders", durable=True)
        channel.queue_declare("empty", durable=True)
        channel.queue_declare("events", durable=True, arguments={"x-queue-type": "stream"})
        publish(channel, "orders", range(MESSAGES))
        publish(channel, "events", range(20))
        for _ in range(10):
            channel.basic_get("orders", auto_ack=True)
    return directory


@pytest.fixture
def store(sound: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(sound, tmp_path / "data"))


def flip(path: Path, at: int, bit: int = 1) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ bit]))


def log_of(store: Path) -> Path:
    (path,) = (store / "messages").glob("*.log")
    return path


def stream_of(store: Path) -> Path:
    (path,) = (store / "streams").rglob("*.segment")
    return path


def in_log(store: Path, text: bytes) -> int:
    return log_of(store).read_bytes().index(text)


def test_a_sound_store(store: Path, tmp_path: Path) -> None:
    before = state(store)
    checked = check_store(store)
    assert (checked.damage, checked.notes) == ([], [])
    assert (checked.messages, checked.segments, checked.streams) == (MESSAGES, 1, 1)
    assert checked.chunks > 0
    assert checked.definitions > 3
    assert state(store) == before
    repaired = repair_store(store, tmp_path / "new" / "data")
    assert (repaired.found, repaired.messages, repaired.lost) == ([], MESSAGES - 10, 0)
    assert state(store) == before


def test_a_flipped_bit_of_a_message(store: Path, tmp_path: Path) -> None:
    flip(log_of(store), in_log(store, b"message 150 of many"))
    before = state(store)
    (damage,) = check_store(store).damage
    assert "hold no valid record" in damage
    repaired = repair_store(store, tmp_path / "new")
    assert (len(repaired.found), repaired.messages) == (1, MESSAGES - 11)
    assert state(store) == before
    assert check_store(tmp_path / "new").is_sound
    assert any((tmp_path / "new" / "messages" / "quarantine").iterdir())
    with broker_on(tmp_path / "new") as broker, channel_to(broker) as channel:
        assert taken(channel, "orders") == [each for each in all_of(range(10, MESSAGES)) if b" 150 " not in each]
        channel.queue_declare("empty", passive=True)
    assert "damage" not in (tmp_path / "warren.log").read_text().lower()


def test_a_torn_tail(store: Path, tmp_path: Path) -> None:
    """A write that was cut off is no damage: nobody was told that it was kept."""
    at = in_log(store, b"message 200 of many")
    os.truncate(log_of(store), at + 5)
    checked = check_store(store)
    assert checked.damage == []
    (note,) = checked.notes
    assert "the rest of a write that was cut off" in note
    # What was settled behind the cut is there again.
    assert repair_store(store, tmp_path / "new").messages == 200
    assert check_store(tmp_path / "new").notes == []


def test_a_segment_whose_beginning_is_gone(store: Path, tmp_path: Path) -> None:
    with open(log_of(store), "r+b") as file:
        file.write(b"\xff" * 200)
    assert not check_store(store).is_sound
    repaired = repair_store(store, tmp_path / "new")
    assert repaired.found
    assert MESSAGES - 20 < repaired.messages < MESSAGES
    assert check_store(tmp_path / "new").is_sound


def test_a_missing_segment(store: Path, tmp_path: Path) -> None:
    """It looks like one in which all was settled, and what is left is served."""
    log_of(store).unlink()
    assert check_store(store).messages == 0
    assert repair_store(store, tmp_path / "new").messages == 0


def test_missing_definitions(store: Path, tmp_path: Path) -> None:
    for each in store.glob("definitions.sqlite*"):
        each.unlink()
    (damage,) = check_store(store).damage
    assert "definitions.sqlite is missing" in damage
    # The messages are kept: whoever declares the queue again gets them.
    assert repair_store(store, tmp_path / "new").messages == MESSAGES - 10
    with broker_on(tmp_path / "new") as broker:
        assert "orders" in ctl(broker.data_directory, "list_quarantined")


def test_a_damaged_database(store: Path, tmp_path: Path) -> None:
    with open(store / "definitions.sqlite", "r+b") as file:
        file.write(b"\xff" * 64)
    assert not check_store(store).is_sound
    repaired = repair_store(store, tmp_path / "new")
    assert "definition" in repaired.found[0]
    with broker_on(tmp_path / "new") as broker, channel_to(broker) as channel:
        assert taken(channel, "orders") == all_of(range(10, MESSAGES))


def test_a_flipped_bit_of_a_stream(store: Path, tmp_path: Path) -> None:
    flip(stream_of(store), stream_of(store).read_bytes().index(b"message 10 of many"))
    assert "are damaged" in check_store(store).damage[0]
    repaired = repair_store(store, tmp_path / "new")
    assert len(repaired.found) == 1
    assert list((tmp_path / "new" / "quarantine" / "streams").rglob("*.segment"))
    with broker_on(tmp_path / "new") as broker, channel_to(broker) as channel:
        read = read_stream(channel, 19)
        assert read == [each for each in all_of(range(20)) if b" 10 " not in each]


def read_stream(channel: BlockingChannel, count: int) -> list[bytes]:
    found: list[bytes] = []

    def came(_: object, method: Any, __: object, body: bytes) -> None:
        found.append(body)
        channel.basic_ack(method.delivery_tag)

    channel.basic_qos(prefetch_count=100)
    channel.basic_consume("events", came, arguments={"x-stream-offset": "first"})
    for _ in range(100):
        if len(found) >= count:
            break
        channel.connection.process_data_events(time_limit=1)
    return found


def test_refusals(store: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(StorageError, match="is there already"):
        repair_store(store, tmp_path / "taken")
    with pytest.raises(StorageError, match="is no data directory"):
        check_store(tmp_path / "taken")
    with broker_on(store):
        for attempt in (lambda: check_store(store), lambda: repair_store(store, tmp_path / "new")):
            with pytest.raises(StorageError, match="is in use by a broker"):
                attempt()


def test_as_commands(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["store", "check", str(store)]) == 0
    assert capsys.readouterr().out.startswith("sound: ")
    flip(log_of(store), in_log(store, b"message 150 of many"))
    assert main.run(["store", "check", str(store)]) == 1
    assert f"warren store repair {store} NEWDIR" in capsys.readouterr().out
    assert main.run(["store", "repair", str(store), str(tmp_path / "new")]) == 1
    assert f"{tmp_path / 'new'} is sound: {MESSAGES - 11} messages" in capsys.readouterr().out


def test_a_backup_while_messages_come_and_go(store: Path, tmp_path: Path) -> None:
    """What was confirmed before is in it, what comes after isn't needed, and nothing that it holds is damaged."""
    enough, under_way = threading.Event(), threading.Event()
    target = tmp_path / "backup" / "data"

    def go_on(broker: WarrenProcess) -> None:
        with channel_to(broker) as channel:
            channel.queue_declare("busy", durable=True)
            number = 0
            while not enough.is_set():
                publish(channel, "busy", range(number, number + 10))
                channel.basic_get("busy", auto_ack=True)
                number += 10
                under_way.set()

    with broker_on(store) as broker:
        thread = threading.Thread(target=go_on, args=(broker,))
        thread.start()
        try:
            assert under_way.wait(60)
            assert main.run(["store", "backup", str(target), "--data-dir", str(store)]) == 0
            with pytest.raises(AssertionError, match="is there already"):
                ctl(store, "backup_store", str(target))
        finally:
            enough.set()
            thread.join()
        assert not (store / "backup-links").exists()
    checked = check_store(target)
    assert checked.is_sound
    with broker_on(target) as broker, channel_to(broker) as channel:
        assert taken(channel, "orders") == all_of(range(10, MESSAGES))
        assert read_stream(channel, 20) == all_of(range(20))
        busy = taken(channel, "busy")
        first = int(busy[0].split()[1])
        assert busy == all_of(range(first, first + len(busy)))
        assert "damage" not in ctl(broker.data_directory, "alarms")


def test_a_backup_that_can_t_be(tmp_path: Path) -> None:
    with broker_on(tmp_path / "data"):
        with pytest.raises(AssertionError, match="whole path"):
            ctl(tmp_path / "data", "backup_store", "here")
        (tmp_path / "file").touch()
        with pytest.raises(AssertionError, match="is there already"):
            ctl(tmp_path / "data", "backup_store", str(tmp_path / "file"))
        assert not (tmp_path / "data" / "backup-links").exists()
