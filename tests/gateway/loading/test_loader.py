"""Imports behind the ready line: in their order, what somebody waits for first, and without the hub."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import trio

from warren.gateway.loading.loader import Loader

TIME_LIMIT_S = 60

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes modules that note in `loaded_here.LOADED` that they are imported, in which thread."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    (tmp_path / "loaded_here.py").write_text("LOADED = []\nTHREADS = set()\n")

    def write(*names: str, body: str = "") -> None:
        for name in names:
            (tmp_path / f"{name}.py").write_text(
                f"import threading, loaded_here\nloaded_here.LOADED.append({name!r})\n"
                f"loaded_here.THREADS.add(threading.current_thread())\n{body}\n"
            )

    yield write
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == tmp_path:
            del sys.modules[name]


def loaded() -> list[str]:
    """What has been imported, in that order."""
    found = sys.modules.get("loaded_here")
    return list(found.LOADED) if found is not None else []


async def done(loader: Loader) -> None:
    with trio.fail_after(TIME_LIMIT_S):
        await loader.done()


async def test_in_order_and_in_another_thread(write: Write) -> None:
    write("first_here", "second_here", "third_here")
    loader, called = Loader(), list[str]()
    loader.soon("first_here", "second_here")
    loader.call_soon(lambda: called.extend(loaded()))
    loader.soon("third_here")
    assert loaded() == []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(loader.run)
        await done(loader)
        nursery.cancel_scope.cancel()
    assert loaded() == ["first_here", "second_here", "third_here"]
    assert called == ["first_here", "second_here"]
    assert loader.has(["first_here", "third_here"])
    assert not loader.has(["first_here", "fourth_here"])
    assert threading.current_thread() not in sys.modules["loaded_here"].THREADS


async def test_who_waits_is_first_and_told_in_trios_thread(write: Write) -> None:
    write("slow_here", "other_here", "wanted_here", "late_here")
    told: list[tuple[object, list[str], threading.Thread]] = []
    loader = Loader()

    def then(problem: Exception | None) -> None:
        told.append((problem, loaded(), threading.current_thread()))

    loader.soon("slow_here")
    loader.soon("other_here")
    loader.now(("wanted_here",), then)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(loader.run)
        await done(loader)
        loader.now(("wanted_here",), then)
        loader.now(("late_here",), then)
        await done(loader)
        nursery.cancel_scope.cancel()
    here = threading.current_thread()
    first = ["wanted_here"]
    assert told == [
        (None, first, here),
        (None, [*first, "slow_here", "other_here"], here),
        (None, [*first, "slow_here", "other_here", "late_here"], here),
    ]


async def test_what_fails_is_told_and_can_be_tried_again(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write("good_here")
    problems: list[Exception | None] = []
    loader = Loader()
    loader.soon("missing_here")
    loader.soon("good_here")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(loader.run)
        await done(loader)
        assert loaded() == ["good_here"]
        loader.now(("missing_here",), problems.append)
        await done(loader)
        write("missing_here")
        sys.path_importer_cache.clear()
        loader.now(("missing_here",), problems.append)
        await done(loader)
        nursery.cancel_scope.cancel()
    failed, went = problems
    assert isinstance(failed, ModuleNotFoundError)
    assert went is None
    said = [record.getMessage() for record in caplog.records if record.name == "warren.start"]
    assert len(said) == 2
    assert all("No module named 'missing_here'" in line for line in said)


async def test_the_end_waits_for_the_import_at_hand_alone(write: Write) -> None:
    write("begun_here", body="from loaded_here import go_on, begun\nbegun.set()\ngo_on.wait(30)")
    write("never_here")
    loader = Loader()
    loaded_here: Any = import_module("loaded_here")
    loaded_here.go_on, loaded_here.begun = threading.Event(), threading.Event()
    loader.soon("begun_here")
    loader.soon("never_here")
    before_s = sys.getswitchinterval()
    with trio.fail_after(TIME_LIMIT_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(loader.run)
            await trio.to_thread.run_sync(loaded_here.begun.wait)
            assert sys.getswitchinterval() < before_s
            nursery.cancel_scope.cancel()
            loaded_here.go_on.set()
    assert loaded() == ["begun_here"]
    assert loader.has(["begun_here"])
    assert sys.getswitchinterval() == before_s
