"""What every type of queue keeps to, whatever it stores its messages in and however late it answers.

Longer than 400 lines because it is one contract.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from tests.support import core_clients
from tests.support.late_queue import LATE_BY_MS, LateQueue, late_queues
from tests.support.node_pair import NodePair, PairedBroker
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.cluster.remote_queue import RemoteQueue
from warren.core.declaring.queues import (
    accessible_queue,
    check_queue,
    declare_queue,
    delete_queue,
    purge_queue,
    remove_queue,
)
from warren.core.errors import BrokerError, PreconditionFailed
from warren.core.messages.address import Address
from warren.core.messages.field_table import Encodable
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties
from warren.core.queues import registry
from warren.core.queues.answer import Answer, Polled, at_once, ignore
from warren.core.queues.base import Queue
from warren.core.queues.browse import browse
from warren.core.queues.unavailable import Unavailable
from warren.core.routing.receipt import Receipt
from warren.core.routing.vhost import Outcome

PERSISTENT = encode_properties(delivery_mode=2)


@dataclass
class Place:
    """A queue of one type in a broker.  stored: what it keeps survives restarts."""

    broker: SimulatedBroker
    arguments: dict[str, Encodable] = field(default_factory=dict)
    stored: bool = False

    def declare(self, name: str = "q") -> Queue:
        queue = core_clients.queue(self.broker, name, self.arguments, durable=True)
        self.ask(queue.when_ready)
        return queue

    @property
    def queue(self) -> Queue:
        return self.broker.vhost.queue("q")

    def publish(self, *bodies: bytes) -> list[Receipt]:
        """Publish to q, and let it be taken; the receipts."""
        receipts = [self.publish_one(body) for body in bodies]
        self.broker.settle()
        self.pass_time()
        return receipts

    def publish_one(self, body: bytes) -> Receipt:
        vhost = self.broker.vhost
        route = vhost.route("", "q")
        receipt = route.receipt or Receipt()
        message = Message(
            vhost.broker.next_sequence(), Address("", "q"), PERSISTENT, body, 0, len(body), 0, vhost.broker.now_ms
        )
        assert vhost.publish(route, message, None, 0, receipt) in (Outcome.TAKEN, Outcome.STORED)
        return receipt

    def pass_time(self) -> None:
        self.broker.advance(LATE_BY_MS + 1)

    def ask(self, question: Callable[[Answer], None]) -> object:  # type: ignore[type-arg]
        """What the queue answers, at once or later; the error that it answers is raised."""
        given: list[object] = []
        question(given.append)
        if not given:
            self.pass_time()
        (answer,) = given
        if isinstance(answer, BrokerError):
            raise answer
        return answer

    def get(self, *, no_ack: bool = False) -> Polled:
        found = self.ask(partial(self.queue.get, no_ack=no_ack))
        assert found is None or isinstance(found, tuple)
        return found

    def look(self, start: int, count: int) -> tuple[list[tuple[bytes, bool]], int]:
        """Body and redelivered flag of what is found, and where to go on."""
        found, position = browse(self.queue, start, count)
        return [(each.message.body, each.redelivered) for each in found], position

    def restart(self) -> Queue:
        self.broker.restart()
        return self.queue


class RemotePlace(Place):
    """The queue is another broker's, and looked at from here; see tests/support/node_pair.py."""

    def declare(self, name: str = "q") -> Queue:
        pair = self.pair
        if name not in self.broker.vhost.queues:
            pair.declare(name, self.arguments)
        return super().declare(name)

    @property
    def pair(self) -> NodePair:
        assert isinstance(self.broker, PairedBroker)
        assert self.broker.pair is not None
        return self.broker.pair

    @property
    def queue(self) -> Queue:
        queue = self.broker.vhost.queue("q")
        assert isinstance(queue, RemoteQueue)
        queue.look()
        self.broker.settle()
        return queue

    def look(self, start: int, count: int) -> tuple[list[tuple[bytes, bool]], int]:
        queue = self.queue
        assert isinstance(queue, RemoteQueue)
        found = self.ask(partial(queue.browse_far, start, count))
        assert isinstance(found, list)
        return [(each.message.body, each.redelivered) for each in found], start + len(found)

    def publish(self, *bodies: bytes) -> list[Receipt]:
        receipts = super().publish(*bodies)
        assert self.queue
        return receipts


