"""A segment without messages is written anew when it is full of notes."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.core.streams.support import files_in, flush, log_on, no_damage, rest, store
from warren.core.storage.files import Files, MemoryFiles
from warren.core.streams import cursor
from warren.core.streams.log import StreamLog
from warren.core.streams.segment_file import rewritten_name

SEGMENT_BYTES: Final = 1000

TIMES: Final = 500

Make = Callable[[StreamLog, Callable[[str], None]], cursor.Cursor]


@pytest.fixture(params=["disk", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return files_in(tmp_path) if request.param == "disk" else MemoryFiles()


def note(log: StreamLog, times: int = TIMES) -> None:
    for number in range(times):
        log.store_offset(b"r", number)
        flush(log)


@pytest.mark.parametrize("messages", [0, 20])
def test_offsets_of_a_quiet_stream_stay_within_a_file(files: Files, messages: int) -> None:
    log = log_on(files, segment_bytes_max=SEGMENT_BYTES)
    for number in range(messages):
        store(log, [b"%d" % number + bytes(100)])
    segments, size = len(log.segments), log.size
    note(log)
    assert len(log.segments) <= segments + 1
    assert log.size <= size + 2 * SEGMENT_BYTES
    log.close()
    again = log_on(files)
    assert again.reports == []
    assert again.tracking.offsets == {b"r": TIMES - 1}
    assert again.end_offset == messages
    again.let_go()


def test_what_is_noted_of_publishers_stays_too(files: Files) -> None:
    log = log_on(files, segment_bytes_max=SEGMENT_BYTES)
    log.append_all([b"\0\0\0\1a"] * 3, 0, b"p", (1, 5, 7))
    flush(log)
    note(log)
    log.close()
    again = log_on(files)
    assert (again.last_publishing_id(b"p"), again.tracking.offsets) == (7, {b"r": TIMES - 1})
    again.let_go()


@pytest.mark.parametrize("make", [cursor.at_first, cursor.at_last, cursor.at_next])
def test_readers_get_what_comes_behind_it(files: Files, make: Make) -> None:
    log = log_on(files, segment_bytes_max=SEGMENT_BYTES)
    log.store_offset(b"r", 7)
    flush(log)
    readers = []
    for _ in range(TIMES // 50):
        reader = make(log, no_damage)
        assert reader.read() is None
        assert reader.is_at_end
        readers.append(reader)
        note(log, 50)
    store(log, [b"a", b"b"])
    store(log, [b"c"])
    assert [[body for _, body in rest(reader)] for reader in readers] == [[b"a", b"b", b"c"]] * len(readers)
    log.let_go()


@pytest.mark.interpreted("it replaces a method of DiskFiles")
def test_a_disk_that_is_full_meanwhile_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_in(tmp_path)
    log = log_on(files, segment_bytes_max=SEGMENT_BYTES)
    write = files.write
    refused: list[str] = []

    def full(name: str, data: bytes, at: int, *, sync: bool) -> None:
        if name == rewritten_name(0) and len(refused) < 2:
            refused.append(name)
            write(name, data[: len(data) // 2], at, sync=False)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(name, data, at, sync=sync)

    monkeypatch.setattr(files, "write", full)
    for number in range(TIMES):
        log.store_offset(b"r", number)
        begun = log.begin_flush(0)
        assert begun is not None
        for _ in range(2):
            try:
                begun.write()
                break
            except OSError:
                continue
        else:
            begun.write()
        log.finish_flush(begun)
    assert len(refused) == 2
    log.close()
    again = log_on(files_in(tmp_path))
    assert again.reports == []
    assert again.tracking.offsets == {b"r": TIMES - 1}
