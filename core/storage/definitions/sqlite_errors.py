"""SQLite's failures in words for the person who runs the broker: which file, what is wrong, what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from warren.core.errors import NewerFormatError, StorageError

DAMAGED = (
    "the definition database is damaged ({detail}). Restore it from a backup. To start without "
    "definitions, move it and the files whose names begin alike away, and keep them: stored messages are set "
    "aside then, and come back as their queues are declared again"
)

# By the primary result code (https://sqlite.org/rescode.html).
EXPLANATIONS = {
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_FULL: "no space is left to store definitions ({detail}). Free some space on this disk",
    sqlite3.SQLITE_BUSY: (
        "the definition database is held by another program ({detail}). Stop that program; only one "
        "broker may use a data directory"
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the definition database can't be opened ({detail}). Check that the directory exists and that the "
        "user who runs the broker may write there"
    ),
    sqlite3.SQLITE_READONLY: (
        "the definition database can't be written ({detail}). Check that the user who runs the broker may "
        "write this file and its directory"
    ),
    sqlite3.SQLITE_PERM: (
        "the definition database can't be used ({detail}). Check that the user who runs the broker may read "
        "and write it"
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk failed under the definition database ({detail}). Check the disk and the system's log"
    ),
}
OTHERWISE = "the definition database failed: {detail}. Check the disk, the file and its permissions"

PRIMARY_CODE_MASK = 0xFF
"""Extended result codes keep the primary one in their low byte."""


def storage_error(path: Path, error: sqlite3.Error) -> StorageError:
    """The StorageError that explains `error`, raised by SQLite for the database at `path`."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    explanation = EXPLANATIONS.get(code & PRIMARY_CODE_MASK, OTHERWISE)
    return StorageError(f"{path}: {explanation.format(detail=error)}.")


def damaged(path: Path, detail: str) -> StorageError:
    """The StorageError for damage that was found by looking, not by SQLite."""
    return StorageError(f"{path}: {DAMAGED.format(detail=detail)}.")


def newer(path: Path, version: int, known: int) -> NewerFormatError:
    """The error for a database of a format that this version doesn't know."""
    return NewerFormatError(
        f"{path}: the definition database has format {version}, written by a newer Warren; this one knows format "
        f"{known}. Run the newer Warren, or use another data directory."
    )
