"""Priorities of messages and of consumers, and who may consume (A.7 Priorities, Consumers)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Inbox,
    Refusal,
    Workbench,
    assert_refused,
    drain,
    fill,
    get,
    numbered,
    process_until,
    ready_count,
    refusal_of,
    send,
    synchronise,
)
from tests.support.brokers import Broker


def test_higher_priorities_come_first_in_order(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-max-priority": 5})
    for priority in (1, 5, 3, 1, 5, None, 9):
        send(channel, "", queue, str(priority).encode(), priority=priority)
    synchronise(channel)
    assert drain(channel, queue) == [b"5", b"5", b"9", b"3", b"1", b"1", b"None"]


def test_a_returned_message_goes_back_among_its_equals(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-max-priority": 5})
    for body, priority in ((b"a", 1), (b"b", 1), (b"c", 2)):
        send(channel, "", queue, body, priority=priority)
    synchronise(channel)
    assert get(channel, queue) is not None
    held = get(channel, queue, auto_ack=False)
    assert held is not None
    assert held.body == b"a"
    channel.basic_nack(held.tag, requeue=True)
    assert drain(channel, queue) == [b"a", b"b"]


def test_priorities_survive_in_the_count(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-max-priority": 2})
    for priority in (0, 1, 2):
        send(channel, "", queue, b"x", priority=priority)
    synchronise(channel)
    assert ready_count(channel, queue) == 3
    assert channel.queue_purge(queue).method.message_count == 3


def test_a_consumer_with_a_higher_priority_is_served_first(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    channel.basic_qos(prefetch_count=2)
    low = Inbox(channel, queue)
    high = Inbox(channel, queue, arguments={"x-priority": 10})
    fill(channel, queue, 3)
    assert high.bodies(2) == [b"1", b"2"]
    assert low.bodies(1) == [b"3"]


def test_consumers_of_equal_priority_take_turns(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    inboxes = [Inbox(channel, queue, auto_ack=True, arguments={"x-priority": 5}) for _ in range(2)]
    fill(channel, queue, 4)
    assert sorted(inboxes[0].bodies(2) + inboxes[1].bodies(2)) == numbered(4)


def test_single_active_consumer(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-single-active-consumer": True})
    first = Inbox(channel, queue, auto_ack=True)
    second = Inbox(channel, queue, auto_ack=True)
    fill(channel, queue, 3)
    assert first.bodies(3) == numbered(3)
    assert second.deliveries == []
    channel.basic_cancel(first.tag)
    send(channel, "", queue, b"4")
    assert second.bodies(1) == [b"4"]


def test_the_next_active_consumer_takes_over_what_was_returned(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, arguments={"x-single-active-consumer": True})
    other = bench.channel()
    first = Inbox(other, queue)
    second = Inbox(channel, queue, auto_ack=True)
    send(channel, "", queue, b"1", b"2")
    first.wait(2)
    other.connection.close()
    assert second.bodies(2) == [b"1", b"2"]
    assert all(delivery.redelivered for delivery in second.deliveries)


def test_polling_a_queue_with_a_single_active_consumer(
    bench: Workbench, channel: BlockingChannel, expected: Callable[[Refusal], Refusal]
) -> None:
    queue = bench.queue(channel, arguments={"x-single-active-consumer": True})
    refusal = refusal_of(lambda: get(channel, queue), channel)
    assert_refused(refusal, expected(Refusal("channel", 405, "RESOURCE_LOCKED")))


def test_exclusive_consuming_from_a_queue_with_a_single_active_consumer(
    bench: Workbench, channel: BlockingChannel
) -> None:
    queue = bench.queue(channel, arguments={"x-single-active-consumer": True})
    refusal = refusal_of(lambda: Inbox(channel, queue, exclusive=True), channel)
    assert_refused(refusal, Refusal("channel", 403, "ACCESS_REFUSED"))


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("x-max-priority", -1),
        ("x-max-priority", 256),
        ("x-max-priority", "5"),
        ("x-message-ttl", -1),
        ("x-message-ttl", "100"),
        ("x-message-ttl", 315_360_000_001),
        ("x-expires", 0),
        ("x-expires", -1),
        ("x-max-length", -1),
        ("x-max-length", "10"),
        ("x-max-length-bytes", -1),
        ("x-overflow", "explode"),
        ("x-overflow", 1),
        ("x-dead-letter-exchange", 1),
        ("x-dead-letter-routing-key", "no exchange"),
        ("x-single-active-consumer", "yes"),
        ("x-queue-type", "imaginary"),
        ("x-queue-type", "mqtt"),
    ],
)
def test_invalid_arguments_name_themselves(
    bench: Workbench, channel: BlockingChannel, argument: str, value: object
) -> None:
    """What both brokers refuse, and with which code; the words are each broker's own."""
    name = bench.name()
    refusal = refusal_of(lambda: channel.queue_declare(name, arguments={argument: value}), channel)
    assert_refused(refusal, Refusal("channel", 406, argument))


@pytest.mark.parametrize("give_back", [BlockingChannel.basic_reject, BlockingChannel.basic_nack])
def test_a_delivery_limit_counts_returns(
    bench: Workbench, channel: BlockingChannel, give_back: Callable[..., None]
) -> None:
    """On a quorum queue, which is what has one in RabbitMQ."""
    graveyard = bench.queue(channel)
    queue = bench.queue(
        channel,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": 2,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": graveyard,
        },
    )
    send(channel, "", queue, b"poison", delivery_mode=2)
    inbox = Inbox(channel, queue)
    for attempt in range(1, 4):
        delivery = inbox.wait(attempt)[-1]
        counted = (delivery.properties.headers or {}).get("x-delivery-count", 0)
        assert counted == attempt - 1
        give_back(channel, delivery.tag, requeue=True)
    letter = Inbox(channel, graveyard, auto_ack=True).wait(1)[0]
    assert letter.properties.headers["x-death"][0]["reason"] == "delivery_limit"
    process_until(channel, lambda: ready_count(channel, queue) == 0)


