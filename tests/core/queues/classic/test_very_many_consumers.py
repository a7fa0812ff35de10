"""Tens of thousands of consumers of one queue, which go one by one: each takes as long as if there were few.

Counted is how often one consumer is compared with another.
"""

from __future__ import annotations

from typing import ClassVar

import pytest

from tests.support.core_clients import publish
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer, declare
from warren.core.queues.classic.consumer_ring import FEW

COUNT = 2000


class CountedConsumer(SimulatedConsumer):
    """Counts comparisons of any two of them."""

    compared: ClassVar[int] = 0

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        CountedConsumer.compared += 1
        return self is other

    __hash__ = SimulatedConsumer.__hash__


def consuming(broker: SimulatedBroker, count: int = COUNT) -> list[CountedConsumer]:
    queue = declare(broker)
    consumers = [CountedConsumer(queue, credit=1, tag=str(number)) for number in range(count)]
    for each in consumers:
        queue.add_consumer(each)
    broker.settle()
    return consumers


@pytest.mark.parametrize("order", ["first", "last", "middle"])
def test_they_go_one_by_one(memory: SimulatedBroker, order: str) -> None:
    consumers = consuming(memory)
    queue = consumers[0].queue
    going = {"first": consumers[:500], "last": consumers[:-501:-1], "middle": consumers[700:1200]}[order]
    CountedConsumer.compared = 0
    for each in going:
        queue.remove_consumer(each)
    memory.settle()
    assert CountedConsumer.compared <= 10 * len(going)
    assert queue.consumers == [each for each in consumers if each.active]
    assert len(queue.consumers) == COUNT - 500


@pytest.mark.parametrize("count", [FEW // 2, 4 * FEW])
def test_who_is_gone_gets_nothing(memory: SimulatedBroker, count: int) -> None:
    consumers = consuming(memory, count)
    queue = consumers[0].queue
    for each in consumers[::2]:
        queue.remove_consumer(each)
    for _ in range(count):
        publish(memory, "", b"x", key="q")
    memory.settle()
    assert [len(each.taken) for each in consumers] == [0, 1] * (count // 2)
    assert queue.ready_count == count - count // 2


def test_nobody_is_left_who_could_take_something(memory: SimulatedBroker) -> None:
    consumers = consuming(memory, 4 * FEW)
    queue = memory.queue("q")
    for each in consumers:
        queue.remove_consumer(each)
    assert not queue.ring.has_takers
    assert queue.spare_credit == 0
    publish(memory, "", b"x", key="q")
    memory.settle()
    assert queue.ready_count == 1
    assert not queue.governed
    assert not queue.ring.spares
    assert not queue.ring.available


def test_who_goes_while_the_queue_delivers_gets_no_more(memory: SimulatedBroker) -> None:
    queue = declare(memory)

    class Leaving(SimulatedConsumer):
        __slots__ = ("others",)

        others: list[SimulatedConsumer]

        def deliver(self, message: object, redelivered: bool) -> bool:
            for each in self.others:
                queue.remove_consumer(each)
            return super().deliver(message, redelivered)  # type: ignore[arg-type]

    first = Leaving(queue)
    first.others = others = [SimulatedConsumer(queue, tag=str(number)) for number in range(2 * FEW)]
    for each in (first, *others):
        queue.add_consumer(each)
    memory.settle()
    for _ in range(10):
        publish(memory, "", b"x", key="q")
    memory.settle()
    assert len(first.taken) == 10
    assert not any(each.taken for each in others)
