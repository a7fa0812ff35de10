"""A simulated broker per test, which must be empty of unacknowledged deliveries of ended sessions afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import StompClient
from tests.support.tracebacks import errors
from warren.adapters.stomp.settings import StompSettings

Connect = Callable[..., StompClient]


@pytest.fixture
def simulated(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    """A broker in memory; a logged error or a counter that doesn't add up fails the test."""
    broker = SimulatedBroker()
    yield broker
    for session in list(broker.broker.sessions):
        session.force_close("the test is over")
    broker.settle()
    for queue in broker.vhost.queues.values():
        assert queue.unacked_count == 0, queue.name
    assert not broker.broker.dirty_queues
    assert errors(caplog) == []
    broker.close()


@pytest.fixture
def accept(simulated: SimulatedBroker) -> Connect:
    """Opens connections that have said nothing yet."""

    def accept(settings: StompSettings | None = None, peer_host: str = "127.0.0.1") -> StompClient:
        return StompClient(simulated, settings, peer_host)

    return accept


@pytest.fixture
def connect(accept: Connect) -> Connect:
    """Opens connections that are logged in, with 1.2 unless told otherwise."""

    def connect(version: str = "1.2", settings: StompSettings | None = None) -> StompClient:
        return accept(settings).connect(version)

    return connect
