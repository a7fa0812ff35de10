"""basic.get: one message at a time, by asking (A.7)."""

from __future__ import annotations

from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import Workbench, channel_refusal, fill, get, ready_count, send, synchronise


def test_empty_queue(bench: Workbench, channel: BlockingChannel) -> None:
    assert get(channel, bench.queue(channel)) is None


def test_get_ok_tells_what_and_how_many_remain(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "topic")
    queue = bench.bound_queue(channel, exchange, "a.*")
    send(channel, exchange, "a.b", b"1", b"2", b"3")
    method, _, body = channel.basic_get(queue)
    assert (method.delivery_tag, method.redelivered, method.exchange) == (1, False, exchange)
    assert (method.routing_key, method.message_count, body) == ("a.b", 2, b"1")
    method, _, body = channel.basic_get(queue)
    assert (method.delivery_tag, method.message_count, body) == (2, 1, b"2")


def test_unacknowledged_messages_are_not_ready(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 2)
    delivery = get(channel, queue, auto_ack=False)
    assert delivery is not None
    assert ready_count(channel, queue) == 1
    channel.basic_ack(delivery.tag)
    synchronise(channel)
    assert ready_count(channel, queue) == 1


def test_no_ack_settles_at_once(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 1)
    delivery = get(channel, queue, auto_ack=True)
    assert delivery is not None
    with channel_refusal(406, f"PRECONDITION_FAILED - unknown delivery tag {delivery.tag}"):
        channel.basic_ack(delivery.tag)
        synchronise(channel)


def test_missing_queue(bench: Workbench, channel: BlockingChannel) -> None:
    name = bench.name("missing")
    with channel_refusal(404, f"NOT_FOUND - no queue '{name}' in vhost '/'"):
        channel.basic_get(name)


def test_prefetch_does_not_limit_get(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 3)
    channel.basic_qos(prefetch_count=1)
    deliveries = [get(channel, queue, auto_ack=False) for _ in range(3)]
    assert [delivery.body for delivery in deliveries if delivery is not None] == [b"1", b"2", b"3"]
