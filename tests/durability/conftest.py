"""Starting real brokers on a directory that outlives them, and stopping all that were started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability.backlog_size import backlog_limits
from tests.durability.broker import Starter


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backlog-messages", type=int, help="how many messages the backlog test queues")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A larger backlog may take more."""
    for item in items:
        if item.path == Path(__file__).with_name("test_backlog.py"):
            item.add_marker(backlog_limits(config))


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Starter]:
    """Starts brokers on tmp_path/data.  None may have written a traceback."""
    made = Starter(tmp_path)
    try:
        yield made
    finally:
        made.stop_all()
    assert "Traceback" not in made.log
