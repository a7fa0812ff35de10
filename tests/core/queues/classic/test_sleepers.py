"""Consumers that sleep until their queue has something: one of very many that share a credit (adapters.session)."""

from __future__ import annotations

import pytest

from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer, declare, publish
from warren.core.queues.classic.queue import ClassicQueue


class Sleeper(SimulatedConsumer):
    """Sleeps instead of being available while there is nothing for it."""

    __slots__ = ("resumed",)

    def __init__(self, queue: ClassicQueue, credit: int = 9) -> None:
        self.resumed = 0
        super().__init__(queue, credit=credit)

    def resume(self) -> None:
        if self.parked and self.active and self.can_take():
            self.resumed += 1
            if self.queue.ready_count or not self.queue.sleep(self):
                self.queue.resume(self)


@pytest.fixture(params=["plain", "ruled"])
def queue(request: pytest.FixtureRequest, memory: SimulatedBroker) -> ClassicQueue:
    if request.param == "ruled":
        made = core_clients.queue(memory, "q", {"x-max-length": 100})
        assert isinstance(made, ClassicQueue)
        return made
    return declare(memory)


def test_it_is_woken_by_a_message_and_by_nothing_else(memory: SimulatedBroker, queue: ClassicQueue) -> None:
    sleeper = Sleeper(queue)
    queue.add_consumer(sleeper)
    for _ in range(3):
        queue.mark_dirty()
        memory.settle()
    assert (sleeper.parked, sleeper.resumed) == (True, 1)
    publish(memory, queue, [b"1", b"2"])
    memory.settle()
    assert sleeper.bodies == [b"1", b"2"]
    assert (sleeper.parked, sleeper.resumed) == (False, 2)
    publish(memory, queue, [b"3"])
    memory.settle()
    assert sleeper.resumed == 2
    assert not queue.ring.sleepers


def test_it_is_one_of_those_that_take_turns(memory: SimulatedBroker, queue: ClassicQueue) -> None:
    sleeper, other = Sleeper(queue), SimulatedConsumer(queue)
    queue.add_consumer(sleeper)
    queue.add_consumer(other)
    publish(memory, queue, [b"1", b"2", b"3", b"4"])
    memory.settle()
    assert len(sleeper.taken) == len(other.taken) == 2


def test_one_without_credit_isnt_woken_again_and_again(memory: SimulatedBroker, queue: ClassicQueue) -> None:
    sleeper = Sleeper(queue, credit=1)
    queue.add_consumer(sleeper)
    sleeper.credit = 0
    publish(memory, queue, [b"1"])
    memory.settle()
    assert not queue.ring.sleepers
    assert queue.ready_count == 1
    sleeper.credit = 1
    sleeper.resume()
    memory.settle()
    assert sleeper.bodies == [b"1"]


def test_one_that_goes_is_forgotten(memory: SimulatedBroker, queue: ClassicQueue) -> None:
    sleeper = Sleeper(queue)
    queue.add_consumer(sleeper)
    queue.remove_consumer(sleeper)
    assert not queue.ring.sleepers
    publish(memory, queue, [b"1"])
    memory.settle()
    assert sleeper.taken == []
    assert queue.ready_count == 1


def test_the_hot_path_is_back_once_nobody_sleeps(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    sleeper = Sleeper(queue)
    queue.add_consumer(sleeper)
    assert queue.governed
    publish(memory, queue, [b"1"])
    memory.settle()
    assert not queue.governed
    other = Sleeper(queue)
    queue.add_consumer(other)
    assert queue.governed
    queue.remove_consumer(other)
    assert not queue.governed


def test_a_full_queue_takes_what_one_that_sleeps_gets_at_once(memory: SimulatedBroker) -> None:
    """As for one that is available (x-overflow reject-publish)."""
    queue = core_clients.queue(memory, "q", {"x-max-length": 0, "x-overflow": "reject-publish"})
    assert isinstance(queue, ClassicQueue)
    sleeper = Sleeper(queue)
    queue.add_consumer(sleeper)
    assert queue.ring.sleepers
    assert queue.spare_credit == 9
    core_clients.publish(memory, "", b"1", key="q")
    memory.settle()
    assert sleeper.bodies == [b"1"]


def test_a_queue_with_one_that_sleeps_has_somebody_for_more(memory: SimulatedBroker, queue: ClassicQueue) -> None:
    wanted: list[bool] = []
    queue.watch_demand(wanted.append)
    queue.add_consumer(Sleeper(queue))
    queue.mark_dirty()
    memory.settle()
    assert wanted[-1:] == [True]
