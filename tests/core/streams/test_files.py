"""The files of a stream: the same on disk and in memory, and few descriptors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.core.streams.support import log_on, no_damage, rest, store
from warren.core.storage.disk.stream_files import DiskFiles, OpenFiles
from warren.core.storage.files import Files, MemoryFiles
from warren.core.streams import cursor


@pytest.fixture(params=["disk", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return DiskFiles(tmp_path / "stream", OpenFiles(2)) if request.param == "disk" else MemoryFiles()


def test_what_is_written_is_read(files: Files) -> None:
    files.write("a", b"01234", 0, sync=True)
    files.write("a", b"56", 5, sync=False)
    assert files.read("a", 3, 3) == b"345"
    assert files.read("a", 100, 5)[:2] == b"56"
    assert list(files.names()) == ["a"]


def test_a_file_is_cut(files: Files) -> None:
    files.write("a", b"01234", 0, sync=True)
    files.truncate("a", 2)
    assert files.size("a") == 2
    assert files.read("a", 10, 0) == b"01"
    files.write("a", b"xy", 2, sync=True)
    assert files.read("a", 4, 0) == b"01xy"


def test_what_is_removed_is_gone(files: Files) -> None:
    files.write("a", b"0", 0, sync=True)
    files.write("b", b"0", 0, sync=True)
    files.remove("a")
    files.remove("a")
    files.sync_names()
    assert list(files.names()) == ["b"]
    with pytest.raises(FileNotFoundError):
        files.read("a", 1, 0)
    files.remove_all()
    files.remove_all()
    assert list(files.names()) == []


def test_a_log_works_on_both(files: Files) -> None:
    log = log_on(files)
    records = [b"%d" % number for number in range(100)]
    for record in records:
        store(log, [record])
    assert [record for _, record in rest(cursor.at_first(log, no_damage))] == records
    log.close()
    assert [record for _, record in rest(cursor.at_first(log_on(files), no_damage))] == records
    log.let_go()
    files.remove_all()
    assert list(files.names()) == []


def test_few_descriptors_are_open_however_many_segments_are_read(tmp_path: Path) -> None:
    open_files = OpenFiles(3)
    log = log_on(DiskFiles(tmp_path, open_files), segment_bytes_max=100)
    for number in range(50):
        store(log, [b"%d" % number])
    assert len(log.segments) > 10
    before = len(os.listdir("/proc/self/fd"))
    assert len(list(rest(cursor.at_first(log, no_damage)))) == 50
    assert len(open_files) == 3
    open_files.close_all()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_space_is_reserved_ahead_and_given_back(tmp_path: Path) -> None:
    files = DiskFiles(tmp_path, OpenFiles(), allocation_step=1 << 20)
    log = log_on(files, segment_bytes_max=10**6)
    store(log, [b"a"])
    path = next(tmp_path.glob("*.segment"))
    reserved = path.stat().st_size
    assert reserved >= 1 << 20
    used = log.size
    log.close()
    assert path.stat().st_size == used


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotADirectoryError):
        log_on(DiskFiles(tmp_path / "file" / "stream", OpenFiles()))
