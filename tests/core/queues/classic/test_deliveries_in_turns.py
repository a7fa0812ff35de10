"""However much could be delivered at once, a turn has its share of it, and every queue and connection has its turn.

Counted is what a turn delivers; the numbers are some times what one drain, or one turn, may do.
"""

from __future__ import annotations

import pytest

from tests.support import core_clients
from tests.support.core_clients import persistent, publish
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.broker import DELIVERIES_PER_TURN
from warren.core.declaring.queues import delete_queue
from warren.core.queues.classic.plain import ONE_BY_ONE_PER_DRAIN
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.vhost import Outcome

PER_DRAIN = ONE_BY_ONE_PER_DRAIN
MANY = 3 * PER_DRAIN + 5

RULES: dict[str, dict[str, str | int]] = {
    "plain": {},
    "priorities": {"x-max-priority": 3},
    "time to live": {"x-message-ttl": 60_000},
    "length": {"x-max-length": 2 * MANY},
    "quorum": {"x-queue-type": "quorum"},
}


def declare(broker: SimulatedBroker, name: str, arguments: dict[str, str | int] | None = None) -> ClassicQueue:
    declared = core_clients.queue(broker, name, arguments or {}, durable=True)
    assert isinstance(declared, ClassicQueue)
    return declared


def fill(broker: SimulatedBroker, queue: ClassicQueue, count: int) -> None:
    for number in range(count):
        publish(broker, "", b"%d" % number, persistent(), queue.name)
    broker.settle()


def turns(broker: SimulatedBroker, *consumers: SimulatedConsumer) -> list[list[int]]:
    """What each of the consumers got, turn by turn."""
    seen = []
    more = True
    while more:
        before = [len(each.taken) for each in consumers]
        more = broker.broker.end_turn()
        seen.append([len(each.taken) - count for each, count in zip(consumers, before, strict=True)])
        assert len(seen) < 1000
    return seen


@pytest.mark.parametrize("rules", RULES)
def test_a_backlog_goes_out_in_turns(memory: SimulatedBroker, rules: str) -> None:
    queue = declare(memory, "q", RULES[rules])
    fill(memory, queue, MANY)
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    given = [each[0] for each in turns(memory, consumer)]
    assert max(given) == PER_DRAIN
    assert consumer.bodies == [b"%d" % number for number in range(MANY)]
    assert (queue.ready_count, queue.unacked_count, queue.ready_bytes) == (0, MANY, 0)


def test_a_window_that_came_back_goes_out_in_turns(memory: SimulatedBroker) -> None:
    queue = declare(memory, "q")
    fill(memory, queue, MANY)
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    memory.settle()
    consumer.withdraw()
    consumer.requeue()
    memory.settle()
    queue.remove_consumer(consumer)
    again = SimulatedConsumer(queue)
    queue.add_consumer(again)
    given = [each[0] for each in turns(memory, again)]
    assert max(given) == PER_DRAIN
    assert again.bodies == [b"%d" % number for number in range(MANY)]
    assert all(again.redelivered)


def test_two_consumers_of_a_queue_have_it_in_turns_alike(memory: SimulatedBroker) -> None:
    queue = declare(memory, "q")
    fill(memory, queue, 2 * PER_DRAIN)
    consumers = [SimulatedConsumer(queue, tag=tag) for tag in "ab"]
    for each in consumers:
        queue.add_consumer(each)
    given = turns(memory, *consumers)
    assert max(map(sum, given)) == PER_DRAIN
    assert [len(each.taken) for each in consumers] == [PER_DRAIN, PER_DRAIN]


def test_all_queues_of_a_broker_share_what_a_turn_delivers(memory: SimulatedBroker) -> None:
    queues = [declare(memory, f"q{number}") for number in range(10)]
    consumers = []
    for queue in queues:
        fill(memory, queue, PER_DRAIN)
        consumers.append(SimulatedConsumer(queue))
        queue.add_consumer(consumers[-1])
    given = turns(memory, *consumers)
    assert max(map(sum, given)) <= DELIVERIES_PER_TURN + PER_DRAIN
    assert all(len(each.taken) == PER_DRAIN for each in consumers)


def test_a_queue_with_little_waits_for_no_queue_with_much(memory: SimulatedBroker) -> None:
    """A queue that had its share goes on behind those that had none."""
    large = [declare(memory, f"large{number}") for number in range(5)]
    takers = []
    for queue in large:
        fill(memory, queue, 10 * PER_DRAIN)
        takers.append(SimulatedConsumer(queue))
        queue.add_consumer(takers[-1])
    small = declare(memory, "small")
    consumer = SimulatedConsumer(small)
    small.add_consumer(consumer)
    publish(memory, "", b"x", persistent(), "small")
    given = turns(memory, consumer, *takers)
    first = next(number for number, each in enumerate(given) if each[0])
    assert first <= 5 * PER_DRAIN // DELIVERIES_PER_TURN + 1
    after_one_round = [sum(each[1:][at] for each in given[: first + 1]) for at in range(5)]
    assert max(after_one_round) <= 2 * PER_DRAIN
    assert all(len(each.taken) == 10 * PER_DRAIN for each in takers)


def test_very_many_queues_that_get_one_message_each(memory: SimulatedBroker) -> None:
    count = 2 * DELIVERIES_PER_TURN + 1
    core_clients.exchange(memory, "all", "fanout")
    consumers = []
    for number in range(count):
        queue = core_clients.bound_queue(memory, f"q{number}", "all")
        consumers.append(SimulatedConsumer(queue))
        queue.add_consumer(consumers[-1])
    memory.settle()
    publish(memory, "all", b"x")
    given = [sum(each) for each in turns(memory, *consumers)]
    assert max(given) == DELIVERIES_PER_TURN
    assert sum(given) == count


def test_lengths_are_enforced_when_consumers_had_their_chance(memory: SimulatedBroker) -> None:
    """What was cut for the sake of others isn't what consumers had no room for."""
    queue = declare(memory, "q", {"x-max-length": 10})
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    for number in range(MANY):
        publish(memory, "", b"%d" % number, persistent(), "q")
    memory.settle()
    assert len(consumer.taken) == MANY
    consumer.withdraw()
    for number in range(MANY):
        publish(memory, "", b"%d" % number, persistent(), "q")
    memory.settle()
    assert queue.ready_count == 10


def test_a_queue_that_refuses_goes_by_its_length_while_a_delivery_is_cut(memory: SimulatedBroker) -> None:
    queue = declare(memory, "q", {"x-max-length": MANY, "x-overflow": "reject-publish"})
    fill(memory, queue, MANY)
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    memory.broker.end_turn()
    assert queue.is_cut
    taken = len(consumer.taken)
    outcomes = [publish(memory, "", b"x", persistent(), "q")[1] for _ in range(taken + 1)]
    assert len(consumer.taken) == taken, "no further delivery within the turn"
    assert [outcome is Outcome.REFUSED for outcome in outcomes] == [False] * taken + [True]
    memory.settle()
    assert len(consumer.taken) == MANY + taken
    assert not queue.is_cut


def test_a_queue_that_is_deleted_while_it_waits_for_its_turn(memory: SimulatedBroker) -> None:
    queue = declare(memory, "q")
    fill(memory, queue, MANY)
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    memory.broker.end_turn()
    delete_queue(core_clients.guest(memory), "q")
    memory.settle()
    assert len(consumer.taken) == PER_DRAIN
    assert consumer.told
