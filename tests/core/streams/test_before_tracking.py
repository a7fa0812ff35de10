"""A stream that was written before anything was noted of publishers and readers opens as before, and goes on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.core.streams.support import files_in, flush, log_on, no_damage, rest, store
from warren.core.streams import cursor
from warren.core.streams.chunk import record_entry
from warren.core.streams.log import StreamLog

STORED: Final = Path(__file__).parent / "before_tracking"

COUNT: Final = 30

BODIES: Final = [b"message %d" % number for number in range(COUNT)]


@pytest.fixture(params=["as it was", "without indexes", "with a torn tail"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    for path in STORED.iterdir():
        if path.suffix == ".segment" or (path.suffix == ".index" and request.param != "without indexes"):
            shutil.copyfile(path, tmp_path / path.name)
    if request.param == "with a torn tail":
        last = max(tmp_path.glob("*.segment"))
        last.write_bytes(last.read_bytes() + bytes(100))
    return tmp_path


def bodies(log: StreamLog) -> list[bytes]:
    return [record for _, record in rest(cursor.at_first(log, no_damage))]


def test_everything_is_there(directory: Path) -> None:
    log = log_on(files_in(directory))
    assert log.reports == []
    assert (log.first_offset, log.end_offset, len(log.segments)) == (0, COUNT, 3)
    assert bodies(log) == BODIES
    assert not log.tracking
    for offset in range(COUNT):
        found = [each for each, _ in rest(cursor.at_offset(log, offset, no_damage))]
        assert found == list(range(offset - offset % 3, COUNT))
        assert next(rest(cursor.at_time(log, 1000 + offset // 3, no_damage)))[0] == offset - offset % 3
    log.let_go()


def test_what_is_noted_from_now_on_is_there_later(directory: Path) -> None:
    log = log_on(files_in(directory))
    log.store_offset(b"r", 7)
    flush(log, 2000)
    log.append_all([record_entry(b"new")], 2001, b"p", (5,))
    flush(log, 2001)
    log.close()
    again = log_on(files_in(directory), segment_bytes_max=100)
    assert again.reports == []
    assert (again.last_publishing_id(b"p"), again.tracking.offsets) == (5, {b"r": 7})
    store(again, [b"newer"], 2002)
    again.close()
    last = log_on(files_in(directory))
    assert (last.last_publishing_id(b"p"), last.tracking.offsets) == (5, {b"r": 7})
    assert bodies(last) == [*BODIES, b"new", b"newer"]
    last.let_go()
