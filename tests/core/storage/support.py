"""What the storage tests share: messages with known bodies, complete flushes, a look into an engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY, Properties
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.disk.keys import NO_KEY, key_in_segment
from warren.core.storage.disk.records import decode_segment_header
from warren.core.storage.disk.scanner import Scanner
from warren.core.storage.engine import StorageEngine

ADDRESS = Address("orders", "europe.new")
TINY_SEGMENT_BYTES = 512
"""Some eight small messages: a few dozen of them go through rotation, deletion and compaction."""


def make_message(body: bytes, address: Address = ADDRESS, properties: Properties = EMPTY) -> Message:
    """A message as an adapter makes it: the body in the middle of other bytes."""
    return Message(1, address, properties, b"<<" + body + b">>>", 2, len(body), 7, 1_700_000_000_123)


def open_disk(directory: Path, segment_bytes_max: int = 64 << 20) -> DiskEngine:
    """A disk engine that reserves little space."""
    return DiskEngine(directory, segment_bytes_max=segment_bytes_max, allocation_step=4096)


def flush(engine: StorageEngine) -> None:
    """One whole flush."""
    job = engine.begin_flush()
    if job is not None:
        job.write()
        engine.finish_flush(job)


def maintain(engine: StorageEngine) -> int:
    """Maintenance until there is none to do; returns the number of jobs."""
    count = 0
    while (job := engine.begin_maintenance()) is not None:
        job.write()
        engine.finish_maintenance(job)
        count += 1
        assert count < 10_000, "maintenance never ends"
    return count


def store(engine: StorageEngine, bodies: Sequence[bytes], queue_ids: tuple[int, ...] = (1,)) -> list[Message]:
    """Append messages and flush."""
    messages = [make_message(body) for body in bodies]
    for message in messages:
        engine.append(message, queue_ids)
    flush(engine)
    return messages


def recover_bodies(engine: StorageEngine) -> dict[int, list[bytes]]:
    """Recover, and read every unsettled entry: bodies by queue, in order."""
    found = {}
    for queue_id, positions, sizes in engine.recover():
        messages = engine.read(positions)
        bodies = [message.body for message in messages if message is not None]
        assert len(bodies) == len(positions)
        assert [len(body) for body in bodies] == list(sizes)
        assert list(positions) == sorted(set(positions))
        found[queue_id] = bodies
    return found


def crash_copy(directory: Path, copy: Path) -> Path:
    """The directory as a crash at this moment would leave it."""
    if copy.exists():
        shutil.rmtree(copy)
    shutil.copytree(directory, copy)
    return copy


def reopened_bodies(directory: Path) -> dict[int, list[bytes]]:
    """What a broker that starts on a copy of this directory finds; it must find nothing damaged."""
    copy = crash_copy(directory, directory.with_name(directory.name + "-reopened"))
    engine = open_disk(copy)
    try:
        bodies = recover_bodies(engine)
        assert engine.damage() == []
        return bodies
    finally:
        engine.close()


def segment_files(directory: Path) -> list[Path]:
    """The segment files, in order."""
    return sorted((directory / "messages").glob("*.log"))


def flip_byte(path: Path, offset: int) -> None:
    """Damage one byte of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x5A
    path.write_bytes(data)


def record_ranges(path: Path) -> list[tuple[int, int]]:
    """File offsets (start, end) of the outer records of an undamaged segment file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        header = decode_segment_header(path.read_bytes())
        key = key_in_segment(path, header[1]) or NO_KEY
        scanner = Scanner(descriptor, header[1], path.stat().st_size, header[2], key)
        ranges = []
        offset = scanner.start
        for _ in scanner.steps():
            ranges.append((offset, scanner.end))
            offset = scanner.end
        return ranges
    finally:
        os.close(descriptor)
