"""What the store on disk keeps, and when: reopening, kill -9, torn logs, ids, syncing beside other work."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from warren.core.errors import StorageError
from warren.core.storage.definitions.places import wal_path
from warren.core.storage.definitions.sqlite import ID_BLOCK, SqliteDefinitionStore
from warren.core.storage.definitions.store import Row

CHILD_TIMEOUT_S = 60

KILLED_CHILD = """
import os, signal, sys
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore
store = SqliteDefinitionStore(sys.argv[1])
for number in range(50):
    store.put("queue", "/", str(number), {"id": store.next_id("queue")})
    store.commit()
store.put("queue", "/", "not committed", {"id": store.next_id("queue")})
os.kill(os.getpid(), signal.SIGKILL)
"""


PAUSE_S = 0.0005


def rows_at(path: Path) -> list[Row]:
    """What another store finds there now."""
    store = SqliteDefinitionStore(path)
    try:
        return list(store.load())
    finally:
        store.close()


def copy_as_after_a_crash(path: Path, directory: Path) -> Path:
    """The files of an open store as a dying process would leave them; where the copy is."""
    directory.mkdir(exist_ok=True)
    copy = directory / path.name
    shutil.copyfile(path, copy)
    shutil.copyfile(wal_path(path), wal_path(copy))
    return copy


def test_rows_and_order_survive_reopening(path: Path) -> None:
    store = SqliteDefinitionStore(path)
    for name in "cab":
        store.put("queue", "/", name, {"name": name})
    store.delete("queue", "/", "c")
    store.commit()
    store.close()
    assert rows_at(path) == [("queue", "/", "a", {"name": "a"}), ("queue", "/", "b", {"name": "b"})]


def test_what_is_not_committed_is_dropped_by_close(path: Path) -> None:
    store = SqliteDefinitionStore(path)
    store.put("queue", "/", "kept", {})
    store.commit()
    store.put("queue", "/", "dropped", {})
    store.delete("queue", "/", "kept")
    store.close()
    assert rows_at(path) == [("queue", "/", "kept", {})]


def test_another_connection_sees_what_is_committed_and_nothing_else(
    sqlite_store: SqliteDefinitionStore, path: Path
) -> None:
    sqlite_store.put("queue", "/", "first", {})
    assert rows_at(path) == []
    sqlite_store.commit()
    sqlite_store.put("queue", "/", "second", {})
    sqlite_store.delete("queue", "/", "first")
    assert rows_at(path) == [("queue", "/", "first", {})]
    sqlite_store.commit()
    assert rows_at(path) == [("queue", "/", "second", {})]


def test_committed_rows_survive_kill_9_of_the_process(path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", KILLED_CHILD, str(path)],
        cwd=Path(__file__).parents[4],
        timeout=CHILD_TIMEOUT_S,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL
    store = SqliteDefinitionStore(path)
    assert [(row[2], row[3]["id"]) for row in store.load()] == [(str(n), n + 1) for n in range(50)]
    assert store.next_id("queue") > 51
    store.close()


def test_a_torn_log_gives_whole_batches_from_the_beginning(
    sqlite_store: SqliteDefinitionStore, path: Path, tmp_path: Path
) -> None:
    for batch in range(30):
        sqlite_store.put("queue", "/", f"{batch} first", {"filler": "x" * 100 * batch})
        sqlite_store.put("queue", "/", f"{batch} second", {"filler": "x" * 100})
        sqlite_store.commit()
    whole = copy_as_after_a_crash(path, tmp_path / "whole")
    expected = [row[2] for row in rows_at(copy_as_after_a_crash(path, tmp_path / "again"))]
    assert len(expected) == 60
    log = wal_path(whole).read_bytes().rstrip(b"\0")
    generator = random.Random(1)
    counts = set()
    for _ in range(30):
        torn = copy_as_after_a_crash(whole, tmp_path / "torn")
        cut = generator.randrange(len(log))
        wal_path(torn).write_bytes(log[:cut] + generator.randbytes(generator.randrange(5000)))
        names = [row[2] for row in rows_at(torn)]
        assert len(names) % 2 == 0
        assert names == expected[: len(names)]
        counts.add(len(names))
    assert len(counts) > 5, "the cuts were to fall into different batches"


def test_ids_given_before_a_crash_are_never_given_again(
    sqlite_store: SqliteDefinitionStore, path: Path, tmp_path: Path
) -> None:
    given = [sqlite_store.next_id("queue") for _ in range(10)]
    copy = SqliteDefinitionStore(copy_as_after_a_crash(path, tmp_path / "copy"))
    assert copy.next_id("queue") > max(given)
    copy.close()


def test_ids_go_on_across_the_end_of_a_reserved_block(
    sqlite_store: SqliteDefinitionStore, path: Path, tmp_path: Path
) -> None:
    given = [sqlite_store.next_id("queue") for _ in range(ID_BLOCK + 10)]
    assert given == list(range(1, ID_BLOCK + 11))
    copy = SqliteDefinitionStore(copy_as_after_a_crash(path, tmp_path / "copy"))
    assert copy.next_id("queue") > given[-1]
    copy.close()


def test_the_next_numbers_are_reserved_before_they_are_wanted(
    sqlite_store: SqliteDefinitionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for the disk for a number, as long as commits are synced anyway."""
    sqlite_store.reserve_ids("queue")
    sqlite_store.commit()
    sqlite_store.sync()
    syncs: list[int] = []
    monkeypatch.setattr(os, "fsync", syncs.append)
    for number in range(1, ID_BLOCK * 3):
        assert sqlite_store.next_id("queue") == number
        if sqlite_store.dirty:
            assert syncs == []
            sqlite_store.commit()
            sqlite_store.sync()
            syncs.clear()
    assert syncs == []


