"""Heartbeats in virtual time (spec A.3)."""

from __future__ import annotations

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from warren.adapters.amqp091.codec.framing import HEARTBEAT_FRAME


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    """Heartbeats of 10 s."""
    client = broker.accept()
    client.handshake(heartbeat=10)
    return client


def heartbeats(client: SimulatedClient) -> int:
    return sum(1 for method in client.take_methods() if method is None)


def test_an_idle_connection_hears_a_heartbeat_every_half_interval(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    broker.advance(4_999)
    assert heartbeats(client) == 0
    broker.advance(1)
    assert heartbeats(client) == 1, "the first one too"
    for _ in range(6):
        broker.advance(5_000)
        client.send_bytes(HEARTBEAT_FRAME)
        assert heartbeats(client) == 1


def test_what_is_said_anyway_puts_no_heartbeat_off(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.open()
    for number in range(2, 8):
        client.open(number)
        broker.advance(5_000)
        client.send_bytes(HEARTBEAT_FRAME)
        assert heartbeats(client) == 1


def test_a_silent_client_is_dropped_after_two_to_three_intervals(
    broker: SimulatedBroker, client: SimulatedClient, caplog: pytest.LogCaptureFixture
) -> None:
    broker.advance(10_000)
    broker.advance(9_999)
    assert not client.transport.closed
    broker.advance(10_001)
    assert client.transport.aborted
    assert all(method is None for method in client.take_methods()), "no connection.close"
    assert "missed heartbeats from client, timeout: 10s" in caplog.text
    broker.check()
    assert broker.timers == 0


def test_any_octet_is_a_sign_of_life(broker: SimulatedBroker, client: SimulatedClient) -> None:
    for octet in HEARTBEAT_FRAME * 4:
        broker.advance(10_000)
        assert not client.transport.closed
        client.send_bytes(bytes([octet]))
        broker.advance(9_000)
        assert not client.transport.closed


def test_without_heartbeats_nobody_is_dropped(broker: SimulatedBroker) -> None:
    client = broker.accept()
    client.handshake(heartbeat=0)
    broker.advance(1_000_000)
    assert not client.transport.closed
    assert client.take() == []
    assert broker.timers == 0


def test_silence_does_not_count_while_the_broker_does_not_read(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    client.open()
    client.declare("q")
    broker.broker.alarms.set("memory", True)
    for _ in range(400):
        client.publish("q", b"x" * 4000)
    assert client.transport.paused
    for _ in range(10):
        broker.advance(10_000)
    assert not client.transport.closed
    broker.broker.alarms.set("memory", False)
    broker.settle()
    assert not client.transport.paused
    for _ in range(4):
        broker.advance(10_000)
    assert client.transport.aborted


def test_heartbeats_go_on_while_publishes_are_held(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.open()
    client.declare("q")
    broker.broker.alarms.set("disk", True)
    client.publish("q", b"x")
    client.take()
    for _ in range(10):
        client.send_bytes(HEARTBEAT_FRAME)
        broker.advance(5_000)
    assert not client.transport.closed
    assert heartbeats(client) >= 9


def test_a_peer_that_does_not_read_gets_no_pile_of_heartbeats(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.transport.socket_room = 0
    for _ in range(100):
        client.send_bytes(HEARTBEAT_FRAME)
        broker.advance(5_000)
    assert client.transport.unsent_bytes == len(HEARTBEAT_FRAME)


def test_a_closed_connection_keeps_no_timer(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.close()
    assert broker.timers == 0
