"""Databases that are damaged: what is sound of them is served, and one that holds nothing is refused, saying which
file, what is wrong and what to do."""

from __future__ import annotations

import errno
import os
import random
import sqlite3
from pathlib import Path

import pytest

from warren.core.errors import StorageError
from warren.core.storage.definitions.checksums import KEY_NAME, Checksums
from warren.core.storage.definitions.places import wal_path
from warren.core.storage.definitions.rows import FORMAT_NAME, FORMAT_VERSION
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore
from warren.core.storage.definitions.store import JSON

FIRST_PAGE_HEAD = range(100, 100 + 8 + 4 * 2)
"""Bytes behind the header of the database: the head of its first page, and where the entries in it are."""


@pytest.fixture
def filled(path: Path) -> Path:
    """A closed database of 500 rows."""
    store = SqliteDefinitionStore(path)
    for number in range(500):
        store.put("queue", "/", f"queue {number}", {"number": number})
    store.commit()
    store.close()
    return path


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def checksums_of(path: Path) -> Checksums:
    """Those of the closed database at `path`."""
    connection = sqlite3.connect(path)
    (key,) = connection.execute("SELECT first_free FROM counters WHERE name = ?", (KEY_NAME,)).fetchone()
    connection.close()
    return Checksums(key)


def assert_refused(path: Path, words: str) -> None:
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StorageError, match=words) as caught:
        SqliteDefinitionStore(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith(".")
    after = path.read_bytes() if path.is_file() else None
    assert after == before, "a refused file must be left as it is"


@pytest.mark.parametrize("size", [1, 100, 512, 5000, 100_000])
def test_a_file_of_random_bytes_is_refused(path: Path, size: int) -> None:
    path.write_bytes(random.Random(size).randbytes(size))
    assert_refused(path, "damaged .*Restore it from a backup")


def rows_and_report(path: Path) -> tuple[dict[str, JSON], str]:
    """The values of the queues by name that are served, and what is said to have been damaged.

    The store must be in order afterwards, and say so when it is opened again; before the damage is seen to, each start
    is told of it.
    """
    store = SqliteDefinitionStore(path)
    (report,) = store.damage()
    store.put("queue", "/", "of a start that is cut short", {})
    store.close()
    store = SqliteDefinitionStore(path)
    (again,) = store.damage()
    assert "as an earlier start said" in again
    assert str(path.parent / "quarantine" / path.name) in again
    served = {name: value["number"] for _, _, name, value in store.load()}
    store.put("queue", "/", "new", {"number": -1})
    store.damage_seen_to()
    store.commit()
    store.close()
    store = SqliteDefinitionStore(path)
    assert store.damage() == []
    assert {name: value["number"] for _, _, name, value in store.load()} == {**served, "new": -1}
    store.close()
    return served, report


def assert_partly_served(path: Path, lost_max: int) -> str:
    """Of the 500 rows all but a few are served, each as it was; the report."""
    damaged = path.read_bytes()
    served, report = rows_and_report(path)
    assert all(name == f"queue {number}" for name, number in served.items())
    assert 500 - lost_max <= len(served) < 500
    assert f"{len(served)} definitions were recovered" in report
    (kept,) = (path.parent / "quarantine").glob("*.sqlite.1")
    assert kept.read_bytes() == damaged
    assert str(kept) in report
    return report


@pytest.mark.parametrize(("part", "lost_max"), [(0.5, 350), (0.9, 200)])
def test_of_a_truncated_database_what_is_left_is_served(filled: Path, part: float, lost_max: int) -> None:
    content = filled.read_bytes()
    filled.write_bytes(content[: int(len(content) * part)])
    assert_partly_served(filled, lost_max)


def test_a_database_without_any_row_left_is_refused(filled: Path) -> None:
    filled.write_bytes(filled.read_bytes()[:3000])
    assert_refused(filled, "damaged .*Restore it from a backup")


def test_a_page_overwritten_in_the_middle_costs_what_was_in_it(filled: Path) -> None:
    content = bytearray(filled.read_bytes())
    page = content.index(b'{"number":250}') // 4096 * 4096
    content[page : page + 4096] = random.Random(1).randbytes(4096)
    filled.write_bytes(content)
    assert_partly_served(filled, 100)


def test_the_first_page_may_be_lost(filled: Path) -> None:
    """It holds the database's header and the list of tables, and no row of ours."""
    content = bytearray(filled.read_bytes())
    content[:4096] = bytes(4096)
    filled.write_bytes(content)
    served, _ = rows_and_report(filled)
    assert served == {f"queue {number}": number for number in range(500)}


def test_a_list_of_tables_that_lost_its_length_does_not_make_it_a_blank_database(filled: Path) -> None:
    """One flipped bit makes no tables of the four entries, and the pages behind it would have been written over."""
    content = bytearray(filled.read_bytes())
    assert content[103:105] == b"\0\4"
    content[104] = 0
    filled.write_bytes(content)
    served, report = rows_and_report(filled)
    assert served == {f"queue {number}": number for number in range(500)}
    assert "its list of tables is empty" in report


def test_every_bit_of_the_first_pages_head_may_flip(path: Path) -> None:
    """Where the list of tables is; in the database there are few rows."""
    store = SqliteDefinitionStore(path)
    for number in range(3):
        store.put("queue", "/", f"queue {number}", {"number": number})
    store.commit()
    store.close()
    sound = path.read_bytes()
    for bit in range(8 * FIRST_PAGE_HEAD.start, 8 * FIRST_PAGE_HEAD.stop):
        content = bytearray(sound)
        content[bit >> 3] ^= 1 << (bit & 7)
        path.write_bytes(content)
        store = SqliteDefinitionStore(path)
        assert [row[2] for row in store.load()] == ["queue 0", "queue 1", "queue 2"], bit
        store.close()


def test_an_empty_database_with_a_log_is_refused_and_the_log_kept(filled: Path) -> None:
    store = SqliteDefinitionStore(filled)
    store.put("queue", "/", "only in the log", {})
    store.commit()
    log = wal_path(filled).read_bytes()
    store.close()
    wal_path(filled).write_bytes(log)
    filled.write_bytes(b"")
    assert_refused(filled, "it is empty, but its log")
    assert wal_path(filled).read_bytes() == log
    filled.unlink()
    assert_refused(filled, "it is empty, but its log")
    assert wal_path(filled).read_bytes() == log
    assert not filled.exists()


def test_an_empty_file_without_a_log_is_a_blank_store(path: Path) -> None:
    path.touch()
    store = SqliteDefinitionStore(path)
    assert list(store.load()) == []
    store.close()


def test_a_database_whose_making_was_cut_short_is_a_blank_store(path: Path) -> None:
    change(path, "PRAGMA journal_mode = WAL")
    assert path.stat().st_size > 0
    store = SqliteDefinitionStore(path)
    store.put("queue", "/", "q", {})
    store.commit()
    assert len(list(store.load())) == 1
    store.close()


@pytest.mark.parametrize(
    "column",
    [
        "value = '{}'",
        "value = 'not json'",
        "value = CAST(x'ffff' AS TEXT)",
        "value = 1.5",
        "name = 'text'",
        "name = x'ff'",
        "vhost = 'vhost'",
        "kind = 'binding'",
        "position = 9000",
        "checksum = checksum + 7",
        "checksum = -1",
    ],
)
def test_a_row_that_fails_its_checksum_is_left_out_and_named(filled: Path, column: str) -> None:
    change(filled, f"UPDATE definitions SET {column} WHERE position = 250")
    report = assert_partly_served(filled, 1)
    assert "left out, as damaged: " in report
    assert "queue 249" in report or "name" in column


def test_rows_of_which_one_bit_is_wrong_are_put_right(filled: Path) -> None:
    change(filled, "UPDATE definitions SET value = replace(value, '2', '3') WHERE position = 3")
    served, report = rows_and_report(filled)
    assert served == {f"queue {number}": number for number in range(500)}
    assert "one flipped bit was put right in 1 row(s)" in report


@pytest.mark.parametrize("failing", [1, 2])
def test_no_part_of_a_copy_is_left_where_the_disk_is_full(
    filled: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Neither of the database nor of its log; the copy that is made when there is room is whole."""
    store = SqliteDefinitionStore(filled)
    store.put("queue", "/", "queue 0", {"number": 0})
    store.commit()
    log = wal_path(filled).read_bytes()
    store.close()
    change(filled, "UPDATE definitions SET value = '{}' WHERE position = 250")
    wal_path(filled).write_bytes(log)
    calls = 0

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left on device"):
            SqliteDefinitionStore(filled)
    assert list((filled.parent / "quarantine").iterdir()) == []
    assert list(filled.parent.glob("*.partial*")) == []
    damaged = filled.read_bytes()
    SqliteDefinitionStore(filled).close()
    (kept,) = (filled.parent / "quarantine").iterdir()
    assert kept.name == f"{filled.name}.1"
    assert kept.read_bytes() == damaged


def test_tries_without_room_for_the_new_database_leave_no_copies(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(filled, "UPDATE definitions SET value = '{}' WHERE position = 250")

    def full(*arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("warren.core.storage.definitions.salvage.make_tables", full)
        for _ in range(3):
            assert_refused(filled, "database or disk is full")
    assert [file.name for file in filled.parent.iterdir()] == [filled.name]
    assert_partly_served(filled, 1)


def test_a_newer_format_is_refused(filled: Path) -> None:
    newer = FORMAT_VERSION + 1
    change(filled, f"PRAGMA user_version = {newer}")
    checksum = checksums_of(filled).of_counter(FORMAT_NAME, newer)
    change(filled, f"UPDATE counters SET first_free = {newer}, checksum = {checksum} WHERE name = '{FORMAT_NAME}'")
    assert_refused(filled, "written by a newer Warren")


def test_a_newer_format_with_a_damaged_log_is_refused_and_the_log_kept(filled: Path) -> None:
    """SQLite isn't asked then; nor may a salvage make an older database of it."""
    newer = FORMAT_VERSION + 1
    store = SqliteDefinitionStore(filled)
    for number in range(30):
        store.put("queue", "/", f"queue {number}", {"number": -number})
        store.commit()
    log = bytearray(wal_path(filled).read_bytes())
    store.close()
    checksum = checksums_of(filled).of_counter(FORMAT_NAME, newer)
    change(filled, f"PRAGMA user_version = {newer}")
    change(filled, f"UPDATE counters SET first_free = {newer}, checksum = {checksum} WHERE name = '{FORMAT_NAME}'")
    log[len(log.rstrip(b"\0")) // 2] ^= 1
    wal_path(filled).write_bytes(log)
    assert_refused(filled, "written by a newer Warren")
    assert wal_path(filled).read_bytes() == log


@pytest.mark.parametrize("version", [0, 1, 2, FORMAT_VERSION + 1, FORMAT_VERSION | 1 << 20])
def test_a_version_that_flipped_is_no_newer_format(filled: Path, version: int) -> None:
    change(filled, f"PRAGMA user_version = {version}")
    served, _ = rows_and_report(filled)
    assert served == {f"queue {number}": number for number in range(500)}


def test_a_mark_that_flipped_does_not_make_it_another_programs(filled: Path) -> None:
    change(filled, "PRAGMA application_id = 7")
    served, _ = rows_and_report(filled)
    assert len(served) == 500


def test_an_index_that_does_not_fit_its_rows_is_made_anew(filled: Path) -> None:
    """SQLite finds no row by its name then, and would put it a second time."""
    change(filled, "PRAGMA writable_schema = 1")
    content = filled.read_bytes()
    # In the index, names stand before the position; in the table, behind them.
    at = content.index(b"/queuequeue 77") + len(b"/queuequeue 7")
    filled.write_bytes(content[:at] + b"x" + content[at + 1 :])
    served, _ = rows_and_report(filled)
    assert served == {f"queue {number}": number for number in range(500)}


def test_lost_counters_go_on_behind_what_is_in_use(filled: Path) -> None:
    store = SqliteDefinitionStore(filled)
    last = [store.next_id("queue") for _ in range(100)][-1]
    store.close()
    change(filled, "UPDATE counters SET first_free = 3 WHERE name = 'queue'")
    store = SqliteDefinitionStore(filled)
    assert len(store.damage()) == 1
    store.skip_ids("queue", last)
    assert store.next_id("queue") > last
    store.close()


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    change(path, "CREATE TABLE photos (name TEXT)")
    assert_refused(path, "another program")


def test_a_missing_directory_is_said(tmp_path: Path) -> None:
    assert_refused(tmp_path / "missing" / "definitions.sqlite", "No such file or directory.*directory exists")


def test_a_file_in_place_of_the_directory_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_refused(tmp_path / "file" / "definitions.sqlite", "Not a directory")


def test_a_directory_in_place_of_the_file_is_said(path: Path) -> None:
    path.mkdir()
    assert_refused(path, "can't be opened")


def test_a_full_disk_is_said_and_nothing_half_done_is_kept(sqlite_store: SqliteDefinitionStore, path: Path) -> None:
    sqlite_store.put("queue", "/", "kept", {})
    sqlite_store.commit()
    sqlite_store._run("PRAGMA max_page_count = 20")
    sqlite_store.put("queue", "/", "lost", {})
    with pytest.raises(StorageError, match=r"no space is left .*Free some space"):
        sqlite_store.put("queue", "/", "large", {"filler": "x" * 1_000_000})
    for call in (
        sqlite_store.commit,
        sqlite_store.sync,
        sqlite_store.clear,
        lambda: sqlite_store.put("queue", "/", "more", {}),
        lambda: list(sqlite_store.load()),
    ):
        with pytest.raises(StorageError, match="no space is left"):
            call()
    sqlite_store.close()
    reopened = SqliteDefinitionStore(path)
    assert [row[2] for row in reopened.load()] == ["kept"]
    reopened.close()


def test_a_database_held_by_another_program_is_said(sqlite_store: SqliteDefinitionStore, path: Path) -> None:
    sqlite_store._run("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StorageError, match="held by another program"):
            sqlite_store.put("queue", "/", "q", {})
    finally:
        other.close()