KINDS: dict[str, tuple[dict[str, Encodable], bool]] = {
    "classic in memory": ({}, False),
    "classic on disk": ({}, True),
    "quorum on disk": ({"x-queue-type": "quorum"}, True),
    "priority on disk": ({"x-max-priority": 3}, True),
    "late in memory": ({"x-queue-type": "late"}, False),
    "late on disk": ({"x-queue-type": "late"}, True),
    "another node's": ({}, False),
    "another node's quorum": ({"x-queue-type": "quorum"}, False),
}


def own_place(arguments: dict[str, Encodable], directory: Path, on_disk: bool) -> Place:
    broker = SimulatedBroker(directory if on_disk else None, backlog_bytes_max=0)
    return Place(broker, dict(arguments), on_disk)


def remote_place(arguments: dict[str, Encodable]) -> Place:
    near = PairedBroker()
    near.pair = NodePair(near, SimulatedBroker())
    return RemotePlace(near, dict(arguments))


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    arguments, on_disk = KINDS[request.param]
    with late_queues():
        place = remote_place(arguments) if "another" in request.param else own_place(arguments, tmp_path, on_disk)
        broker = place.broker
        place.declare()
        yield place
        broker.settle()
        broker.close()


@pytest.fixture
def late(tmp_path: Path) -> Iterator[Place]:
    with late_queues():
        place = Place(SimulatedBroker(tmp_path), {"x-queue-type": "late"}, True)
        place.declare()
        yield place
        place.broker.settle()
        place.broker.close()


def test_every_registered_type_is_looked_at() -> None:
    looked_at = {str(arguments.get("x-queue-type", "classic")) for arguments, _ in KINDS.values()}
    # Nothing is ever taken from a stream, or comes back to it: tests/adapters/amqp091/streams.
    assert set(registry.queue_types()) - {"stream"} <= looked_at


def test_messages_come_in_order(place: Place) -> None:
    place.publish(b"1", b"2", b"3")
    assert (place.queue.ready_count, place.queue.unacked_count) == (3, 0)
    consumer = SimulatedConsumer(place.queue, credit=2)
    place.queue.add_consumer(consumer)
    place.broker.settle()
    assert consumer.bodies == [b"1", b"2"]
    assert consumer.redelivered == [False, False]
    assert (place.queue.ready_count, place.queue.unacked_count) == (1, 2)
    consumer.give(5)
    place.publish(b"4")
    assert consumer.bodies == [b"1", b"2", b"3", b"4"]


def test_what_is_acknowledged_is_gone(place: Place) -> None:
    place.publish(b"1", b"2")
    consumer = SimulatedConsumer(place.queue)
    place.queue.add_consumer(consumer)
    place.broker.settle()
    consumer.acknowledge(2)
    place.broker.settle()
    assert (place.queue.ready_count, place.queue.unacked_count) == (0, 0)
    if place.stored:
        assert place.restart().ready_count == 0


def test_what_is_discarded_is_gone(place: Place) -> None:
    place.publish(b"1", b"2")
    found = place.get()
    assert found is not None
    place.queue.discard(found[0])
    place.broker.settle()
    assert (place.queue.ready_count, place.queue.unacked_count) == (1, 0)
    if place.stored:
        assert [message.body for message in place.restart().browse(0, 9)] == [b"2"]


