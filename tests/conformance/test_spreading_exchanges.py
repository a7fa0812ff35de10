"""The exchange types that RabbitMQ has as plugins of its own: hashes, chance and history (A.6 Types)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Refusal,
    Workbench,
    assert_refused,
    drain,
    numbered,
    refusal_of,
    send,
    synchronise,
)

SPREADING = ["x-consistent-hash", "x-modulus-hash", "x-random"]


def binding_key(kind: str) -> str:
    return "1" if kind == "x-consistent-hash" else ""


@pytest.mark.parametrize("kind", SPREADING)
def test_each_message_goes_to_one_queue_and_every_queue_has_its_share(
    bench: Workbench, channel: BlockingChannel, kind: str
) -> None:
    exchange = bench.exchange(channel, kind)
    queues = [bench.bound_queue(channel, exchange, binding_key(kind)) for _ in range(3)]
    for number in range(120):
        send(channel, exchange, f"key-{number}", b"m")
    synchronise(channel)
    counts = [len(drain(channel, queue)) for queue in queues]
    assert sum(counts) == 120
    assert min(counts) >= 10


@pytest.mark.parametrize("kind", ["x-consistent-hash", "x-modulus-hash"])
def test_one_key_goes_one_way(bench: Workbench, channel: BlockingChannel, kind: str) -> None:
    exchange = bench.exchange(channel, kind)
    queues = [bench.bound_queue(channel, exchange, binding_key(kind)) for _ in range(3)]
    for _ in range(3):
        for number in range(20):
            send(channel, exchange, f"key-{number}", b"%d" % number)
    synchronise(channel)
    found = [Counter(drain(channel, queue)) for queue in queues]
    assert sum(len(each) for each in found) == 20
    assert {count for each in found for count in each.values()} == {3}


@pytest.mark.parametrize("kind", SPREADING)
def test_without_a_queue_a_message_goes_nowhere(bench: Workbench, channel: BlockingChannel, kind: str) -> None:
    exchange = bench.exchange(channel, kind)
    returned = []
    channel.add_on_return_callback(lambda *message: returned.append(message[3]))
    channel.basic_publish(exchange, "key", b"m", mandatory=True)
    synchronise(channel)
    channel.connection.process_data_events()
    assert returned == [b"m"]


@pytest.mark.parametrize("kind", SPREADING)
def test_one_queue_bound_twice_gets_a_message_once(bench: Workbench, channel: BlockingChannel, kind: str) -> None:
    exchange = bench.exchange(channel, kind)
    queue = bench.bound_queue(channel, exchange, *(["1", "2"] if kind == "x-consistent-hash" else ["a", "b"]))
    send(channel, exchange, "key", *numbered(10))
    synchronise(channel)
    assert drain(channel, queue) == numbered(10)


@pytest.mark.parametrize(
    ("arguments", "of"),
    [
        ({"hash-header": "customer"}, lambda customer: {"headers": {"customer": str(customer)}}),
        ({"hash-property": "message_id"}, lambda customer: {"message_id": str(customer)}),
        ({"hash-property": "correlation_id"}, lambda customer: {"correlation_id": str(customer)}),
        ({"hash-property": "timestamp"}, lambda customer: {"timestamp": customer}),
    ],
)
def test_consistent_hash_keeps_a_customer_on_one_queue_by_weight(
    bench: Workbench, channel: BlockingChannel, arguments: dict[str, str], of: Callable[[int], dict[str, object]]
) -> None:
    exchange = bench.exchange(channel, "x-consistent-hash", arguments=arguments)
    light, heavy = (bench.bound_queue(channel, exchange, weight) for weight in ("1", "4"))
    for turn in range(2):
        for customer in range(100):
            send(channel, exchange, f"key-{turn}", str(customer).encode(), **of(customer))
    synchronise(channel)
    counts = {queue: Counter(drain(channel, queue)) for queue in (light, heavy)}
    assert not counts[light].keys() & counts[heavy].keys()
    assert set(counts[light].values()) | set(counts[heavy].values()) == {2}
    assert 5 <= len(counts[light]) <= 35


def test_recent_history_is_delivered_on_binding(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "x-recent-history", arguments={"x-recent-history-length": 3})
    send(channel, exchange, "", *numbered(5))
    send(channel, exchange, "", b"secret", headers={"x-recent-history-no-store": True})
    synchronise(channel)
    queue = bench.bound_queue(channel, exchange, "")
    assert drain(channel, queue) == [b"3", b"4", b"5"]
    send(channel, exchange, "any key", b"6")
    synchronise(channel)
    assert drain(channel, queue) == [b"6"]


def test_recent_history_is_twenty_messages(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "x-recent-history")
    send(channel, exchange, "", *numbered(30))
    synchronise(channel)
    assert drain(channel, bench.bound_queue(channel, exchange, "")) == numbered(30)[10:]


DECLARATIONS = [
    ("x-consistent-hash", {"hash-header": "a", "hash-property": "message_id"}, "are mutually exclusive"),
    ("x-consistent-hash", {"hash-property": "priority"}, "Unsupported property"),
    ("x-recent-history", {"x-recent-history-length": 0}, "must be a positive integer"),
    ("x-recent-history", {"x-recent-history-length": -5}, "must be a positive integer"),
    ("x-recent-history", {"x-recent-history-length": "5"}, "must be a positive integer"),
]


@pytest.mark.parametrize(("kind", "arguments", "text"), DECLARATIONS)
def test_refused_declarations(
    bench: Workbench, channel: BlockingChannel, kind: str, arguments: dict[str, object], text: str
) -> None:
    name = bench.name()
    refusal = refusal_of(lambda: channel.exchange_declare(name, kind, arguments=arguments), channel)
    assert_refused(refusal, Refusal("channel", 406, text))


@pytest.mark.parametrize(
    ("key", "text"),
    [("heavy", "The binding key must be an integer"), ("0", "The binding key must be greater than 0")],
)
def test_binding_keys_that_are_no_weight(bench: Workbench, channel: BlockingChannel, key: str, text: str) -> None:
    exchange, queue = bench.exchange(channel, "x-consistent-hash"), bench.queue(channel)
    assert_refused(refusal_of(lambda: channel.queue_bind(queue, exchange, key), channel), Refusal("channel", 406, text))
