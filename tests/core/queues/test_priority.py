"""Priority queues with backlogs on disk, and after restarts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import core_clients
from tests.support.core_clients import properties, publish, take
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.messages.properties import encode_properties
from warren.core.queues.backlog import Paging
from warren.core.queues.priority import PriorityQueue

COUNT = 5000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SimulatedBroker]:
    """Of each priority only the first fifty messages stay in memory."""
    broker = SimulatedBroker(tmp_path, backlog_bytes_max=0, paging=Paging(head_messages=50))
    yield broker
    broker.settle()
    broker.close()


def filled(broker: SimulatedBroker) -> list[bytes]:
    """A durable queue with many messages of random priorities; their bodies in the order of delivery."""
    core_clients.queue(broker, "q", {"x-max-priority": 3}, durable=True)
    chance = random.Random(1)
    sent: list[tuple[int, bytes]] = []
    for number in range(COUNT):
        priority = chance.randrange(6)
        body = b"%d" % number
        publish(broker, "", body, encode_properties(delivery_mode=2, priority=priority), key="q")
        sent.append((min(priority, 3), body))
        if number % 250 == 0:
            broker.settle()
    broker.settle()
    return [body for level in (3, 2, 1, 0) for priority, body in sent if priority == level]


def test_order_with_most_of_it_on_disk(disk: SimulatedBroker) -> None:
    expected = filled(disk)
    queue = disk.queue("q")
    assert queue.paged_count > COUNT * 3 // 4
    assert take(queue) == expected


def test_order_after_a_restart_that_keeps_hardly_anything_in_memory(disk: SimulatedBroker) -> None:
    expected = filled(disk)
    disk.restart()
    queue = disk.queue("q")
    assert isinstance(queue, PriorityQueue)
    assert queue.paged_count >= COUNT - 4 * 50
    assert take(queue) == expected
    disk.settle()
    assert disk.broker.store.statistics()["entries"] == 0


def test_what_comes_back_takes_its_place_on_its_level(disk: SimulatedBroker) -> None:
    expected = filled(disk)
    queue = disk.queue("q")
    consumer = SimulatedConsumer(queue, credit=1000)
    queue.add_consumer(consumer)
    disk.settle()
    queue.remove_consumer(consumer)
    random.Random(2).shuffle(consumer.taken)
    consumer.requeue()
    disk.settle()
    assert take(queue) == expected


def test_a_full_queue_drops_from_its_head(memory: SimulatedBroker) -> None:
    """Which is what a queue's head is: the most urgent first (A.7)."""
    queue = core_clients.queue(memory, "q", {"x-max-priority": 5, "x-max-length": 2})
    for priority in (1, 5, 3):
        publish(memory, "", b"%d" % priority, properties(priority=priority), key="q")
        memory.settle()
    assert take(queue) == [b"3", b"1"]


def test_a_full_queue_drops_the_least_urgent_if_asked_to(memory: SimulatedBroker) -> None:
    arguments = {"x-max-priority": 5, "x-max-length": 2, "x-drop-lowest-priority-first": True}
    queue = core_clients.queue(memory, "q", arguments)
    for priority in (1, 5, 3, 1):
        publish(memory, "", b"%d" % priority, properties(priority=priority), key="q")
        memory.settle()
    assert take(queue) == [b"5", b"3"]


def test_each_level_expires_at_its_own_head(memory: SimulatedBroker) -> None:
    queue = core_clients.queue(memory, "q", {"x-max-priority": 5})
    publish(memory, "", b"urgent", properties(priority=5), key="q")
    publish(memory, "", b"short", properties(priority=1, expiration="10"), key="q")
    publish(memory, "", b"behind", properties(priority=5, expiration="10"), key="q")
    core_clients.advance(memory, 10)
    assert [message.body for message in queue.browse(0, 9)] == [b"urgent", b"behind"]
    assert take(queue) == [b"urgent"]
