"""Making a sound definition database out of a damaged one, of an old one, or of one with a damaged log.

All that can be proved to be right is written to a new database, which takes the place of the old one.  The files as
they were are kept in `quarantine` beside it, for whoever wants to look.  A row whose checksum is wrong is left out and
told by name, as far as the name can be read (sound_rows.py).

The new database is complete under a name of its own (`.rebuilt`) before the old files go, and a start that finds it
there goes on from that point: an old log beside a new database would be taken for its own.  A row in it tells that it
was salvaged, so that a start knows even if the one that did it was cut short; recovery removes it.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from warren.core.errors import StorageError
from warren.core.storage.definitions.page_file import DATABASE_HEADER_SIZE, PageFile
from warren.core.storage.definitions.places import FILE_MODE, finish_rebuild, rebuilt_path, sync_directory, wal_path
from warren.core.storage.definitions.rows import FORMAT_NAME, FORMAT_VERSION, NO_COUNTERS, SALVAGED, make_tables
from warren.core.storage.definitions.sound_rows import Found, collect
from warren.core.storage.definitions.sqlite_errors import damaged, newer, storage_error
from warren.core.storage.definitions.wal_file import DEFAULT_PAGE_SIZE, PAGE_SIZES, WalContent, read_wal

DATABASE_MAGIC: Final = b"SQLite format 3\0"

QUARANTINE: Final = "quarantine"

DIRECTORY_MODE: Final = 0o700
"""There are hashes of passwords in it."""

SALVAGED_BEFORE: Final = "the definition database was damaged, as an earlier start said"
"""In the report of a database that is whole again, and of which a start has still to look what is missing."""

NAMES_TOLD_MAX: Final = 20
"""Rows that a report names; the files in the quarantine hold all."""


def salvage(path: Path, log: bytes, detail: str) -> str:
    """Put a sound database in the place of the damaged one; nobody has it open.  The report of what was done.

    log: the content of its write-ahead log.  detail: what is wrong, for people.  Raises StorageError when there is
    nothing in it to go on with, and when the disk fails.
    """
    content = read_wal(log) if log else WalContent(_page_size(path))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = collect(PageFile(descriptor, content.page_size, content.pages(), content.database_pages))
        finally:
            os.close(descriptor)
        if not found:
            raise damaged(path, detail)
        if found.counters.get(FORMAT_NAME, 0) > FORMAT_VERSION:
            raise newer(path, found.counters[FORMAT_NAME], FORMAT_VERSION)
        number = _free_number(path)
        found.counters[SALVAGED] = number
        # What is new comes first: if there is no room for it, no copy is left, however often a start is tried.
        partial = _write_new(path, found)
        try:
            keep_aside(path, log, number)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        _put_in_place(path, partial)
    except OSError as error:
        raise StorageError(
            f"{path}: the definition database is damaged ({detail}), and what is sound of it can't be written anew: "
            f"{error.strerror or error}. Make room, and see that this user may write in {path.parent}."
        ) from error
    return _report(path, detail, found, content, kept_path(path, number))


def _in_words(columns: Iterable[object]) -> str:
    kind, vhost, name = (
        each.decode("utf-8", "backslashreplace") if isinstance(each, bytes) else str(each)
        for each in tuple(columns)[1:4]
    )
    return f"{kind} '{name}' (vhost '{vhost}')" if vhost else f"{kind} '{name}'"


def kept_path(path: Path, number: int) -> Path:
    """Where the copy of this number is that was made of the damaged database; its log is beside it."""
    return path.parent / QUARANTINE / f"{path.name}.{number}"


def _free_number(path: Path) -> int:
    """The number of the next copy."""
    number = 1
    while kept_path(path, number).exists():
        number += 1
    return number


def keep_aside(path: Path, log: bytes, number: int) -> None:
    """Copy the database and its log as they are; wholly, or nothing is left of it.  Raises OSError."""
    copy = kept_path(path, number)
    directory = copy.parent
    directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    copies = [copy]
    if log:
        # The log first: where there is the database, its log is there, too.
        copies.insert(0, wal_path(copy))
    try:
        with open(path, "rb") as source, open(_partial_path(copy), "wb", opener=_private) as target:
            while part := source.read(1 << 20):
                target.write(part)
            target.flush()
            os.fsync(target.fileno())
        if log:
            with open(_partial_path(wal_path(copy)), "wb", opener=_private) as target:
                target.write(log)
                target.flush()
                os.fsync(target.fileno())
        for each in copies:
            os.rename(_partial_path(each), each)
    except OSError:
        for each in copies:
            _partial_path(each).unlink(missing_ok=True)
        raise
    sync_directory(directory)
    sync_directory(path.parent)


def rebuild(path: Path, found: Found) -> None:
    """Write what was found to a new database, and put it in the place of the old one."""
    _put_in_place(path, _write_new(path, found))


def _write_new(path: Path, found: Found) -> Path:
    """What was found as a new database beside the old one; its path."""
    partial = _partial_path(path)
    _remove_new(partial)
    counters = [(name, first_free) for name, first_free in found.counters.items() if name not in NO_COUNTERS]
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
        connection = sqlite3.connect(partial, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA temp_store = MEMORY")
            make_tables(connection, found.in_order(), counters)
        finally:
            connection.close()
    except sqlite3.Error as error:
        _remove_new(partial)
        raise storage_error(path, error) from error
    return partial


def _remove_new(partial: Path) -> None:
    for left_over in (partial, partial.with_name(partial.name + "-journal")):
        left_over.unlink(missing_ok=True)


def _put_in_place(path: Path, partial: Path) -> None:
    """Have a complete new database take the place of the old one, also if that is cut short."""
    os.rename(partial, rebuilt_path(path))
    sync_directory(path.parent)
    finish_rebuild(path)


def _partial_path(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, FILE_MODE)


def _page_size(path: Path) -> int:
    """What the database's header says if that can be, else SQLite's default."""
    with open(path, "rb") as file:
        header = file.read(DATABASE_HEADER_SIZE)
    said = int.from_bytes(header[16:18], "big")
    said = 65536 if said == 1 else said
    return said if said in PAGE_SIZES and header.startswith(DATABASE_MAGIC) else DEFAULT_PAGE_SIZE


def _report(path: Path, detail: str, found: Found, content: WalContent, kept: Path) -> str:
    parts = [f"{path}: the definition database was damaged ({detail})"]
    if content.corrected:
        parts.append(f"{content.corrected} page(s) in its log had one flipped bit")
    if content.bad:
        parts.append(f"{content.bad} page(s) in its log are bad")
    if content.unnamed:
        parts.append(
            f"of {content.unnamed} of them nobody knows what they changed, so some definitions may be older ones"
        )
    if found.corrected:
        parts.append(f"one flipped bit was put right in {found.corrected} row(s)")
    parts.append(f"{len(found.in_order())} definitions were recovered")
    if found.bad:
        names = [_in_words(columns) for columns, _ in found.bad[:NAMES_TOLD_MAX]]
        more = f" and {len(found.bad) - NAMES_TOLD_MAX} more" if len(found.bad) > NAMES_TOLD_MAX else ""
        parts.append(f"left out, as damaged: {json_safe(names)}{more}")
    if found.unproved:
        parts.append(
            f"{found.unproved} more were found in pages without order, where rows of an older version can't be told "
            "from what a client has made up, and are left out"
        )
    return "; ".join(parts) + _advice(kept)


def report_again(path: Path, number: int) -> str:
    """What a start is told of a salvage that the start before didn't see to."""
    return f"{path}: {SALVAGED_BEFORE}, which ended before it had seen to that" + _advice(kept_path(path, number))


def _advice(kept: Path) -> str:
    return (
        f". The files as they were are {kept} and what begins alike. Look whether anything is "
        "missing (warren ctl list_queues, list_bindings, list_users ...) and declare it again; messages of queues that "
        "are missing are kept (warren ctl list_quarantined). Check the disk."
    )


def json_safe(names: Iterable[str]) -> str:
    """Names in one line, whatever they hold."""
    return ", ".join(json.dumps(name, ensure_ascii=False)[1:-1] for name in names)
