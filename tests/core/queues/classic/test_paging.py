"""The classic queue with a real disk engine: paging out and in, merging with tickets, restarts, settling.

The brokers here have a memory budget of nothing, so that everything behind the resident head leaves memory.
"""

from __future__ import annotations

import random

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer, declare, publish
from warren.core.messages.properties import EMPTY, encode_properties
from warren.core.queues.backlog import USUAL_PAGING
from warren.core.queues.classic.queue import ClassicQueue

PERSISTENT = encode_properties(delivery_mode=2)
MANY = 4000


def numbered(start: int, stop: int) -> list[bytes]:
    return [b"%d" % number for number in range(start, stop)]


def fill(broker: SimulatedBroker, queue: ClassicQueue, start: int = 0, stop: int = MANY) -> None:
    """Publish in batches, so that pages leave memory in between."""
    for first in range(start, stop, 500):
        publish(broker, queue, numbered(first, min(first + 500, stop)), PERSISTENT)
        broker.settle()


def check_bytes(queue: ClassicQueue) -> None:
    entries = [entry for backlog in queue.backlogs for entry in backlog.all()]
    resident = [entry for entry in entries if not isinstance(entry, int)]
    assert queue.paged_count == len(entries) - len(resident)
    paged_bytes = sum(backlog.paged_bytes for backlog in queue.backlogs)
    assert queue.ready_bytes == paged_bytes + sum(message.body_size for message in resident)


def entry_count(broker: SimulatedBroker) -> int:
    return broker.broker.store.statistics()["entries"]


def test_a_backlog_leaves_memory_and_comes_back_in_order(disk: SimulatedBroker) -> None:
    queue = declare(disk, durable=True)
    fill(disk, queue)
    assert queue.paged_count > MANY - 2 * USUAL_PAGING.head_messages
    check_bytes(queue)
    consumer = SimulatedConsumer(queue, credit=100)
    queue.add_consumer(consumer)
    bodies: list[bytes] = []
    while queue.ready_count or consumer.taken:
        disk.settle()
        check_bytes(queue)
        bodies += consumer.bodies
        consumer.acknowledge(100)
        consumer.give(100)
    assert bodies == numbered(0, MANY)
    disk.settle()
    assert queue.ready_bytes == queue.paged_count == queue.resident_bytes == 0
    assert entry_count(disk) == 0


def test_memory_stays_bounded_while_as_much_leaves_as_arrives(disk: SimulatedBroker) -> None:
    """The length of the backlog never grows here; what arrives at its tail must leave memory all the same."""
    queue = declare(disk, durable=True)
    fill(disk, queue)
    consumer = SimulatedConsumer(queue, credit=0)
    queue.add_consumer(consumer)
    for start in range(MANY, 3 * MANY, 500):
        consumer.give(500)
        fill(disk, queue, start, start + 500)
        consumer.acknowledge(500)
        assert queue.resident_count <= 2 * USUAL_PAGING.head_messages, "resident messages pile up"


def test_a_few_large_messages_leave_memory_too(disk: SimulatedBroker) -> None:
    queue = declare(disk, durable=True)
    body = b"x" * (1 << 20)
    for _ in range(30):
        publish(disk, queue, [body], PERSISTENT)
        disk.settle()
    assert queue.resident_bytes < 2 * USUAL_PAGING.head_bytes + len(body)
    consumer = SimulatedConsumer(queue, credit=1)
    queue.add_consumer(consumer)
    for _ in range(30):
        disk.settle()
        assert consumer.bodies == [body]
        consumer.acknowledge(1)
        consumer.give(1)
    assert queue.ready_count == queue.ready_bytes == 0


def test_returned_messages_merge_with_tickets(disk: SimulatedBroker) -> None:
    queue = declare(disk, durable=True)
    fill(disk, queue)
    consumer = SimulatedConsumer(queue, credit=1500)
    queue.add_consumer(consumer)
    disk.settle()
    consumer.requeue([*range(0, 1500, 3), 1499])
    consumer.acknowledge(len(consumer.taken))
    queue.remove_consumer(consumer)
    disk.settle()
    other = SimulatedConsumer(queue)
    queue.add_consumer(other)
    disk.settle()
    returned = [*range(0, 1500, 3), 1499]
    assert other.bodies == [b"%d" % number for number in [*returned, *range(1500, MANY)]]
    assert other.redelivered == [True] * len(returned) + [False] * (MANY - 1500)


def test_returned_messages_page_out_and_stay_marked(disk: SimulatedBroker) -> None:
    queue = declare(disk, durable=True)
    fill(disk, queue, 0, 3000)
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    disk.settle()
    queue.remove_consumer(consumer)
    consumer.requeue()
    fill(disk, queue, 3000, MANY)
    assert queue.paged_count > 1000
    check_bytes(queue)
    other = SimulatedConsumer(queue, no_ack=True)
    queue.add_consumer(other)
    disk.settle()
    assert other.bodies == numbered(0, MANY)
    assert other.redelivered == [True] * 3000 + [False] * 1000
    assert queue.returned.counts == {}
    disk.settle()
    assert entry_count(disk) == 0


