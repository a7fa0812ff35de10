"""Brokers and queues for the tests of queue types."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.simulated_broker import SimulatedBroker


@pytest.fixture
def memory() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    yield broker
    broker.settle()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SimulatedBroker]:
    """A broker that pages out as soon as it may."""
    broker = SimulatedBroker(tmp_path, backlog_bytes_max=0)
    yield broker
    broker.settle()
    broker.close()
