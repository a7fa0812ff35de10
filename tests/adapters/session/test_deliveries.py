"""Settling: by tag, all up to a tag, too late, in part taken back; and who has credit afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.adapters.session.deliveries import Deliveries, Verdict
from warren.adapters.session.settling import Settling
from warren.core.errors import PreconditionFailed
from warren.core.messages.message import Message
from warren.core.queues.consumer import Consumer


@pytest.fixture
def simulated() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    yield broker
    broker.close()


class Credited(SimulatedConsumer):
    """Keeps its deliveries where a session keeps them."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.simulated.queue("q"))
        self.place = place
        self.acknowledged_count = 0

    def deliver(self, message: Message, redelivered: bool) -> bool:
        deliveries = self.place.deliveries
        deliveries.delivery_tag = tag = deliveries.delivery_tag + 1
        deliveries.unacked[tag] = (self.queue, message, self)
        return True

    def acknowledged(self) -> None:
        self.acknowledged_count += 1


class Place:
    """A queue with five messages that a consumer was given."""

    def __init__(self) -> None:
        self.simulated = SimulatedBroker()
        self.timed_out: list[tuple[Consumer, int]] = []
        self.deliveries = Deliveries(
            lambda consumer, timeout_ms: self.timed_out.append((consumer, timeout_ms)), Settling(self.simulated.broker)
        )
        client = self.simulated.connect()
        client.declare("q")
        self.queue = self.simulated.queue("q")
        self.consumer = Credited(self)
        self.queue.add_consumer(self.consumer)
        for number in range(5):
            client.publish("q", b"%d" % number)
        self.simulated.settle()

    @property
    def tags(self) -> list[int]:
        return list(self.deliveries.unacked)


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    assert made.tags == [1, 2, 3, 4, 5]
    yield made
    made.simulated.close()


def test_the_usual_acknowledgement(place: Place) -> None:
    assert place.deliveries.acknowledge(2)
    assert not place.deliveries.acknowledge(2)
    assert (place.tags, place.consumer.acknowledged_count, place.queue.unacked_count) == ([1, 3, 4, 5], 1, 4)


@pytest.mark.parametrize(
    ("tag", "multiple", "taken"), [(2, False, [2]), (3, True, [1, 2, 3]), (0, True, [1, 2, 3, 4, 5])]
)
def test_taking(place: Place, tag: int, multiple: bool, taken: list[int]) -> None:
    assert list(place.deliveries.take(tag, multiple=multiple)) == taken
    assert place.tags == [each for each in range(1, 6) if each not in taken]


def test_what_is_not_there_cannot_be_taken(place: Place) -> None:
    with pytest.raises(PreconditionFailed, match="unknown delivery tag 6"):
        place.deliveries.take(6, multiple=False)


@pytest.mark.parametrize(
    ("verdict", "ready"), [("ack", 0), ("discard", 0), ("requeue", 2), ("return", 2)], ids=lambda value: str(value)
)
def test_verdicts(place: Place, verdict: Verdict, ready: int) -> None:
    place.queue.remove_consumer(place.consumer)
    place.deliveries.settle(place.deliveries.take(2, multiple=True), verdict)
    assert (place.queue.ready_count, place.queue.unacked_count) == (ready, 3)
    assert place.consumer.acknowledged_count == 2


@pytest.mark.parametrize(
    ("verdict", "returns_count", "failures"),
    [
        ("requeue", True, 1),
        ("requeue", False, 1),
        ("return", True, 1),
        ("return", False, 0),
        ("untouched", True, 0),
        ("untouched", False, 0),
    ],
)
def test_what_counts_towards_a_delivery_limit(
    simulated: SimulatedBroker, verdict: Verdict, returns_count: bool, failures: int
) -> None:
    simulated.broker.counts_returns = returns_count
    client = simulated.connect()
    client.declare("counting", durable=True, arguments={"x-queue-type": "quorum"})
    client.publish("counting", b"x")
    queue = simulated.vhost.queue("counting")
    deliveries = Deliveries(lambda consumer, timeout_ms: None, Settling(simulated.broker))
    taken = core_clients.poll(queue, no_ack=False)
    assert taken is not None
    tag = deliveries.polled(queue, taken[0], no_ack=False)
    deliveries.settle(deliveries.take(tag, multiple=False), verdict)
    again = core_clients.poll(queue, no_ack=False)
    assert again is not None
    assert queue.failures(again[0]) == failures


