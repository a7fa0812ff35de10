"""Opening the database file of the SQLite definition store: checking it, and seeing to what is damaged or old.

Everything that can be wrong with the file is found here, before the broker serves anyone: SQLite would make a
blank database from a file that lost its content, leave out what lies behind a damaged place of its log without a word,
and meet other damage only in the middle of work.  What is damaged is salvaged (salvage.py) and reported; a file that
holds nothing of ours is refused.

The file is made readable by its owner alone, as it holds password hashes; SQLite gives the files beside it
(-wal and -shm) the same mode.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path

from warren.core.errors import StorageError
from warren.core.storage.definitions.rows import (
    APPLICATION_ID,
    FORMAT_NAME,
    FORMAT_VERSION,
    NO_CHECKSUM,
    counter_checksum,
    definition_checksum,
    make_tables,
)
from warren.core.storage.definitions.salvage import (
    FILE_MODE,
    Found,
    finish_rebuild,
    rebuild,
    salvage,
    sync_directory,
    wal_path,
)
from warren.core.storage.definitions.sqlite_errors import damaged, storage_error
from warren.core.storage.definitions.wal_file import frame_count, read_wal

_log = logging.getLogger("warren.definitions")

SMALLEST_DATABASE_BYTES = 512
"""One page of the smallest size (sqlite.org/fileformat.html, 1.3.2)."""

BLANK_DATABASE_BYTES = 4096
"""One page of the size that SQLite makes: all that a database without tables has."""

UNCHECKED_VERSION = 1
"""The format before rows had checksums."""

DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT})
"""What SQLite says of a damaged file; ERROR: its tables aren't what they should be."""

HEADER_BYTES = 100

HEADER_FIXED = (
    (16, b"\x10\x00\x02\x02\x00\x40\x20\x20"),
    (44, b"\0\0\0\4"),
    (52, bytes(4)),
    (56, b"\0\0\0\1"),
    (64, bytes(4)),
    (72, bytes(20)),
)
"""What stands in the header of every database of ours, by offset (1.3): page size, WAL, nothing reserved, fractions;
schema format; no vacuum; UTF-8; no vacuum; reserved."""


class _NeedsSalvageError(Exception):
    """The database is damaged; the text says how."""


def open_database(path: Path) -> tuple[sqlite3.Connection, list[str]]:
    """A connection in WAL mode to the checked database at `path`, made blank when there is none; and what was damaged.

    Transactions are begun and ended by the caller.  Raises StorageError for a file that holds nothing of ours, is
    foreign, of a newer format, locked, or can't be opened or written.
    """
    reports: list[str] = []
    try:
        finish_rebuild(path)
        _refuse_lost_content(path)
        _create_private(path)
        log = _read_log(path)
        try:
            connection = _connect(path, log)
        except _NeedsSalvageError as damage:
            reports.append(salvage(path, log, str(damage)))
            connection = _connect(path, b"")
        sync_directory(path.parent)
    except _NeedsSalvageError as damage:
        raise damaged(path, str(damage)) from damage
    except OSError as error:
        raise _unusable(path, error) from error
    return connection, reports


def _connect(path: Path, log: bytes) -> sqlite3.Connection:
    """An open, checked database of our format.  Raises _NeedsSalvageError, and StorageError."""
    try:
        connection = sqlite3.connect(path, isolation_level=None)
    except sqlite3.Error as error:
        raise storage_error(path, error) from error
    try:
        is_old = _prepare(connection, path, log)
    except sqlite3.Error as error:
        connection.close()
        code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code & 0xFF in DAMAGE_CODES:
            raise _NeedsSalvageError(str(error)) from error
        raise storage_error(path, error) from error
    except BaseException:
        connection.close()
        raise
    return _migrate(connection, path) if is_old else connection


def _refuse_lost_content(path: Path) -> None:
    """Stop where SQLite would begin a blank database, and delete the log of the one that was lost."""
    size = path.stat().st_size if path.exists() else 0
    has_log = wal_path(path).exists() and wal_path(path).stat().st_size > 0
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
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))
    except FileExistsError:
        pass


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path}: the definition database can't be used ({error.strerror}). Check that the directory exists, "
        "has space left, and that the user who runs the broker may write there."
    )