def test_what_comes_back_takes_its_place_and_is_marked(place: Place) -> None:
    place.publish(b"1", b"2", b"3", b"4")
    consumer = SimulatedConsumer(place.queue, credit=3)
    place.queue.add_consumer(consumer)
    place.broker.settle()
    consumer.requeue([2, 0])
    place.broker.settle()
    assert (place.queue.ready_count, place.queue.unacked_count) == (3, 1)
    consumer.give(3)
    place.broker.settle()
    assert consumer.bodies == [b"2", b"1", b"3", b"4"]
    assert consumer.redelivered == [False, True, True, False]


def test_no_ack_deliveries_are_settled_by_being_sent(place: Place) -> None:
    place.publish(b"1")
    consumer = SimulatedConsumer(place.queue, no_ack=True)
    place.queue.add_consumer(consumer)
    place.publish(b"2")
    assert consumer.bodies == [b"1", b"2"]
    assert (place.queue.ready_count, place.queue.unacked_count) == (0, 0)
    if place.stored:
        assert place.restart().ready_count == 0


def test_consumers_take_turns(place: Place) -> None:
    first, second = SimulatedConsumer(place.queue), SimulatedConsumer(place.queue)
    place.queue.add_consumer(first)
    place.queue.add_consumer(second)
    place.publish(b"1", b"2", b"3", b"4")
    assert len(first.bodies) == len(second.bodies) == 2
    place.queue.remove_consumer(first)
    place.publish(b"5", b"6")
    assert second.bodies[-2:] == [b"5", b"6"]
    second.withdraw()
    place.publish(b"7")
    assert place.queue.ready_count == 1
    second.give(1)
    place.broker.settle()
    assert second.bodies[-1] == b"7"


def test_polling(place: Place) -> None:
    assert place.get() is None
    place.publish(b"1", b"2")
    found = place.get()
    assert found is not None
    assert (found[0].body, found[1], place.queue.unacked_count) == (b"1", False, 1)
    place.queue.requeue([found[0]])
    place.broker.settle()
    again = place.get(no_ack=True)
    assert again is not None
    assert (again[0].body, again[1], place.queue.unacked_count) == (b"1", True, 0)
    assert place.queue.ready_count == 1


def test_looking_changes_nothing(place: Place) -> None:
    place.publish(b"1", b"2", b"3")
    assert place.look(1, 5) == ([(b"2", False), (b"3", False)], 3)
    assert place.queue.ready_count == 3


def test_purging_leaves_what_is_delivered(place: Place) -> None:
    place.publish(b"1", b"2", b"3")
    found = place.get()
    assert found is not None
    assert place.ask(partial(purge_queue, core_clients.guest(place.broker), "q")) == 2
    assert (place.queue.ready_count, place.queue.unacked_count) == (0, 1)
    place.queue.requeue([found[0]])
    place.broker.settle()
    assert place.queue.ready_count == 1
    if place.stored:
        assert [message.body for message in place.restart().browse(0, 9)] == [b"1"]


def test_deleting(place: Place) -> None:
    place.publish(b"1", b"2")
    found = place.get()
    assert found is not None
    queue = place.queue
    assert place.ask(partial(delete_queue, core_clients.guest(place.broker), "q")) == 1
    assert "q" not in place.broker.vhost.queues
    queue.requeue([found[0]])
    place.broker.settle()
    assert (queue.ready_count, queue.unacked_count) == (0, 0)
    if place.stored:
        place.broker.restart()
        assert place.broker.broker.store.statistics()["entries"] == 0


@pytest.mark.parametrize("ending", ["restart", "crash"])
def test_what_is_stored_survives(place: Place, ending: str) -> None:
    place.publish(b"1", b"2", b"3")
    found = place.get()
    assert found is not None
    if not place.stored:
        return
    if ending == "restart":
        place.queue.requeue([found[0]], failed=False)
    place.broker.settle()
    getattr(place.broker, ending)()
    queue = place.queue
    assert queue.type_name == place.arguments.get("x-queue-type", "classic")
    place.broker.settle()
    assert [message.body for message in queue.browse(0, 9)] == [b"1", b"2", b"3"]
    # After a crash nobody knows what was delivered.
    marks = [queue.was_delivered(message) for message in queue.browse(0, 9)]
    assert marks == ([True, False, False] if ending == "restart" else [True, True, True])
    place.publish(b"4")
    consumer = SimulatedConsumer(queue)
    queue.add_consumer(consumer)
    place.broker.settle()
    assert consumer.bodies == [b"1", b"2", b"3", b"4"]
    consumer.acknowledge(4)
    place.broker.settle()
    assert place.restart().ready_count == 0


