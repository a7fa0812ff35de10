"""What the tables of the definition database are; how a row proves that it is as it was written is in checksums.py.

Version 1 had no checksums, and those of version 2 were the same in every database.  The version stands in two places,
so that one flipped bit doesn't make a database look like a newer Warren's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from warren.core.storage.definitions.checksums import KEY_NAME, Checksums, DefinitionColumns

APPLICATION_ID: Final = 0x5741524E
"""`WARN`: tells our file from any other SQLite database."""

FORMAT_VERSION: Final = 3

FORMAT_NAME: Final = "format version"
"""The row of `counters` where the version stands a second time."""

SALVAGED: Final = "salvaged"
"""The row of `counters` that tells that the database was salvaged, until a start has seen to what that means; its
number is that of the copy in the quarantine."""

NO_COUNTERS: Final = (FORMAT_NAME, KEY_NAME)
"""Rows of `counters` that belong to one database, and count nothing."""

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


def make_tables(
    connection: sqlite3.Connection, rows: Iterable[DefinitionColumns] = (), counters: Iterable[tuple[str, int]] = ()
) -> Checksums:
    """Fill a blank database, in one transaction: what makes it ours, and these rows; its checksums."""
    checksums = Checksums.drawn()
    connection.execute("BEGIN IMMEDIATE")
    for statement in TABLES.split(";")[:-1]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
    connection.executemany(PUT, ((*row, checksums.of_definition(*row)) for row in rows))
    all_counters = [*counters, (FORMAT_NAME, FORMAT_VERSION), (KEY_NAME, checksums.key)]
    connection.executemany(RESERVE, ((*counter, checksums.of_counter(*counter)) for counter in all_counters))
    connection.execute("COMMIT")
    return checksums
