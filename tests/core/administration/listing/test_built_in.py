"""Listings: the columns of spec F.8 say what is the case."""

from __future__ import annotations

from typing import cast

import pytest

from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.codec import methods
from warren.core.administration.listing.selecting import Query, select


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


def only(rows: list[dict[str, object]], **wanted: object) -> dict[str, object]:
    found = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    assert len(found) == 1, rows
    return found[0]


def test_queues(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    client.declare("mine", exclusive=True)
    for _ in range(3):
        client.publish("q", b"12345")
    client.get("q")
    client.send(1, methods.BasicConsume(queue="mine", consumer_tag="only", exclusive=True))
    client.declare("one", arguments={"x-single-active-consumer": True})
    client.send(1, methods.BasicConsume(queue="one", consumer_tag="first"))
    client.send(1, methods.BasicConsume(queue="one", consumer_tag="second"))
    client.settle()
    rows = broker.broker.inspect("queues", "/")
    assert only(rows, name="one")["single_active_consumer_tag"] == "first"
    consumers = broker.broker.inspect("consumers", "/")
    assert only(consumers, consumer_tag="first")["activity_status"] == "single_active"
    assert only(consumers, consumer_tag="second")["activity_status"] == "waiting"
    row = only(rows, name="q")
    assert (row["messages"], row["messages_ready"], row["messages_unacknowledged"]) == (3, 2, 1)
    assert (row["message_bytes_ready"], row["consumers"], row["durable"]) == (10, 0, True)
    assert row["owner_pid"] is None
    row = only(rows, name="mine")
    assert row["owner_pid"] == client.connection.name
    assert (row["exclusive"], row["exclusive_consumer_tag"], row["consumers"]) == (True, "only", 1)
    assert broker.broker.inspect("queues", "nowhere") == []


def test_exchanges_and_bindings(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q")
    client.send(1, methods.QueueBind(queue="q", exchange="amq.topic", routing_key="a.#"))
    client.settle()
    exchanges = broker.broker.inspect("exchanges", None)
    assert len(exchanges) == 7
    assert only(exchanges, name="amq.rabbitmq.trace")["internal"] is True
    assert only(exchanges, name="")["type"] == "direct"
    bindings = broker.broker.inspect("bindings", None)
    assert only(bindings, source_name="")["routing_key"] == "q"
    assert only(bindings, source_name="amq.topic")["destination_name"] == "q"


def test_connections_channels_and_consumers(broker: SimulatedBroker) -> None:
    client = broker.connect(channels=2)
    client.declare("q")
    client.qos(7)
    client.consume("q", "a")
    client.confirm_select(2)
    client.publish("q", b"1", channel=2)
    client.settle()
    connection = only(broker.broker.inspect("connections", "/"))
    assert (connection["user"], connection["channels"], connection["state"]) == ("guest", 2, "running")
    channels = broker.broker.inspect("channels", None)
    first, second = only(channels, number=1), only(channels, number=2)
    assert (first["consumer_count"], first["prefetch_count"], first["messages_unacknowledged"]) == (1, 7, 1)
    assert (second["confirm"], second["transactional"]) == (True, False)
    consumer = only(broker.broker.inspect("consumers", None))
    assert (consumer["queue_name"], consumer["consumer_tag"], consumer["prefetch_count"]) == ("q", "a", 7)
    assert consumer["ack_required"] is True
    client.close()
    for what in ("connections", "channels", "consumers"):
        assert broker.broker.inspect(what, None) == []


def test_message_counts_and_rates(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q")
    rates = Query("queues", columns=("message_rates.publish",))
    assert select(broker.broker, rates).finish().rows == [{"message_rates.publish": 0.0}]
    for _ in range(10):
        client.publish("q", b"12345")
    client.get("q")
    client.settle()
    (queue,) = broker.broker.inspect("queues", "/")
    assert cast("dict[str, int]", queue["message_stats"])["publish"] == 10
    assert "message_rates" not in queue, "who lists everything watches nothing"
    exchanges = select(broker.broker, Query("exchanges", columns=("name", "message_stats"))).finish().rows
    default_exchange_counts = broker.broker.vhosts["/"].default_exchange_counts.snapshot()
    assert only(exchanges, name="")["message_stats"] == default_exchange_counts != {"publish_in": 0, "publish_out": 0}
    (connection,) = broker.broker.inspect("connections", "/")
    assert "publish" in cast("dict[str, int]", connection["message_stats"])
    vhosts = Query("vhosts", columns=("message_stats.get", "message_rates.get"))
    assert select(broker.broker, vhosts).finish().rows == [{"message_stats.get": 1, "message_rates.get": 0.0}]
    broker.advance(5_000)
    assert select(broker.broker, rates).finish().rows == [{"message_rates.publish": 2.0}]


def test_virtual_hosts(broker: SimulatedBroker) -> None:
    broker.broker.add_vhost("other", {"description": "second"})
    rows = broker.broker.inspect("vhosts", None)
    assert [row["name"] for row in rows] == ["/", "other"]
    assert rows[1]["description"] == "second"


def test_an_unknown_listing(broker: SimulatedBroker) -> None:
    with pytest.raises(KeyError):
        broker.broker.inspect("marvels", None)
