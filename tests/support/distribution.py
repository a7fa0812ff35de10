"""How pytest-xdist shares the tests out: how many workers there are, and which files come first.

More than half of the time a test waits: for a process to start, for a broker that was killed to come back, for clients
of others.  So there are two workers for each processor.  A worker takes a file at a time, and the last file should not
be a long one that the others wait for: files of the folders where tests start processes come first, and then those with
the most tests.  (pytest-xdist's own order is by the number of tests alone, so that files with one test, which are the
longest, come last.)
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parents[1]

FIRST: Final = (
    "installation", "crash", "gateway/cluster", "mutants", "docs", "interop", "browser", "examples", "mqtt",
    "conformance", "wire", "simulation", "upgrade", "plugins/shovel", "benchmarks", "durability", "testing", "stomp",
    "support", "gateway/nats", "gateway/command_line", "plugins/federation", "embedding",
)  # fmt: skip
"""Folders whose files take seconds to minutes, those with the longest first."""


class DistributionPlugin:
    """Orders the tests of a worker."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """A worker's order is the order in which files are given out; without workers it stays as it was."""
        if hasattr(config, "workerinput"):
            long_first(items)


def register(config: pytest.Config) -> None:
    """For pytest_configure."""
    config.option.loadscopereorder = False
    config.pluginmanager.register(DistributionPlugin(), "distribution")


def workers() -> int | None:
    """How many there are for `-n auto`; None leaves it to pytest-xdist, which a variable of the environment tells."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 * processors


def long_first(items: list[pytest.Item]) -> None:
    """Sort tests by their files; within a file their order stays."""
    counts = Counter(item.path for item in items)
    items.sort(key=lambda item: (_rank(item.path), -counts[item.path], str(item.path)))


def _rank(file: Path) -> int:
    inside = file.relative_to(TESTS).parts if file.is_relative_to(TESTS) else ()
    folders = ["/".join(inside[:depth]) for depth in (1, 2)]
    return min((FIRST.index(folder) for folder in folders if folder in FIRST), default=len(FIRST))
