"""A data directory that can't be used is refused with a text that says what and where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.core.storage.support import open_disk, recover_bodies, segment_files, store
from warren.core.errors import StorageError
from warren.core.storage.disk.records import FORMAT_VERSION, SEGMENT_MAGIC, encode_segment_header


def test_missing_directories_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    engine = open_disk(tmp_path / "a" / "b")
    list(engine.recover())
    store(engine, [b"secret"])
    messages = tmp_path / "a" / "b" / "messages"
    assert messages.stat().st_mode & 0o777 == 0o700
    assert segment_files(tmp_path / "a" / "b")[0].stat().st_mode & 0o777 == 0o600
    engine.close()


@pytest.mark.parametrize("name", ["data", "data/messages", "data/messages/deeper"])
def test_a_file_in_the_way_is_named(tmp_path: Path, name: str) -> None:
    obstacle = tmp_path / name.removesuffix("/deeper")
    obstacle.parent.mkdir(exist_ok=True)
    obstacle.write_text("a file")
    directory = tmp_path / "data" / "messages" if name.endswith("deeper") else tmp_path / "data"
    with pytest.raises(StorageError, match="part of this path is a file") as refused:
        open_disk(directory)
    assert str(directory / "messages") in str(refused.value)
    assert obstacle.read_text() == "a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="make the directory writable"):
            open_disk(tmp_path)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("number", "advice"),
    [(13, "make the directory writable"), (30, "make the directory writable"), (28, "free some space"), (5, "check")],
)
def test_each_refusal_of_the_system_has_its_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    def refuse(path: object, *arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(StorageError, match=advice) as refused:
        open_disk(tmp_path / "data")
    assert os.strerror(number) in str(refused.value)


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    engine = open_disk(tmp_path)
    list(engine.recover())
    store(engine, [b"one"])
    engine.close()
    header = encode_segment_header(1 << 30, 0, version=FORMAT_VERSION + 1)
    newer_file = tmp_path / "messages" / f"{1 << 30:016x}.log"
    newer_file.write_bytes(header)
    before = {path: path.read_bytes() for path in segment_files(tmp_path)}
    engine = open_disk(tmp_path)
    with pytest.raises(StorageError, match=f"message format {FORMAT_VERSION + 1}") as refused:
        engine.recover()
    assert str(newer_file) in str(refused.value)
    engine.close()
    assert {path: path.read_bytes() for path in segment_files(tmp_path)} == before


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "messages").mkdir()
    for name in ("notes.txt", "0000000000000000.log.bak", "FFFFFFFFFFFFFFFF.log"):
        (tmp_path / "messages" / name).write_bytes(SEGMENT_MAGIC)
    engine = open_disk(tmp_path)
    assert recover_bodies(engine) == {}
    assert engine.damage() == []
    names = {path.name for path in (tmp_path / "messages").iterdir()}
    assert names == {"notes.txt", "0000000000000000.log.bak", "FFFFFFFFFFFFFFFF.log", "key"}
    engine.close()
