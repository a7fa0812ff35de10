"""Databases that can't be used: each is refused saying which file, what is wrong and what to do."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from warren.core.errors import StorageError
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore
from warren.core.storage.definitions.sqlite_file import FORMAT_VERSION, wal_path


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


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_truncated_database_is_refused(filled: Path, part: float) -> None:
    content = filled.read_bytes()
    filled.write_bytes(content[: int(len(content) * part)])
    assert_refused(filled, "damaged")


def test_a_page_overwritten_in_the_middle_is_refused(filled: Path) -> None:
    content = bytearray(filled.read_bytes())
    content[8192:12288] = random.Random(1).randbytes(4096)
    filled.write_bytes(content)
    assert_refused(filled, "damaged")


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


@pytest.mark.parametrize("text", ["not json", "[1]", "", "1", "\x00"])
def test_a_row_that_is_no_json_object_is_refused_by_number(filled: Path, text: str) -> None:
    change(filled, f"UPDATE definitions SET value = CAST(x'{text.encode().hex()}' AS TEXT) WHERE position = 250")
    store = SqliteDefinitionStore(filled)
    with pytest.raises(StorageError, match=r"definitions\.sqlite: .*damaged .*row 250 of table definitions"):
        list(store.load())
    store.close()


@pytest.mark.parametrize("column", ["value = CAST(x'ff' AS TEXT)", "name = 'text'", "name = x'ff'", "value = 1.5"])
def test_a_row_of_wrong_types_is_refused(filled: Path, column: str) -> None:
    change(filled, f"UPDATE definitions SET {column} WHERE position = 250")
    store = SqliteDefinitionStore(filled)
    with pytest.raises(StorageError, match=r"definitions\.sqlite: the definition database"):
        list(store.load())
    store.close()


def test_a_newer_format_is_refused(filled: Path) -> None:
    change(filled, f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    assert_refused(filled, "written by a newer Warren")


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
