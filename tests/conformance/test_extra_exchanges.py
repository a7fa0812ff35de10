"""The exchange types that RabbitMQ has as plugins, and deduplication, through a real client (A.6 Types).

Debian's RabbitMQ has no x-delayed-message, x-local-random nor deduplication, and the other plugins are not
switched on there, so these tests talk to Warren only.
"""

from __future__ import annotations

import json
import time
from collections import Counter

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Inbox,
    Refusal,
    Workbench,
    assert_refused,
    drain,
    get,
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
        pytest.skip("needs plugins that Debian's RabbitMQ doesn't have, or doesn't switch on")


def delayed_exchange(bench: Workbench, channel: BlockingChannel, inner: str = "direct", **arguments: object) -> str:
    return bench.exchange(channel, "x-delayed-message", arguments={"x-delayed-type": inner, **arguments})


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.parametrize("kind", ["x-consistent-hash", "x-modulus-hash", "x-random", "x-local-random"])
def test_types_that_spread_messages(bench: Workbench, channel: BlockingChannel, kind: str) -> None:
    exchange = bench.exchange(channel, kind)
    key = "1" if kind == "x-consistent-hash" else ""
    queues = [bench.bound_queue(channel, exchange, key) for _ in range(3)]
    for number in range(120):
        send(channel, exchange, f"key-{number}", b"m")
    synchronise(channel)
    counts = [len(drain(channel, queue)) for queue in queues]
    assert sum(counts) == 120
    assert min(counts) >= 10


def test_consistent_hash_keeps_a_customer_on_one_queue_by_weight(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "x-consistent-hash", arguments={"hash-header": "customer"})
    light, heavy = (bench.bound_queue(channel, exchange, weight) for weight in ("1", "4"))
    for _ in range(2):
        for customer in range(100):
            send(channel, exchange, "", str(customer).encode(), headers={"customer": customer})
    synchronise(channel)
    counts = {queue: Counter(drain(channel, queue)) for queue in (light, heavy)}
    assert not counts[light].keys() & counts[heavy].keys()
    assert set(counts[light].values()) | set(counts[heavy].values()) == {2}
    assert 5 <= len(counts[light]) <= 35


def test_recent_history_is_delivered_on_binding(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "x-recent-history", arguments={"x-recent-history-length": 3})
    send(channel, exchange, "", *numbered(5))
    send(channel, exchange, "", b"secret", headers={"x-recent-history-no-store": True})
    queue = bench.bound_queue(channel, exchange, "")
    assert drain(channel, queue) == [b"3", b"4", b"5"]


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
    ("x-consistent-hash", {"hash-header": "a", "hash-property": "message_id"}, "are mutually exclusive"),
    ("x-consistent-hash", {"hash-property": "priority"}, "Unsupported property: priority"),
    ("x-recent-history", {"x-recent-history-length": 0}, "must be a positive integer"),
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


@pytest.mark.parametrize(
    ("kind", "key", "text"),
    [
        ("x-consistent-hash", "heavy", "The binding key must be an integer"),
        ("x-consistent-hash", "0", "The binding key must be greater than 0"),
        ("x-local-random", "key", "Non empty binding 'key' key not permitted"),
    ],
)
def test_refused_bindings(bench: Workbench, channel: BlockingChannel, kind: str, key: str, text: str) -> None:
    exchange = bench.exchange(channel, kind)
    queue = bench.queue(channel)
    assert_refused(refusal_of(lambda: channel.queue_bind(queue, exchange, key), channel), Refusal("channel", 406, text))
    assert get(bench.channel(), queue) is None
