"""What the tables of the definition database are, and how a row proves that it is as it was written.

SQLite has no checksums of its own on what lies in the database file, so each row carries one: of all its columns, its
place among the others included.  A row that fails it is never served.

Version 1 had no checksums.  The version stands in two places, so that one flipped bit doesn't make a database look like
a newer Warren's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final, TypeGuard
from zlib import crc32

APPLICATION_ID: Final = 0x5741524E
"""`WARN`: tells our file from any other SQLite database."""

FORMAT_VERSION: Final = 2

FORMAT_NAME: Final = "format version"
"""The row of `counters` where the version stands a second time."""

SALVAGED: Final = "salvaged"
"""The row of `counters` that tells that the database was salvaged, until a start has seen to what that means; its
number is that of the copy in the quarantine."""

TABLES: Final = """
CREATE TABLE definitions (
    position INTEGER PRIMARY KEY,
    kind TEXT NOT NULL, vhost BLOB NOT NULL, name BLOB NOT NULL,
    value TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (vhost, kind, name)
);
CREATE TABLE counters (name TEXT PRIMARY KEY, first_free INTEGER NOT NULL, checksum INTEGER NOT NULL);
"""

PUT: Final = """INSERT INTO definitions (position, kind, vhost, name, value, checksum) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (position) DO UPDATE SET value = excluded.value, checksum = excluded.checksum"""

RESERVE: Final = """INSERT INTO counters (name, first_free, checksum) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET first_free = excluded.first_free, checksum = excluded.checksum"""

DefinitionColumns = tuple[int, str, bytes, bytes, str]
"""Position, kind, virtual host, name, value."""

PUT_RIGHT_BYTES_MAX: Final = 8192
"""Of a row whose wrong bit is looked for: a tenth of a second of trying."""

NO_CHECKSUM: Final = -1
"""Of columns that can't be ours."""


def definition_checksum(position: object, kind: object, vhost: object, name: object, value: object) -> int:
    """The checksum of a definition's columns; `NO_CHECKSUM` for types that no row of ours has."""
    if (
        type(position) is not int
        or type(kind) is not str
        or type(vhost) is not bytes
        or type(name) is not bytes
        or type(value) is not str
    ):
        return NO_CHECKSUM
    kind_raw, value_raw = kind.encode("utf-8", "surrogatepass"), value.encode("utf-8", "surrogatepass")
    return _checksum(position, (kind_raw, vhost, name, value_raw))


def counter_checksum(name: object, first_free: object) -> int:
    """The checksum of a counter; `NO_CHECKSUM` for types that no counter of ours has."""
    if type(name) is not str or type(first_free) is not int:
        return NO_CHECKSUM
    return crc32(b"%d " % first_free + name.encode("utf-8", "surrogatepass"))


def put_right(columns: tuple[object, ...], checksum: object) -> DefinitionColumns | None:
    """A definition of which one bit is wrong, as it was; None when it isn't that.

    A checksum of 32 bits makes that certain enough for rows that aren't long: with more bits wrong, it takes one in a
    million for another row.
    """
    position, *texts = columns
    if type(position) is not int or type(checksum) is not int:
        return None
    # Bytes stand here for text, too, where the wrong bit made it another encoding's.
    parts = [text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text for text in texts]
    if not _are_bytes(parts) or sum(map(len, parts)) > PUT_RIGHT_BYTES_MAX:
        return None
    if (_checksum(position, parts) ^ checksum).bit_count() == 1:
        return _decoded(position, parts)
    for number in range(64):
        if _checksum(position ^ 1 << number, parts) == checksum:
            return _decoded(position ^ 1 << number, parts)
    for index, part in enumerate(parts):
        changed = bytearray(part)
        tried: list[bytes | bytearray] = [*parts[:index], changed, *parts[index + 1 :]]
        for number in range(8 * len(part)):
            changed[number >> 3] ^= 1 << (number & 7)
            if _checksum(position, tried) == checksum:
                return _decoded(position, [bytes(each) for each in tried])
            changed[number >> 3] ^= 1 << (number & 7)
    return None


def _are_bytes(parts: list[object]) -> TypeGuard[list[bytes]]:
    return all(isinstance(part, bytes) for part in parts)


def _decoded(position: int, parts: list[bytes]) -> DefinitionColumns | None:
    kind, vhost, name, value = parts
    try:
        return position, kind.decode(), vhost, name, value.decode()
    except UnicodeDecodeError:
        return None


def _checksum(position: int, parts: Sequence[bytes | bytearray]) -> int:
    """Of the position, and the kind, virtual host, name and value as bytes."""
    kind, vhost, name, value = parts
    head = b"%d %d %d %d " % (position, len(kind), len(vhost), len(name))
    return crc32(value, crc32(head + kind + vhost + name))


def make_tables(
    connection: sqlite3.Connection, rows: Iterable[DefinitionColumns] = (), counters: Iterable[tuple[str, int]] = ()
) -> None:
    """Fill a blank database, in one transaction: what makes it ours, and these rows."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in TABLES.split(";")[:-1]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
    connection.executemany(PUT, ((*row, definition_checksum(*row)) for row in rows))
    both = [*counters, (FORMAT_NAME, FORMAT_VERSION)]
    connection.executemany(RESERVE, ((*counter, counter_checksum(*counter)) for counter in both))
    connection.execute("COMMIT")
