"""What AMQP clients did is what is counted: of channel, connection, exchange, queue and virtual host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.counting import counted
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient, publish_frames
from warren.adapters.amqp091.codec import methods
from warren.core.administration.listing.selecting import Query, select
from warren.core.counters import Counts, vhost_counts


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    yield broker
    broker.settle()


def of_channel(client: SimulatedClient, number: int = 1) -> Counts:
    return counted(client.connection.channels.by_number[number].counts.snapshot())


def of_connection(client: SimulatedClient) -> Counts:
    assert client.connection.client is not None
    return counted(client.connection.client.counts.snapshot())


def test_publishes_and_confirms(broker: SimulatedBroker) -> None:
    client = broker.connect(2)
    client.declare("q")
    client.confirm_select(1)
    for _ in range(5):
        client.publish("q", b"x")
    for _ in range(3):
        client.publish("q", b"x", channel=2)
    assert of_channel(client) == {"publish": 5, "confirm": 5}
    assert of_channel(client, 2) == {"publish": 3}
    assert of_connection(client) == {"publish": 8, "confirm": 5}
    assert broker.vhost.default_exchange_counts.snapshot() == {"publish_in": 8, "publish_out": 8}
    assert counted(vhost_counts(broker.vhost)) == {"publish": 8, "confirm": 5}
    assert broker.queue("q").message_counts["publish"] == 8


def test_publishes_of_several_routes_in_one_read(broker: SimulatedBroker) -> None:
    client = broker.connect()
    for name in ("a", "b"):
        client.declare(name)
        client.publish(name, b"first")
    frames = b"".join(publish_frames(name, b"x") for name in ("a", "a", "a", "b", "a"))
    client.send_bytes(frames + frames)
    assert of_channel(client) == {"publish": 12}
    assert [broker.queue(name).message_counts["publish"] for name in ("a", "b")] == [9, 3]
    assert broker.vhost.default_exchange_counts.snapshot() == {"publish_in": 12, "publish_out": 12}


def test_a_read_that_ends_the_connection_has_counted_what_came_before(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q")
    client.publish("q", b"first")
    client.send_bytes(publish_frames("q", b"x") * 3 + b"\x01\0\1\0\0\0\4????!!!!!!!!")
    assert broker.vhost.counts.publish == 4
    assert broker.queue("q").message_counts["publish"] == 4


def test_refused_publishes_are_not_confirmed(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    client.confirm_select()
    for _ in range(5):
        client.publish("q", b"x")
    assert of_channel(client) == {"publish": 5, "confirm": 2}
    assert broker.queue("q").message_counts["publish"] == 2


def test_returned_and_dropped(broker: SimulatedBroker) -> None:
    client = broker.connect()
    for mandatory in (False, False, False, True, True):
        client.publish("nowhere", b"x", mandatory=mandatory)
    expected = {"publish": 5, "return_unroutable": 2, "drop_unroutable": 3}
    assert of_channel(client) == expected
    assert counted(vhost_counts(broker.vhost)) == expected
    assert broker.vhost.default_exchange_counts.snapshot() == {"publish_in": 5, "publish_out": 0}


def test_deliveries_and_what_became_of_them(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    client.declare("dead")
    for _ in range(7):
        client.publish("q", b"x")
    client.qos(7)
    client.consume("q")
    client.ack(1)
    client.ack(3, multiple=True)
    client.nack(4, requeue=False)
    client.nack(5, requeue=True)
    broker.settle()
    queue = broker.queue("q").message_counts
    given = {"deliver": 8, "deliver_get": 8, "redeliver": 1, "ack": 3}
    assert counted(queue) == {"publish": 7, **given, "dead_letter_rejected": 1}
    assert of_channel(client) == {"publish": 7, **given}
    assert counted(vhost_counts(broker.vhost)) == {"publish": 7, **given, "dead_letter_rejected": 1}
    client.close_channel()
    assert of_connection(client) == {"publish": 7, **given}
    assert broker.queue("q").message_counts["ack"] == 3


def test_automatic_acknowledgements_and_polls(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q")
    for _ in range(3):
        client.publish("q", b"x")
    assert client.get("q") is not None
    client.nack(1)
    assert client.get("q") is not None
    client.ack(2)
    assert client.get("q", no_ack=True) is not None
    client.consume("q", no_ack=True)
    broker.settle()
    assert client.get("q") is None
    expected = {
        "publish": 3,
        "get": 2,
        "get_no_ack": 1,
        "get_empty": 1,
        "deliver_no_ack": 1,
        "deliver_get": 4,
        "redeliver": 1,
        "ack": 1,
    }
    assert of_channel(client) == expected
    assert counted(broker.queue("q").message_counts) == expected


def test_acknowledgements_of_a_transaction_count_at_its_commit(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q")
    for _ in range(2):
        client.publish("q", b"x")
    client.send(1, methods.TxSelect())
    client.expect(methods.TxSelectOk)
    client.consume("q")
    client.ack(1)
    client.publish("q", b"x")
    assert of_channel(client) == {"publish": 2, "deliver": 2, "deliver_get": 2}
    client.send(1, methods.TxCommit())
    client.expect(methods.TxCommitOk)
    broker.settle()
    assert of_channel(client) == {"publish": 3, "deliver": 3, "deliver_get": 3, "ack": 1}
    client.ack(2)
    client.send(1, methods.TxRollback())
    client.expect(methods.TxRollbackOk)
    assert of_channel(client)["ack"] == 1


def test_columns_and_rates(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q")
    columns = ("message_stats", "message_rates")
    kinds = ("queues", "exchanges", "channels", "connections", "vhosts")
    for kind in kinds:
        select(broker.broker, Query(kind, columns=columns)).finish()
    for _ in range(10):
        client.publish("q", b"x")
    broker.advance(5_000)
    for kind in kinds:
        rows: Any = select(broker.broker, Query(kind, columns=columns)).finish().rows
        name = "publish_in" if kind == "exchanges" else "publish"
        assert max(row["message_stats"].get(name, 0) for row in rows) == 10
        assert max(row["message_rates"].get(name, 0) for row in rows) == 2.0
        if kind == "connections":
            assert max(row["message_rates"]["recv_oct"] for row in rows) > 0
