"""Opening the database file of the SQLite definition store: checking it, and seeing to what is damaged or old.

Everything that can be wrong with the file is found here, before the broker serves anyone: SQLite would make a
blank database from a file that lost its content, leave out what lies behind a damaged place of its log without a word,
and meet other damage only in the middle of work.  What is damaged is salvaged (salvage.py) and reported; a file that
holds nothing of ours is refused.

The log is looked at first, and a damaged one is not shown to SQLite at all: it would take what it can read of it into
the database and delete the rest as it closes that, and a salvage that fails then, for want of room, or is killed, would
have nothing to begin with at the next start.

The file is made readable by its owner alone, as it holds password hashes; SQLite gives the files beside it
(-wal and -shm) the same mode.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path

from warren.core.errors import StorageError
from warren.core.storage.definitions.checksums import KEY_NAME, KEYS, NO_CHECKSUM, NO_KEY, Checksums
from warren.core.storage.definitions.places import FILE_MODE, finish_rebuild, sync_directory, wal_path
from warren.core.storage.definitions.rows import (
    APPLICATION_ID,
    FORMAT_NAME,
    FORMAT_VERSION,
    NO_COUNTERS,
    make_tables,
)
from warren.core.storage.definitions.sqlite_errors import damaged, newer, storage_error
from warren.core.storage.definitions.wal_file import WalContent, frame_count, read_wal

_log = logging.getLogger("warren.definitions")

SMALLEST_DATABASE_BYTES = 512
"""One page of the smallest size (sqlite.org/fileformat.html, 1.3.2)."""

BLANK_DATABASE_BYTES = 4096
"""One page of the size that SQLite makes: all that a database without tables has."""

UNCHECKED_VERSION = 1
"""The format before rows had checksums."""

KEYLESS_VERSION = 2
"""The format before databases had keys."""

DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT})
"""What SQLite says of a damaged file; ERROR: its tables aren't what they should be."""

HEADER_BYTES = 100

HEADER_FIXED = (
    (16, b"\x10\x00"),
    (20, b"\x00\x40\x20\x20"),
    (44, b"\0\0\0\4"),
    (52, bytes(4)),
    (56, b"\0\0\0\1"),
    (64, bytes(4)),
    (72, bytes(20)),
)
"""What stands in the header of every database of ours, by offset (1.3): page size; nothing reserved, fractions; schema
format; no vacuum; UTF-8; no vacuum; reserved."""

JOURNAL_AT = 18
JOURNALS = (b"\2\2", b"\1\1")
"""The kind of its log, there: WAL, or another in one that was written anew, until it is opened."""


class _NeedsSalvageError(Exception):
    """The database is damaged; the text says how."""


def open_database(path: Path) -> tuple[sqlite3.Connection, Checksums, list[str]]:
    """A connection in WAL mode to the checked database at `path`, made blank when there is none; how its rows are
    checked; and what was damaged.

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
            connection, checksums = _connect(path, _check_log(path, log))
        except _NeedsSalvageError as damage:
            from warren.core.storage.definitions.salvage import salvage  # no start has to wait for it

            reports.append(salvage(path, log, str(damage)))
            connection, checksums = _connect(path, WalContent())
        sync_directory(path.parent)
    except _NeedsSalvageError as damage:
        raise damaged(path, str(damage)) from damage
    except OSError as error:
        raise _unusable(path, error) from error
    return connection, checksums, reports


def _connect(path: Path, log: WalContent) -> tuple[sqlite3.Connection, Checksums]:
    """An open, checked database of our format.  Raises _NeedsSalvageError, and StorageError."""
    header = _header(path, log)
    try:
        connection = sqlite3.connect(path, isolation_level=None)
    except sqlite3.Error as error:
        raise storage_error(path, error) from error
    try:
        checksums = _prepare(connection, path, log, header)
    except sqlite3.Error as error:
        connection.close()
        code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code & 0xFF in DAMAGE_CODES:
            raise _NeedsSalvageError(str(error)) from error
        raise storage_error(path, error) from error
    except BaseException:
        connection.close()
        raise
    if checksums is None or checksums.key == NO_KEY:
        return _migrate(connection, path)
    return connection, checksums


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


def _header(path: Path, log: WalContent) -> bytes:
    """The header of the database as it is with what is in its log.

    It is read before SQLite opens the file: whoever closes that beside it drops the locks that SQLite holds on it, and
    another program which opens and closes the database would delete the log under us.
    """
    first = log.pages().get(1)
    if first is not None:
        return first[:HEADER_BYTES]
    try:
        with open(path, "rb") as file:
            return file.read(HEADER_BYTES)
    except IsADirectoryError:
        return b""  # SQLite says that best


def _prepare(connection: sqlite3.Connection, path: Path, log: WalContent, header: bytes) -> Checksums | None:
    """Check the database and set the connection up; how its rows are checked, None for version 1."""
    # Temporary tables in memory: no file descriptor is needed in the middle of work, when none may be left.
    connection.execute("PRAGMA temp_store = MEMORY")
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0 and not log.frames:
        has_pages = path.stat().st_size > BLANK_DATABASE_BYTES
        _refuse_foreign(connection, path, is_blank=not has_pages)
        if has_pages:
            raise _NeedsSalvageError("its list of tables is empty, but it has pages beside the one of that list")
        _set_journal(connection, path)
        checksums = make_tables(connection)
        # So that the file says whose it is and in which format even if it loses its log.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return checksums
    version = _version(connection, path)
    _set_journal(connection, path)
    _check_content(connection, header)
    if version == UNCHECKED_VERSION:
        return None
    found = _checksums(connection)
    _check_rows(connection, found)
    return found


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The format; refuses what is another program's, or a newer Warren's, unless that is one flipped bit."""
    says_so = _pragma(connection, "user_version")
    noted = _noted_version(connection)
    _refuse_foreign(connection, path, is_blank=False)
    if noted in (None, says_so) and says_so > FORMAT_VERSION:
        raise newer(path, says_so, FORMAT_VERSION)
    if says_so == UNCHECKED_VERSION and not _has_checksums(connection):
        return UNCHECKED_VERSION
    if says_so != noted or noted not in (KEYLESS_VERSION, FORMAT_VERSION):
        raise _NeedsSalvageError(f"its format is said to be {says_so} and {noted}")
    return noted


