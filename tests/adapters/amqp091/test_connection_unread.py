"""Peers that read slowly or not at all: deliveries stop, commands wait, the hopeless are cut off (spec G)."""

from __future__ import annotations

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import Event, SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.clients.outbox import HIGH_WATER_BYTES


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.connect(channels=3)
    client.declare("q")
    return client


def test_a_consumer_that_does_not_read_stops_getting(broker: SimulatedBroker, client: SimulatedClient) -> None:
    reader = broker.connect()
    reader.consume("q", "a", no_ack=True)
    reader.transport.socket_room = 0
    for _ in range(400):
        client.publish("q", b"x" * 10_000)
    broker.settle()
    queue = broker.queue("q")
    assert reader.transport.unsent_bytes < HIGH_WATER_BYTES + 20_000
    assert queue.ready_count > 250
    reader.transport.read_by_peer(500_000)
    broker.settle()
    assert reader.transport.unsent_bytes < HIGH_WATER_BYTES + 20_000
    reader.transport.read_by_peer(None)
    assert len(reader.take()) == 400
    assert queue.ready_count == 0
    broker.check()


def test_others_are_served_while_one_does_not_read(broker: SimulatedBroker, client: SimulatedClient) -> None:
    stuck, quick = broker.connect(), broker.connect()
    stuck.consume("q", "a")
    quick.consume("q", "b")
    stuck.transport.socket_room = 0
    for _ in range(600):
        client.publish("q", b"x" * 10_000)
    assert len(quick.take()) > 400
    stuck.lose()
    assert len(quick.take()) > 100
    assert broker.queue("q").ready_count == 0
    broker.check()


def test_credit_and_room_may_run_out_together(broker: SimulatedBroker, client: SimulatedClient) -> None:
    reader = broker.connect()
    reader.qos(2)
    reader.consume("q", "a")
    reader.transport.socket_room = 0
    for _ in range(6):
        client.publish("q", b"x" * 600_000)
    broker.settle()
    reader.ack(1)
    broker.settle()
    reader.transport.read_by_peer(None)
    assert [event.method.delivery_tag for event in _deliveries(reader)] == [1, 2, 3]  # type: ignore[union-attr]
    reader.ack(2)
    reader.ack(3)
    assert len(_deliveries(reader)) == 2
    broker.check()


def _deliveries(client: SimulatedClient) -> list[Event]:
    return [event for event in client.take() if isinstance(event.method, methods.BasicDeliver)]


def test_commands_wait_for_a_peer_that_does_not_read_its_replies(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    client.publish("q", b"x" * 3_000_000)
    client.transport.socket_room = 0
    one_get = methods.encode_frame(1, methods.BasicGet(queue="q"))
    back = methods.encode_frame(1, methods.BasicNack(0, True, True))
    client.send_bytes((one_get + back) * 20)
    assert client.transport.paused
    broker.settle()
    assert client.transport.unsent_bytes < 15_000_000
    client.transport.read_by_peer(None)
    assert sum(isinstance(event.method, methods.BasicGetOk) for event in client.take()) == 20
    assert not client.transport.paused


def test_confirms_nobody_reads_stop_the_publisher(broker: SimulatedBroker, client: SimulatedClient) -> None:
    """Publishes known by heart pass no other check than the one at the end of each read."""
    client.confirm_select()
    client.publish("q", b"x")
    client.take()
    client.transport.socket_room = 0
    client.connection.outbox.write(b"\x08\0\0\0\0\0\0\xce" * (1 << 20))
    client.publish("q", b"x")
    assert client.transport.paused


def test_a_peer_that_never_reads_is_cut_off(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("q", b"x" * 9_000_000)
    client.transport.socket_room = 0
    client.send(1, methods.BasicGet(queue="q"))
    broker.settle()
    assert client.transport.paused
    broker.advance(29_999)
    assert not client.transport.closed
    broker.advance(1)
    assert client.transport.aborted
    broker.check()
    assert broker.timers == 0


def test_a_peer_that_reads_slowly_is_not_cut_off(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.publish("q", b"x" * 9_000_000)
    client.transport.socket_room = 0
    client.send(1, methods.BasicGet(queue="q"))
    broker.settle()
    for _ in range(10):
        client.transport.read_by_peer(1000)
        broker.advance(30_000)
    assert not client.transport.closed
    assert client.transport.paused


def test_time_that_passed_before_the_peer_caught_up_does_not_count(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    client.publish("q", b"x" * 9_000_000)
    client.publish("q", b"x" * 9_500_000)
    client.transport.socket_room = 0
    client.send(1, methods.BasicGet(queue="q"))
    broker.settle()
    broker.advance(29_000)
    client.transport.read_by_peer(None)
    broker.settle()
    assert not client.transport.paused
    client.transport.socket_room = 0
    client.send(1, methods.BasicGet(queue="q"))
    broker.settle()
    assert client.transport.paused
    broker.advance(2_000)
    assert not client.transport.closed
    broker.advance(28_000)
    assert client.transport.aborted
