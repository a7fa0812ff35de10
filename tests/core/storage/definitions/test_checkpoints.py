"""Who brings SQLite's log into the database: the thread that syncs, and the broker's only where that must not wait."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.core.storage.definitions.test_sqlite_durability import LARGE, rows_at
from warren.core.storage.definitions.room import LONG_LOG_BYTES, TOO_LONG_LOG_BYTES
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore

WAIT_S = 60.0
"""For another thread; a loaded machine must not fail a test."""


class WatchedCheckpoints:
    """A connection that notes the threads in which its checkpoints are made."""

    def __init__(self, connection: sqlite3.Connection | None, threads: list[int]) -> None:
        assert connection is not None
        self._connection = connection
        self._threads = threads

    def execute(self, statement: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if "wal_checkpoint" in statement:
            self._threads.append(threading.get_ident())
        return self._connection.execute(statement, parameters)

    def close(self) -> None:
        self._connection.close()


def watch_checkpoints(store: SqliteDefinitionStore) -> list[int]:
    threads: list[int] = []
    store._connection = WatchedCheckpoints(store._connection, threads)  # type: ignore[assignment]
    assert store._beside is not None
    store._beside._connection = WatchedCheckpoints(store._beside._connection, threads)  # type: ignore[assignment]
    return threads


def test_a_long_log_goes_into_the_database_in_the_thread_that_syncs(
    sqlite_store: SqliteDefinitionStore, path: Path
) -> None:
    sqlite_store.sync()
    threads = watch_checkpoints(sqlite_store)
    sqlite_store.put("queue", "/", "q", LARGE)
    sqlite_store.commit()
    assert threads == []
    assert path.stat().st_size < LONG_LOG_BYTES
    worker = threading.Thread(target=sqlite_store.sync)
    worker.start()
    worker.join()
    assert threads == [worker.ident]
    assert path.stat().st_size > LONG_LOG_BYTES
    sqlite_store.sync()
    assert threads == [worker.ident], "it isn't due any more"
    # Whoever writes next begins the log anew.
    sqlite_store.put("queue", "/", "r", {})
    sqlite_store.commit()
    assert not sqlite_store._room.is_log_long()
    assert len(rows_at(path)) == 2


def test_a_log_that_no_sync_shortens_is_shortened_by_commits(sqlite_store: SqliteDefinitionStore, path: Path) -> None:
    threads = watch_checkpoints(sqlite_store)
    for number in range(TOO_LONG_LOG_BYTES // LONG_LOG_BYTES + 1):
        sqlite_store.put("queue", "/", str(number), LARGE)
        sqlite_store.commit()
    assert set(threads) == {threading.get_ident()}
    assert path.stat().st_size > TOO_LONG_LOG_BYTES


class HeldCheckpoint:
    """A connection whose checkpoint waits for `go_on`, and says that it has `begun`."""

    def __init__(self, connection: sqlite3.Connection, begun: threading.Event, go_on: threading.Event) -> None:
        self._connection = connection
        self._begun = begun
        self._go_on = go_on

    def execute(self, statement: str) -> sqlite3.Cursor:
        self._begun.set()
        assert self._go_on.wait(WAIT_S)
        return self._connection.execute(statement)

    def close(self) -> None:
        self._connection.close()


class AnnouncedLock(AbstractContextManager[None]):
    """A lock that sets an event when somebody waits for it."""

    def __init__(self, wanted: threading.Event) -> None:
        self._lock = threading.Lock()
        self._wanted = wanted

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._wanted.set()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_who_needs_room_waits_for_the_checkpoint_that_makes_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As two can't be made at once, it would be refused although there is room in a moment."""
    begun, wanted = threading.Event(), threading.Event()
    lock = AnnouncedLock(wanted)
    store = SqliteDefinitionStore(path, checkpointing=lock)
    store.sync()
    store.put("queue", "/", "q", LARGE)
    store.commit()
    threads = watch_checkpoints(store)
    beside = store._beside
    assert beside is not None
    beside._connection = HeldCheckpoint(beside._connection, begun, wanted)  # type: ignore[assignment]
    # On a full disk there is room once the log begins anew.
    monkeypatch.setattr(type(store._room), "has", lambda room, value_bytes: room._used < LONG_LOG_BYTES)
    worker = threading.Thread(target=store.sync)
    worker.start()
    assert begun.wait(WAIT_S)
    assert store.has_room(100)
    worker.join()
    assert threads == [worker.ident, threading.get_ident()]
    store.close()
