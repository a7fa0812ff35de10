"""Starting real brokers on a directory that outlives them, and stopping all that were started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability.broker import Starter
from tests.support.time_limit import time_limit

TEST_TIME_LIMIT_S = 60.0
"""Most take a second or two; nothing here may hang."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backlog-messages", type=int, help="how many messages the backlog test queues")


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """No test waits for ever; one that sets a limit of its own goes by that."""
    with time_limit(TEST_TIME_LIMIT_S):
        yield


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Starter]:
    """Starts brokers on tmp_path/data.  None may have written a traceback."""
    made = Starter(tmp_path)
    try:
        yield made
    finally:
        made.stop_all()
    assert "Traceback" not in made.log
