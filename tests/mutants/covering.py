"""Which tests run the lines of a module: where to look for them, and what a run under a tracer has seen."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import pytest

from tests.mutants.caches import clearing_of

TESTS: Final[Mapping[str, tuple[str, ...]]] = {
    "warren.core.access": ("tests/core/access", "tests/core/administration", "tests/core/declaring"),
    "warren.core": ("tests/core",),
    "warren.adapters.session": ("tests/adapters",),
    "warren.adapters.amqp091": ("tests/adapters/amqp091",),
    "warren.adapters.stomp": ("tests/adapters/stomp",),
    "warren.adapters.mqtt": ("tests/adapters/mqtt",),
    "warren.adapters.websocket": ("tests/adapters/websocket",),
    "warren.adapters": ("tests/adapters",),
    "warren.gateway.configuration": ("tests/gateway/configuration", "tests/docs"),
    "warren.gateway": ("tests/gateway", "tests/embedding"),
}
"""By the longest prefix of a module's name: tests that run in one process with it.  `--tests` says otherwise."""


def places_of(module: str) -> tuple[str, ...]:
    """Where tests of a module are to be looked for; KeyError where this table doesn't know."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        found = TESTS.get(".".join(parts[:length]))
        if found is not None:
            return found
    raise KeyError(module)


@dataclass(frozen=True, slots=True)
class Coverage:
    """lines: by test, what it runs of the module.  seconds: how long each test takes, traced.

    imported: what runs while modules are imported, by whichever test comes first.
    """

    lines: Mapping[str, frozenset[int]]
    seconds: Mapping[str, float]
    imported: frozenset[int] = frozenset()

    def tests_for(self, line: int, last_line: int) -> list[str]:
        """Tests that run any of these lines, the quick ones first; for lines that run while modules are imported, or
        never, those that run anything of the module, and for the former the others behind them.
        """
        wanted = frozenset(range(line, last_line + 1))
        found = {test for test, lines in self.lines.items() if lines & wanted}
        if wanted & self.imported:
            return sorted(
                self.seconds, key=lambda test: (test not in found, test not in self.lines, self.seconds[test])
            )
        return sorted(found or self.lines, key=lambda test: self.seconds.get(test, 0.0))

    @classmethod
    def load(cls, file: Path) -> Coverage:
        content = json.loads(file.read_text())
        lines = {test: frozenset(found) for test, found in content["lines"].items()}
        return cls(lines, content["seconds"], frozenset(content["imported"]))


IMPORT_DEPTH_MAX: Final = 12
"""So many calls may be between a module's own lines and what counts as run by its import."""


class Tracer:
    """A pytest plugin that notes which lines of some files each test runs.

    files: by file, where that is written to at the end.

    What the import of a module runs belongs to all tests that use it, not to the one that happened to be the first.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._lines: dict[str, dict[str, set[int]]] = {file: {} for file in files}
        self._imported: dict[str, set[int]] = {file: set() for file in files}
        self._seconds: dict[str, float] = {}
        self._now: dict[str, set[int]] = {file: set() for file in files}
        self._known: dict[CodeType, str | None] = {}
        self._clearing: list[Callable[[], None]] = []
        sys.settrace(self._trace)

    def pytest_collection_finish(self) -> None:
        self._clearing = clearing_of(self._files)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        for clear in self._clearing:
            clear()
        for lines in self._now.values():
            lines.clear()
        started_at = time.perf_counter()
        threading.settrace(self._trace)
        sys.settrace(self._trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)
            self._seconds[item.nodeid] = time.perf_counter() - started_at
            for file, lines in self._now.items():
                if lines:
                    self._lines[file][item.nodeid] = set(lines)

    def pytest_sessionfinish(self) -> None:
        for file, place in self._files.items():
            lines = {test: sorted(found) for test, found in self._lines[file].items()}
            content = {"lines": lines, "seconds": self._seconds, "imported": sorted(self._imported[file])}
            place.write_text(json.dumps(content))

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        if code not in self._known:
            path = _path(code.co_filename)
            self._known[code] = path if path in self._files else None
        file = self._known[code]
        if file is None:
            return None
        importing = _is_importing(frame)
        lines = (self._imported if importing else self._now)[file]
        if not importing:
            lines.add(frame.f_lineno)

        def local(frame: FrameType, event: str, argument: object) -> Any:
            if event == "line":
                lines.add(frame.f_lineno)
            return local

        return local


def _is_importing(frame: FrameType) -> bool:
    """Whether a module's own lines are among the nearest callers; the program's do not count."""
    caller: FrameType | None = frame
    for _ in range(IMPORT_DEPTH_MAX):
        if caller is None:
            return False
        if caller.f_code.co_name == "<module>":
            return caller.f_globals.get("__name__") != "__main__"
        caller = caller.f_back
    return False


def _path(name: str) -> str:
    return str(Path(name).resolve())


class Chosen:
    """A pytest plugin that runs some tests alone, in the order given."""

    def __init__(self, tests: Iterable[str]) -> None:
        self._rank = {test: rank for rank, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        rest = [item for item in items if item.nodeid not in self._rank]
        items[:] = sorted(
            (item for item in items if item.nodeid in self._rank), key=lambda item: self._rank[item.nodeid]
        )
        if rest:
            config.hook.pytest_deselected(items=rest)
