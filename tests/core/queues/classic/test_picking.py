"""Consumers with selectors and groups: what it costs, how long it takes, and who gets how much."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer, publish
from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import Encodable
from warren.core.messages.properties import encode_properties
from warren.core.queues.classic.picking import STEPS_PER_DRAIN
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.vhost import Outcome
from warren.core.selectors.fields import Fields
from warren.core.selectors.selector import Selector


class Counting(Selector):
    """Wants what has a header of a name, and counts what it is asked about."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.asked = 0

    @property
    def text(self) -> str:
        return self.name

    def matches(self, fields: Fields) -> bool:
        self.asked += 1
        return self.name in fields.applications


def declare(broker: SimulatedBroker, arguments: Mapping[str, Encodable] | None = None) -> ClassicQueue:
    queue = core_clients.queue(broker, "q", dict(arguments or {}))
    assert isinstance(queue, ClassicQueue)
    return queue


def consumer_that_wants(queue: ClassicQueue, selector: Selector, credit: int = 100) -> SimulatedConsumer:
    consumer = SimulatedConsumer(queue, credit=credit)
    consumer.selector = selector
    queue.add_consumer(consumer)
    return consumer


def test_nothing_looks_twice_at_what_nobody_wants(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    selector = Counting("red")
    consumer = consumer_that_wants(queue, selector)
    publish(memory, queue, [b"x"] * 2000)
    memory.settle()
    assert selector.asked == 2000
    for number in range(50):
        publish(memory, queue, [b"%d" % number], encode_properties(headers={"red": True}))
        memory.settle()
        consumer.requeue()
        memory.settle()
        consumer.acknowledge(1)
        consumer.give(1)
        memory.settle()
    assert selector.asked == 2000 + 2 * 50
    assert queue.ready_count == 2000


def test_who_comes_again_goes_on_where_he_was(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    publish(memory, queue, [b"x"] * 1000)
    asked = 0
    for _ in range(5):
        selector = Counting("red")
        consumer = consumer_that_wants(queue, selector)
        memory.settle()
        asked += selector.asked
        queue.remove_consumer(consumer)
    assert asked == 1000


def test_a_consumer_without_room_is_not_looked_for(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    selector = Counting("red")
    consumer_that_wants(queue, selector, credit=0)
    publish(memory, queue, [b"x"] * 100)
    memory.settle()
    assert selector.asked == 0


def test_a_long_search_is_cut_into_turns(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    selector = Counting("red")
    consumer_that_wants(queue, selector)
    publish(memory, queue, [b"x"] * 10_000)
    asked, most = 0, 0
    while memory.broker.end_turn():
        most = max(most, selector.asked - asked)
        asked = selector.asked
    assert selector.asked == 10_000
    assert most <= STEPS_PER_DRAIN


def test_a_queue_is_as_before_when_nobody_selects_any_more(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    consumer = consumer_that_wants(queue, Counting("red"))
    publish(memory, queue, [b"1", b"2"])
    memory.settle()
    assert queue.governed
    queue.remove_consumer(consumer)
    other = SimulatedConsumer(queue)
    queue.add_consumer(other)
    memory.settle()
    assert other.bodies == [b"1", b"2"]
    assert queue.picking is None
    assert not queue.governed
    publish(memory, queue, [b"3"])
    memory.settle()
    assert other.bodies == [b"1", b"2", b"3"]


def test_a_full_queue_takes_what_a_consumer_takes_at_once(memory: SimulatedBroker) -> None:
    queue = declare(memory, {"x-max-length": 0, "x-overflow": "reject-publish"})
    consumer = consumer_that_wants(queue, Counting("red"))
    taken = [
        core_clients.publish(memory, "", b"x", encode_properties(headers={color: True}), key="q")[1]
        for color in ("red", "blue")
    ]
    memory.settle()
    assert len(consumer.taken) == 1
    assert taken[0] is not Outcome.REFUSED
    assert taken[1] is Outcome.REFUSED


@pytest.mark.parametrize("text", ["color = ", "color == 1", "'x' 'y'", "SUBSTRING(color)", "x" * 5000])
def test_what_is_no_selector(memory: SimulatedBroker, text: str) -> None:
    queue = declare(memory)
    with pytest.raises(PreconditionFailed, match="invalid arg 'x-filter' for queue 'q' in vhost '/'"):
        queue.add_consumer(SimulatedConsumer(queue, arguments={"x-filter": text}))
    assert not queue.consumers


def test_a_blank_one_wants_everything(memory: SimulatedBroker) -> None:
    queue = declare(memory)
    queue.add_consumer(SimulatedConsumer(queue, arguments={"x-filter": " "}))
    assert queue.picking is None


def test_groups_are_spread_evenly(memory: SimulatedBroker) -> None:
    queue = declare(memory, {"x-group-by": "header:k"})
    consumers = [SimulatedConsumer(queue, credit=20, tag=str(number)) for number in range(4)]
    for consumer in consumers:
        queue.add_consumer(consumer)
    for number in range(40):
        publish(memory, queue, [b"%d" % number], encode_properties(headers={"k": number}))
    memory.settle()
    assert [len(consumer.taken) for consumer in consumers] == [10] * 4
    assert queue.columns["message_groups"](queue) == 40
    assert queue.columns["message_groups_waiting"](queue) == 0


def test_a_group_that_waits_holds_up_nobody(memory: SimulatedBroker) -> None:
    queue = declare(memory, {"x-group-by": "header:k"})
    first, second = SimulatedConsumer(queue, credit=1), SimulatedConsumer(queue, credit=0)
    queue.add_consumer(first)
    queue.add_consumer(second)
    publish(memory, queue, [b"a"] * 500, encode_properties(headers={"k": "a"}))
    publish(memory, queue, [b"b"], encode_properties(headers={"k": "b"}))
    publish(memory, queue, [b"-"])
    second.give(10)
    memory.settle()
    assert second.bodies == [b"b", b"-"]
    assert queue.columns["message_groups_waiting"](queue) == 1
    first.acknowledge(1)
    memory.settle()
    assert second.bodies == [b"b", b"-", *[b"a"] * 8]


@pytest.mark.parametrize("values", [(7, "7"), (b"x", "x"), (True, "true")])
def test_values_that_read_alike_are_one_group(memory: SimulatedBroker, values: tuple[Encodable, Encodable]) -> None:
    queue = declare(memory, {"x-group-by": "header:k"})
    for number in range(2):
        queue.add_consumer(SimulatedConsumer(queue, tag=str(number)))
    for value in values:
        publish(memory, queue, [b"x"], encode_properties(headers={"k": value}))
    memory.settle()
    assert queue.columns["message_groups"](queue) == 1


def test_a_poll_passes_over_what_is_with_consumers_in_turns(memory: SimulatedBroker) -> None:
    queue = declare(memory, {"x-group-by": "routing-key"})
    consumer = SimulatedConsumer(queue, credit=1)
    queue.add_consumer(consumer)
    publish(memory, queue, [b"x"] * 5000)
    memory.settle()
    answers: list[object] = []
    queue.get(answers.append, no_ack=False)
    assert not answers, "it looks at many"
    memory.settle()
    assert answers == [None]
    consumer.acknowledge(1)
    queue.get(answers.append, no_ack=False)
    memory.settle()
    assert answers[1] is not None


def test_a_restart_keeps_it(disk: SimulatedBroker) -> None:
    queue = core_clients.queue(disk, "q", {"x-group-by": "header:k"}, durable=True)
    assert isinstance(queue, ClassicQueue)
    publish(disk, queue, [b"1", b"2"], encode_properties(headers={"k": "a"}, delivery_mode=2))
    disk.settle()
    disk.restart()
    queue = disk.queue("q")
    first, second = SimulatedConsumer(queue, credit=1), SimulatedConsumer(queue)
    queue.add_consumer(first)
    disk.settle()
    queue.add_consumer(second)
    disk.settle()
    assert (first.bodies, second.bodies) == ([b"1"], [])
