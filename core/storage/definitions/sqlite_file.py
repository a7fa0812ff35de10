"""Opening the database file of the SQLite definition store, and refusing one that can't be trusted.

Everything that can be wrong with the file is found here, before the broker serves anyone: SQLite would make a
blank database from a file that lost its content, and meet other damage only in the middle of work.

The file is made readable by its owner alone, as it holds password hashes; SQLite gives the files beside it
(-wal and -shm) the same mode.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from warren.core.errors import StorageError
from warren.core.storage.definitions.sqlite_errors import damaged, storage_error

APPLICATION_ID = 0x5741524E  # "WARN": tells our file from any other SQLite database
FORMAT_VERSION = 1
SMALLEST_DATABASE_BYTES = 512  # one page of the smallest size (sqlite.org/fileformat.html, 1.3.2)

SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE definitions (
    position INTEGER PRIMARY KEY,
    kind TEXT NOT NULL, vhost BLOB NOT NULL, name BLOB NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (vhost, kind, name)
);
CREATE TABLE counters (name TEXT PRIMARY KEY, first_free INTEGER NOT NULL);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT_VERSION};
COMMIT;
"""


def wal_path(path: Path) -> Path:
    """The write-ahead log that SQLite keeps beside the database at `path`."""
    return path.with_name(path.name + "-wal")


def open_database(path: Path) -> sqlite3.Connection:
    """A connection in WAL mode to the checked database at `path`, made blank when there is none.

    Transactions are begun and ended by the caller.  Raises StorageError for a file that is damaged, foreign,
    of a newer format, locked, or can't be opened or written.
    """
    _refuse_lost_content(path)
    _create_private(path)
    try:
        connection = sqlite3.connect(path, isolation_level=None)
    except sqlite3.Error as error:
        raise storage_error(path, error) from error
    try:
        _prepare(connection, path)
        sync_directory(path.parent)
    except sqlite3.Error as error:
        connection.close()
        raise storage_error(path, error) from error
    except OSError as error:
        connection.close()
        raise _unusable(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def sync_directory(directory: Path) -> None:
    """Make the names of new files in `directory` survive a power loss (Windows has no way to)."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_lost_content(path: Path) -> None:
    """Stop where SQLite would begin a blank database, and delete the log of the one that was lost."""
    try:
        size = path.stat().st_size if path.exists() else 0
        has_log = wal_path(path).exists() and wal_path(path).stat().st_size > 0
    except OSError as error:
        raise _unusable(path, error) from error
    if 0 < size < SMALLEST_DATABASE_BYTES:
        raise damaged(path, f"it has only {size} bytes")
    if has_log and not size:
        raise damaged(path, f"it is empty, but its log {wal_path(path).name} is not")


def _create_private(path: Path) -> None:
    """Make the file with its mode, before SQLite would make it with the umask's.

    An existing file is not even opened: closing it again would drop the locks that SQLite holds on it in this
    process.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path}: the definition database can't be used ({error.strerror}). Check that the directory exists, "
        "has space left, and that the user who runs the broker may write there."
    )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Temporary tables in memory: no file descriptor is needed in the middle of work, when none may be left.
    connection.execute("PRAGMA temp_store = MEMORY")
    _check_content(connection, path)
    _set_journal(connection, path)
    if _pragma(connection, "user_version") == 0:
        connection.executescript(SCHEMA)
        # So that the file says whose it is and in which format even if it loses its log.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _check_content(connection: sqlite3.Connection, path: Path) -> None:
    findings = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    if findings != ["ok"]:
        raise damaged(path, "; ".join(" ".join(finding.split()) for finding in findings))
    is_blank = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if not is_blank and _pragma(connection, "application_id") != APPLICATION_ID:
        raise StorageError(
            f"{path}: this is the database of another program. Move it away, or use another data directory."
        )
    version = _pragma(connection, "user_version")
    if version > FORMAT_VERSION:
        raise StorageError(
            f"{path}: the definition database has format {version}, written by a newer Warren; this one "
            f"knows format {FORMAT_VERSION}. Run the newer Warren, or use another data directory."
        )


def _set_journal(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StorageError(
            f"{path}: this file system can't hold a write-ahead log (SQLite stays in mode '{mode}'). Put the "
            "data directory on a local disk."
        )
    # NORMAL: a commit writes without waiting; SQLite itself syncs around checkpoints (sqlite.org/wal.html).
    connection.execute("PRAGMA synchronous = NORMAL")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