def test_reserving_ids_is_synced_before_they_are_used(sqlite_store: SqliteDefinitionStore) -> None:
    assert sqlite_store.unsynced
    sqlite_store.next_id("queue")
    assert not sqlite_store.unsynced


def test_a_clean_close_skips_no_ids(path: Path) -> None:
    for expected in (1, 2, 3):
        store = SqliteDefinitionStore(path)
        assert store.next_id("queue") == expected
        store.close()


def test_a_commit_made_during_a_sync_stays_unsynced(
    sqlite_store: SqliteDefinitionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync_while_committing(descriptor: int) -> None:
        sqlite_store.put("queue", "/", "meanwhile", {})
        sqlite_store.commit()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync_while_committing)
        sqlite_store.sync()
    assert sqlite_store.unsynced
    sqlite_store.sync()
    assert not sqlite_store.unsynced


def test_sync_reaches_the_log_that_holds_the_commit(
    sqlite_store: SqliteDefinitionStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
        for number in range(3):
            sqlite_store.put("queue", "/", str(number), {"filler": "x" * 10_000_000})  # forces a checkpoint
            sqlite_store.commit()
            sqlite_store.sync()
    assert synced == [wal_path(path).stat().st_ino] * 3


def test_sync_runs_in_another_thread_beside_puts_and_commits(sqlite_store: SqliteDefinitionStore, path: Path) -> None:
    finished = threading.Event()
    errors: list[BaseException] = []
    syncs: list[None] = []

    def sync_until_finished() -> None:
        try:
            # A moment's pause, or the other thread hardly ever gets the locks and Python's own.
            while not finished.wait(PAUSE_S):
                sqlite_store.sync()
                syncs.append(None)
        except BaseException as error:
            errors.append(error)

    worker = threading.Thread(target=sync_until_finished)
    worker.start()
    try:
        for number in range(2000):
            sqlite_store.put("queue", "/", str(number), {"filler": "x" * 500})
            if number % 10 == 9:
                sqlite_store.commit()
    finally:
        finished.set()
        worker.join()
    assert errors == []
    assert len(syncs) > 1
    sqlite_store.sync()
    assert not sqlite_store.unsynced
    assert len(rows_at(path)) == 2000


def test_a_failed_sync_says_what_and_refuses_everything_after_it(
    sqlite_store: SqliteDefinitionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    sqlite_store.put("queue", "/", "q", {})
    sqlite_store.commit()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StorageError, match=r"definitions\.sqlite-wal: .*Input/output error"):
            sqlite_store.sync()
    assert sqlite_store.unsynced
    with pytest.raises(StorageError, match="Input/output error"):
        sqlite_store.sync()
    with pytest.raises(StorageError, match="Input/output error"):
        sqlite_store.put("queue", "/", "r", {})


class FailingCheckpoints:
    """A connection whose checkpoints fail with this code."""

    def __init__(self, connection: sqlite3.Connection, code: int) -> None:
        self._connection = connection
        self._code = code

    def execute(self, statement: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if "wal_checkpoint" in statement:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self._code
            raise error
        return self._connection.execute(statement, parameters)

    def close(self) -> None:
        self._connection.close()


def fail_checkpoints(store: SqliteDefinitionStore, code: int) -> None:
    store._connection = FailingCheckpoints(store._connection, code)  # type: ignore[arg-type, assignment]
    assert store._beside is not None
    store._beside._connection = FailingCheckpoints(store._beside._connection, code)  # type: ignore[assignment]


LARGE = {"filler": "x" * 5_000_000}
"""Makes the log long in one change."""


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_CORRUPT])
def test_a_checkpoint_that_fails_is_no_checkpoint_that_waits(sqlite_store: SqliteDefinitionStore, code: int) -> None:
    """A sync that failed in it is told like any other: by the next sync, which is wanted, and nothing is kept after."""
    sqlite_store.put("queue", "/", "q", {})
    sqlite_store.commit()
    sqlite_store.sync()
    fail_checkpoints(sqlite_store, code)
    sqlite_store.put("queue", "/", "q", LARGE)
    sqlite_store.commit()
    assert sqlite_store.unsynced
    for call in (sqlite_store.sync, lambda: sqlite_store.put("queue", "/", "r", {})):
        with pytest.raises(StorageError, match=r"definitions\.sqlite: .*disk I/O error"):
            call()
    assert sqlite_store.unsynced


