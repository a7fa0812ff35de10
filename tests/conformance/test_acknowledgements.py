"""Settling deliveries, and what happens to those that are not settled (A.4, A.7)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Delivery,
    Inbox,
    Refusal,
    Workbench,
    assert_refused,
    drain,
    fill,
    get,
    ready_count,
    refusal_of,
    synchronise,
)


def take(channel: BlockingChannel, queue: str, count: int) -> list[Delivery]:
    """`count` messages by basic.get, not settled."""
    deliveries = [get(channel, queue, auto_ack=False) for _ in range(count)]
    return [delivery for delivery in deliveries if delivery is not None]


def remaining(bench: Workbench, channel: BlockingChannel, queue: str) -> list[tuple[bytes, bool]]:
    """Body and redelivered flag of all that is left once the channel is closed."""
    channel.connection.close()
    other = bench.channel()
    left = []
    while (delivery := get(other, queue)) is not None:
        left.append((delivery.body, delivery.redelivered))
    return left


def test_delivery_tags_count_up_over_all_consumers_and_gets(bench: Workbench, channel: BlockingChannel) -> None:
    first, second, third = (bench.queue(channel) for _ in range(3))
    tags = []
    for queue in (first, second):
        inbox = Inbox(channel, queue)
        fill(channel, queue, 2)
        tags += [delivery.tag for delivery in inbox.wait(2)]
    fill(channel, third, 1)
    tags += [delivery.tag for delivery in take(channel, third, 1)]
    assert tags == [1, 2, 3, 4, 5]


def test_acknowledging_one(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 3)
    take(channel, queue, 3)
    channel.basic_ack(2)
    assert remaining(bench, channel, queue) == [(b"1", True), (b"3", True)]


def test_acknowledging_multiple(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 5)
    take(channel, queue, 4)
    channel.basic_ack(3, multiple=True)
    assert remaining(bench, channel, queue) == [(b"4", True), (b"5", False)]


def test_multiple_spares_what_was_settled_and_covers_all_queues(bench: Workbench, channel: BlockingChannel) -> None:
    first, second = bench.queue(channel), bench.queue(channel)
    for queue in (first, second):
        fill(channel, queue, 3)
    take(channel, first, 2)
    take(channel, second, 2)
    channel.basic_ack(1)
    channel.basic_ack(3, multiple=True)
    channel.connection.close()
    other = bench.channel()
    assert drain(other, first) == [b"3"]
    assert drain(other, second) == [b"2", b"3"]


@pytest.mark.parametrize("with_outstanding", [True, False])
def test_multiple_with_tag_zero_means_all(bench: Workbench, channel: BlockingChannel, with_outstanding: bool) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 2)
    take(channel, queue, 2 if with_outstanding else 0)
    channel.basic_ack(0, multiple=True)
    synchronise(channel)
    assert remaining(bench, channel, queue) == ([] if with_outstanding else [(b"1", False), (b"2", False)])


UNKNOWN_TAGS: list[tuple[str, Callable[[BlockingChannel], object], int]] = [
    ("ack", lambda channel: channel.basic_ack(99), 99),
    ("ack multiple", lambda channel: channel.basic_ack(99, multiple=True), 99),
    ("ack zero", lambda channel: channel.basic_ack(0), 0),
    ("nack", lambda channel: channel.basic_nack(99), 99),
    ("nack multiple", lambda channel: channel.basic_nack(99, multiple=True), 99),
    ("reject", lambda channel: channel.basic_reject(99), 99),
    ("reject zero", lambda channel: channel.basic_reject(0), 0),
    ("ack twice", lambda channel: (channel.basic_ack(1), channel.basic_ack(1)), 1),
    ("ack, then reject", lambda channel: (channel.basic_ack(2), channel.basic_reject(2)), 2),
    ("nack multiple twice", lambda channel: (channel.basic_nack(2, True), channel.basic_nack(2, True)), 2),
]


@pytest.mark.parametrize(("action", "tag"), [pytest.param(*row[1:], id=row[0]) for row in UNKNOWN_TAGS])
def test_unknown_tags(
    bench: Workbench, channel: BlockingChannel, action: Callable[[BlockingChannel], object], tag: int
) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 2)
    take(channel, queue, 2)
    refusal = Refusal("channel", 406, f"PRECONDITION_FAILED - unknown delivery tag {tag}")
    assert_refused(refusal_of(lambda: action(channel), channel), refusal)


def test_tags_belong_to_their_channel(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 1)
    take(channel, queue, 1)
    other = channel.connection.channel()
    refusal = Refusal("channel", 406, "PRECONDITION_FAILED - unknown delivery tag 1")
    assert_refused(refusal_of(lambda: other.basic_ack(1), other), refusal)
    channel.basic_ack(1)
    synchronise(channel)


def test_reject_without_requeue_drops(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 2)
    take(channel, queue, 1)
    channel.basic_reject(1, requeue=False)
    assert remaining(bench, channel, queue) == [(b"2", False)]


def test_nack_multiple_without_requeue_drops(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 4)
    take(channel, queue, 3)
    channel.basic_nack(2, multiple=True, requeue=False)
    assert remaining(bench, channel, queue) == [(b"3", True), (b"4", False)]


def test_rejected_message_returns_to_its_place(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 4)
    take(channel, queue, 3)
    channel.basic_reject(2, requeue=True)
    synchronise(channel)
    assert ready_count(channel, queue) == 2
    deliveries = take(channel, queue, 2)
    assert [(delivery.body, delivery.redelivered) for delivery in deliveries] == [(b"2", True), (b"4", False)]


@pytest.mark.parametrize("order", [[3, 1, 2], [1, 2, 3], [3, 2, 1]])
def test_original_order_whatever_the_order_of_requeueing(
    bench: Workbench, channel: BlockingChannel, order: list[int]
) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 5)
    take(channel, queue, 4)
    for tag in order:
        channel.basic_reject(tag, requeue=True)
    assert drain(channel, queue) == [b"1", b"2", b"3", b"5"]
    assert remaining(bench, channel, queue) == [(b"4", True)]


def test_closing_the_channel_returns_messages_in_order(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    bodies = fill(channel, queue, 20)
    consuming = channel.connection.channel()
    consuming.basic_qos(prefetch_count=10)
    inbox = Inbox(consuming, queue)
    for delivery in inbox.wait(10)[::2]:
        consuming.basic_nack(delivery.tag, requeue=False)
    consuming.close()
    expected = [(body, True) for body in bodies[1:10:2]]
    assert remaining(bench, channel, queue)[:5] == expected


def test_messages_of_two_channels_return_to_their_places(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    bodies = fill(channel, queue, 6)
    one, two = channel.connection.channel(), channel.connection.channel()
    for number in range(4):
        take((one, two)[number % 2], queue, 1)
    two.close()
    one.close()
    left = remaining(bench, channel, queue)
    assert left == [(body, number < 4) for number, body in enumerate(bodies)]


def test_requeued_message_goes_to_another_consumer(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    consuming = bench.channel()
    inbox = Inbox(consuming, queue)
    fill(channel, queue, 2)
    inbox.wait(2)
    other = Inbox(channel, queue)
    consuming.connection.close()
    deliveries = other.wait(2)
    assert [(delivery.body, delivery.redelivered) for delivery in deliveries] == [(b"1", True), (b"2", True)]


def test_recover_requeues_everything_of_the_channel(bench: Workbench, channel: BlockingChannel) -> None:
    first, second = bench.queue(channel), bench.queue(channel)
    for queue in (first, second):
        fill(channel, queue, 2)
    take(channel, first, 2)
    take(channel, second, 1)
    channel.basic_ack(1)
    channel.basic_recover(requeue=True)
    [delivery] = take(channel, first, 1)
    assert (delivery.body, delivery.redelivered, delivery.tag) == (b"2", True, 4)
    assert drain(channel, second) == [b"1", b"2"]


def test_recover_makes_tags_unknown(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 1)
    take(channel, queue, 1)
    channel.basic_recover(requeue=True)
    refusal = Refusal("channel", 406, "PRECONDITION_FAILED - unknown delivery tag 1")
    assert_refused(refusal_of(lambda: channel.basic_ack(1), channel), refusal)


def test_recover_redelivers_to_the_consumer(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    inbox = Inbox(channel, queue)
    fill(channel, queue, 2)
    inbox.wait(2)
    channel.basic_recover(requeue=True)
    deliveries = inbox.wait(4)
    assert [(each.body, each.redelivered, each.tag) for each in deliveries[2:]] == [
        (b"1", True, 3),
        (b"2", True, 4),
    ]


def test_acknowledging_after_the_queue_is_gone_is_fine(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 2)
    take(channel, queue, 2)
    channel.queue_delete(queue)
    channel.basic_ack(1)
    channel.basic_reject(2, requeue=True)
    synchronise(channel)