def _prepare(connection: sqlite3.Connection, path: Path, log: bytes) -> bool:
    """Check the database and set the connection up; True for one of the old format."""
    # Temporary tables in memory: no file descriptor is needed in the middle of work, when none may be left.
    connection.execute("PRAGMA temp_store = MEMORY")
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0 and not frame_count(log):
        has_pages = path.stat().st_size > BLANK_DATABASE_BYTES
        _refuse_foreign(connection, path, is_blank=not has_pages)
        if has_pages:
            raise _NeedsSalvageError("its list of tables is empty, but it has pages beside the one of that list")
        _set_journal(connection, path)
        make_tables(connection)
        # So that the file says whose it is and in which format even if it loses its log.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return False
    version = _version(connection, path)
    _check_log(connection, path, log)
    _set_journal(connection, path)
    _check_content(connection, path)
    if version != UNCHECKED_VERSION:
        _check_rows(connection)
    return version == UNCHECKED_VERSION


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The format; refuses what is another program's, or a newer Warren's, unless that is one flipped bit."""
    says_so = _pragma(connection, "user_version")
    noted = _noted_version(connection)
    _refuse_foreign(connection, path, is_blank=False)
    if noted in (None, says_so) and says_so > FORMAT_VERSION:
        raise StorageError(
            f"{path}: the definition database has format {says_so}, written by a newer Warren; this one "
            f"knows format {FORMAT_VERSION}. Run the newer Warren, or use another data directory."
        )
    if says_so == UNCHECKED_VERSION and noted is None:
        return UNCHECKED_VERSION
    if says_so != FORMAT_VERSION or noted != FORMAT_VERSION:
        raise _NeedsSalvageError(f"its format is said to be {says_so} and {noted}")
    return FORMAT_VERSION


def _noted_version(connection: sqlite3.Connection) -> int | None:
    """What the table of counters says the format is; None when it doesn't."""
    try:
        rows = connection.execute("SELECT first_free, checksum FROM counters WHERE name = ?", (FORMAT_NAME,)).fetchall()
    except sqlite3.OperationalError:
        return None
    noted = [int(first_free) for first_free, checksum in rows if counter_checksum(FORMAT_NAME, first_free) == checksum]
    return noted[0] if noted else None


def _refuse_foreign(connection: sqlite3.Connection, path: Path, *, is_blank: bool) -> None:
    application = _pragma(connection, "application_id")
    if application == APPLICATION_ID or (is_blank and not application):
        return
    if _noted_version(connection) is not None:
        raise _NeedsSalvageError("its header says that it is another program's")
    raise StorageError(f"{path}: this is the database of another program. Move it away, or use another data directory.")


def _check_log(connection: sqlite3.Connection, path: Path, log: bytes) -> None:
    """Compare what SQLite reads of its log with what is there.  To be called before anything is written."""
    if not frame_count(log):
        return
    _, readable, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if readable < frame_count(log):
        content = read_wal(log)
        if content.is_damaged:
            raise _NeedsSalvageError(
                f"{len(content.frames) - content.readable} frame(s) of its log lie behind a damaged one, and would be "
                "lost"
            )
        if content.torn:
            _log.warning(
                "%s: the end of the log of the definition database is not whole (%d page(s)) and is dropped. After a "
                "power failure that is as it should be: nobody was told yet that it was kept. Else check the disk",
                path,
                content.torn,
            )


def _check_content(connection: sqlite3.Connection, path: Path) -> None:
    findings = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
    if findings != ["ok"]:
        raise _NeedsSalvageError("; ".join(" ".join(finding.split()) for finding in findings))
    with open(path, "rb") as file:
        header = file.read(HEADER_BYTES)
    for offset, expected in HEADER_FIXED:
        if header[offset : offset + len(expected)] != expected:
            raise _NeedsSalvageError(f"byte {offset} of its header is not what it should be")


def _check_rows(connection: sqlite3.Connection) -> None:
    """Compare each row with its checksum."""
    connection.create_function("definition_checksum", 5, definition_checksum, deterministic=True)
    connection.create_function("counter_checksum", 2, counter_checksum, deterministic=True)
    bad = 0
    for table, columns in (("definition", "position, kind, vhost, name, value"), ("counter", "name, first_free")):
        statement = f"SELECT count(*) FROM {table}s WHERE checksum IS NOT {table}_checksum({columns})"
        bad += connection.execute(statement).fetchone()[0]
    if bad:
        raise _NeedsSalvageError(f"{bad} row(s) fail their checksums")


def _migrate(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """From a sound database of version 1 to one whose rows have checksums."""
    found = Found()
    try:
        rows = connection.execute("SELECT position, kind, vhost, name, value FROM definitions").fetchall()
        found.counters = dict(connection.execute("SELECT name, first_free FROM counters"))
    except sqlite3.Error as error:
        raise storage_error(path, error) from error
    finally:
        connection.close()
    for row in rows:
        if definition_checksum(*row) == NO_CHECKSUM:
            raise _NeedsSalvageError(f"row {row[0]} has columns of wrong types")
        found.rows[row[0]] = row
    rebuild(path, found)
    return _connect(path, b"")


def _read_log(path: Path) -> bytes:
    try:
        return wal_path(path).read_bytes()
    except FileNotFoundError:
        return b""


def _set_journal(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StorageError(
            f"{path}: this file system can't hold a write-ahead log (SQLite stays in mode '{mode}'). Put the "
            "data directory on a local disk."
        )
    # What is deleted is overwritten with zeros, so that nothing comes back to life by salvage (page_file.py).
    connection.execute("PRAGMA secure_delete = ON")
    # NORMAL: a commit writes without waiting; SQLite itself syncs around checkpoints (sqlite.org/wal.html).
    connection.execute("PRAGMA synchronous = NORMAL")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