def _has_checksums(connection: sqlite3.Connection) -> bool:
    """Whether its rows have a place for a checksum, which those of version 1 hadn't."""
    columns = connection.execute("SELECT name FROM pragma_table_info('counters')").fetchall()
    return ("checksum",) in columns


def _checksums(connection: sqlite3.Connection) -> Checksums:
    """What the database's rows are checked with; without a key if it says none that can be believed."""
    try:
        rows = connection.execute("SELECT first_free, checksum FROM counters WHERE name = ?", (KEY_NAME,)).fetchall()
    except sqlite3.OperationalError:
        rows = []
    for key, checksum in rows:
        if type(key) is int and key in KEYS and Checksums(key).of_counter(KEY_NAME, key) == checksum:
            return Checksums(key)
    return Checksums(NO_KEY)


def _noted_version(connection: sqlite3.Connection) -> int | None:
    """What the table of counters says the format is; None when it doesn't."""
    try:
        rows = connection.execute("SELECT first_free, checksum FROM counters WHERE name = ?", (FORMAT_NAME,)).fetchall()
    except sqlite3.OperationalError:
        return None
    checksums = _checksums(connection)
    noted = [int(first) for first, checksum in rows if checksums.of_counter(FORMAT_NAME, first) == checksum]
    return noted[0] if noted else None


def _refuse_foreign(connection: sqlite3.Connection, path: Path, *, is_blank: bool) -> None:
    application = _pragma(connection, "application_id")
    if application == APPLICATION_ID or (is_blank and not application):
        return
    if _noted_version(connection) is not None:
        raise _NeedsSalvageError("its header says that it is another program's")
    raise StorageError(f"{path}: this is the database of another program. Move it away, or use another data directory.")


def _check_log(path: Path, log: bytes) -> WalContent:
    """Look at the log before SQLite does; _NeedsSalvageError when it would leave out some of it."""
    if not frame_count(log):
        return WalContent()
    content = read_wal(log)
    if content.is_damaged:
        raise _NeedsSalvageError(
            f"{len(content.frames) - content.readable} frame(s) of its log lie behind a damaged one, and would be lost"
        )
    if content.torn:
        _log.warning(
            "%s: the end of the log of the definition database is not whole (%d page(s)) and is dropped. After a "
            "power failure that is as it should be: nobody was told yet that it was kept. Else check the disk",
            path,
            content.torn,
        )
    return content


def _check_content(connection: sqlite3.Connection, header: bytes) -> None:
    findings = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
    if findings != ["ok"]:
        raise _NeedsSalvageError("; ".join(" ".join(finding.split()) for finding in findings))
    if header[JOURNAL_AT : JOURNAL_AT + 2] not in JOURNALS:
        raise _NeedsSalvageError("the kind of log in its header is not what it should be")
    for offset, expected in HEADER_FIXED:
        if header[offset : offset + len(expected)] != expected:
            raise _NeedsSalvageError(f"byte {offset} of its header is not what it should be")


def _check_rows(connection: sqlite3.Connection, checksums: Checksums) -> None:
    """Compare each row with its checksum."""
    connection.create_function("definition_checksum", 5, checksums.of_definition, deterministic=True)
    connection.create_function("counter_checksum", 2, checksums.of_counter, deterministic=True)
    bad = 0
    for table, columns in (("definition", "position, kind, vhost, name, value"), ("counter", "name, first_free")):
        statement = f"SELECT count(*) FROM {table}s WHERE checksum IS NOT {table}_checksum({columns})"
        bad += connection.execute(statement).fetchone()[0]
    if bad:
        raise _NeedsSalvageError(f"{bad} row(s) fail their checksums")


def _migrate(connection: sqlite3.Connection, path: Path) -> tuple[sqlite3.Connection, Checksums]:
    """From a sound database of version 1 or 2 to one whose rows have checksums with a key."""
    from warren.core.storage.definitions.salvage import rebuild
    from warren.core.storage.definitions.sound_rows import Found

    found = Found()
    try:
        rows = connection.execute("SELECT position, kind, vhost, name, value FROM definitions").fetchall()
        counters = connection.execute("SELECT name, first_free FROM counters").fetchall()
    except sqlite3.Error as error:
        raise storage_error(path, error) from error
    finally:
        connection.close()
    for row in rows:
        if Checksums(NO_KEY).of_definition(*row) == NO_CHECKSUM:
            raise _NeedsSalvageError(f"row {row[0]} has columns of wrong types")
        found.rows[row[0]] = row
    found.counters = {name: first_free for name, first_free in counters if name not in NO_COUNTERS}
    rebuild(path, found)
    return _connect(path, WalContent())


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
    # SQLite's own checkpoints say nothing of a sync that fails (sqlite.py makes them).
    connection.execute("PRAGMA wal_autocheckpoint = 0")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
