"""Tracing (A.7 Firehose): copies of publishes and deliveries, on both brokers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import Delivery, Inbox, Workbench, get, process_until, send, synchronise
from tests.support.brokers import Broker
from tests.support.until import until

TRACE = "amq.rabbitmq.trace"


@pytest.fixture(autouse=True)
def traced(broker: Broker) -> Iterator[None]:
    broker.ctl("trace_on")
    yield
    broker.ctl("trace_off")


def observe(bench: Workbench, key: str) -> Inbox:
    """The copies with this routing key."""
    channel = bench.channel()
    queue = bench.queue(channel, "traces")
    channel.queue_bind(queue, TRACE, key)
    return Inbox(channel, queue, auto_ack=True)


def observe_deliveries(bench: Workbench, channel: BlockingChannel, queue: str) -> Inbox:
    """The copies of what is delivered from now on: another node may hear of a binding a little after it is there."""
    copies = observe(bench, f"deliver.{queue}")

    def poll(body: bytes) -> None:
        send(channel, "", queue, body)
        synchronise(channel)
        assert get(channel, queue) is not None

    def is_copied() -> bool:
        poll(b"probe")
        synchronise(copies.channel)
        return bool(copies.deliveries)

    until(is_copied, copies.channel.connection.process_data_events)
    poll(b"last")
    process_until(copies.channel, lambda: copies.deliveries[-1].body == b"last")
    copies.deliveries.clear()
    return copies


def headers(copy: Delivery) -> dict[str, Any]:
    return dict(copy.properties.headers)


def test_a_publish(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "fanout")
    queue = bench.bound_queue(channel, exchange, "")
    copies = observe(bench, f"publish.{exchange}")
    properties = {"delivery_mode": 2, "priority": 3, "content_type": "text/plain", "headers": {"own": "x"}}
    send(channel, exchange, "key", b"body", **properties)
    (copy,) = copies.wait(1)
    assert (copy.body, copy.exchange, copy.routing_key) == (b"body", TRACE, f"publish.{exchange}")
    said = headers(copy)
    assert said.pop("node")
    connection = said.pop("connection")
    assert connection.endswith(f"-> {bench.address[0]}:{bench.address[1]}")
    assert said == {
        "exchange_name": exchange,
        "routing_keys": ["key"],
        "properties": properties,
        "vhost": "/",
        "channel": channel.channel_number,
        "user": "guest",
        "routed_queues": [queue],
    }


def test_a_delivery_to_a_consumer(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    copies = observe_deliveries(bench, channel, queue)
    inbox = Inbox(channel, queue)
    send(channel, "", queue, b"body")
    channel.basic_nack(inbox.wait(1)[0].tag, requeue=True)
    inbox.wait(2)
    first, second = copies.wait(2)
    assert first.body == b"body"
    said = headers(first)
    assert (said["exchange_name"], said["routing_keys"], said["vhost"]) == ("", [queue], "/")
    assert (said["channel"], said["user"]) == (channel.channel_number, "guest")
    assert "->" in said["connection"]
    assert (said["redelivered"], headers(second)["redelivered"]) == (0, 1)


def test_a_poll(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    copies = observe_deliveries(bench, channel, queue)
    send(channel, "", queue, b"body")
    synchronise(channel)
    assert get(channel, queue) is not None
    assert headers(copies.wait(1)[0])["redelivered"] == 0


def test_extra_routing_keys_of_a_publish(bench: Workbench, channel: BlockingChannel) -> None:
    queue, copy, hidden = bench.queue(channel), bench.queue(channel), bench.queue(channel)
    copies = observe(bench, "publish.")
    send(channel, "", queue, b"body", headers={"CC": [copy], "BCC": [hidden]})
    said = headers(copies.wait(1)[0])
    assert said["routing_keys"] == [queue, copy, hidden]
    assert sorted(said["routed_queues"]) == sorted([queue, copy, hidden])


def test_copies_are_not_copied(bench: Workbench, channel: BlockingChannel) -> None:
    """The queue of the copies gets no copies of its own deliveries; a later publish shows that none are to come."""
    copies = observe(bench, "#")
    queue = bench.queue(channel)
    send(channel, "", queue, b"1", b"2")
    assert copies.bodies(2) == [b"1", b"2"]
    send(channel, "", queue, b"3")
    assert copies.bodies(3) == [b"1", b"2", b"3"]


def test_only_while_it_is_on(bench: Workbench, channel: BlockingChannel, broker: Broker) -> None:
    queue = bench.queue(channel)
    copies = observe(bench, "publish.")
    send(channel, "", queue, b"1")
    copies.wait(1)
    broker.ctl("trace_off")
    send(channel, "", queue, b"2")
    synchronise(channel)
    broker.ctl("trace_on")
    send(channel, "", queue, b"3")
    assert copies.bodies(2) == [b"1", b"3"]
