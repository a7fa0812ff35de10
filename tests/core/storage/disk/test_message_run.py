"""Messages taken in one loop are those that the scanner finds record by record, whatever has happened to the file."""

from __future__ import annotations

import os
import random
from array import array
from pathlib import Path

import pytest

from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.storage.disk.flush import segment_name
from warren.core.storage.disk.keys import read_key
from warren.core.storage.disk.message_run import take_run
from warren.core.storage.disk.records import KIND_MASK, MESSAGE, decode_message
from warren.core.storage.disk.scanner import DAMAGE, Scanner
from warren.core.storage.disk.segment import LARGE_RECORD_SIZE
from warren.core.storage.disk.segment_scan import SegmentScan

PROPERTIES = Properties.parse(bytes(2))
ADDRESS = Address("", "q")


def written(directory: Path, lot: random.Random) -> Path:
    """A segment of messages of several queues, alike and not, with settlements between them; its file."""
    engine = DiskEngine(directory, allocation_step=0)
    list(engine.recover())
    alive: list[Message] = []
    size = 100
    queues: tuple[int, ...] = (1,)
    for number in range(lot.randrange(40, 200)):
        if lot.random() < 0.4:
            size = LARGE_RECORD_SIZE if lot.random() < 0.05 else lot.randrange(600)
            queues = (1, 2) if lot.random() < 0.1 else (lot.randrange(1, 4),)
        message = Message(number + 1, ADDRESS, PROPERTIES, bytes(size), 0, size, 0, 0)
        engine.append(message, queues)
        if queues == (1,):
            alive.append(message)
        if lot.random() < 0.2:
            flush = engine.begin_flush()
            assert flush is not None
            flush.write()
            engine.finish_flush(flush)
            if alive and lot.random() < 0.5:
                engine.settle(1, alive.pop(0))
    flush = engine.begin_flush()
    if flush is not None:
        flush.write()
        engine.finish_flush(flush)
    engine.close()
    return directory / "messages" / segment_name(0)


def record_by_record(path: Path, key: int) -> dict[int, tuple[array[int], array[int]]]:
    """What the scanner finds of messages when nobody takes anything out of its hands."""
    found: dict[int, tuple[array[int], array[int]]] = {}
    descriptor = os.open(path, os.O_RDONLY)
    try:
        for kind, position, buffer, start, end in Scanner(descriptor, 0, path.stat().st_size, 0, key).steps():
            if kind == DAMAGE or kind & KIND_MASK != MESSAGE:
                continue
            try:
                _, queue_ids, _, _, body_at = decode_message(buffer, start, end)
            except DamagedRecordError:
                continue
            for queue_id in queue_ids:
                positions, sizes = found.setdefault(queue_id, (array("Q"), array("I")))
                positions.append(position)
                sizes.append(end - body_at)
    finally:
        os.close(descriptor)
    return found


@pytest.mark.parametrize("is_damaged", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_a_scan_finds_what_is_there_record_by_record(tmp_path: Path, seed: int, *, is_damaged: bool) -> None:
    lot = random.Random(seed)
    path = written(tmp_path, lot)
    key = read_key(path.parent)
    assert key is not None
    if is_damaged:
        data = bytearray(path.read_bytes())
        for _ in range(lot.randrange(1, 6)):
            data[lot.randrange(60, len(data))] ^= 1 << lot.randrange(8)
        path.write_bytes(data[: lot.randrange(len(data) // 2, len(data))])
    scan = SegmentScan(0, path, key)
    scan.run(is_last=True)
    expected = record_by_record(path, key.value)
    assert scan.entries == expected
    assert scan.segment.live_count == sum(len(positions) for positions, _ in expected.values())


def test_a_run_ends_before_a_record_that_is_cut_off(tmp_path: Path) -> None:
    data = written(tmp_path, random.Random(3)).read_bytes()
    key = read_key(tmp_path / "messages")
    assert key is not None
    found: dict[int, tuple[array[int], array[int]]] = {}
    start = SegmentScan(0, tmp_path / "messages" / segment_name(0), key).segment.end
    whole, end = take_run(data, memoryview(data), start, start, key.value, found)
    assert whole > 1
    assert end > start
    cut = data[: end - 1]
    found.clear()
    count, cut_end = take_run(cut, memoryview(cut), start, start, key.value, found)
    assert count == whole - 1
    assert cut_end < end
    assert sum(len(positions) for positions, _ in found.values()) == count


@pytest.mark.parametrize("what", ["position", "key"])
def test_a_run_takes_nothing_of_another_place_or_log(tmp_path: Path, what: str) -> None:
    data = written(tmp_path, random.Random(3)).read_bytes()
    key = read_key(tmp_path / "messages")
    assert key is not None
    start = SegmentScan(0, tmp_path / "messages" / segment_name(0), key).segment.end
    position, value = (start + 1, key.value) if what == "position" else (start, key.value ^ 1)
    assert take_run(data, memoryview(data), start, position, value, {}) == (0, start)
