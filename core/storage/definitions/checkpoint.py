"""A checkpoint beside the broker's thread: what is in SQLite's log goes into the database in the thread that syncs.

It takes two syncs and the writing of some megabytes, and the hub would wait for that.  SQLite lets one connection make
it while another one reads and writes, so this one has its own, which does nothing else.  It is opened at the start:
later, no descriptor may be left.
"""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from warren.core.storage.definitions.sqlite_errors import PRIMARY_CODE_MASK, storage_error

BENIGN_CODES: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
"""Of a checkpoint that only couldn't do all of it now: somebody else reads, or there is no room for new pages."""


class CheckpointBeside:
    """is_due: the log has become long.  running: held while it is being made, as SQLite makes no other one meanwhile.

    `make` runs in the thread that syncs, the rest in the broker's.
    """

    __slots__ = ("_connection", "_path", "is_due", "running")

    def __init__(self, path: Path, running: AbstractContextManager[object]) -> None:
        """path: of a database that is open already.  running: a lock of whoever has threads.  Raises StorageError."""
        self._path = path
        self.is_due = False
        self.running = running
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._connection.execute("PRAGMA wal_autocheckpoint = 0")
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._connection.execute("SELECT count(*) FROM counters").fetchall()
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            raise storage_error(path, error) from error

    def make(self) -> None:
        """If it is due, bring what is in the log into the database, as far as that is possible now.

        Raises StorageError where it fails for another reason.
        """
        if not self.is_due:
            return
        self.is_due = False
        with self.running:
            checkpoint(self._connection, "PASSIVE", self._path)

    def close(self) -> None:
        """Before the other connection, which as the last one brings the rest of the log into the database."""
        self._connection.close()


def checkpoint(connection: sqlite3.Connection, mode: str, path: Path) -> bool:
    """Bring what is in the log into the database at `path`; whether that was all of it.

    Raises StorageError for a failure that isn't for want of room, or because somebody else reads.
    """
    try:
        busy, frames, copied = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    except sqlite3.OperationalError as error:
        code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code & PRIMARY_CODE_MASK not in BENIGN_CODES:
            raise storage_error(path, error) from error
        return False
    return not busy and bool(frames == copied)
