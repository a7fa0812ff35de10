"""A simulated broker per test, which must be empty of unacknowledged deliveries of ended sessions afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.amqp10_turns import MANY, WIDE, queue_of
from tests.support.simulated_amqp10 import Amqp10Client
from tests.support.simulated_broker import SimulatedBroker
from tests.support.tracebacks import errors
from warren.adapters.amqp10.settings import Amqp10Settings
from warren.core.queues.classic.queue import ClassicQueue

Connect = Callable[..., Amqp10Client]


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
def durable(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    """On disk: it can be restarted, and crash."""
    broker = SimulatedBroker(tmp_path)
    yield broker
    broker.close()
    assert errors(caplog) == []


@pytest.fixture
def accept(simulated: SimulatedBroker) -> Connect:
    """Opens connections that have said nothing yet."""

    def accept(settings: Amqp10Settings | None = None, peer_host: str = "127.0.0.1") -> Amqp10Client:
        return Amqp10Client(simulated, settings, peer_host)

    return accept


@pytest.fixture
def connect(accept: Connect) -> Connect:
    """Opens connections with a session on channel 0."""

    def connect(settings: Amqp10Settings | None = None, window: int = 2048, **fields: Any) -> Amqp10Client:
        return accept(settings).open(**fields).begin(window=window)

    return connect


@pytest.fixture
def consuming(connect: Connect, simulated: SimulatedBroker) -> tuple[ClassicQueue, Amqp10Client]:
    """A client that has all messages of the queue, unsettled, by the link with the handle 1."""
    queue = queue_of(simulated, MANY)
    client = connect(window=WIDE)
    client.attach_receiver("/queues/q")
    client.credit(MANY, incoming_window=WIDE)
    while queue.unacked_count < MANY:
        client.take()
    return queue, client
