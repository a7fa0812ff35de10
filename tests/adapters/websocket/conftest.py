"""A simulated broker for each test, which must be as empty afterwards as it was before."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_websocket import WebSocketClient
from tests.support.tracebacks import tracebacks

Connect = Callable[..., WebSocketClient]


@pytest.fixture
def simulated(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    """In memory; a logged traceback fails the test."""
    caplog.set_level("INFO")
    broker = SimulatedBroker()
    yield broker
    assert tracebacks(caplog) == []
    broker.close()


@pytest.fixture
def connect(simulated: SimulatedBroker) -> Iterator[Connect]:
    """Opens connections that have said nothing yet; when they are gone, no session and no deadline may be left."""
    clients: list[WebSocketClient] = []

    def connect(peer_host: str = "127.0.0.1", **changes: object) -> WebSocketClient:
        clients.append(WebSocketClient(simulated, peer_host, **changes))
        return clients[-1]

    yield connect
    for client in clients:
        client.transport.lose()
    simulated.settle()
    assert not simulated.broker.sessions
    assert deadlines_of_adapters(simulated) == []


def deadlines_of_adapters(simulated: SimulatedBroker) -> list[str]:
    """What stages and sessions have scheduled; the broker's own deadlines, such as statistics, may come and go."""
    calls = [entry[2]._call for entry in simulated.broker.deadlines._heap if entry[2].is_pending]
    return [repr(call) for call in calls if call is not None and _module(call).startswith("warren.adapters.")]


def _module(call: Callable[[int], None]) -> str:
    """Where it comes from; a compiled method says it by its object alone."""
    return call.__module__ or type(getattr(call, "__self__", call)).__module__


@pytest.fixture(params=["whole", "byte by byte", "1", "2", "3"])
def cut(request: pytest.FixtureRequest) -> str:
    """How what is sent is cut; see simulated_websocket."""
    found: str = request.param
    return found
