"""Queues that take each message once (issue: deduplication), through a real client; exchanges that do are in
test_extra_exchanges.py.

RabbitMQ has this only as a plugin of others, so these tests talk to Warren only.
"""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import NackError

from tests.conformance.scenario import (
    Refusal,
    Workbench,
    assert_refused,
    drain,
    get,
    process_until,
    ready_count,
    refusal_of,
    send,
    synchronise,
)
from tests.support.brokers import Broker

HEADER = "x-deduplication-header"


@pytest.fixture(autouse=True)
def warren_only(broker_process: Broker) -> None:
    if not broker_process.is_warren:
        pytest.skip("RabbitMQ has no deduplication of its own")


def deduplicating(bench: Workbench, channel: BlockingChannel, **arguments: object) -> str:
    named = {"x-" + name.replace("_", "-"): value for name, value in arguments.items()}
    return bench.queue(channel, arguments={"x-message-deduplication": True, **named})


def publish(channel: BlockingChannel, queue: str, *values: object, header: str = HEADER) -> None:
    """A message per value, whose body is the value."""
    for value in values:
        send(channel, "", queue, str(value).encode(), headers={header: value})
    synchronise(channel)


def test_it_is_off_unless_asked_for(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    publish(channel, queue, "a", "a")
    assert drain(channel, queue) == [b"a", b"a"]


def test_a_value_that_is_there_is_dropped(bench: Workbench, channel: BlockingChannel) -> None:
    """And taken again when its message has left, as by RabbitMQ's plugin; messages without a value always pass."""
    queue = deduplicating(bench, channel)
    publish(channel, queue, "a", "b", "a")
    assert drain(channel, queue) == [b"a", b"b"]
    publish(channel, queue, "b", "c")
    send(channel, "", queue, b"plain", b"plain")
    synchronise(channel)
    assert drain(channel, queue) == [b"b", b"c", b"plain", b"plain"]


def test_a_value_that_was_seen_is_dropped(bench: Workbench, channel: BlockingChannel) -> None:
    """With a window, also when its message has left the queue since."""
    queue = deduplicating(bench, channel, cache_size=100)
    publish(channel, queue, "a", "b", "a")
    assert drain(channel, queue) == [b"a", b"b"]
    publish(channel, queue, "b", "c")
    assert drain(channel, queue) == [b"c"]


def test_a_window_by_count(bench: Workbench, channel: BlockingChannel) -> None:
    queue = deduplicating(bench, channel, cache_size=2)
    publish(channel, queue, 1, 2, 1, 3, 1)
    assert drain(channel, queue) == [b"1", b"2", b"3", b"1"]


def test_a_window_by_time(bench: Workbench, channel: BlockingChannel) -> None:
    queue = deduplicating(bench, channel, cache_ttl=200)
    publish(channel, queue, "a", "a")
    assert ready_count(channel, queue) == 1

    def passes() -> bool:
        publish(channel, queue, "a")
        return ready_count(channel, queue) == 2

    process_until(channel, passes)


def test_another_header(bench: Workbench, channel: BlockingChannel) -> None:
    queue = deduplicating(bench, channel, deduplication_header="order")
    publish(channel, queue, "a", "a", header="order")
    publish(channel, queue, "b", "b")
    assert drain(channel, queue) == [b"a", b"b", b"b"]


def test_a_duplicate_is_confirmed(bench: Workbench, channel: BlockingChannel) -> None:
    """Its publisher wanted it to be there, and it is."""
    queue = bench.queue(channel, durable=True, arguments={"x-message-deduplication": True})
    channel.confirm_delivery()
    for _ in range(3):
        send(channel, "", queue, b"a", headers={HEADER: "a"}, delivery_mode=2)
    assert drain(channel, queue) == [b"a"]


def test_what_a_full_queue_refused_may_be_sent_again(bench: Workbench, channel: BlockingChannel) -> None:
    queue = deduplicating(bench, channel, max_length=1, overflow="reject-publish")
    channel.confirm_delivery()
    send(channel, "", queue, b"a", headers={HEADER: "a"})
    with pytest.raises(NackError):
        send(channel, "", queue, b"b", headers={HEADER: "b"})
    assert get(channel, queue) is not None
    send(channel, "", queue, b"b", headers={HEADER: "b"})
    assert drain(channel, queue) == [b"b"]


def test_queues_have_windows_of_their_own(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "fanout")
    first, second = deduplicating(bench, channel), deduplicating(bench, channel)
    channel.queue_bind(first, exchange)
    publish(channel, second, "a")
    channel.queue_bind(second, exchange)
    send(channel, exchange, "", b"a", headers={HEADER: "a"})
    synchronise(channel)
    assert (drain(channel, first), drain(channel, second)) == ([b"a"], [b"a"])


@pytest.mark.parametrize(
    ("argument", "value"),
    [("x-message-deduplication", "yes"), ("x-cache-size", 0), ("x-cache-ttl", -1), ("x-deduplication-header", 1)],
)
def test_invalid_arguments(bench: Workbench, channel: BlockingChannel, argument: str, value: object) -> None:
    name = bench.name()
    arguments = {"x-message-deduplication": True, argument: value}
    refusal = refusal_of(lambda: channel.queue_declare(name, arguments=arguments), channel)
    assert_refused(refusal, Refusal("channel", 406, f"invalid arg '{argument}' for queue '{name}'"))
