"""Exchanges that delay, x-local-random, and deduplication before routing, through a real client (A.6 Types).

Debian's RabbitMQ has none of them, so these tests talk to Warren only.  Other types are in test_spreading_exchanges.py.
"""

from __future__ import annotations

import json
import time

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Inbox,
    Refusal,
    Workbench,
    assert_refused,
    drain,
    numbered,
    ready_count,
    refusal_of,
    send,
    synchronise,
)
from tests.support.brokers import Broker


@pytest.fixture(autouse=True)
def warren_only(broker_process: Broker) -> None:
    if not broker_process.is_warren:
        pytest.skip("needs plugins that Debian's RabbitMQ doesn't have")


def delayed_exchange(bench: Workbench, channel: BlockingChannel, inner: str = "direct", **arguments: object) -> str:
    return bench.exchange(channel, "x-delayed-message", arguments={"x-delayed-type": inner, **arguments})


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_local_random_spreads_messages(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "x-local-random")
    queues = [bench.bound_queue(channel, exchange, "") for _ in range(3)]
    send(channel, exchange, "key", *numbered(120))
    synchronise(channel)
    counts = [len(drain(channel, queue)) for queue in queues]
    assert sum(counts) == 120
    assert min(counts) >= 10


def test_a_delayed_message_arrives_later_with_its_delay_negated(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = delayed_exchange(bench, channel)
    inbox = Inbox(channel, bench.bound_queue(channel, exchange, "key"), auto_ack=True)
    sent_at_ms = now_ms()
    send(channel, exchange, "key", b"later", headers={"x-delay": 150, "other": "x"}, message_id="7")
    send(channel, exchange, "key", b"at once")
    send(channel, exchange, "key", b"sooner", headers={"x-delay": "50"})
    deliveries = inbox.wait(3)
    assert [delivery.body for delivery in deliveries] == [b"at once", b"sooner", b"later"]
    assert now_ms() - sent_at_ms >= 150
    assert deliveries[2].properties.headers == {"x-delay": -150, "other": "x"}
    assert deliveries[2].properties.message_id == "7"
    assert deliveries[1].properties.headers == {"x-delay": -50}


def test_a_point_in_time(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = delayed_exchange(bench, channel, "fanout")
    inbox = Inbox(channel, bench.bound_queue(channel, exchange, ""), auto_ack=True)
    at_ms = now_ms() + 100
    send(channel, exchange, "", b"later", headers={"x-deliver-at": at_ms})
    send(channel, exchange, "", b"past", headers={"x-deliver-at": at_ms - 1000})
    assert inbox.bodies(2) == [b"past", b"later"]
    assert now_ms() >= at_ms


def test_a_mandatory_delayed_message_is_confirmed_and_not_returned(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = delayed_exchange(bench, channel)
    channel.confirm_delivery()
    properties = pika.BasicProperties(headers={"x-delay": 3_600_000}, delivery_mode=2)
    channel.basic_publish(exchange, "nobody", b"m", properties, mandatory=True)
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish(exchange, "nobody", b"m", mandatory=True)


def test_delayed_messages_can_be_listed_and_cancelled(
    bench: Workbench, channel: BlockingChannel, broker: Broker
) -> None:
    exchange = delayed_exchange(bench, channel)
    queue = bench.bound_queue(channel, exchange, "key")
    for delay_ms in (200, 3_600_000):
        send(channel, exchange, "key", b"m", headers={"x-delay": delay_ms}, message_id=str(delay_ms))
    synchronise(channel)
    rows = json.loads(broker.ctl("list_delayed_messages", exchange, "--formatter", "json"))
    assert rows[-1]["message_id"] == "3600000"
    assert (rows[-1]["routing_key"], rows[-1]["body_bytes"]) == ("key", 1)
    broker.ctl("cancel_delayed_message", exchange, rows[-1]["id"])
    assert Inbox(channel, queue, auto_ack=True).bodies(1) == [b"m"]
    assert json.loads(broker.ctl("list_delayed_messages", exchange, "--formatter", "json")) == []


def test_duplicates_are_dropped_and_confirmed(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "topic", arguments={"x-message-deduplication": True, "x-cache-size": 10})
    queue = bench.bound_queue(channel, exchange, "#")
    channel.confirm_delivery()
    for body, value in ((b"1", "a"), (b"2", "a"), (b"3", "b"), (b"4", None)):
        headers = {} if value is None else {"x-deduplication-header": value}
        channel.basic_publish(exchange, "key", body, pika.BasicProperties(headers=headers), mandatory=True)
    assert ready_count(channel, queue) == 3
    assert drain(channel, queue) == [b"1", b"3", b"4"]


DECLARATIONS = [
    ("x-delayed-message", {}, "'x-delayed-type' must be an existing exchange type"),
    ("x-delayed-message", {"x-delayed-type": "x-delayed-message"}, "'x-delayed-message' can't be used"),
    ("x-delayed-message", {"x-delayed-type": "nothing"}, "unknown exchange type 'nothing'"),
    ("fanout", {"x-message-deduplication": True, "x-cache-size": 0}, "invalid arg 'x-cache-size'"),
    ("fanout", {"x-message-deduplication": 1}, "invalid arg 'x-message-deduplication'"),
]


@pytest.mark.parametrize(("kind", "arguments", "text"), DECLARATIONS)
def test_refused_declarations(
    bench: Workbench, channel: BlockingChannel, kind: str, arguments: dict[str, object], text: str
) -> None:
    name = bench.name()
    refusal = refusal_of(lambda: channel.exchange_declare(name, kind, arguments=arguments), channel)
    assert_refused(refusal, Refusal("channel", 406, text))


def test_local_random_takes_classic_queues_without_a_key(bench: Workbench, channel: BlockingChannel) -> None:
    exchange, queue = bench.exchange(channel, "x-local-random"), bench.queue(channel)
    other = bench.queue(channel, durable=True, arguments={"x-queue-type": "quorum"})
    for name, key, text in (
        (queue, "key", "Non empty binding 'key' key not permitted"),
        (other, "", "Queue type quorum not valid for this exchange type"),
    ):
        opened = channel.connection.channel()
        refusal = refusal_of(lambda opened=opened, name=name, key=key: opened.queue_bind(name, exchange, key), opened)  # type: ignore[misc]
        assert_refused(refusal, Refusal("channel", 406, text))


@pytest.mark.parametrize("delay", [0, -1, -(2**40), "soon", True, None, [5]])
def test_what_is_no_delay_arrives_at_once(bench: Workbench, channel: BlockingChannel, delay: object) -> None:
    exchange = delayed_exchange(bench, channel)
    queue = bench.bound_queue(channel, exchange, "key")
    send(channel, exchange, "key", b"m", headers={"x-delay": delay})
    synchronise(channel)
    assert drain(channel, queue) == [b"m"]


@pytest.mark.parametrize(
    "headers", [{"x-delay": 2**62}, {"x-delay": "9" * 30}, {"x-deliver-at": 2**62}, {"x-delay": 2**33}]
)
def test_any_delay_is_kept(
    bench: Workbench, channel: BlockingChannel, broker: Broker, headers: dict[str, object]
) -> None:
    """RabbitMQ's plugin delivers at once what is more than 49 days away."""
    exchange = delayed_exchange(bench, channel)
    queue = bench.bound_queue(channel, exchange, "key")
    send(channel, exchange, "key", b"m", headers=headers)
    synchronise(channel)
    assert ready_count(channel, queue) == 0
    (row,) = json.loads(broker.ctl("list_delayed_messages", exchange, "--formatter", "json"))
    broker.ctl("cancel_delayed_message", exchange, row["id"])
    assert json.loads(broker.ctl("list_delayed_messages", exchange, "--formatter", "json")) == []
