"""When a queue could do with more messages, and who is told."""

from __future__ import annotations

import logging

import pytest

from tests.support.core_clients import queue as declare_with
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer, declare, publish
from warren.core.declaring.queues import remove_queue
from warren.core.messages.properties import encode_properties
from warren.core.queues.answer import ignore
from warren.core.queues.base import Queue
from warren.core.queues.classic.queue import ClassicQueue


class Watch:
    """told: everything that it was told, in order."""

    def __init__(self, queue: Queue) -> None:
        self.told: list[bool] = []
        assert queue.watch_demand(self)

    def __call__(self, wanted: bool) -> None:
        self.told.append(wanted)


@pytest.fixture
def queue(memory: SimulatedBroker) -> ClassicQueue:
    return declare(memory)


def consume(queue: ClassicQueue, credit: int, priority: int | None = None, *, no_ack: bool = True) -> SimulatedConsumer:
    arguments = {} if priority is None else {"x-priority": priority}
    consumer = SimulatedConsumer(queue, credit=credit, no_ack=no_ack, arguments=arguments)
    queue.add_consumer(consumer)
    return consumer


def test_it_is_wanted_while_the_queue_is_empty_and_somebody_waits(memory: SimulatedBroker, queue: ClassicQueue) -> None:
    watch = Watch(queue)
    memory.settle()
    assert watch.told == []
    consumer = consume(queue, 2)
    memory.settle()
    assert watch.told == [True]
    publish(memory, queue, [b"1"])
    memory.settle()
    assert watch.told == [True]
    publish(memory, queue, [b"2"])
    memory.settle()
    assert watch.told == [True, False], "all credit is used up"
    publish(memory, queue, [b"3"])
    memory.settle()
    consumer.give(1)
    memory.settle()
    assert watch.told == [True, False], "what was ready has used it up"
    consumer.give(1)
    memory.settle()
    assert watch.told == [True, False, True]
    assert consumer.bodies == [b"1", b"2", b"3"]


@pytest.mark.parametrize("how", ["leaves", "parks"])
def test_it_ends_with_the_last_consumer(memory: SimulatedBroker, queue: ClassicQueue, how: str) -> None:
    watch = Watch(queue)
    consumer, other = consume(queue, 5), consume(queue, 5)
    memory.settle()
    for each in (consumer, other):
        assert watch.told == [True]
        if how == "leaves":
            queue.remove_consumer(each)
        else:
            each.withdraw()
        memory.settle()
    assert watch.told == [True, False]


def test_a_priority_below_0_does_not_count(memory: SimulatedBroker, queue: ClassicQueue) -> None:
    watch = Watch(queue)
    low = consume(queue, 5, -1)
    memory.settle()
    assert (watch.told, queue.spare_credit) == ([], 0)
    high = consume(queue, 1, 3)
    usual = consume(queue, 1)
    memory.settle()
    assert (watch.told, queue.spare_credit) == ([True], 2)
    publish(memory, queue, [b"1", b"2"])
    memory.settle()
    assert (high.bodies, usual.bodies, low.bodies) == ([b"1"], [b"2"], [])
    assert (watch.told, queue.spare_credit) == ([True, False], 0)


@pytest.mark.parametrize("how", ["purged", "polled", "expired"])
def test_a_queue_that_has_become_empty_otherwise(memory: SimulatedBroker, queue: ClassicQueue, how: str) -> None:
    watch = Watch(queue)
    consumer = consume(queue, 1)
    publish(memory, queue, [b"1", b"2"], encode_properties(expiration="1000"))
    queue.expects_expiry()
    memory.settle()
    if how == "purged":
        queue.purge(ignore)
    elif how == "polled":
        queue.get(ignore, no_ack=True)
    else:
        memory.advance(1000)
    memory.settle()
    assert watch.told == []
    consumer.give(1)
    memory.settle()
    assert watch.told == [True]


def test_several_may_watch_and_stop_watching(memory: SimulatedBroker, queue: ClassicQueue) -> None:
    first = Watch(queue)
    consumer = consume(queue, 1)
    memory.settle()
    second = Watch(queue)
    assert second.told == [True], "at once, as it is wanted already"
    queue.unwatch_demand(first)
    publish(memory, queue, [b"1"])
    memory.settle()
    assert (first.told, second.told) == ([True], [True, False])
    queue.unwatch_demand(second)
    queue.unwatch_demand(second)
    assert queue.demand is None
    consumer.give(1)
    memory.settle()
    assert second.told == [True, False]


def test_it_ends_with_the_queue(memory: SimulatedBroker, queue: ClassicQueue) -> None:
    watch = Watch(queue)
    consume(queue, 1)
    memory.settle()
    remove_queue(memory.vhost, queue)
    memory.settle()
    assert watch.told == [True, False]


@pytest.mark.parametrize("arguments", [{"x-message-ttl": 60_000}, {"x-queue-type": "quorum"}, {"x-max-priority": 3}])
def test_queues_with_rules_say_it_too(memory: SimulatedBroker, arguments: dict[str, int | str]) -> None:
    queue = declare_with(memory, "ruled", arguments, durable=True)
    assert isinstance(queue, ClassicQueue)
    watch = Watch(queue)
    consume(queue, 1, no_ack=False)
    memory.settle()
    publish(memory, queue, [b"1"])
    memory.settle()
    assert watch.told == [True, False]


def test_who_fails_to_listen_hurts_nobody(
    memory: SimulatedBroker, queue: ClassicQueue, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(wanted: bool) -> None:
        raise RuntimeError("on purpose")

    queue.watch_demand(fails)
    watch = Watch(queue)
    consumer = consume(queue, 1)
    with caplog.at_level(logging.ERROR):
        publish(memory, queue, [b"1"])
        memory.settle()
        consumer.give(1)
        memory.settle()
    assert (consumer.bodies, watch.told) == ([b"1"], [True])
    assert "what watches the demand of a queue failed" in caplog.text
    caplog.clear()
