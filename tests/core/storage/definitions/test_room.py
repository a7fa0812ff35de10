"""Room for what is declared is taken before: in the log, and in a ballast for the database."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from warren.core.errors import LowOnDisk
from warren.core.storage.definitions.room import BALLAST_BYTES, RESERVE_BYTES, STEP_BYTES
from warren.core.storage.definitions.salvage import wal_path
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore


class Disk:
    """Says that it is full when it is to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self.error = errno.ENOSPC
        self._allocate = os.posix_fallocate
        patch.setattr(os, "posix_fallocate", self.allocate)

    def allocate(self, descriptor: int, offset: int, size: int) -> None:
        if self.is_full:
            raise OSError(self.error, os.strerror(self.error))
        self._allocate(descriptor, offset, size)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def declare(store: SqliteDefinitionStore, numbers: range) -> int:
    """Declare until there is no room; how many were."""
    for count, number in enumerate(numbers):
        if not store.has_room(100):
            return count
        store.put("queue", "/", str(number), {"filler": "x" * 100})
        store.commit()
    return len(numbers)


def test_room_is_allocated_ahead(sqlite_store: SqliteDefinitionStore, path: Path) -> None:
    assert declare(sqlite_store, range(300)) == 300
    assert sqlite_store.has_room()
    log = wal_path(path)
    used = len(log.read_bytes().rstrip(b"\0"))
    assert used + RESERVE_BYTES <= log.stat().st_size <= used + RESERVE_BYTES + 2 * STEP_BYTES
    assert path.with_name(path.name + ".ballast").stat().st_size == BALLAST_BYTES


def test_a_full_disk_is_noticed_before_anything_is_put(
    sqlite_store: SqliteDefinitionStore, disk: Disk, path: Path
) -> None:
    declare(sqlite_store, range(50))
    disk.is_full = True
    made = declare(sqlite_store, range(50, 100_000)) if not sqlite_store.has_room(10_000_000) else -1
    assert made >= 0
    with pytest.raises(LowOnDisk, match=r"low on disk: .*free some space"):
        sqlite_store.check_room(10_000_000)
    assert len(list(sqlite_store.load())) == 50 + made
    disk.is_full = False
    sqlite_store.check_room(10_000_000)


def test_what_is_not_refused_goes_on_as_the_log_begins_anew(sqlite_store: SqliteDefinitionStore, disk: Disk) -> None:
    """A change of what is there takes no new pages, so it never needs more of the disk."""
    declare(sqlite_store, range(200))
    disk.is_full = True
    size = wal_path(sqlite_store._path).stat().st_size
    for number in range(2000):
        sqlite_store.put("queue", "/", str(number % 200), {"changed": number})
        sqlite_store.commit()
    for number in range(100):
        sqlite_store.delete("queue", "/", str(number))
        sqlite_store.commit()
    assert wal_path(sqlite_store._path).stat().st_size == size
    assert len(list(sqlite_store.load())) == 100


def test_a_large_transaction_asks_for_no_more_than_it_can_take(sqlite_store: SqliteDefinitionStore, path: Path) -> None:
    for number in range(5000):
        assert sqlite_store.has_room(100)
        sqlite_store.put("queue", "/", str(number), {"filler": "x" * 100})
    sqlite_store.commit()
    log = wal_path(path)
    used = len(log.read_bytes().rstrip(b"\0"))
    assert used <= log.stat().st_size <= 6 * used + RESERVE_BYTES + 2 * STEP_BYTES


def test_where_nothing_can_be_allocated_ahead_free_space_is_asked_for(
    sqlite_store: SqliteDefinitionStore, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.is_full, disk.error = True, errno.EOPNOTSUPP
    assert sqlite_store.has_room(STEP_BYTES)

    class Full:
        f_bavail = 1
        f_frsize = 4096

    monkeypatch.setattr(os, "statvfs", lambda path: Full())
    assert not sqlite_store.has_room(10 * STEP_BYTES)


def test_a_store_opened_again_finds_the_end_of_its_log(path: Path, disk: Disk) -> None:
    for _ in range(3):
        store = SqliteDefinitionStore(path)
        assert declare(store, range(40)) == 40
        store.close()
    store = SqliteDefinitionStore(path)
    assert len(list(store.load())) == 40
    assert store.damage() == []
    store.close()
