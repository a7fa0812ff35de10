"""What comes back in parts: in its old places and for consumers at once, whatever happens to the queue meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support import core_clients
from tests.support.core_clients import publish, take
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.declaring.queues import remove_queue
from warren.core.messages.message import Message
from warren.core.queues.answer import Polled
from warren.core.queues.base import Queue
from warren.core.queues.classic.placing import MOVED_PER_SLICE, in_order
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.returning import RETURNED_PER_SLICE, give_back
from warren.core.storage.recovery import finish_chores

MANY = 3 * RETURNED_PER_SLICE


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    """In memory."""
    simulated = SimulatedBroker()
    yield simulated
    simulated.settle()
    assert not simulated.broker.chores
    simulated.check()
    simulated.close()


def declare(broker: SimulatedBroker, arguments: dict[str, str | int] | None = None) -> ClassicQueue:
    declared = core_clients.queue(broker, "q", arguments or {}, durable=True)
    assert isinstance(declared, ClassicQueue)
    return declared


def taken(broker: SimulatedBroker, queue: ClassicQueue, count: int, priorities: int = 0) -> SimulatedConsumer:
    """A consumer that has so many messages, each with its number as its body; it wants no more."""
    for number in range(count):
        properties = core_clients.properties(priority=number % priorities) if priorities else None
        publish(broker, "", b"%d" % number, properties, "q")
    consumer = SimulatedConsumer(queue, credit=count)
    queue.add_consumer(consumer)
    broker.settle()
    assert len(consumer.taken) == count
    return consumer


def bodies(numbers: range | list[int]) -> list[bytes]:
    return [b"%d" % number for number in numbers]


class Returning:
    """Gives back what a consumer has, part by part, when it is told to."""

    def __init__(self, consumer: SimulatedConsumer, *, size: int = RETURNED_PER_SLICE, failed: bool = True) -> None:
        messages = [message for message, _ in consumer.taken]
        consumer.taken.clear()
        queue: Queue = consumer.queue
        parts = [[(queue, message) for message in messages[at : at + size]] for at in range(0, len(messages), size)]
        self.slices = give_back(parts, lambda queue: failed)

    def part(self) -> None:
        next(self.slices)

    def rest(self) -> None:
        for _ in self.slices:
            pass


def test_a_part_counts_as_ready_and_is_given_to_nobody(broker: SimulatedBroker) -> None:
    queue = declare(broker)
    returning = Returning(taken(broker, queue, MANY))
    other = SimulatedConsumer(queue)
    queue.add_consumer(other)
    returning.part()
    broker.settle()
    assert (queue.ready_count, queue.unacked_count, other.taken) == (RETURNED_PER_SLICE, MANY - RETURNED_PER_SLICE, [])
    publish(broker, "", b"new", key="q")
    broker.settle()
    assert other.bodies == [b"new"], "what is there is given out: the return has its effect when it is over"
    returning.rest()
    broker.settle()
    assert other.bodies == [b"new", *bodies(range(MANY))]
    assert other.redelivered == [False] + [True] * MANY
    other.acknowledge(MANY + 1)


def test_nothing_is_given_out_while_heads_are_not_whole(broker: SimulatedBroker) -> None:
    queue = declare(broker)
    consumer = taken(broker, queue, 2 * MOVED_PER_SLICE + 10)
    Returning(consumer).rest()
    other = SimulatedConsumer(queue)
    queue.add_consumer(other)
    counts = []
    while queue.returned.placing is not None:
        broker.broker.end_turn()
        counts.append((queue.ready_count, len(other.taken)))
    assert len(counts) > 4
    assert set(counts[:-1]) == {(2 * MOVED_PER_SLICE + 10, 0)}
    broker.settle()
    assert other.bodies == bodies(range(2 * MOVED_PER_SLICE + 10))
    other.acknowledge(len(other.taken))


def test_between_messages_that_are_older_and_newer(broker: SimulatedBroker) -> None:
    """Two consumers had turns; one gives back, then the other: each message goes between two of the others."""
    queue = declare(broker)
    consumers = [SimulatedConsumer(queue), SimulatedConsumer(queue)]
    for consumer in consumers:
        queue.add_consumer(consumer)
    count = 3 * MOVED_PER_SLICE
    for number in range(count):
        publish(broker, "", b"%d" % number, key="q")
    broker.settle()
    for consumer in consumers:
        queue.remove_consumer(consumer)
        assert len(consumer.taken) == count // 2
    for consumer in consumers:
        Returning(consumer).rest()
        broker.settle()
    assert take(queue) == bodies(range(count))


def test_one_message_that_belongs_far_behind_the_head(broker: SimulatedBroker) -> None:
    """Its place is found in slices, however short it is to say."""
    queue = declare(broker)
    consumer = taken(broker, queue, MOVED_PER_SLICE + 100)
    last = consumer.taken.pop()[0]
    Returning(consumer).rest()
    broker.settle()
    queue.requeue([last])
    broker.broker.end_turn()
    assert queue.returned.placing is not None
    broker.settle()
    assert take(queue) == bodies(range(MOVED_PER_SLICE + 100))


@pytest.mark.parametrize("slices", range(5))
def test_two_returns_at_a_time(broker: SimulatedBroker, slices: int) -> None:
    queue = declare(broker)
    first = taken(broker, queue, MANY)
    second = SimulatedConsumer(queue)
    second.taken = first.taken[::3]
    first.taken = [each for each in first.taken if each not in set(second.taken)]
    one, other = Returning(first), Returning(second, size=100)
    one.part()
    other.part()
    one.rest()
    for _ in range(slices):
        broker.broker.end_turn()
    other.rest()
    broker.settle()
    assert take(queue) == bodies(range(MANY))


def test_a_poll_waits_until_the_head_is_whole(broker: SimulatedBroker) -> None:
    queue = declare(broker)
    Returning(taken(broker, queue, MANY)).rest()
    polled: list[Polled] = []
    queue.get(polled.append, no_ack=True)  # type: ignore[arg-type]
    assert polled == []
    broker.settle()
    (found,) = polled
    assert found is not None
    assert found[0].body == b"0"
    assert take(queue) == bodies(range(1, MANY))


@pytest.mark.parametrize("turns", range(6))
def test_a_purge_takes_what_has_come_until_then(broker: SimulatedBroker, turns: int) -> None:
    queue = declare(broker)
    returning = Returning(taken(broker, queue, 2 * MANY))
    for _ in range(turns):
        returning.part()
    count = queue.drop_ready()
    assert (count, queue.ready_count, queue.ready_bytes) == (turns * RETURNED_PER_SLICE, 0, 0)
    returning.rest()
    broker.settle()
    assert take(queue) == bodies(range(count, 2 * MANY))


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.parametrize("end", [ClassicQueue.drop_ready, lambda queue: remove_queue(queue.vhost, queue)])
def test_the_end_of_a_queue_or_of_its_messages_while_they_are_put_back(
    disk: SimulatedBroker, turns: int, end: Callable[[ClassicQueue], object]
) -> None:
    queue = declare(disk)
    for number in range(MANY):
        publish(disk, "", b"%d" % number, core_clients.persistent(), "q")
    consumers = [SimulatedConsumer(queue), SimulatedConsumer(queue)]
    for consumer in consumers:
        queue.add_consumer(consumer)
    disk.settle()
    for consumer in consumers:
        queue.remove_consumer(consumer)
        Returning(consumer).rest()
    for _ in range(turns):
        disk.broker.end_turn()
    end(queue)
    assert (queue.ready_count, queue.ready_bytes) == (0, 0)
    disk.settle()
    assert disk.broker.store.statistics()["entries"] == 0
    assert not queue.has_entries_to_settle


def test_a_queue_that_goes_while_parts_come(broker: SimulatedBroker) -> None:
    queue = declare(broker)
    returning = Returning(taken(broker, queue, MANY))
    returning.part()
    remove_queue(broker.vhost, queue)
    returning.rest()
    broker.settle()
    assert (queue.unacked_count, queue.ready_count) == (0, 0)
    assert broker.broker.store.statistics()["entries"] == 0


def test_priorities(broker: SimulatedBroker) -> None:
    queue = declare(broker, {"x-max-priority": 3})
    Returning(taken(broker, queue, MANY, priorities=3)).rest()
    broker.settle()
    expected = [number for level in (2, 1, 0) for number in range(MANY) if number % 3 == level]
    assert take(queue) == bodies(expected)


def test_what_has_failed_too_often_is_buried_in_slices(broker: SimulatedBroker) -> None:
    graves = core_clients.queue(broker, "graves")
    letters = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}
    queue = declare(broker, {"x-queue-type": "quorum", "x-delivery-limit": 0, **letters})
    returning = Returning(taken(broker, queue, MANY))
    for _ in range(3):
        returning.part()
    assert (queue.unacked_count, queue.ready_count) == (MANY, 0), "they are out until they are dead letters"
    most = before = 0
    for _ in returning.slices:
        broker.settle()
        most = max(most, graves.ready_count - before)
        before = graves.ready_count
    broker.settle()
    assert (queue.unacked_count, graves.ready_count) == (0, MANY)
    assert most < RETURNED_PER_SLICE // 10
    assert queue.counts.rejected == MANY


def test_a_stop_puts_everything_in_its_place(disk: SimulatedBroker) -> None:
    queue = declare(disk)
    for number in range(MANY):
        publish(disk, "", b"%d" % number, core_clients.persistent(), "q")
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    disk.settle()
    queue.remove_consumer(consumer)
    Returning(consumer).rest()
    disk.broker.end_turn()
    finish_chores(disk.broker)
    assert queue.returned.placing is None
    disk.restart()
    found = core_clients.take_messages(disk.queue("q"))
    assert [message.body for message in found] == bodies(range(MANY))


@pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")
def test_parts_that_follow_each_other_are_one_row_without_being_compared() -> None:
    class Numbered:
        def __init__(self, sequence: int) -> None:
            self.sequence = sequence

    def run(*sequences: int) -> list[Message]:
        return [Numbered(sequence) for sequence in sequences]  # type: ignore[misc]

    assert [each.sequence for each in in_order([run(5, 6), run(1, 2), run(3)])] == [1, 2, 3, 5, 6]
    assert [each.sequence for each in in_order([run(1, 5), run(2, 6), run(3, 4)])] == [1, 2, 3, 4, 5, 6]
