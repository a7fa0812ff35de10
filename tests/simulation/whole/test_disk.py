"""The simulated disk keeps what was synced, and loses what it may."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest

from tests.simulation.whole.disk import SECTOR_BYTES, SimulatedDisk
from warren.core.storage.disk.files import sync_directory, write_at
from warren.core.storage.disk.stream_files import StreamDirectories

SEEDS = range(30)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


def write(path: Path, data: bytes, *, sync: bool, offset: int = 0) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    write_at(descriptor, data, offset)
    if sync:
        os.fsync(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_synced_stays(root: Path, seed: int) -> None:
    with SimulatedDisk(root, random.Random(seed)) as disk:
        write(root / "file", b"kept" * 1000, sync=True)
        sync_directory(root)
        disk.switch_off()
        disk.lose_power()
        assert (root / "file").read_bytes() == b"kept" * 1000


def survivors(root: Path, *, sync_file: bool, sync_name: bool) -> set[bytes | None]:
    """What a file may be after power failures: its sectors' first bytes, None for no file."""
    found: set[bytes | None] = set()
    for seed in SEEDS:
        with SimulatedDisk(root, random.Random(seed)) as disk:
            write(root / "file", b"a" * SECTOR_BYTES + b"b" * SECTOR_BYTES, sync=sync_file)
            if sync_name:
                sync_directory(root)
            disk.switch_off()
            disk.lose_power()
            path = root / "file"
            found.add(path.read_bytes()[::SECTOR_BYTES] if path.exists() else None)
            path.unlink(missing_ok=True)
    return found


def test_what_was_not_synced_may_be_there_in_part_and_in_any_order(root: Path) -> None:
    assert survivors(root, sync_file=False, sync_name=True) == {b"", b"a", b"ab", b"\0b"}


def test_a_name_that_was_not_synced_may_be_missing(root: Path) -> None:
    assert survivors(root, sync_file=True, sync_name=False) == {b"ab", None}


def test_a_full_disk_takes_what_fits(root: Path) -> None:
    with SimulatedDisk(root, random.Random(0)) as disk:
        write(root / "file", b"", sync=True)
        disk.room = 10
        with pytest.raises(OSError, match="No space") as raised:
            write(root / "file", b"x" * 20, sync=True)
        assert raised.value.errno == errno.ENOSPC
        assert (root / "file").read_bytes() == b"x" * 10
        write(root / "file", b"y" * 10, sync=True)


def test_the_first_message_of_the_first_stream_survives(root: Path) -> None:
    """Not only what is in new directories has to be synced, but that they are there."""
    for seed in SEEDS:
        place = root / str(seed)
        place.mkdir()
        with SimulatedDisk(place, random.Random(seed)) as disk:
            files = StreamDirectories(place, 0).files(7)
            files.write("segment", b"message", 0, sync=True)
            files.sync_names()
            disk.switch_off()
            disk.lose_power()
            assert (place / "streams" / "7" / "segment").read_bytes() == b"message"
