"""Looking into queues: positions, filters, bounds, and that nothing changes (issue: browse without consuming)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import core_clients
from tests.support.core_clients import properties, publish
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.messages.properties import encode_properties
from warren.core.queues.browse import MessageFilter, browse
from warren.core.queues.classic.queue import ClassicQueue


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SimulatedBroker]:
    """Keeps hardly anything in memory."""
    broker = SimulatedBroker(tmp_path, backlog_bytes_max=0)
    yield broker
    broker.close()


def filled(broker: SimulatedBroker, count: int) -> ClassicQueue:
    queue = core_clients.queue(broker, "q", durable=True)
    assert isinstance(queue, ClassicQueue)
    for number in range(count):
        fields = encode_properties(delivery_mode=2, message_id=f"m{number}", headers={"odd": number % 2 == 1})
        publish(broker, "", b"%d" % number, fields, key="q")
        if number % 500 == 0:
            broker.settle()
    broker.settle()
    return queue


def bodies(queue: ClassicQueue, start: int, count: int, wanted: MessageFilter | None = None) -> list[bytes]:
    found, _ = browse(queue, start, count, wanted or MessageFilter())
    return [each.message.body for each in found]


@pytest.mark.parametrize(("start", "count"), [(0, 5), (10, 3), (1020, 20), (3990, 100), (5000, 5), (0, 0)])
def test_any_part_of_a_queue_of_which_most_is_on_disk(disk: SimulatedBroker, start: int, count: int) -> None:
    queue = filled(disk, 4000)
    paged = queue.paged_count
    assert paged
    assert bodies(queue, start, count) == [b"%d" % number for number in range(start, min(start + count, 4000))]
    assert (queue.ready_count, queue.paged_count) == (4000, paged)


def test_nothing_changes(disk: SimulatedBroker) -> None:
    queue = filled(disk, 3000)
    bodies(queue, 0, 3000)
    assert [message.body for message in core_clients.take_messages(queue)] == [b"%d" % each for each in range(3000)]


def test_positions_and_where_to_go_on(disk: SimulatedBroker) -> None:
    queue = filled(disk, 100)
    wanted = MessageFilter(headers={"odd": "true"})
    found, following = browse(queue, 10, 3, wanted)
    assert [each.position for each in found] == [11, 13, 15]
    assert following == 16
    found, following = browse(queue, 0, 100, wanted, scanned_max=10)
    assert [each.position for each in found] == [1, 3, 5, 7, 9]
    assert following == 10
    found, following = browse(queue, 95, 100, wanted)
    assert ([each.position for each in found], following) == ([95, 97, 99], 100)


FILTERS = [
    (MessageFilter(exchange=""), True),
    (MessageFilter(exchange="x"), False),
    (MessageFilter(routing_key="q"), True),
    (MessageFilter(routing_key="p"), False),
    (MessageFilter(properties={"message_id": "one", "priority": "3"}), True),
    (MessageFilter(properties={"message_id": "two"}), False),
    (MessageFilter(properties={"correlation_id": ""}), False),
    (MessageFilter(headers={"number": "5", "flag": "false"}), True),
    (MessageFilter(headers={"number": "6"}), False),
    (MessageFilter(headers={"missing": "None"}), False),
    (MessageFilter(body_part=b"need"), True),
    (MessageFilter(body_part=b"thread"), False),
    (MessageFilter(routing_key="q", body_part=b"needle", headers={"number": "5"}), True),
    (MessageFilter(routing_key="p", body_part=b"needle", headers={"number": "5"}), False),
]


@pytest.mark.parametrize(("wanted", "matches"), FILTERS)
def test_filters(wanted: MessageFilter, matches: bool) -> None:
    broker = SimulatedBroker()
    queue = core_clients.queue(broker, "q")
    assert isinstance(queue, ClassicQueue)
    fields = properties(message_id="one", priority=3, headers={"number": 5, "flag": False})
    publish(broker, "", b"a needle in hay", fields, key="q")
    assert bool(bodies(queue, 0, 1, wanted)) == matches


def test_what_was_delivered_before_is_marked(disk: SimulatedBroker) -> None:
    core_clients.queue(disk, "q", {"x-delivery-limit": 5})
    queue = disk.queue("q")
    for number in range(4):
        publish(disk, "", b"%d" % number, key="q")
    consumer = SimulatedConsumer(queue, credit=3)
    queue.add_consumer(consumer)
    disk.settle()
    queue.remove_consumer(consumer)
    consumer.requeue([1])
    found, _ = browse(queue, 0, 10)
    shown = [(each.message.body, each.redelivered, each.failures) for each in found]
    assert shown == [(b"1", True, 1), (b"3", False, 0)], "unacknowledged messages have no position"


def test_the_order_is_that_of_delivery() -> None:
    broker = SimulatedBroker()
    core_clients.queue(broker, "q", {"x-max-priority": 5})
    for priority in (1, 5, 0, 5):
        publish(broker, "", b"%d" % priority, properties(priority=priority), key="q")
    queue = broker.queue("q")
    assert bodies(queue, 0, 9) == [b"5", b"5", b"1", b"0"]
    assert bodies(queue, 1, 2) == [b"5", b"1"]


def test_expired_heads_are_not_shown() -> None:
    broker = SimulatedBroker()
    core_clients.queue(broker, "q", {"x-max-length": 1})
    for number in range(3):
        publish(broker, "", b"%d" % number, key="q")
    assert bodies(broker.queue("q"), 0, 9) == [b"2"], "the batch is caught up with first"


@pytest.mark.parametrize(("start", "count"), [(-1, 1), (0, -1)])
def test_negative_numbers(start: int, count: int) -> None:
    broker = SimulatedBroker()
    core_clients.queue(broker, "q")
    with pytest.raises(ValueError, match="not negative"):
        browse(broker.queue("q"), start, count)