def test_transient_messages_stay_and_keep_their_places(disk: SimulatedBroker) -> None:
    queue = declare(disk, durable=True)
    for start in range(0, MANY, 100):
        publish(disk, queue, numbered(start, start + 50), PERSISTENT)
        publish(disk, queue, numbered(start + 50, start + 100), EMPTY)
        disk.settle()
    assert 0 < queue.paged_count <= MANY // 2
    check_bytes(queue)
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    disk.settle()
    assert consumer.bodies == numbered(0, MANY)
    consumer.acknowledge(MANY)
    disk.settle()
    assert entry_count(disk) == 0


@pytest.mark.parametrize("delete", [False, True])
def test_purging_settles_what_is_paged_out(disk: SimulatedBroker, delete: bool) -> None:
    queue = declare(disk, durable=True)
    fill(disk, queue)
    consumer = SimulatedConsumer(queue, credit=10)
    queue.add_consumer(consumer)
    disk.settle()
    if delete:
        queue.close()
    else:
        assert queue.drop_ready() == MANY - 10
    assert queue.ready_bytes == queue.paged_count == queue.ready_count == 0
    disk.settle()
    assert entry_count(disk) == 10
    consumer.requeue([0, 1, 2])
    disk.settle()
    consumer.acknowledge(10)
    disk.settle()
    assert entry_count(disk) == (0 if delete else 3)


def test_a_deleted_queue_is_let_go(disk: SimulatedBroker) -> None:
    queue = declare(disk, durable=True)
    publish(disk, queue, numbered(0, 3000), PERSISTENT)
    disk.broker.dispatch()
    assert queue in disk.broker.crowded_queues
    queue.close()
    assert not disk.broker.crowded_queues


def test_a_clean_restart_marks_what_was_delivered(disk: SimulatedBroker) -> None:
    queue = declare(disk, durable=True)
    fill(disk, queue, 0, 2000)
    consumer = SimulatedConsumer(queue, credit=1200)
    queue.add_consumer(consumer)
    disk.settle()
    consumer.acknowledge(200)
    queue.remove_consumer(consumer)
    consumer.requeue()
    disk.settle()
    disk.restart()
    again = disk.queue("q")
    assert (again.ready_count, again.paged_count) == (1800, 1800)
    reader = SimulatedConsumer(again)
    again.add_consumer(reader)
    publish(disk, again, numbered(2000, 2005), PERSISTENT)
    disk.settle()
    assert reader.bodies == numbered(200, 2005)
    assert reader.redelivered == [True] * 1000 + [False] * 805


def test_a_transient_message_behind_does_not_hide_what_was_delivered(disk: SimulatedBroker) -> None:
    queue = declare(disk, durable=True)
    publish(disk, queue, [b"kept"], PERSISTENT)
    publish(disk, queue, [b"lost"], EMPTY)
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    disk.settle()
    consumer.requeue()
    queue.remove_consumer(consumer)
    disk.settle()
    assert queue.delivered_position() > 0
    disk.restart()
    found = disk.queue("q").poll(no_ack=True)
    assert found is not None
    assert (found[0].body, found[1]) == (b"kept", True)
    assert disk.queue("q").poll(no_ack=True) is None


def test_a_restart_without_deliveries_marks_nothing(disk: SimulatedBroker) -> None:
    queue = declare(disk, durable=True)
    publish(disk, queue, [b"1"], PERSISTENT)
    disk.settle()
    for _ in range(2):
        disk.restart()
    found = disk.queue("q").poll(no_ack=True)
    assert found is not None
    assert found[1] is False


def test_a_crash_marks_everything(disk: SimulatedBroker) -> None:
    queue = declare(disk, durable=True)
    publish(disk, queue, [b"1", b"2"], PERSISTENT)
    disk.settle()
    publish(disk, queue, [b"unflushed"], PERSISTENT)
    disk.crash()
    again = disk.queue("q")
    reader = SimulatedConsumer(again)
    again.add_consumer(reader)
    publish(disk, again, [b"3"], PERSISTENT)
    disk.settle()
    assert reader.bodies == [b"1", b"2", b"3"]
    assert reader.redelivered == [True, True, False]


@pytest.mark.parametrize("seed", range(4))
def test_random_doings_keep_order_and_counters(disk: SimulatedBroker, seed: int) -> None:
    chance = random.Random(seed)
    queue = declare(disk, durable=True)
    consumer = SimulatedConsumer(queue, credit=0)
    queue.add_consumer(consumer)
    expected: list[int] = []
    published = 0
    for _ in range(60):
        count = chance.randrange(400)
        publish(disk, queue, numbered(published, published + count), chance.choice([PERSISTENT, PERSISTENT, EMPTY]))
        expected += range(published, published + count)
        published += count
        consumer.give(chance.randrange(500))
        disk.settle()
        taken = [int(body) for body in consumer.bodies]
        assert taken == expected[: len(taken)]
        chosen = chance.sample(range(len(taken)), len(taken) // 3)
        kept = {taken[index] for index in chosen}
        consumer.requeue(chosen)
        consumer.acknowledge(len(consumer.taken))
        consumer.withdraw()
        expected = [number for number in expected if number in kept or number not in set(taken)]
        disk.settle()
        assert queue.ready_count == len(expected)
        check_bytes(queue)
    consumer.give(published)
    disk.settle()
    assert [int(body) for body in consumer.bodies] == expected
    consumer.acknowledge(len(expected))
    disk.settle()
    assert entry_count(disk) == 0
