"""Room for what is declared is taken before: in the log, and in a ballast for the database."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from warren.core.chores import Slice
from warren.core.errors import LowOnDisk
from warren.core.storage.definitions.places import wal_path
from warren.core.storage.definitions.room import (
    BALLAST_BYTES,
    FRAME_BYTES,
    LONG_LOG_BYTES,
    RESERVE_BYTES,
    STEP_BYTES,
)
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


def fill(store: SqliteDefinitionStore, count: int) -> None:
    """Many rows of two virtual hosts, with room for each; then the log is begun anew."""
    for number in range(count):
        assert store.has_room(100)
        store.put("binding", f"v{number % 2}", f"b{number:06}", {"filler": "x" * 100})
        if number % 500 == 499:
            store.commit()
    store.commit()
    store._begin_log_anew()


def do_all(rest: Slice | None) -> None:
    """All that is left of a deletion, without a commit of the caller's in between."""
    while rest is not None and rest():
        pass


@pytest.mark.parametrize("call", ["delete_beginning", "delete_vhost", "clear"])
def test_many_rows_deleted_at_once_count(sqlite_store: SqliteDefinitionStore, path: Path, call: str) -> None:
    """Room is made for all pages that they may be on, before; and the reserve is there behind it."""
    fill(sqlite_store, 6000)
    arguments = {"delete_beginning": ("binding", "v0", "b"), "delete_vhost": ("v0",), "clear": ()}[call]
    do_all(getattr(sqlite_store, call)(*arguments))
    allocated = wal_path(path).stat().st_size
    assert allocated > path.stat().st_size + RESERVE_BYTES
    sqlite_store.commit()
    log = wal_path(path)
    assert log.stat().st_size >= len(log.read_bytes().rstrip(b"\0")) + RESERVE_BYTES
    assert len(list(sqlite_store.load())) == (0 if call == "clear" else 3000)


@pytest.mark.parametrize("call", ["delete_beginning", "delete_vhost", "clear"])
def test_many_rows_are_deleted_bit_by_bit_on_a_full_disk(path: Path, disk: Disk, call: str) -> None:
    """The log doesn't become longer, though all their pages would be more than it has room for."""
    store = SqliteDefinitionStore(path)
    fill(store, 20_000)
    store.close()
    store = SqliteDefinitionStore(path)
    assert store.has_room(100)
    store.put("queue", "/", "of the same batch", {})
    disk.is_full = True
    size = wal_path(path).stat().st_size
    assert size < path.stat().st_size // 2
    arguments = {"delete_beginning": ("binding", "v0", "b"), "delete_vhost": ("v0",), "clear": ()}[call]
    do_all(getattr(store, call)(*arguments))
    store.commit()
    assert wal_path(path).stat().st_size == size
    left = [row for row in store.load() if row[0] == "binding"]
    assert len(left) == (0 if call == "clear" else 10_000)
    assert all(row[1] == "v1" for row in left)
    store.close()


def test_a_few_rows_are_deleted_as_one_change(sqlite_store: SqliteDefinitionStore, disk: Disk) -> None:
    fill(sqlite_store, 64)
    disk.is_full = True
    sqlite_store.delete_vhost("v0")
    assert sqlite_store.dirty
    sqlite_store._run("ROLLBACK")
    sqlite_store._dirty = False
    assert len(list(sqlite_store.load())) == 64


def test_the_log_is_brought_into_the_database_as_it_gets_long(sqlite_store: SqliteDefinitionStore, path: Path) -> None:
    """By the store itself: SQLite would say nothing of a failure (test_sqlite_durability.py)."""
    assert sqlite_store._run("PRAGMA wal_autocheckpoint") == [(0,)]
    for number in range(3000):
        sqlite_store.put("queue", "/", str(number % 50), {"filler": "x" * 5000, "number": number})
        sqlite_store.commit()
        if number % 10 == 0:
            sqlite_store.sync()
    assert wal_path(path).stat().st_size < LONG_LOG_BYTES + RESERVE_BYTES + 3 * STEP_BYTES


def test_a_reader_beside_the_broker_holds_nothing_up(sqlite_store: SqliteDefinitionStore, path: Path) -> None:
    """The log only grows as long as somebody reads what is in it."""
    fill(sqlite_store, 100)
    sqlite_store.put("queue", "/", "q", {})
    sqlite_store.commit()
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM counters").fetchall()
    for number in range(1500):
        sqlite_store.put("queue", "/", str(number % 50), {"filler": "x" * 5000, "number": number})
        sqlite_store.commit()
    assert wal_path(path).stat().st_size > LONG_LOG_BYTES + RESERVE_BYTES
    reader.close()
    for number in range(1500):
        sqlite_store.put("queue", "/", str(number % 50), {"filler": "x" * 5000, "number": number})
        sqlite_store.commit()
        sqlite_store.sync()
    assert len(list(sqlite_store.load())) == 151
    assert sqlite_store._room._look() < LONG_LOG_BYTES + FRAME_BYTES * 10
