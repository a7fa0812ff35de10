"""The end of a connection with very many exclusive queues: they go in slices, and close-ok says that they are gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_stomp import StompClient, answers, frame
from tests.support.tracebacks import tracebacks
from warren.adapters.amqp091.codec import methods
from warren.core.declaring.queues import DELETED_PER_SLICE
from warren.core.storage.recovery import finish_chores

COUNT = 3 * DELETED_PER_SLICE + 7


@pytest.fixture
def broker(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    made = SimulatedBroker()
    yield made
    made.close()
    assert tracebacks(caplog) == []


def owner(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.connect()
    for number in range(COUNT):
        client.send(1, methods.QueueDeclare(queue=f"q{number}", exclusive=True, nowait=True))
        if number % 100 == 0:
            broker.settle()
    broker.settle()
    assert len(broker.vhost.queues) == COUNT
    return client


def most_per_turn(broker: SimulatedBroker) -> int:
    most, more = 0, True
    while more:
        before = len(broker.vhost.queues)
        more = broker.broker.end_turn()
        most = max(most, before - len(broker.vhost.queues))
    return most


def test_a_connection_that_is_lost(broker: SimulatedBroker) -> None:
    client = owner(broker)
    client.transport.lose()
    assert len(broker.vhost.queues) == COUNT
    assert broker.vhost.client_count == 0
    assert most_per_turn(broker) == DELETED_PER_SLICE
    assert not broker.vhost.queues


def test_a_connection_that_is_closed(broker: SimulatedBroker) -> None:
    client = owner(broker)
    client.send(0, methods.ConnectionClose(200, "bye", 0, 0))
    broker.broker.end_turn()
    client.collect()
    assert not client.events, "close-ok comes when they are gone"
    broker.settle()
    assert not broker.vhost.queues
    assert [event.method for event in client.take()] == [methods.ConnectionCloseOk()]


def test_a_stop_meanwhile(broker: SimulatedBroker) -> None:
    client = owner(broker)
    client.transport.lose()
    finish_chores(broker.broker)
    assert not broker.vhost.queues


def test_stomp(broker: SimulatedBroker) -> None:
    client = StompClient(broker)
    client.connect()
    for number in range(COUNT):
        destination = f"/queue/q{number}"
        client.send_bytes(frame("SEND", b"x", destination=destination, durable="false", exclusive="true"))
    assert len(broker.vhost.queues) == COUNT
    client.transport.receive(frame("DISCONNECT", receipt="r"))
    assert most_per_turn(broker) <= DELETED_PER_SLICE
    broker.settle()
    assert not broker.vhost.queues
    assert [each["receipt-id"] for each in answers(client.transport.take())] == ["r"]
