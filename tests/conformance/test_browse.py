"""Looking into a queue with `warren ctl browse_queue` while real clients use it.

RabbitMQ's command line has nothing like it, so these tests talk to Warren only.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import Inbox, Workbench, drain, fill, numbered, send, synchronise
from tests.support.brokers import Broker


@pytest.fixture(autouse=True)
def warren_only(broker_process: Broker) -> None:
    if not broker_process.is_warren:
        pytest.skip("RabbitMQ's command line can't browse")


def browse(broker: Broker, *words: str) -> list[dict[str, Any]]:
    return list(json.loads(broker.ctl("browse_queue", *words, "--formatter", "json")))


def test_it_shows_what_waits_and_leaves_it_there(bench: Workbench, channel: BlockingChannel, broker: Broker) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 5)
    assert [row["body"] for row in browse(broker, queue)] == ["1", "2", "3", "4", "5"]
    assert [(row["position"], row["body"]) for row in browse(broker, queue, "3", "1")] == [(3, "4")]
    assert drain(channel, queue) == numbered(5)


def test_filters(bench: Workbench, channel: BlockingChannel, broker: Broker) -> None:
    exchange = bench.exchange(channel, "fanout")
    queue = bench.bound_queue(channel, exchange, "")
    send(channel, exchange, "orders.new", b"first", message_id="one", headers={"region": "north", "size": 3})
    send(channel, exchange, "orders.old", b"second", message_id="two", headers={"region": "south", "size": 3})
    synchronise(channel)
    for word, positions in (
        ("routing_key=orders.old", [1]),
        ("header.region=north", [0]),
        ("header.size=3", [0, 1]),
        ("message_id=two", [1]),
        ("body=sec", [1]),
        ("exchange=nowhere", []),
    ):
        assert [row["position"] for row in browse(broker, queue, "0", "10", word)] == positions, word


def test_what_somebody_holds_is_not_there(bench: Workbench, channel: BlockingChannel, broker: Broker) -> None:
    queue = bench.queue(channel)
    channel.basic_qos(prefetch_count=1)
    inbox = Inbox(channel, queue)
    fill(channel, queue, 3)
    held = inbox.wait(1)[0]
    assert [row["body"] for row in browse(broker, queue)] == ["2", "3"]
    channel.basic_cancel(inbox.tag)
    channel.basic_nack(held.tag, requeue=True)
    synchronise(channel)
    rows = browse(broker, queue)
    assert [(row["body"], row["redelivered"]) for row in rows] == [("1", True), ("2", False), ("3", False)]
