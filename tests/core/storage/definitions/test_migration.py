"""Databases of older versions: 1, whose rows had no checksums, and 2, whose checksums had no key."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from warren.core.storage.definitions.checksums import KEY_NAME, NO_KEY, Checksums
from warren.core.storage.definitions.places import wal_path
from warren.core.storage.definitions.rows import APPLICATION_ID, FORMAT_NAME, FORMAT_VERSION, RESERVE
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore
from warren.core.storage.definitions.store import Row

SCHEMA = f"""
CREATE TABLE definitions (
    position INTEGER PRIMARY KEY,
    kind TEXT NOT NULL, vhost BLOB NOT NULL, name BLOB NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (vhost, kind, name)
);
CREATE TABLE counters (name TEXT PRIMARY KEY, first_free INTEGER NOT NULL);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = 1;
INSERT INTO counters VALUES ('queue', 65537);
"""

ROWS = [("queue", "/", f"queue {number}", {"number": number}) for number in range(300)]


@pytest.fixture
def old(path: Path, tmp_path: Path) -> Path:
    """A database of version 1, the second half of its rows in the log as after a crash."""
    place = tmp_path / "made" / path.name
    place.parent.mkdir()
    connection = sqlite3.connect(place, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(SCHEMA)
    for number in range(301):
        if number == 150:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # Deleted and put again, so that positions aren't consecutive.
        connection.execute(
            "INSERT INTO definitions (position, kind, vhost, name, value) VALUES (?, 'queue', x'2f', ?, ?)",
            (number * 2 + 1, f"queue {number}".encode(), f'{{"number":{number}}}'),
        )
    connection.execute("DELETE FROM definitions WHERE position = 601")
    for file in (place, wal_path(place)):
        shutil.copyfile(file, path.parent / file.name)
    connection.close()
    return path


def opened(path: Path) -> tuple[list[Row], list[str], int]:
    """Rows, reports, and the next number of queues."""
    store = SqliteDefinitionStore(path)
    found = list(store.load()), store.damage(), store.next_id("queue")
    store.close()
    return found


def test_rows_order_and_counters_come_along(old: Path) -> None:
    assert opened(old) == (ROWS, [], 65537)
    assert opened(old) == (ROWS, [], 65538)
    connection = sqlite3.connect(old)
    assert connection.execute("PRAGMA user_version").fetchone() == (FORMAT_VERSION,)
    connection.close()
    assert not (old.parent / "quarantine").exists()


def test_what_is_put_after_the_migration_stays(old: Path) -> None:
    store = SqliteDefinitionStore(old)
    store.put("queue", "/", "queue 7", {"number": "changed"})
    store.put("queue", "/", "new", {})
    store.commit()
    store.close()
    rows = opened(old)[0]
    assert rows[7] == ("queue", "/", "queue 7", {"number": "changed"})
    assert rows[-1] == ("queue", "/", "new", {})
    assert len(rows) == 301


def test_a_migration_that_was_cut_short_begins_anew(old: Path) -> None:
    old.with_name(old.name + ".partial").write_bytes(b"half of it")
    assert opened(old)[0] == ROWS


def test_damage_before_the_migration_is_seen_to_as_far_as_can_be(old: Path) -> None:
    """Without checksums, a wrong row can't be told; what SQLite finds, and what lies behind a bad frame, can."""
    log = wal_path(old)
    content = bytearray(log.read_bytes())
    content[32 + 24 + 100] ^= 4
    log.write_bytes(content)
    rows, reports, _ = opened(old)
    assert len(reports) == 1
    assert rows == ROWS


def test_a_damaged_page_of_an_old_database_costs_what_was_in_it(old: Path) -> None:
    SqliteDefinitionStore(shutil.copy(old, old.parent / "other.sqlite")).close()
    wal_path(old).unlink()
    content = bytearray(old.read_bytes())
    page = content.index(b'{"number":20}') // 4096 * 4096
    content[page : page + 200] = random.Random(1).randbytes(200)
    old.write_bytes(content)
    rows, reports, _ = opened(old)
    assert len(reports) == 1
    assert 0 < len(rows) < 150
    assert all(row in ROWS for row in rows)


@pytest.fixture
def keyless(path: Path) -> Path:
    """A closed database of version 2."""
    store = SqliteDefinitionStore(path)
    for row in ROWS:
        store.put(*row)
    store.skip_ids("queue", 65536)
    store.commit()
    store.close()
    connection = sqlite3.connect(path)
    checksums = Checksums(NO_KEY)
    for row in connection.execute("SELECT position, kind, vhost, name, value FROM definitions").fetchall():
        connection.execute(
            "UPDATE definitions SET checksum = ? WHERE position = ?", (checksums.of_definition(*row), row[0])
        )
    connection.execute("DELETE FROM counters WHERE name = ?", (KEY_NAME,))
    for name, first_free in (("queue", 65537), (FORMAT_NAME, 2)):
        connection.execute(RESERVE, (name, first_free, checksums.of_counter(name, first_free)))
    connection.execute("PRAGMA user_version = 2")
    connection.commit()
    connection.close()
    return path


def test_a_database_without_a_key_gets_one(keyless: Path) -> None:
    assert opened(keyless) == (ROWS, [], 65537)
    connection = sqlite3.connect(keyless)
    assert connection.execute("PRAGMA user_version").fetchone() == (FORMAT_VERSION,)
    assert connection.execute("SELECT first_free FROM counters WHERE name = ?", (KEY_NAME,)).fetchone()[0] > 0
    connection.close()
    assert opened(keyless) == (ROWS, [], 65538)


@pytest.mark.parametrize("version", [0, 3, 6])
def test_a_version_that_flipped_is_the_old_one_nevertheless(keyless: Path, version: int) -> None:
    connection = sqlite3.connect(keyless)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    rows, reports, number = opened(keyless)
    assert (rows, len(reports), number) == (ROWS, 1, 65537)


def test_damage_to_a_database_without_a_key_costs_a_row(keyless: Path) -> None:
    connection = sqlite3.connect(keyless)
    connection.execute("UPDATE definitions SET value = 'lost' WHERE position = 8")
    connection.commit()
    connection.close()
    rows, reports, _ = opened(keyless)
    assert rows == ROWS[:7] + ROWS[8:]
    assert "queue 7" in reports[0]


def test_without_a_key_nothing_in_a_page_without_order_is_believed(keyless: Path) -> None:
    """It might be part of a name; how many rows may have been there is told."""
    content = bytearray(keyless.read_bytes())
    page = content.rindex(b'{"number":20}') // 4096 * 4096
    assert content[page] == 13, "a leaf"
    content[page] ^= 8
    keyless.write_bytes(content)
    rows, reports, _ = opened(keyless)
    assert 200 < len(rows) < 300
    assert all(row in ROWS for row in rows)
    assert f"{300 - len(rows)} more were found in pages without order" in reports[0]
