"""How long the disk takes is counted, by a clock that the engine is given."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.core.storage.support import open_disk, store
from warren.core.storage.disk.engine import DiskEngine


class Clock:
    """Goes on by what each system call is said to take, and by nothing else."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1_000
        for name, takes_ns in (("pwrite", 10), ("fdatasync", 700), ("pread", 3)):
            monkeypatch.setattr(os, name, self._taking(takes_ns, getattr(os, name)))

    def _taking(self, takes_ns: int, call: Callable[..., Any]) -> Callable[..., Any]:
        def takes(*arguments: Any, **options: Any) -> Any:
            self.now_ns += takes_ns
            return call(*arguments, **options)

        return takes

    def __call__(self) -> int:
        return self.now_ns


def times(engine: DiskEngine) -> tuple[int, int, int]:
    found = engine.statistics()
    return found["read_ns"], found["write_ns"], found["sync_ns"]


def test_reads_writes_and_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    engine = DiskEngine(tmp_path, clock_ns=clock)
    list(engine.recover())
    assert times(engine) == (0, 0, 0)
    (message,) = store(engine, [b"first"])
    assert times(engine) == (0, 10, 700)
    store(engine, [b"second"])
    assert times(engine) == (0, 20, 1400)
    assert message.position is not None
    engine.read([message.position])
    assert times(engine) == (3, 20, 1400)
    engine.close()


def test_without_a_clock_nothing_is_known(tmp_path: Path) -> None:
    engine = open_disk(tmp_path)
    list(engine.recover())
    store(engine, [b"first"])
    assert times(engine) == (0, 0, 0)
    engine.close()
