"""How long the crash test runs: `pytest tests/crash --crash-rounds 200 --crash-seed 7`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.rounds import ROUND_S_MAX, rounds_of


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--crash-rounds", type=int, help="how often the crash test kills the broker under load")
    parser.addoption("--crash-seed", type=int, help="repeats the random choices of a crash test")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """More rounds may take more time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.limits(seconds=rounds_of(config) * ROUND_S_MAX))
