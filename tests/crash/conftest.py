"""How long the crash test runs: `pytest tests/crash --crash-rounds 200 --crash-seed 7`."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--crash-rounds", type=int, help="how often the crash test kills the broker under load")
    parser.addoption("--crash-seed", type=int, help="repeats the random choices of a crash test")
