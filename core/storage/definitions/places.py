"""The files beside a database of definitions, and how a new one takes its place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
"""There are hashes of passwords in it."""


def wal_path(path: Path) -> Path:
    """The write-ahead log that SQLite keeps beside the database at `path`."""
    return path.with_name(path.name + "-wal")


def finish_rebuild(path: Path) -> None:
    """Let a complete new database take the place of the old one, if there is one; the old log goes first."""
    complete = rebuilt_path(path)
    if not complete.exists():
        return
    for beside in (wal_path(path), path.with_name(path.name + "-shm")):
        beside.unlink(missing_ok=True)
    sync_directory(path.parent)
    os.rename(complete, path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names of new files in `directory` survive a power loss (Windows has no way to)."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rebuilt_path(path: Path) -> Path:
    """Where a new database is when it is complete."""
    return path.with_name(path.name + ".rebuilt")
