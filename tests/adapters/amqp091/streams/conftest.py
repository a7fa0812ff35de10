"""A broker on disk and one connection, for tests of streams over AMQP 0-9-1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.amqp091.streams.talk import Talk
from tests.support.simulated_broker import SimulatedBroker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulatedBroker]:
    made = SimulatedBroker(tmp_path)
    yield made
    made.close()


@pytest.fixture
def talk(broker: SimulatedBroker) -> Talk:
    return Talk(broker)
