"""Files of tests are given out with the long ones first, and stay whole."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.distribution import FIRST, TESTS, long_first, workers


def some_of(file: str, count: int) -> list[Any]:
    return [SimpleNamespace(path=(TESTS / file).resolve(), name=f"{file}-{number}") for number in range(count)]


def files_of(items: list[Any]) -> list[str]:
    found: list[str] = []
    for item in items:
        path = cast(Path, item.path)
        file = path.relative_to(TESTS).as_posix() if path.is_relative_to(TESTS) else path.name
        if not found or found[-1] != file:
            found.append(file)
    return found


def test_folders_of_long_files_come_first_and_then_files_with_many_tests() -> None:
    items = [
        *some_of("../examples/test_example.py", 1),
        *some_of("adapters/test_few.py", 2),
        *some_of("adapters/test_many.py", 5),
        *some_of("interop/test_client.py", 1),
        *some_of("core/test_some.py", 3),
        *some_of("crash/test_kill.py", 1),
    ]
    long_first(items)
    assert files_of(items) == [
        "crash/test_kill.py",
        "interop/test_client.py",
        "adapters/test_many.py",
        "core/test_some.py",
        "adapters/test_few.py",
        "test_example.py",
    ]


def test_the_order_within_a_file_stays() -> None:
    items = [each for pair in zip(some_of("core/a.py", 4), some_of("docs/b.py", 4), strict=True) for each in pair]
    long_first(items)
    assert [item.name for item in items] == [f"{file}-{n}" for file in ("docs/b.py", "core/a.py") for n in range(4)]


def test_folders_are_there() -> None:
    assert [folder for folder in FIRST if not (TESTS / folder).is_dir()] == []


def test_there_are_more_workers_than_processors_unless_somebody_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_XDIST_AUTO_NUM_WORKERS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(4)), raising=False)
    assert workers() == 8
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "3")
    assert workers() is None
