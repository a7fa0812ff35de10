"""Bits that flip in the database or in its write-ahead log: whatever is served is as it was, and what is not is told.

The places are drawn from fixed seeds, so that each run tries the same ones.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from struct import Struct

import pytest

from warren.core.storage.definitions.places import wal_path
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore
from warren.core.storage.definitions.store import JSON
from warren.core.storage.definitions.wal_file import read_wal, sums_of, with_changed_bit, wrong_bits

FLIPS = 40
"""Per test; hundreds were tried with the same outcome when this was written."""

FRAME_BYTES = 24 + 4096

Rows = dict[tuple[str, str, str], dict[str, JSON]]


def fill(store: SqliteDefinitionStore, numbers: range) -> None:
    """Queues, bindings and some long rows, each number a transaction."""
    for number in numbers:
        store.put("queue", "/", f"q{number}", {"id": store.next_id("queue"), "arguments": "x" * (number % 50)})
        store.put("binding", "/", f"b{number}", {"source": "amq.topic", "destination": f"q{number}"})
        if number % 7 == 0:
            store.put("mqtt_retained", "/", f"t{number}", {"body": "QUJD" * (number * 20)})
        store.commit()


@pytest.fixture
def crashed(path: Path, tmp_path: Path) -> tuple[Path, Rows]:
    """The files that a killed process leaves, much of them in the log; and what is in them."""
    store = SqliteDefinitionStore(path)
    fill(store, range(60))
    store.close()
    store = SqliteDefinitionStore(path)
    fill(store, range(60, 100))
    for number in range(0, 60, 9):
        store.delete("queue", "/", f"q{number}")
        store.put("binding", "/", f"b{number + 1}", {"source": "changed"})
        store.commit()
    rows = {(kind, vhost, name): value for kind, vhost, name, value in store.load()}
    directory = tmp_path / "crashed"
    directory.mkdir()
    for file in (path, wal_path(path)):
        shutil.copyfile(file, directory / file.name)
    store.close()
    return directory / path.name, rows


def copy_of(database: Path) -> Path:
    """The same files somewhere else, to be damaged."""
    directory = database.parent / "damaged"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for file in (database, wal_path(database)):
        if file.exists():
            shutil.copyfile(file, directory / file.name)
    return directory / database.name


def flip(file: Path, generator: random.Random) -> None:
    content = bytearray(file.read_bytes())
    used = len(content.rstrip(b"\0"))
    content[generator.randrange(used)] ^= 1 << generator.randrange(8)
    file.write_bytes(content)


def served(database: Path) -> tuple[Rows, list[str]]:
    """What a start finds, and reports; the next start must find the same, in order."""
    store = SqliteDefinitionStore(database)
    found = {(kind, vhost, name): value for kind, vhost, name, value in store.load()}
    reports = store.damage()
    store.put("queue", "/", "new", {})
    store.damage_seen_to()
    store.commit()
    store.close()
    store = SqliteDefinitionStore(database)
    assert store.damage() == []
    assert {(kind, vhost, name): value for kind, vhost, name, value in store.load()} == {
        **found,
        ("queue", "/", "new"): {},
    }
    store.close()
    return found, reports


def test_a_flipped_bit_in_the_log_loses_nothing(crashed: tuple[Path, Rows]) -> None:
    """Before, it took every transaction behind it along, without a word."""
    database, rows = crashed
    for seed in range(FLIPS):
        damaged = copy_of(database)
        flip(wal_path(damaged), random.Random(seed))
        found, reports = served(damaged)
        assert found == rows, seed
        assert len(reports) == 1, seed


@pytest.mark.parametrize("part", range(3))
def test_a_flipped_bit_in_the_database_costs_a_row_at_most(crashed: tuple[Path, Rows], part: int) -> None:
    database, rows = crashed
    SqliteDefinitionStore(database).close()  # what was in the log is in the database now
    assert not wal_path(database).exists()
    reported = 0
    for seed in range(part * FLIPS, (part + 1) * FLIPS):
        damaged = copy_of(database)
        flip(damaged, random.Random(seed))
        found, reports = served(damaged)
        assert found.items() >= {key: value for key, value in rows.items() if key in found}.items(), seed
        assert set(found) <= set(rows), seed
        assert len(rows) - len(found) <= bool(reports), seed
        reported += bool(reports)
    assert reported > FLIPS / 3, "most of the file is in use"


@pytest.mark.parametrize("size", [16, 512])
def test_a_damaged_stretch_of_the_database_costs_what_was_there(crashed: tuple[Path, Rows], size: int) -> None:
    database, rows = crashed
    SqliteDefinitionStore(database).close()
    for seed in range(FLIPS // 3):
        generator = random.Random(seed)
        damaged = copy_of(database)
        content = bytearray(damaged.read_bytes())
        at = generator.randrange(len(content) - size)
        content[at : at + size] = generator.randbytes(size)
        damaged.write_bytes(content)
        found, reports = served(damaged)
        assert all(rows[key] == value for key, value in found.items()), seed
        assert found == rows or reports, seed


def test_a_damaged_sector_in_the_log_costs_rows_of_its_page(crashed: tuple[Path, Rows]) -> None:
    """What lies behind it is served, and nothing is served that was never so."""
    database, rows = crashed
    for seed in range(FLIPS // 3):
        generator = random.Random(seed)
        damaged = copy_of(database)
        content = bytearray(wal_path(damaged).read_bytes())
        frames = (len(content.rstrip(b"\0")) - 32) // FRAME_BYTES
        at = 32 + generator.randrange(frames - 4) * FRAME_BYTES + generator.randrange(24, FRAME_BYTES - 512)
        content[at : at + 512] = generator.randbytes(512)
        wal_path(damaged).write_bytes(content)
        found, reports = served(damaged)
        assert all(rows[key] == value for key, value in found.items()), seed
        assert len(found) > len(rows) - 60, seed
        assert "bad" in reports[0], seed


def test_flips_in_log_and_database_at_once(crashed: tuple[Path, Rows]) -> None:
    database, rows = crashed
    for seed in range(FLIPS // 3):
        generator = random.Random(seed)
        damaged = copy_of(database)
        for _ in range(5):
            flip(damaged, generator)
            flip(wal_path(damaged), generator)
        found, reports = served(damaged)
        assert all(rows[key] == value for key, value in found.items()), seed
        assert len(found) >= len(rows) - 10, seed
        assert reports, seed


def test_what_a_crash_cuts_off_is_no_damage(crashed: tuple[Path, Rows]) -> None:
    """The end of a log that was being written: nobody was told that it was kept."""
    database, rows = crashed
    whole = wal_path(database).read_bytes().rstrip(b"\0")
    for seed in range(FLIPS // 3):
        generator = random.Random(seed)
        damaged = copy_of(database)
        cut = generator.randrange(len(whole))
        wal_path(damaged).write_bytes(whole[:cut] + generator.randbytes(generator.randrange(9000)))
        found, reports = served(damaged)
        assert reports == [], seed
        assert len(found) <= len(rows) + 7, seed


def test_an_older_log_behind_the_end_of_this_one_is_not_read(path: Path, tmp_path: Path) -> None:
    """SQLite writes over its log from the beginning; frames of before have other salts, and whole checksums."""
    store = SqliteDefinitionStore(path)
    fill(store, range(60))
    store._run("PRAGMA wal_checkpoint(RESTART)")
    store.put("queue", "/", "q0", {"last": True})
    store.commit()
    directory = tmp_path / "copy"
    directory.mkdir()
    copy = directory / path.name
    shutil.copyfile(path, copy)
    shutil.copyfile(wal_path(path), wal_path(copy))
    rows = {(kind, vhost, name): value for kind, vhost, name, value in store.load()}
    store.close()
    assert len(read_wal(wal_path(copy).read_bytes()).frames) < 10 < wal_path(copy).stat().st_size // FRAME_BYTES
    assert served(copy) == (rows, [])


def test_a_rebuilt_database_is_taken_even_if_the_process_ended_before(crashed: tuple[Path, Rows]) -> None:
    database, rows = crashed
    rebuilt = copy_of(database)
    SqliteDefinitionStore(rebuilt).close()
    shutil.copyfile(rebuilt, database.with_name(database.name + ".rebuilt"))
    database.write_bytes(b"the damaged one")
    assert served(database) == (rows, [])
    assert not database.with_name(database.name + ".rebuilt").exists()


@pytest.mark.parametrize("order", ["little", "big"])
def test_the_wrong_bit_is_found(order: str) -> None:
    generator = random.Random(1)
    data = generator.randbytes(104)
    before = (generator.getrandbits(32), generator.getrandbits(32))
    right = sums_of(data, before, order)
    assert wrong_bits(data, before, right, order) == []
    for _ in range(50):
        word, bit = generator.randrange(26), generator.randrange(16)
        flipped = with_changed_bit(data, word, bit, order)
        assert wrong_bits(flipped, before, right, order) == [(word, bit)]
        assert with_changed_bit(flipped, word, bit, order) == data


def test_high_bits_may_be_any_of_several_and_are_not_guessed() -> None:
    data = random.Random(2).randbytes(104)
    right = sums_of(data, (0, 0), "little")
    bits = wrong_bits(with_changed_bit(data, 9, 31, "little"), (0, 0), right, "little")
    assert (9, 31) in bits
    assert len(bits) > 1
    assert {bit for _, bit in bits} == {31}


def test_the_checksum_is_the_one_that_sqlite_writes(crashed: tuple[Path, Rows]) -> None:
    database, _ = crashed
    log = wal_path(database).read_bytes()
    order = "big" if log[3] & 1 else "little"
    header = Struct(">2I").unpack_from(log, 24)
    assert sums_of(log[:24], (0, 0), order) == header
    assert sums_of(log[32:40] + log[56 : 56 + 4096], header, order) == Struct(">2I").unpack_from(log, 48)
