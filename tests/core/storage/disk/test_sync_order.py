"""What is written is synced, and in the order that a power failure at any moment allows."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.core.storage.support import TINY_SEGMENT_BYTES, flush, make_message, open_disk, store


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(system call, file name) of every call that matters, in order."""
    made: list[tuple[str, str]] = []
    for name in ("pwrite", "fsync", "fdatasync", "rename", "unlink"):
        monkeypatch.setattr(os, name, _recorded(made, name, getattr(os, name)))
    return made


def _recorded(made: list[tuple[str, str]], name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def recorded(target: Any, *arguments: Any, **options: Any) -> Any:
        path = Path(f"/proc/self/fd/{target}").readlink() if isinstance(target, int) else Path(target)
        made.append((name, path.name))
        return call(target, *arguments, **options)

    return recorded


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to tell what a descriptor is")
class TestSyncOrder:
    def test_a_flush_syncs_its_data(self, tmp_path: Path, calls: list[tuple[str, str]]) -> None:
        engine = open_disk(tmp_path)
        list(engine.recover())
        store(engine, [b"first"])
        calls.clear()
        store(engine, [b"second"])
        name = f"{0:016x}.log"
        assert calls == [("pwrite", name), ("fdatasync", name)]
        engine.close()

    def test_a_new_segment_is_durable_by_name_too(self, tmp_path: Path, calls: list[tuple[str, str]]) -> None:
        engine = open_disk(tmp_path)
        list(engine.recover())
        calls.clear()
        store(engine, [b"first"])
        name = f"{0:016x}.log"
        assert calls == [("pwrite", name), ("fdatasync", name), ("fsync", "messages")]
        engine.close()

    def test_a_rewritten_segment_is_synced_before_it_gets_its_name(
        self, tmp_path: Path, calls: list[tuple[str, str]]
    ) -> None:
        engine = open_disk(tmp_path, TINY_SEGMENT_BYTES)
        list(engine.recover())
        for message in store(engine, [b"%d" % number for number in range(20)])[1:]:
            engine.settle(1, message)
        flush(engine)
        store(engine, [b"next segment"])
        calls.clear()
        job = engine.begin_maintenance()
        assert job is not None
        job.write()
        name = f"{0:016x}.log.tmp"
        assert calls == [("pwrite", name), ("fsync", name), ("rename", name), ("fsync", "messages")]
        engine.finish_maintenance(job)
        engine.close()

    def test_deleting_is_durable_before_settlements_are_freed(
        self, tmp_path: Path, calls: list[tuple[str, str]]
    ) -> None:
        engine = open_disk(tmp_path, TINY_SEGMENT_BYTES)
        list(engine.recover())
        (message,) = store(engine, [bytes(TINY_SEGMENT_BYTES)])
        store(engine, [b"next segment"], (2,))
        engine.settle(1, message)
        flush(engine)
        calls.clear()
        job = engine.begin_maintenance()
        assert job is not None
        job.write()
        assert calls == [("unlink", f"{0:016x}.log"), ("fsync", "messages")]
        assert engine.statistics()["segments"] == 2
        engine.finish_maintenance(job)
        assert engine.statistics()["segments"] == 1
        engine.close()


def test_a_failing_device_fails_the_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_disk(tmp_path)
    list(engine.recover())
    message = make_message(b"m")
    engine.append(message, (1,))
    job = engine.begin_flush()
    assert job is not None

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        job.write()
    assert not engine.is_written(message)
    engine.close()


def test_a_write_that_the_kernel_takes_in_parts_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_disk(tmp_path)
    list(engine.recover())
    whole_write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, offset: whole_write(descriptor, bytes(data[:7]), offset))
    messages = store(engine, [b"one", b"two", b"three"])
    found = engine.read([message.position for message in messages])
    assert [message and message.body for message in found] == [b"one", b"two", b"three"]
    engine.close()
