"""basic.qos: how many unacknowledged deliveries a consumer or a channel may hold (A.7).

That no more is delivered than allowed is read from the queue's ready count once the allowed deliveries are
there.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ConnectionClosedByBroker

from tests.conformance.scenario import Inbox, Workbench, fill, numbered, process_until, ready_count


def test_prefetch_limits_a_consumer(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 10)
    channel.basic_qos(prefetch_count=3)
    inbox = Inbox(channel, queue)
    assert inbox.bodies(3) == numbered(3)
    assert ready_count(channel, queue) == 7


def test_settling_makes_room(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 10)
    channel.basic_qos(prefetch_count=3)
    inbox = Inbox(channel, queue)
    inbox.wait(3)
    channel.basic_ack(2)
    inbox.wait(4)
    channel.basic_reject(1, requeue=False)
    inbox.wait(5)
    channel.basic_ack(5, multiple=True)
    assert inbox.bodies(8) == numbered(8)
    assert ready_count(channel, queue) == 2


def test_each_consumer_has_its_own_limit(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    channel.basic_qos(prefetch_count=2)
    inboxes = [Inbox(channel, queue) for _ in range(2)]
    fill(channel, queue, 10)
    assert [len(inbox.wait(2)) for inbox in inboxes] == [2, 2]
    assert ready_count(channel, queue) == 6


def test_existing_consumers_keep_their_limit(bench: Workbench, channel: BlockingChannel) -> None:
    queue, other = bench.queue(channel), bench.queue(channel)
    channel.basic_qos(prefetch_count=2)
    first = Inbox(channel, queue)
    channel.basic_qos(prefetch_count=4)
    second = Inbox(channel, other)
    fill(channel, queue, 10)
    fill(channel, other, 10)
    first.wait(2)
    second.wait(4)
    assert (ready_count(channel, queue), ready_count(channel, other)) == (8, 6)


def test_zero_is_unlimited(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    channel.basic_qos(prefetch_count=1)
    channel.basic_qos(prefetch_count=0)
    inbox = Inbox(channel, queue)
    fill(channel, queue, 200)
    inbox.wait(200)


def test_no_ack_is_unlimited(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    channel.basic_qos(prefetch_count=1)
    inbox = Inbox(channel, queue, auto_ack=True)
    fill(channel, queue, 50)
    inbox.wait(50)


def test_a_full_consumer_leaves_messages_to_the_others(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    slow, fast = bench.channel(), bench.channel()
    slow.basic_qos(prefetch_count=1)
    held = Inbox(slow, queue)
    free = Inbox(fast, queue, auto_ack=True)
    fill(channel, queue, 20)
    held.wait(1)
    free.wait(19)


def test_global_limit_is_shared_by_the_channel(
    bench: Workbench, channel: BlockingChannel, expected: Callable[[int], int]
) -> None:
    queue, other = bench.queue(channel), bench.queue(channel)
    channel.basic_qos(prefetch_count=3, global_qos=True)
    inboxes = [Inbox(channel, queue), Inbox(channel, other)]
    for each in (queue, other):
        fill(channel, each, 5)
    process_until(channel, lambda: sum(len(inbox.deliveries) for inbox in inboxes) >= 3)
    # RabbitMQ's queues may still be asking one after the other whether there is room.
    process_until(channel, lambda: ready_count(channel, queue) + ready_count(channel, other) == 7)
    assert sum(len(inbox.deliveries) for inbox in inboxes) == 3
    channel.basic_ack(0, multiple=True)
    process_until(channel, lambda: sum(len(inbox.deliveries) for inbox in inboxes) >= 6)
    left = expected(4)
    process_until(channel, lambda: ready_count(channel, queue) + ready_count(channel, other) == left)
    assert sum(len(inbox.deliveries) for inbox in inboxes) == 6


def test_global_limit_holds_for_existing_consumers(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    inbox = Inbox(channel, queue)
    channel.basic_qos(prefetch_count=2, global_qos=True)
    fill(channel, queue, 5)
    inbox.wait(2)
    assert ready_count(channel, queue) == 3


def test_both_limits_together(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    channel.basic_qos(prefetch_count=5, global_qos=True)
    channel.basic_qos(prefetch_count=3)
    inboxes = [Inbox(channel, queue), Inbox(channel, queue)]
    fill(channel, queue, 10)
    process_until(channel, lambda: sum(len(inbox.deliveries) for inbox in inboxes) >= 5)
    assert sorted(len(inbox.deliveries) for inbox in inboxes) == [2, 3]
    assert ready_count(channel, queue) == 5


def test_lifting_the_global_limit_delivers_the_rest(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    channel.basic_qos(prefetch_count=1, global_qos=True)
    inbox = Inbox(channel, queue)
    fill(channel, queue, 5)
    inbox.wait(1)
    channel.basic_qos(prefetch_count=0, global_qos=True)
    assert inbox.bodies(5) == numbered(5)


def test_limits_belong_to_their_channel(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    channel.basic_qos(prefetch_count=1, global_qos=True)
    other = Inbox(channel.connection.channel(), queue)
    fill(channel, queue, 5)
    other.wait(5)


def test_work_is_shared_out_fairly(bench: Workbench, channel: BlockingChannel) -> None:
    """The work-queue tutorial: prefetch 1, each worker acknowledges before it gets the next."""
    queue = bench.queue(channel)
    workers = []
    for _ in range(2):
        working = bench.channel()
        working.basic_qos(prefetch_count=1)
        workers.append(Inbox(working, queue))
    fill(channel, queue, 6)
    for round_number in range(1, 4):
        for worker in workers:
            worker.channel.basic_ack(worker.wait(round_number)[-1].tag)
    bodies = [delivery.body for worker in workers for delivery in worker.wait(3)]
    assert sorted(bodies) == numbered(6)


def test_prefetch_size_is_not_implemented(channel: BlockingChannel) -> None:
    with pytest.raises(ConnectionClosedByBroker) as caught:
        channel.basic_qos(prefetch_size=1)
    assert caught.value.reply_code == 540
    assert caught.value.reply_text.startswith("NOT_IMPLEMENTED - prefetch_size!=0 (1)")