@pytest.mark.parametrize(("verdict", "dead"), [("ack", 0), ("discard", 1)])
def test_what_is_done_with_is_no_dead_letter(simulated: SimulatedBroker, verdict: Verdict, dead: int) -> None:
    graveyard = core_clients.queue(simulated, "dead")
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    queue = core_clients.queue(simulated, "q", arguments)
    core_clients.publish(simulated, "", b"x", key="q")
    deliveries = Deliveries(lambda consumer, timeout_ms: None, Settling(simulated.broker))
    taken = core_clients.poll(queue, no_ack=False)
    assert taken is not None
    tag = deliveries.polled(queue, taken[0], no_ack=False)
    deliveries.settle(deliveries.take(tag, multiple=False), verdict)
    simulated.settle()
    assert (queue.unacked_count, graveyard.ready_count) == (0, dead)


def test_no_single_delivery_has_the_tag_0(place: Place) -> None:
    with pytest.raises(PreconditionFailed, match="unknown delivery tag 0"):
        place.deliveries.take(0, multiple=False)
    assert place.tags == [1, 2, 3, 4, 5]


def test_what_has_timed_out_may_still_be_settled(place: Place) -> None:
    expired = place.deliveries.expire(place.consumer)
    assert (list(expired), place.tags) == ([1, 2, 3, 4, 5], [])
    tag = place.deliveries.polled(place.queue, next(iter(expired.values()))[1], no_ack=False)
    assert tag == 6
    assert place.deliveries.take(2, multiple=False) == {}
    with pytest.raises(PreconditionFailed):
        place.deliveries.take(2, multiple=False)
    assert place.deliveries.take(5, multiple=True) == {}, "all that is there came later"
    assert list(place.deliveries.take(6, multiple=True)) == [6]


def test_polled_without_acknowledgement_is_no_delivery(place: Place) -> None:
    message = place.deliveries.unacked[1][1]
    assert place.deliveries.polled(place.queue, message, no_ack=True) == 6
    assert place.tags == [1, 2, 3, 4, 5]


def test_what_was_taken_is_put_back_in_its_old_place(place: Place) -> None:
    taken = [place.deliveries.take(tag, multiple=False) for tag in (4, 1)]
    place.deliveries.put_back(taken)
    assert place.tags == [1, 2, 3, 4, 5]


def test_recovering_gives_credit_back(place: Place) -> None:
    place.queue.remove_consumer(place.consumer)
    place.deliveries.recover()
    assert (place.tags, place.queue.ready_count, place.consumer.acknowledged_count) == ([], 5, 5)


def test_the_end(place: Place) -> None:
    place.queue.remove_consumer(place.consumer)
    place.deliveries.give_back()
    assert (place.tags, place.queue.ready_count, place.consumer.acknowledged_count) == ([], 5, 0)


def test_the_end_reaches_each_queue_in_order(simulated: SimulatedBroker) -> None:
    deliveries = Deliveries(lambda consumer, timeout_ms: None, Settling(simulated.broker))
    queues = [core_clients.queue(simulated, "even"), core_clients.queue(simulated, "odd")]
    for number in range(6):
        queue = queues[number % 2]
        core_clients.publish(simulated, "", b"%d" % number, key=queue.name)
        simulated.settle()
        taken = core_clients.poll(queue, no_ack=False)
        assert taken is not None
        deliveries.polled(queue, taken[0], no_ack=False)
    deliveries.give_back()
    for queue, bodies in zip(queues, ([b"0", b"2", b"4"], [b"1", b"3", b"5"]), strict=True):
        assert queue.unacked_count == 0
        consumer = SimulatedConsumer(queue)
        queue.add_consumer(consumer)
        simulated.settle()
        assert consumer.bodies == bodies
        assert all(consumer.redelivered)


def test_the_timeout_is_for_the_session_to_act_on(place: Place) -> None:
    place.deliveries.acknowledgement_timed_out(place.consumer, 500)
    assert place.timed_out == [(place.consumer, 500)]


def test_all_but_what_was_acknowledged_counts_as_not_acknowledged(place: Place) -> None:
    deliveries = place.deliveries
    place.queue.remove_consumer(place.consumer)
    verdicts: list[Verdict] = ["ack", "discard", "requeue", "return"]
    counted = [deliveries.unacknowledged()]
    for tag, verdict in enumerate(verdicts, 1):
        deliveries.settle(deliveries.take(tag, multiple=False), verdict)
        counted.append(deliveries.unacknowledged())
    deliveries.acknowledge(5)
    assert [*counted, deliveries.unacknowledged()] == [5, 4, 4, 4, 4, 3]


@pytest.mark.parametrize("end", [Deliveries.recover, Deliveries.give_back])
def test_what_goes_back_at_the_end_was_not_acknowledged_either(place: Place, end: Callable[[Deliveries], None]) -> None:
    place.queue.remove_consumer(place.consumer)
    place.deliveries.settle(place.deliveries.take(1, multiple=False), "discard")
    end(place.deliveries)
    assert (place.tags, place.deliveries.unacknowledged()) == ([], 5)
