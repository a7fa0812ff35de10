"""What STOMP clients did is what is counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.counting import counted
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import StompClient, frame
from warren.core.counters import Counts, vhost_counts


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    yield broker
    broker.settle()


def of_connection(client: StompClient) -> Counts:
    return counted(client.session.logged_in.counts.snapshot())


def test_sends_and_receipts(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect()
    client.send_bytes(frame("SEND", b"x", destination="/queue/q") * 4)
    client.send_bytes(frame("SEND", b"x", destination="/queue/q") * 2 + frame("SEND", b"x", destination="/topic/none"))
    client.send("SEND", b"x", destination="/queue/q", receipt="r")
    assert of_connection(client) == {"publish": 8, "confirm": 1, "drop_unroutable": 1}
    assert counted(vhost_counts(broker.vhost)) == {"publish": 8, "confirm": 1, "drop_unroutable": 1}
    assert broker.vhost.default_exchange_counts.snapshot() == {"publish_in": 7, "publish_out": 7}
    assert broker.queue("q").message_counts["publish"] == 7


def test_deliveries_and_what_became_of_them(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect("1.2")
    client.send_bytes(frame("SEND", b"x", destination="/queue/q") * 3)
    messages = client.send("SUBSCRIBE", id="1", destination="/queue/q", ack="client-individual", prefetch_count="3")
    acks = [message["ack"] for message in messages if message.command == "MESSAGE"]
    client.send("ACK", id=acks[0])
    client.send("NACK", id=acks[1], requeue="false")
    client.send("NACK", id=acks[2], requeue="true")
    expected = {"publish": 3, "deliver": 4, "deliver_get": 4, "redeliver": 1, "ack": 1}
    assert of_connection(client) == expected
    assert counted(broker.queue("q").message_counts) == expected
    assert counted(vhost_counts(broker.vhost)) == expected


def test_automatic_acknowledgements(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/q", ack="auto")
    client.send_bytes(frame("SEND", b"x", destination="/queue/q") * 5)
    expected = {"publish": 5, "deliver_no_ack": 5, "deliver_get": 5}
    assert of_connection(client) == expected
    assert counted(broker.queue("q").message_counts) == expected


def test_a_transaction_counts_at_its_commit(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect()
    client.send("BEGIN", transaction="t")
    client.send("SEND", b"x", destination="/queue/q", transaction="t")
    assert of_connection(client) == {}
    client.send("COMMIT", transaction="t")
    assert of_connection(client) == {"publish": 1}
    assert broker.queue("q").message_counts["publish"] == 1
