"""The classic queue without storage: order, turns, credit, returning, purging, counters."""

from __future__ import annotations

import random

import pytest

from tests.support.simulated_broker import SimulatedBroker, check_counts
from tests.support.simulated_consumer import SimulatedConsumer, declare, publish
from warren.core.errors import AccessRefused
from warren.core.queues.classic.queue import ClassicQueue


def names(*numbers: int) -> list[bytes]:
    return [b"%d" % number for number in numbers]


def consumer_on(queue: ClassicQueue, *, credit: int = 1 << 30, no_ack: bool = False) -> SimulatedConsumer:
    consumer = SimulatedConsumer(queue, credit=credit, no_ack=no_ack)
    queue.add_consumer(consumer)
    return consumer


def test_messages_come_in_the_order_of_publishing(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    publish(memory, queue, names(1, 2, 3))
    consumer = consumer_on(queue)
    publish(memory, queue, names(4))
    assert consumer.bodies == [], "delivery waits for the end of the batch"
    memory.settle()
    assert consumer.bodies == names(1, 2, 3, 4)
    assert consumer.redelivered == [False] * 4
    assert (queue.ready_count, queue.unacked_count, queue.ready_bytes) == (0, 4, 0)
    consumer.acknowledge(4)
    assert queue.unacked_count == 0


def test_consumers_take_turns_as_long_as_they_have_credit(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    first, second, third = consumer_on(queue), consumer_on(queue, credit=2), consumer_on(queue)
    publish(memory, queue, names(*range(1, 9)))
    memory.settle()
    assert first.bodies == names(1, 4, 7)
    assert second.bodies == names(2, 5)
    assert third.bodies == names(3, 6, 8)


def test_turns_go_on_across_batches(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    first, second = consumer_on(queue), consumer_on(queue)
    for number in range(6):
        publish(memory, queue, names(number))
        memory.settle()
    assert first.bodies == names(0, 2, 4)
    assert second.bodies == names(1, 3, 5)


def test_a_consumer_without_credit_is_served_again_once_it_has_some(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    consumer = consumer_on(queue, credit=0)
    publish(memory, queue, names(1, 2, 3))
    memory.settle()
    assert consumer.bodies == []
    consumer.give(2)
    memory.settle()
    assert consumer.bodies == names(1, 2)
    consumer.give(0)
    memory.settle()
    assert consumer.bodies == names(1, 2)
    consumer.give(1)
    memory.settle()
    assert consumer.bodies == names(1, 2, 3)


def test_resuming_twice_gives_no_second_turn(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    first = consumer_on(queue, credit=0)
    second = consumer_on(queue)
    first.give(10)
    first.give(10)
    publish(memory, queue, names(*range(4)))
    memory.settle()
    assert len(first.bodies) == len(second.bodies) == 2


def test_no_ack_leaves_nothing_unacknowledged(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    consumer = consumer_on(queue, no_ack=True)
    publish(memory, queue, names(1, 2))
    memory.settle()
    assert consumer.bodies == names(1, 2)
    assert queue.unacked_count == queue.ready_count == 0


def test_requeued_messages_return_to_their_places(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    publish(memory, queue, names(*range(1, 8)))
    consumer = consumer_on(queue, credit=5)
    memory.settle()
    consumer.requeue([3, 1])
    assert (queue.ready_count, queue.unacked_count) == (4, 3)
    consumer.give(10)
    memory.settle()
    assert consumer.bodies == names(1, 3, 5, 2, 4, 6, 7)
    assert consumer.redelivered == [False, False, False, True, True, False, False]


def test_a_thousand_single_requeues_keep_the_order(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    publish(memory, queue, names(*range(1000)))
    consumer = consumer_on(queue)
    memory.settle()
    order = list(range(1000))
    random.Random(7).shuffle(order)
    taken = list(consumer.taken)
    consumer.taken.clear()
    consumer.credit = 0
    for index in order:
        queue.requeue([taken[index][0]])
    other = consumer_on(queue)
    queue.remove_consumer(consumer)
    memory.settle()
    assert other.bodies == names(*range(1000))
    assert all(other.redelivered)


def test_a_message_stays_redelivered_until_it_is_settled(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    publish(memory, queue, names(1))
    consumer = consumer_on(queue)
    memory.settle()
    for _ in range(3):
        consumer.requeue()
        memory.settle()
        assert consumer.redelivered == [True]
    consumer.acknowledge(1)
    assert queue.returned.counts == {}, "nothing is remembered of a settled message"


@pytest.mark.parametrize("settle", ["acknowledge", "discard", "purge", "no_ack", "delete"])
def test_nothing_is_remembered_of_returned_messages_that_are_gone(memory: SimulatedBroker, settle: str) -> None:
    queue = declare(memory)
    publish(memory, queue, names(1, 2, 3))
    consumer = consumer_on(queue, credit=3)
    memory.settle()
    consumer.requeue()
    if settle == "purge":
        assert queue.drop_ready() == 3
    elif settle == "delete":
        queue.close()
    elif settle == "no_ack":
        other = consumer_on(queue, no_ack=True)
        memory.settle()
        assert other.redelivered == [True] * 3
    else:
        consumer.give(3)
        memory.settle()
        for message, _ in consumer.taken:
            getattr(queue, settle)(message)
    assert queue.returned.counts == {}
    assert (queue.ready_count, queue.unacked_count, queue.ready_bytes) == (0, 0, 0)


def test_purge_leaves_what_is_unacknowledged(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    publish(memory, queue, names(1, 2, 3))
    consumer = consumer_on(queue, credit=1)
    memory.settle()
    assert queue.drop_ready() == 2
    assert (queue.ready_count, queue.unacked_count, queue.ready_bytes) == (0, 1, 0)
    consumer.requeue()
    consumer.give(1)
    memory.settle()
    assert consumer.bodies == names(1)


def test_what_returns_to_a_deleted_queue_is_dropped(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    publish(memory, queue, names(1, 2, 3))
    consumer = consumer_on(queue, credit=2)
    memory.settle()
    queue.close()
    consumer.requeue([0])
    consumer.acknowledge(1)
    assert (queue.ready_count, queue.unacked_count, queue.ready_bytes) == (0, 0, 0)


def test_polling_takes_the_head_and_counts(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    publish(memory, queue, names(1, 2))
    found = queue.poll(no_ack=False)
    assert found is not None
    message, redelivered = found
    assert (message.body, redelivered) == (b"1", False)
    assert (queue.ready_count, queue.unacked_count, queue.ready_bytes) == (1, 1, 1)
    queue.requeue([message])
    again = queue.poll(no_ack=True)
    assert again is not None
    assert (again[0].body, again[1]) == (b"1", True)
    assert queue.poll(no_ack=True) is not None
    assert queue.poll(no_ack=True) is None
    assert (queue.ready_count, queue.unacked_count, queue.ready_bytes) == (0, 0, 0)


def test_an_exclusive_consumer_keeps_others_away(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    exclusive = SimulatedConsumer(queue, exclusive=True)
    queue.add_consumer(exclusive)
    with pytest.raises(AccessRefused, match="in exclusive use"):
        queue.add_consumer(SimulatedConsumer(queue))
    queue.remove_consumer(exclusive)
    queue.add_consumer(SimulatedConsumer(queue))
    with pytest.raises(AccessRefused, match="in exclusive use"):
        queue.add_consumer(SimulatedConsumer(queue, exclusive=True))
    assert len(queue.consumers) == 1


def test_a_removed_consumer_gets_nothing_more(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    gone, stays = consumer_on(queue), consumer_on(queue, credit=0)
    publish(memory, queue, names(1, 2))
    queue.remove_consumer(gone)
    gone.give(5)
    memory.settle()
    assert gone.bodies == []
    stays.give(5)
    memory.settle()
    assert stays.bodies == names(1, 2)


def test_a_parked_consumer_is_passed_over(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    first, second = consumer_on(queue), consumer_on(queue)
    queue.park(first)
    publish(memory, queue, names(1, 2))
    memory.settle()
    assert (first.bodies, second.bodies) == ([], names(1, 2))
    first.resume()
    publish(memory, queue, names(3, 4))
    memory.settle()
    assert len(first.bodies) == 1


@pytest.mark.parametrize("seed", range(5))
def test_counters_stay_exact(memory: SimulatedBroker, seed: int) -> None:
    """Random doings on one queue: sizes and counts always equal what is in it."""
    chance = random.Random(seed)
    queue = declare(memory)
    consumers: list[SimulatedConsumer] = []
    for step in range(400):
        doing = chance.randrange(8)
        if doing < 3:
            publish(memory, queue, [b"x" * chance.randrange(50) for _ in range(chance.randrange(5))])
        elif doing == 3 and len(consumers) < 3:
            consumers.append(consumer_on(queue, credit=chance.randrange(6)))
        elif doing == 4 and consumers:
            chance.choice(consumers).give(chance.randrange(5))
        elif doing == 5 and consumers:
            consumer = chance.choice(consumers)
            consumer.requeue(chance.sample(range(len(consumer.taken)), chance.randint(0, len(consumer.taken))))
        elif doing == 6 and consumers:
            chance.choice(consumers).acknowledge(chance.randrange(4))
        elif doing == 7 and step % 10 == 0:
            queue.drop_ready()
        memory.settle()
        entries = [entry for backlog in queue.backlogs for entry in backlog.all()]
        sizes = [entry.body_size for entry in entries if not isinstance(entry, int)]
        assert queue.ready_bytes == sum(sizes)
        assert queue.unacked_count == sum(len(consumer.taken) for consumer in consumers)
        sequences = [entry.sequence for entry in entries if not isinstance(entry, int)]
        assert sequences == sorted(sequences)
        check_counts(queue)
