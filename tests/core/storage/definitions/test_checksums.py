"""Checksums with a key: nobody who doesn't know it makes a row; what lost its key finds it again."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from zlib import crc32

import pytest

from warren.core.storage.definitions.checksums import KEY_NAME, NO_CHECKSUM, NO_KEY, Checksums, agreed_key, begun_with
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore

ROWS = 60

FORGED_POSITION = 100


def change(path: Path, statement: str, parameters: tuple[object, ...] = ()) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement, parameters)
    connection.commit()
    connection.close()


def key_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    (key,) = connection.execute("SELECT first_free FROM counters WHERE name = ?", (KEY_NAME,)).fetchone()
    connection.close()
    assert isinstance(key, int)
    return key


def row_as_bytes(checksums: Checksums) -> bytes:
    """A row of a user as it lies in a page (sqlite.org/fileformat.html, 1.6 and 2.1), such that a name can hold it."""
    for number in range(1000):
        kind, vhost, name, value = "user", b"", b"evil", f'{{"n":{number}}}'
        checksum = checksums.of_definition(FORGED_POSITION, kind, vhost, name, value)
        types = bytes([0, 13 + 2 * len(kind), 12, 12 + 2 * len(name), 13 + 2 * len(value), 5])
        record = bytes([1 + len(types)]) + types + kind.encode() + name + value.encode() + checksum.to_bytes(6, "big")
        found = bytes([len(record), FORGED_POSITION]) + record
        if found.isascii():
            return found
    raise AssertionError("no such checksum is text")


def plant(path: Path, checksums: Checksums) -> None:
    """Declare a queue whose name holds a row with such a checksum; then one row is damaged, so that all is searched."""
    store = SqliteDefinitionStore(path)
    store.put("queue", "/", "q" + row_as_bytes(checksums).decode(), {})
    store.commit()
    store.close()
    change(path, "UPDATE definitions SET value = 'lost' WHERE position = 3")


def names(path: Path) -> tuple[set[str], list[str]]:
    """Kinds and names that are served, in one word each, and the reports."""
    store = SqliteDefinitionStore(path)
    found = {f"{kind} {name}" for kind, _, name, _ in store.load() if name.isprintable()}
    reports = store.damage()
    store.close()
    return found, reports


@pytest.fixture
def filled(path: Path) -> Path:
    """A closed database of a few rows."""
    store = SqliteDefinitionStore(path)
    for number in range(ROWS):
        store.put("queue", "/", f"q{number}", {"number": number})
    store.next_id("queue")
    store.commit()
    store.close()
    return path


def test_a_name_that_looks_like_a_row_is_none(filled: Path) -> None:
    plant(filled, Checksums(NO_KEY))
    found, reports = names(filled)
    assert len(reports) == 1
    assert found == {f"queue q{number}" for number in range(ROWS) if number != 2}


def test_it_would_be_one_with_the_key(filled: Path) -> None:
    """Which shows that the salvage looks there: what has lost its place in a damaged page is found so."""
    plant(filled, Checksums(key_of(filled)))
    found, _ = names(filled)
    assert "user evil" in found


def test_each_database_has_a_key_of_its_own(tmp_path: Path) -> None:
    keys = set()
    for number in range(3):
        place = tmp_path / f"{number}.sqlite"
        SqliteDefinitionStore(place).close()
        keys.add(key_of(place))
        SqliteDefinitionStore(place).close()
        keys.add(key_of(place))
    assert len(keys) == 3
    assert NO_KEY not in keys


def test_a_salvaged_database_has_a_new_key(filled: Path) -> None:
    before = key_of(filled)
    change(filled, "UPDATE definitions SET value = 'lost' WHERE position = 3")
    names(filled)
    assert key_of(filled) not in (before, NO_KEY)


@pytest.mark.parametrize(
    "statement",
    [
        f"DELETE FROM counters WHERE name = '{KEY_NAME}'",
        f"UPDATE counters SET first_free = first_free - 1 WHERE name = '{KEY_NAME}'",
        f"UPDATE counters SET first_free = 'text' WHERE name = '{KEY_NAME}'",
        f"UPDATE counters SET first_free = 0, checksum = 0 WHERE name = '{KEY_NAME}'",
        "DELETE FROM counters",
        "UPDATE counters SET checksum = checksum - 1",
    ],
)
def test_a_lost_key_is_found_from_the_rows(filled: Path, statement: str) -> None:
    change(filled, statement)
    found, reports = names(filled)
    assert len(reports) == 1
    assert found == {f"queue q{number}" for number in range(ROWS)}


def test_a_page_without_order_gives_its_rows_if_the_key_is_known(filled: Path) -> None:
    """The only page of rows that there is: the counters, in another one, know the key."""
    store = SqliteDefinitionStore(filled)
    store.delete_beginning("queue", "/", "q1")
    store.delete_beginning("queue", "/", "q2")
    store.delete_beginning("queue", "/", "q3")
    store.commit()
    expected = {f"queue {row[2]}" for row in store.load()}
    store.close()
    change(filled, "VACUUM")
    connection = sqlite3.connect(filled)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'definitions'").fetchone()
    connection.close()
    content = bytearray(filled.read_bytes())
    at = (page - 1) * 4096
    assert content[at] == 13, "a leaf"
    content[at] ^= 8
    filled.write_bytes(content)
    found, reports = names(filled)
    assert len(reports) == 1
    assert found == expected


def test_the_number_that_a_crc_began_with_is_found() -> None:
    generator = random.Random(1)
    for size in (0, 1, 2, 7, 300):
        data, key = generator.randbytes(size), generator.getrandbits(32)
        assert begun_with(data, crc32(data, key)) == key


def test_rows_agree_on_their_key() -> None:
    checksums = Checksums(0x12345678)
    definitions = [(number, "queue", b"/", b"q%d" % number, "{}") for number in range(5)]
    rows: list[tuple[object, ...]] = [(*row, checksums.of_definition(*row)) for row in definitions]
    assert agreed_key(rows[:1]) is None, "a damaged row agrees with itself"
    assert agreed_key(rows[:2]) == checksums.key
    counter = ("queue", 7)
    assert agreed_key([rows[0], (*counter, checksums.of_counter(*counter))]) == checksums.key
    damaged: list[tuple[object, ...]] = [(*row[:-1], 7) for row in rows]
    assert agreed_key([*damaged, *rows[:2]]) == checksums.key
    assert agreed_key([]) is None
    assert agreed_key([(1, "queue", b"/", "text", "{}", 5), (1, "queue", b"/", b"q", "{}", None)]) is None


def test_what_can_be_no_row_has_no_checksum() -> None:
    checksums = Checksums(3)
    assert checksums.of_counter(b"queue", 7) == NO_CHECKSUM
    assert checksums.of_counter("queue", None) == NO_CHECKSUM
    for column, wrong in enumerate(("1", b"queue", "/", "q", b"{}")):
        columns: list[object] = [1, "queue", b"/", b"q", "{}"]
        assert checksums.of_definition(*columns) != NO_CHECKSUM
        columns[column] = wrong
        assert checksums.of_definition(*columns) == NO_CHECKSUM