def test_redeclaring(place: Place) -> None:
    place.publish(b"1")
    assert place.declare() is place.queue
    with pytest.raises(PreconditionFailed, match="inequivalent arg 'durable'"):
        core_clients.queue(place.broker, "q", place.arguments)


def test_listings_show_it(place: Place) -> None:
    place.publish(b"1", b"2")
    (row,) = place.broker.broker.inspect("queues", None)
    assert (row["messages"], row["messages_ready"], row["type"]) == (2, 2, place.queue.type_name)
    assert row["state"] == "running"


def test_arguments_of_other_types_are_refused(place: Place) -> None:
    others = {each.name for name in registry.queue_types() for each in registry.queue_class(
        "", {"x-queue-type": name}).known_arguments}  # fmt: skip
    foreign = sorted(others - {each.name for each in place.queue.known_arguments})
    assert foreign
    for name in foreign:
        with pytest.raises(PreconditionFailed, match=f"invalid arg '{name}' for queue 'new'"):
            core_clients.queue(place.broker, "new", {**place.arguments, name: 1}, durable=True)


# Receipts


def test_a_receipt_waits_for_the_queue(late: Place) -> None:
    receipt = late.publish_one(b"1")
    assert (receipt.pending, receipt.stored, late.queue.ready_count) == (True, True, 0)
    told: list[bool] = []
    receipt.then(told.append)
    late.broker.settle()
    assert not told
    late.pass_time()
    assert (told, receipt.pending, late.queue.ready_count) == ([True], False, 1)


def test_a_receipt_of_several_queues(late: Place) -> None:
    core_clients.exchange(late.broker, "x", "fanout")
    for name, late_by_ms in (("a", 5), ("b", LATE_BY_MS)):
        late.arguments["x-late-by"] = late_by_ms
        late.declare(name)
        core_clients.bind(late.broker, name, "x")
    core_clients.queue(late.broker, "fast", {}, durable=True)
    core_clients.bind(late.broker, "fast", "x")
    told: list[bool] = []

    def publish() -> Receipt:
        route = late.broker.vhost.route("x", "")
        assert (route.answers_late, route.plain, len(route.queues)) == (True, False, 3)
        receipt = route.receipt
        assert receipt is not None
        message = Message(late.broker.broker.next_sequence(), route.address, PERSISTENT, b"m", 0, 1, 0, 0)
        late.broker.vhost.publish(route, message, None, 0, receipt)
        receipt.then(told.append)
        return receipt

    publish()
    assert late.broker.vhost.queue("fast").ready_count == 1
    late.broker.advance(10)
    assert not told
    late.broker.advance(LATE_BY_MS)
    assert told == [True]
    slower = late.broker.vhost.queue("b")
    assert isinstance(slower, LateQueue)
    slower.refuses = True
    receipt = publish()
    late.broker.advance(10)
    assert receipt.pending
    late.broker.advance(LATE_BY_MS)
    assert (told, receipt.refused) == ([True, False], True)
    assert [late.broker.vhost.queue(name).ready_count for name in ("a", "b", "fast")] == [2, 1, 2]
    late.broker.restart()
    assert [late.broker.vhost.queue(name).ready_count for name in ("a", "b", "fast")] == [2, 1, 2]


def test_the_first_refusal_settles_a_receipt() -> None:
    receipt = Receipt()
    told: list[bool] = []
    receipt.expect()
    receipt.expect()
    receipt.then(told.append)
    receipt.answer(taken=False)
    receipt.then(told.append)
    receipt.answer(taken=True)
    assert (told, receipt.refused, receipt.pending) == ([False, False], True, False)


