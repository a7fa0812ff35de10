"""Checksums of the message log begin with a key that nobody who publishes knows."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.storage.support import flip_byte, open_disk, record_ranges, recover_bodies, segment_files, store
from warren.core.storage.disk.engine import DiskEngine
from warren.core.storage.disk.keys import NO_KEY, LogKey, drawn_key, key_in_segment, read_key, write_key
from warren.core.storage.disk.records import (
    FORMAT_VERSION,
    KEYED_START_SIZE,
    MESSAGE,
    SEGMENT_HEADER_SIZE,
    UNKEYED_VERSION,
    decode_segment_header,
    encode_record,
    encode_routing,
    encode_segment_start,
    key_of_start,
)

BODY_SIZE = 200


def filled(directory: Path, body: bytes) -> Path:
    """A store with a message of this body between two others; its only segment."""
    engine = open_disk(directory)
    list(engine.recover())
    for each in (b"first", body, b"last"):
        store(engine, [each])
    engine.close()
    (path,) = segment_files(directory)
    return path


def forged_at(tmp_path: Path, key: Callable[[Path], int]) -> tuple[Path, bytes]:
    """A store with a message whose body is a sound record for the place where it lies, but for what `key` says.

    The position of a body can be foretold: it is where another store of the same messages has it.
    """
    trial = filled(tmp_path / "trial", b"x" * BODY_SIZE)
    place = trial.read_bytes().index(b"x" * BODY_SIZE)
    directory = tmp_path / "data"
    engine = open_disk(directory)
    list(engine.recover())
    engine.close()
    routing = encode_routing((1,), b"\0\0", b"\0\0")
    fields = bytes(8) + routing
    payload = fields + b"forged".ljust(BODY_SIZE - len(fields) - 19)
    forged = encode_record(MESSAGE, place, payload, key(directory))
    assert len(forged) == BODY_SIZE
    path = filled(directory, forged)
    assert path.read_bytes().index(forged) == place
    flip_byte(path, record_ranges(path)[1][0])
    return directory, forged


def log_key(directory: Path) -> LogKey:
    found = read_key(directory / "messages")
    assert found is not None
    return found


def test_a_record_that_a_client_made_up_never_comes_to_life(tmp_path: Path) -> None:
    directory, _ = forged_at(tmp_path, lambda directory: NO_KEY)
    engine = open_disk(directory)
    assert recover_bodies(engine) == {1: [b"first", b"last"]}
    engine.close()


def test_with_the_key_it_would(tmp_path: Path) -> None:
    """So it is the key alone that keeps it dead in the test before."""
    directory, _ = forged_at(tmp_path, lambda directory: log_key(directory).value)
    engine = open_disk(directory)
    assert any(body.startswith(b"forged") for body in recover_bodies(engine)[1])
    engine.close()


def test_each_store_has_its_own_and_keeps_it(tmp_path: Path) -> None:
    keys = set()
    for name in ("a", "b"):
        path = filled(tmp_path / name, b"x")
        key = log_key(tmp_path / name)
        assert key_in_segment(path, 0) == key.value != NO_KEY
        engine = open_disk(tmp_path / name)
        assert recover_bodies(engine) == {1: [b"first", b"x", b"last"]}
        engine.close()
        assert log_key(tmp_path / name) == key
        keys.add(key.value)
    assert len(keys) == 2
    assert (tmp_path / "a" / "messages" / "key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["missing", "flipped", "empty"])
def test_the_file_of_the_key_may_be_lost(tmp_path: Path, damage: str) -> None:
    filled(tmp_path, b"x")
    key = log_key(tmp_path)
    path = tmp_path / "messages" / "key"
    if damage == "missing":
        path.unlink()
    elif damage == "flipped":
        flip_byte(path, 3)
    else:
        path.write_bytes(b"")
    engine = open_disk(tmp_path)
    assert recover_bodies(engine) == {1: [b"first", b"x", b"last"]}
    engine.close()
    assert log_key(tmp_path) == key


def test_what_a_segment_begins_with_may_be_lost(tmp_path: Path) -> None:
    """The header, too: what is behind it is found by the key in the file."""
    path = filled(tmp_path, b"x")
    data = path.read_bytes()
    path.write_bytes(bytes(KEYED_START_SIZE) + data[KEYED_START_SIZE:])
    engine = open_disk(tmp_path)
    assert recover_bodies(engine) == {1: [b"first", b"x", b"last"]}
    assert engine.damage()
    engine.close()


def test_where_both_are_lost_nothing_is_thrown_away(tmp_path: Path) -> None:
    path = filled(tmp_path, b"x")
    data = path.read_bytes()
    path.write_bytes(bytes(KEYED_START_SIZE) + data[KEYED_START_SIZE:])
    (tmp_path / "messages" / "key").unlink()
    engine = open_disk(tmp_path)
    assert recover_bodies(engine) == {}
    assert engine.damage()
    engine.close()
    kept = b"".join(each.read_bytes() for each in (tmp_path / "messages" / "quarantine").iterdir())
    assert data[KEYED_START_SIZE:].rstrip(b"\0") in kept


def as_version_2(directory: Path) -> None:
    """Write a store of three messages as Warren did before there were keys."""
    path = filled(directory, b"x")
    data = path.read_bytes()
    shift = KEYED_START_SIZE - SEGMENT_HEADER_SIZE
    records = []
    for start, end in record_ranges(path):
        kind, payload = data[start + 6], data[start + 19 : end]
        records.append(encode_record(kind, start - shift, payload, NO_KEY))
    path.write_bytes(encode_segment_start(0, 0, NO_KEY) + b"".join(records))
    (directory / "messages" / "key").unlink()


@pytest.mark.parametrize("restarts", [1, 3])
def test_an_older_store_is_read_and_goes_on_in_a_segment_of_its_own(tmp_path: Path, restarts: int) -> None:
    as_version_2(tmp_path)
    bodies = [b"first", b"x", b"last"]
    for number in range(restarts):
        engine = open_disk(tmp_path)
        assert recover_bodies(engine) == {1: bodies}
        assert engine.damage() == []
        bodies.append(b"%d" % number)
        store(engine, bodies[-1:])
        engine.close()
    old, new = segment_files(tmp_path)
    assert decode_segment_header(old.read_bytes())[0] == UNKEYED_VERSION
    assert decode_segment_header(new.read_bytes())[0] == FORMAT_VERSION
    assert key_in_segment(old, 0) is None
    assert key_in_segment(new, int(new.name[:16], 16)) == log_key(tmp_path).value


@pytest.mark.parametrize("loses_header", [False, True])
def test_damage_to_an_older_segment_is_seen_to_as_before(tmp_path: Path, loses_header: bool) -> None:
    as_version_2(tmp_path)
    engine = open_disk(tmp_path)
    list(engine.recover())
    store(engine, [b"new"])
    engine.close()
    old = segment_files(tmp_path)[0]
    flip_byte(old, 3 if loses_header else record_ranges(old)[1][0] + 3)
    engine = open_disk(tmp_path)
    expected = [b"first", b"x", b"last", b"new"] if loses_header else [b"first", b"last", b"new"]
    assert recover_bodies(engine) == {1: expected}
    engine.close()


def test_an_older_segment_keeps_its_way_when_it_is_compacted(tmp_path: Path) -> None:
    as_version_2(tmp_path)
    engine = open_disk(tmp_path)
    list(engine.recover())
    flip_byte(segment_files(tmp_path)[0], record_ranges(segment_files(tmp_path)[0])[0][0] + 3)
    store(engine, [b"new"])
    engine.close()
    for _ in range(2):
        engine = open_disk(tmp_path)
        assert recover_bodies(engine) == {1: [b"x", b"last", b"new"]}
        _maintain(engine)
        engine.close()


def _maintain(engine: DiskEngine) -> None:
    for _ in range(10):
        job = engine.begin_maintenance()
        if job is not None:
            job.write()
            engine.finish_maintenance(job)


def test_a_key_that_cannot_be_kept_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk keeps no broker from starting: it writes as before, and the next start tries again."""
    rename = os.rename

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    path = filled(tmp_path, b"x")
    assert key_in_segment(path, 0) is None
    monkeypatch.setattr(os, "rename", rename)
    engine = open_disk(tmp_path)
    assert recover_bodies(engine) == {1: [b"first", b"x", b"last"]}
    store(engine, [b"new"])
    engine.close()
    assert [key_in_segment(each, int(each.name[:16], 16)) for each in segment_files(tmp_path)] == [
        None,
        log_key(tmp_path).value,
    ]


def test_keys_of_segments_and_files() -> None:
    key = drawn_key([5, 90])
    assert key.of_segment(90) == NO_KEY
    assert key.of_segment(91) == key.value
    start = encode_segment_start(91, 0, key.value)
    assert len(start) == KEYED_START_SIZE
    assert key_of_start(start, 91) == key.value
    assert key_of_start(start, 92) is None
    assert key_of_start(start[:-1], 91) is None
    for offset in range(SEGMENT_HEADER_SIZE, KEYED_START_SIZE):
        flipped = bytearray(start)
        flipped[offset] ^= 1
        assert key_of_start(bytes(flipped), 91) is None


def test_a_key_is_kept_whole(tmp_path: Path) -> None:
    write_key(tmp_path, LogKey(7, 1 << 40))
    assert read_key(tmp_path) == LogKey(7, 1 << 40)
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
