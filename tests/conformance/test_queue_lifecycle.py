"""Declaring, deleting and purging queues: names, counts, exclusivity, auto-delete, last declared (A.4, A.5,
A.7)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Inbox,
    Refusal,
    Workbench,
    assert_refused,
    channel_refusal,
    drain,
    fill,
    get,
    queue_exists,
    ready_count,
    refusal_of,
    send,
    synchronise,
)
from tests.support.brokers import Broker


def test_declare_ok_counts_ready_messages_and_consumers(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.name("queue")
    first = channel.queue_declare(queue).method
    assert (first.queue, first.message_count, first.consumer_count) == (queue, 0, 0)
    fill(channel, queue, 5)
    channel.basic_qos(prefetch_count=2)
    Inbox(channel, queue).wait(2)
    again = channel.queue_declare(queue).method
    assert (again.queue, again.message_count, again.consumer_count) == (queue, 3, 1)


def test_server_named_queues(channel: BlockingChannel) -> None:
    names = [channel.queue_declare("", exclusive=True).method.queue for _ in range(3)]
    assert all(re.fullmatch(r"amq\.gen-[A-Za-z0-9_-]{22}", name) for name in names), names
    assert len(set(names)) == 3


def test_a_server_named_queue_can_be_declared_again(channel: BlockingChannel) -> None:
    name = channel.queue_declare("", exclusive=True).method.queue
    assert channel.queue_declare(name, exclusive=True).method.queue == name
    assert channel.queue_declare(name, passive=True).method.queue == name


def test_reserved_queue_names(channel: BlockingChannel) -> None:
    with channel_refusal(403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'"):
        channel.queue_declare("amq.mine")


def test_passive_declare_of_a_missing_queue(bench: Workbench, channel: BlockingChannel) -> None:
    name = bench.name("missing")
    with channel_refusal(404, f"NOT_FOUND - no queue '{name}' in vhost '/'"):
        channel.queue_declare(name, passive=True)


def test_passive_declare_ignores_everything_but_the_name(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    channel.queue_declare(queue, passive=True, durable=True, auto_delete=True, arguments={"x-max-length": 1})
    synchronise(channel)


def test_the_longest_name(bench: Workbench, channel: BlockingChannel) -> None:
    name = bench.name("ä" * 100).ljust(255 - 100, "n")
    assert channel.queue_declare(name, exclusive=True).method.queue == name
    send(channel, "", name, b"message")
    assert drain(channel, name) == [b"message"]


def test_delete_counts_ready_messages(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 3)
    get(channel, queue, auto_ack=False)
    assert channel.queue_delete(queue).method.message_count == 2
    assert not queue_exists(bench, queue)


def test_deleting_a_missing_queue_is_fine(bench: Workbench, channel: BlockingChannel) -> None:
    assert channel.queue_delete(bench.name("missing")).method.message_count == 0
    assert channel.queue_delete(bench.name("missing"), if_unused=True, if_empty=True).method.message_count == 0


def test_if_unused(bench: Workbench, channel: BlockingChannel) -> None:
    queue, used = bench.queue(channel), bench.queue(channel)
    Inbox(channel, used)
    channel.queue_delete(queue, if_unused=True)
    with channel_refusal(406, f"PRECONDITION_FAILED - queue '{used}' in vhost '/' in use"):
        channel.queue_delete(used, if_unused=True)
    assert queue_exists(bench, used)


def test_if_empty(bench: Workbench, channel: BlockingChannel) -> None:
    queue, full = bench.queue(channel), bench.queue(channel)
    fill(channel, full, 1)
    channel.queue_delete(queue, if_empty=True)
    with channel_refusal(406, f"PRECONDITION_FAILED - queue '{full}' in vhost '/' not empty"):
        channel.queue_delete(full, if_empty=True)
    assert queue_exists(bench, full)


def test_purge_counts_ready_and_leaves_unacknowledged(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 4)
    delivery = get(channel, queue, auto_ack=False)
    assert delivery is not None
    assert channel.queue_purge(queue).method.message_count == 3
    assert channel.queue_purge(queue).method.message_count == 0
    channel.basic_nack(delivery.tag, requeue=True)
    assert drain(channel, queue) == [b"1"]


def test_purging_a_missing_queue(bench: Workbench, channel: BlockingChannel) -> None:
    name = bench.name("missing")
    with channel_refusal(404, f"NOT_FOUND - no queue '{name}' in vhost '/'"):
        channel.queue_purge(name)


def test_exclusive_queues_go_with_their_connection(bench: Workbench) -> None:
    """They are gone when close-ok arrives: clients declare them anew on the next connection (A.3.11)."""
    for durable in (False, True):
        queue = bench.name("queue")
        for _ in range(5):
            channel = bench.channel()
            channel.queue_declare(queue, exclusive=True, durable=durable)
            fill(channel, queue, 1)
            channel.connection.close()
        assert not queue_exists(bench, queue)


def test_exclusive_queues_outlive_their_channel(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, exclusive=True)
    channel.close()
    other = channel.connection.channel()
    fill(other, queue, 1)
    assert drain(other, queue) == [b"1"]


FOREIGN: list[tuple[str, Callable[[BlockingChannel, str], object]]] = [
    ("declare", lambda channel, queue: channel.queue_declare(queue, exclusive=True)),
    ("declare passively", lambda channel, queue: channel.queue_declare(queue, passive=True)),
    ("delete", lambda channel, queue: channel.queue_delete(queue)),
    ("purge", lambda channel, queue: channel.queue_purge(queue)),
    ("bind", lambda channel, queue: channel.queue_bind(queue, "amq.direct", "key")),
    ("unbind", lambda channel, queue: channel.queue_unbind(queue, "amq.direct", "key")),
    ("get", lambda channel, queue: channel.basic_get(queue)),
    ("consume", lambda channel, queue: channel.basic_consume(queue, lambda *delivery: None)),
]


@pytest.mark.parametrize("action", [pytest.param(row[1], id=row[0]) for row in FOREIGN])
def test_exclusive_queues_are_locked_to_other_connections(
    bench: Workbench, channel: BlockingChannel, action: Callable[[BlockingChannel, str], object]
) -> None:
    queue = bench.queue(channel, exclusive=True)
    channel.queue_bind(queue, "amq.direct", "key")
    other = bench.channel()
    words = f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in vhost '/'"
    assert_refused(refusal_of(lambda: action(other, queue), other), Refusal("channel", 405, words))


def test_anyone_may_publish_to_an_exclusive_queue(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, exclusive=True)
    other = bench.channel()
    other.confirm_delivery()
    other.basic_publish("", queue, b"message", mandatory=True)
    assert drain(channel, queue) == [b"message"]


@pytest.mark.parametrize("exclusive", [False, True])
def test_other_exclusivity_is_refused_to_the_owner_too(
    bench: Workbench, channel: BlockingChannel, exclusive: bool
) -> None:
    queue = bench.queue(channel, exclusive=exclusive)
    words = f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in vhost '/'"
    with channel_refusal(405, words):
        channel.queue_declare(queue, exclusive=not exclusive)


def test_auto_delete_goes_with_its_last_consumer(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, auto_delete=True)
    fill(channel, queue, 1)
    first, second = Inbox(channel, queue), Inbox(channel, queue)
    channel.basic_cancel(first.tag)
    assert queue_exists(bench, queue)
    channel.basic_cancel(second.tag)
    assert not queue_exists(bench, queue)


def test_auto_delete_goes_with_the_channel_of_its_last_consumer(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, auto_delete=True)
    consuming = channel.connection.channel()
    Inbox(consuming, queue)
    consuming.close()
    assert not queue_exists(bench, queue)


def test_auto_delete_waits_for_a_first_consumer(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, auto_delete=True)
    fill(channel, queue, 1)
    assert drain(channel, queue) == [b"1"]
    channel.connection.close()
    assert queue_exists(bench, queue)


def test_empty_name_means_the_last_declared_queue(bench: Workbench, channel: BlockingChannel) -> None:
    bench.queue(channel)
    queue = bench.queue(channel)
    exchange = bench.exchange(channel, "direct")
    channel.queue_bind("", exchange, "key")
    send(channel, exchange, "key", b"1", b"2", b"3")
    assert get(channel, "") is not None
    assert channel.queue_purge("").method.message_count == 2
    channel.queue_unbind("", exchange, "key")
    Inbox(channel, "")
    assert channel.queue_declare(queue, passive=True).method.consumer_count == 1
    channel.queue_delete("")
    assert not queue_exists(bench, queue)


def test_empty_name_and_key_bind_with_the_queue_name_as_key(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "direct")
    queue = bench.queue(channel)
    channel.queue_bind("", exchange, "")
    send(channel, exchange, queue, b"message")
    send(channel, exchange, "", b"dropped")
    assert drain(channel, queue) == [b"message"]
    channel.queue_unbind("", exchange, "")
    send(channel, exchange, queue, b"dropped")
    synchronise(channel)
    assert ready_count(channel, queue) == 0


WITHOUT_QUEUE: list[tuple[str, Callable[[BlockingChannel], object]]] = [
    ("bind", lambda channel: channel.queue_bind("", "amq.direct", "key")),
    ("unbind", lambda channel: channel.queue_unbind("", "amq.direct", "key")),
    ("consume", lambda channel: channel.basic_consume("", lambda *delivery: None)),
    ("get", lambda channel: channel.basic_get("")),
    ("purge", lambda channel: channel.queue_purge("")),
    ("delete", lambda channel: channel.queue_delete("")),
]


@pytest.mark.parametrize("action", [pytest.param(row[1], id=row[0]) for row in WITHOUT_QUEUE])
def test_empty_name_without_a_declared_queue(
    bench: Workbench, channel: BlockingChannel, action: Callable[[BlockingChannel], object]
) -> None:
    """What another channel declared doesn't count."""
    bench.queue(channel)
    fresh = channel.connection.channel()
    refusal = Refusal("channel", 404, "NOT_FOUND - no previously declared queue")
    assert_refused(refusal_of(lambda: action(fresh), fresh), refusal)


def test_a_server_named_queue_with_a_prefix(bench: Workbench, channel: BlockingChannel, broker: Broker) -> None:
    if not broker.is_warren:
        pytest.skip("newer releases know x-name-prefix")
    name = channel.queue_declare("", exclusive=True, arguments={"x-name-prefix": "worker"}).method.queue
    assert re.fullmatch("worker-[A-Za-z0-9_-]{22}", name)
    rows = json.loads(broker.ctl("list_queues", "name", "arguments", "--formatter", "json"))
    assert [row["arguments"] for row in rows if row["name"] == name] in ([{}], [[]])
    for prefix in ("", "x" * 65, 5, "amq.own"):
        opened = channel.connection.channel()
        refusal = refusal_of(
            lambda prefix=prefix, opened=opened: opened.queue_declare("", arguments={"x-name-prefix": prefix}),  # type: ignore[misc]
            opened,
        )
        assert refusal is not None
        assert refusal.code == (403 if prefix == "amq.own" else 406)
        assert "x-name-prefix" in refusal.text or prefix == "amq.own"