def test_an_answer_that_is_to_come_is_none_at_once(late: Place) -> None:
    with pytest.raises(LookupError, match="answers later"):
        at_once(late.queue.purge)


# A type that isn't there


def test_a_missing_type_keeps_what_it_has(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broker = SimulatedBroker(tmp_path)
    place = Place(broker, {"x-queue-type": "late", "x-late-by": 7}, True)
    with late_queues():
        place.declare()
        core_clients.exchange(broker, "x", "topic", durable=True)
        core_clients.bind(broker, "q", "x", key="k")
        place.publish(b"1", b"2", b"3")
        found = place.get()
        assert found is not None
        place.queue.requeue([found[0]])
        broker.settle()
        with caplog.at_level(logging.ERROR):
            registry.unregister(LateQueue)
            broker.restart()
            assert "there is no queue type 'late' here" in caplog.text
        gone = place.queue
        assert isinstance(gone, Unavailable)
        check_unavailable(place, gone)
        broker.restart()
        assert isinstance(place.queue, Unavailable)
        registry.register(LateQueue)
        broker.restart()
        back = place.queue
        assert isinstance(back, LateQueue)
        assert back.late_by_ms == 7
        assert [message.body for message in back.browse(0, 9)] == [b"1", b"2", b"3"]
        assert [back.was_delivered(message) for message in back.browse(0, 9)] == [True, False, False]
        assert back in broker.vhost.route("x", "k").queues
    broker.close()


def check_unavailable(place: Place, gone: Unavailable) -> None:
    """Nobody can use it, and everybody is told why."""
    broker = place.broker
    client = core_clients.guest(broker)
    told = "is not available: its type 'late' is missing here; enable the plugin that has it and restart the broker"
    doings: list[Callable[[], object]] = [
        lambda: check_queue(client, "q"),
        lambda: declare_queue(client, "q", durable=True),
        lambda: accessible_queue(client, "q", "read"),
        lambda: purge_queue(client, "q"),
        lambda: gone.get(ignore, no_ack=True),
        lambda: gone.add_consumer(SimulatedConsumer(gone)),
        lambda: gone.purge(ignore),
        lambda: gone.browse(0, 1),
    ]
    for doing in doings:
        with pytest.raises(BrokerError, match=told) as refused:
            doing()
        assert refused.value.code == 404
    route = broker.vhost.route("x", "k")
    message = Message(broker.broker.next_sequence(), route.address, PERSISTENT, b"4", 0, 1, 0, 0)
    assert broker.vhost.publish(route, message) is Outcome.REFUSED
    assert "its type 'late' is missing here" in route.refusal
    (row,) = broker.broker.inspect("queues", None)
    assert (row["type"], row["state"], row["messages"]) == ("late", "unavailable", 3)
    with pytest.raises(PreconditionFailed, match="not empty"):
        delete_queue(client, "q", if_empty=True)


def test_an_unavailable_queue_can_be_deleted(tmp_path: Path) -> None:
    broker = SimulatedBroker(tmp_path)
    place = Place(broker, {"x-queue-type": "late"}, True)
    with late_queues():
        place.declare()
        place.publish(b"1", b"2")
    broker.restart()
    assert isinstance(place.queue, Unavailable)
    assert place.ask(partial(remove_queue, broker.vhost, place.queue)) == 2
    broker.settle()
    with late_queues():
        broker.restart()
    assert "q" not in broker.vhost.queues
    assert broker.broker.store.statistics()["entries"] == 0
    broker.close()


def test_types_have_names_of_their_own() -> None:
    class Other(LateQueue):
        pass

    with late_queues():
        registry.register(LateQueue)
        with pytest.raises(ValueError, match="queue type 'late' is LateQueue already"):
            registry.register(Other)
        assert registry.is_queue_type("late")
    assert not registry.is_queue_type("late")