def test_a_checkpoint_for_want_of_room_that_fails_is_told_as_well(
    sqlite_store: SqliteDefinitionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_store.sync()
    fail_checkpoints(sqlite_store, sqlite3.SQLITE_IOERR_FSYNC)
    monkeypatch.setattr(type(sqlite_store._room), "has", lambda room, value_bytes: False)
    assert not sqlite_store.unsynced
    sqlite_store.has_room(100)
    assert sqlite_store.unsynced
    with pytest.raises(StorageError, match="disk I/O error"):
        sqlite_store.sync()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL])
def test_a_checkpoint_that_has_to_wait_is_no_failure(sqlite_store: SqliteDefinitionStore, code: int) -> None:
    fail_checkpoints(sqlite_store, code)
    sqlite_store.put("queue", "/", "q", LARGE)
    sqlite_store.commit()
    sqlite_store.sync()
    assert not sqlite_store.unsynced


def test_the_files_are_for_their_owner_only(sqlite_store: SqliteDefinitionStore, path: Path) -> None:
    sqlite_store.put("user", "", "guest", {})
    sqlite_store.commit()
    files = list(path.parent.iterdir())
    assert wal_path(path) in files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_closed_store_says_so(path: Path) -> None:
    store = SqliteDefinitionStore(path)
    store.close()
    with pytest.raises(StorageError, match="closed"):
        store.put("queue", "/", "q", {})


def test_the_log_is_not_left_to_other_programs(path: Path) -> None:
    """Whoever opens and closes the database beside the broker may not take it for its last user, and delete the log."""
    SqliteDefinitionStore(path).close()
    store = SqliteDefinitionStore(path)
    store.put("queue", "/", "q", {})
    store.commit()
    log = wal_path(path).stat().st_ino
    program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM counters'); c.close()"
    subprocess.run([sys.executable, "-c", program, str(path)], timeout=CHILD_TIMEOUT_S, check=True)
    assert wal_path(path).stat().st_ino == log
    store.close()
