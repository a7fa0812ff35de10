"""A simulated broker for each test, and clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.mqtt.place import Place
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from tests.support.tracebacks import tracebacks
from warren.adapters.mqtt.codec import versions

Connected = Callable[..., MqttClient]


@pytest.fixture
def simulated(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    """In memory; a logged traceback fails the test."""
    broker = SimulatedBroker()
    yield broker
    broker.close()
    assert tracebacks(caplog) == []


@pytest.fixture
def durable(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    """On disk: it can be restarted, and crash."""
    broker = SimulatedBroker(tmp_path)
    yield broker
    broker.close()
    assert tracebacks(caplog) == []


@pytest.fixture(params=[versions.V3_1, versions.V3_1_1, versions.V5], ids=["3.1", "3.1.1", "5"])
def level(request: pytest.FixtureRequest) -> int:
    """Each version in turn."""
    found: int = request.param
    return found


@pytest.fixture
def client(simulated: SimulatedBroker) -> Connected:
    """Makes a connected client: client(client_id, level, **connect's arguments)."""

    def connected(client_id: str = "client", level: int = versions.V5, **more: Any) -> MqttClient:
        made = MqttClient(simulated, level)
        assert made.connect(client_id, **more).reason_code == 0
        return made

    return connected


@pytest.fixture(scope="session")
def shared_place() -> Iterator[Place]:
    """One broker for all packets that are wrong: each leaves it as it was."""
    made = Place()
    yield made
    made.simulated.close()


@pytest.fixture
def place(shared_place: Place, caplog: pytest.LogCaptureFixture) -> Iterator[Place]:
    """The same; a logged traceback fails the test."""
    yield shared_place
    shared_place.sweep()
    assert tracebacks(caplog) == []