@pytest.mark.parametrize(
    "properties", [{"exclusive": True}, {"durable": False}, {"durable": True, "auto_delete": True}]
)
def test_what_a_quorum_queue_cannot_be(bench: Workbench, channel: BlockingChannel, properties: dict[str, bool]) -> None:
    name = bench.name()
    refusal = refusal_of(
        lambda: channel.queue_declare(name, arguments={"x-queue-type": "quorum"}, **{"durable": True} | properties),
        channel,
    )
    assert_refused(refusal, Refusal("channel", 406, "invalid property"))


def test_the_most_urgent_of_those_that_wait_becomes_active(bench: Workbench, channel: BlockingChannel) -> None:
    """Among equals, who has waited longest."""
    queue = bench.queue(channel, arguments={"x-single-active-consumer": True})
    first = Inbox(channel, queue, auto_ack=True)
    low, high, late = (
        Inbox(channel, queue, auto_ack=True, arguments={"x-priority": priority}) for priority in (1, 5, 5)
    )
    channel.basic_cancel(first.tag)
    send(channel, "", queue, b"1")
    assert high.bodies(1) == [b"1"]
    channel.basic_cancel(high.tag)
    send(channel, "", queue, b"2")
    assert late.bodies(1) == [b"2"]
    channel.basic_cancel(late.tag)
    send(channel, "", queue, b"3")
    assert low.bodies(1) == [b"3"]


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_whether_a_more_urgent_consumer_takes_over(
    bench: Workbench, channel: BlockingChannel, broker: Broker, kind: str
) -> None:
    """On a quorum queue, once the active one has settled what it holds; on a classic queue never."""
    if not broker.is_warren and kind == "quorum":
        pytest.skip("newer releases of RabbitMQ do that")
    arguments = {"x-queue-type": kind, "x-single-active-consumer": True}
    queue = bench.queue(channel, durable=True, arguments=arguments)
    first = Inbox(channel, queue)
    fill(channel, queue, 1)
    (held,) = first.wait(1)
    second = Inbox(channel, queue, auto_ack=True, arguments={"x-priority": 5})
    send(channel, "", queue, b"2")
    synchronise(channel)
    if kind == "classic":
        assert first.bodies(2) == [b"1", b"2"]
        assert second.deliveries == []
        return
    assert ready_count(channel, queue) == 1
    channel.basic_ack(held.tag)
    assert second.bodies(1) == [b"2"]
    channel.basic_cancel(second.tag)
    send(channel, "", queue, b"3")
    assert first.bodies(2) == [b"1", b"3"]


def test_a_more_urgent_consumer_that_leaves_again(bench: Workbench, channel: BlockingChannel, broker: Broker) -> None:
    if not broker.is_warren:
        pytest.skip("newer releases of RabbitMQ do that")
    arguments = {"x-queue-type": "quorum", "x-single-active-consumer": True}
    queue = bench.queue(channel, durable=True, arguments=arguments)
    first = Inbox(channel, queue)
    fill(channel, queue, 1)
    (held,) = first.wait(1)
    inboxes = [Inbox(channel, queue, arguments={"x-priority": priority}) for priority in (5, 7)]
    for inbox in inboxes:
        channel.basic_cancel(inbox.tag)
    send(channel, "", queue, b"2")
    assert first.bodies(2) == [b"1", b"2"]
    other = Inbox(channel, queue, arguments={"x-priority": 9})
    channel.basic_nack(held.tag, requeue=True)
    channel.basic_reject(first.deliveries[1].tag, requeue=True)
    assert [(each.body, each.redelivered) for each in other.wait(2)] == [(b"1", True), (b"2", True)]
    assert other.deliveries[0].properties.headers == {"x-delivery-count": 1, "x-acquired-count": 1}
    assert other.deliveries[1].properties.headers == {"x-delivery-count": 1, "x-acquired-count": 1}


def test_twenty_failures_are_too_many_for_a_quorum_queue(
    bench: Workbench, channel: BlockingChannel, broker: Broker
) -> None:
    if not broker.is_warren:
        pytest.skip("the default came with RabbitMQ 4")
    graveyard = bench.queue(channel)
    queue = bench.queue(
        channel,
        durable=True,
        arguments={"x-queue-type": "quorum", "x-dead-letter-exchange": "", "x-dead-letter-routing-key": graveyard},
    )
    fill(channel, queue, 1)
    inbox = Inbox(channel, queue)
    for attempt in range(1, 22):
        channel.basic_reject(inbox.wait(attempt)[-1].tag, requeue=True)
    (letter,) = Inbox(channel, graveyard, auto_ack=True).wait(1)
    assert letter.properties.headers["x-death"][0]["reason"] == "delivery_limit"


def test_a_lost_connection_counts_towards_the_delivery_limit(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 1})
    fill(channel, queue, 1)
    for failures in (0, 1):
        connection = bench.connect()
        (delivery,) = Inbox(connection.channel(), queue).wait(1)
        assert (delivery.properties.headers or {}).get("x-delivery-count", 0) == failures
        connection.close()
    process_until(channel, lambda: ready_count(channel, queue) == 0)
