"""A queue whose publishes are answered when their messages have got further: every way out of it, and its quota."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import core_clients
from tests.support.core_clients import advance, guest, poll, properties
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.declaring.queues import delete_queue, purge_queue
from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import Encodable
from warren.core.messages.message import Message
from warren.core.queues.answer import ignore
from warren.core.queues.base import Queue
from warren.core.queues.buffer import Buffer, end_buffer, use_buffer
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.withheld import ANSWERED_AT_ONCE, REFUSAL, Withheld
from warren.core.routing.publish import publish_with_receipt
from warren.core.routing.receipt import Receipt
from warren.core.routing.vhost import Outcome

OWNER = "shovel 's'"

KINDS: dict[str, tuple[dict[str, Encodable], bool]] = {
    "classic in memory": ({}, False),
    "classic on disk": ({}, True),
    "priority on disk": ({"x-max-priority": 3}, True),
    "quorum on disk": ({"x-queue-type": "quorum"}, True),
}


class Place:
    """A queue "q" whose answers are withheld."""

    def __init__(self, broker: SimulatedBroker, arguments: dict[str, Encodable], *, durable: bool) -> None:
        self.broker = broker
        self.arguments = arguments
        self.durable = durable
        self.withheld = Withheld()
        use_buffer(broker.vhost, "q", Buffer(OWNER, withheld=self.withheld))

    def declare(self, **more: Encodable) -> Queue:
        arguments = {**self.arguments, **{name.replace("_", "-"): value for name, value in more.items()}}
        return core_clients.queue(self.broker, "q", arguments, durable=self.durable)

    @property
    def queue(self) -> ClassicQueue:
        found = self.broker.vhost.queue("q")
        assert isinstance(found, ClassicQueue)
        return found

    def publish(self, body: bytes = b"m", **fields: object) -> Receipt:
        client = guest(self.broker)
        outcome, _, receipt = publish_with_receipt(client, "", "q", properties(delivery_mode=2, **fields), body)
        client.close()
        self.broker.settle()
        assert outcome is not Outcome.REFUSED
        assert receipt is not None
        return receipt

    def take(self) -> Message:
        found = poll(self.queue)
        assert found is not None
        return found[0]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    arguments, durable = KINDS[request.param]
    return Place(SimulatedBroker(tmp_path if durable else None, backlog_bytes_max=0), arguments, durable=durable)


def test_the_answer_is_there_when_it_is_confirmed(place: Place) -> None:
    place.declare()
    first, second = place.publish(), place.publish()
    message = place.take()
    assert first.pending
    place.withheld.confirm(message.sequence)
    assert (first.pending, first.refused, second.pending) == (False, False, True)
    place.queue.acknowledge(message)
    assert len(place.withheld) == 1
    place.broker.settle()


def test_what_comes_back_waits_on(place: Place) -> None:
    place.declare()
    receipt = place.publish()
    place.queue.requeue([place.take()], failed=False)
    place.broker.settle()
    assert receipt.pending
    again = place.take()
    place.withheld.confirm(again.sequence)
    place.queue.acknowledge(again)
    assert not receipt.refused
    place.broker.settle()


def acknowledged_by_somebody_else(place: Place) -> None:
    place.queue.acknowledge(place.take())


def polled_without_acknowledgement(place: Place) -> None:
    assert poll(place.queue, no_ack=True) is not None


def consumed_without_acknowledgement(place: Place) -> None:
    place.queue.add_consumer(SimulatedConsumer(place.queue, no_ack=True))
    place.broker.settle()


def rejected(place: Place) -> None:
    place.queue.discard(place.take())


def purged(place: Place) -> None:
    purge_queue(guest(place.broker), "q", ignore)


def deleted(place: Place) -> None:
    delete_queue(guest(place.broker), "q", ignore)


def deleted_while_it_is_out(place: Place) -> None:
    place.take()
    deleted(place)


def ended(place: Place) -> None:
    end_buffer(place.broker.vhost, "q", OWNER)


def ended_while_it_is_out(place: Place) -> None:
    place.take()
    ended(place)


@pytest.mark.parametrize(
    "leaves",
    [
        acknowledged_by_somebody_else,
        polled_without_acknowledgement,
        consumed_without_acknowledgement,
        rejected,
        purged,
        deleted,
        deleted_while_it_is_out,
        ended,
        ended_while_it_is_out,
    ],
)
def test_every_other_way_out_is_a_refusal(place: Place, leaves: Callable[[Place], None]) -> None:
    place.declare()
    receipt = place.publish()
    assert receipt.pending
    leaves(place)
    place.broker.settle()
    assert (receipt.pending, receipt.refused) == (False, True)


def test_what_expires_is_refused(place: Place) -> None:
    place.declare(x_message_ttl=1000)
    soon, later = place.publish(expiration="10"), place.publish()
    advance(place.broker, 11)
    assert (soon.refused, later.pending) == (True, True)
    advance(place.broker, 1000)
    assert later.refused


def test_what_is_dropped_at_the_head_is_refused(place: Place) -> None:
    place.declare(x_max_length=1)
    first, second = place.publish(), place.publish()
    assert (first.refused, second.pending) == (True, True)


def test_a_purge_of_many_refuses_all(place: Place) -> None:
    place.declare()
    receipts = [place.publish() for _ in range(2 * 2000 + 1)]
    purged(place)
    for _ in range(4):
        place.broker.settle()
    assert all(receipt.refused for receipt in receipts)


def test_giving_up_many_goes_in_slices() -> None:
    withheld = Withheld()
    receipts = [Receipt() for _ in range(2 * ANSWERED_AT_ONCE + 1)]
    for number, receipt in enumerate(receipts):
        withheld.keep(number, receipt)
    slices: list[Callable[[], bool]] = []
    withheld.give_up(slices.append)
    assert sum(receipt.refused for receipt in receipts) == ANSWERED_AT_ONCE
    assert receipts[0].refused, "in order"
    assert slices[0]()
    assert not slices[0]()
    assert all(receipt.refused for receipt in receipts)


# Duplicates


def test_a_dropped_duplicate_fares_as_what_came_before(place: Place) -> None:
    place.declare(x_message_deduplication=True)
    header = {"x-deduplication-header": "a"}
    first, again = place.publish(headers=header), place.publish(headers=header)
    assert (place.queue.ready_count, again.pending) == (1, True)
    message = place.take()
    place.withheld.confirm(message.sequence)
    assert (first.pending, again.pending, again.refused) == (False, False, False)
    place.queue.acknowledge(message)
    place.broker.settle()


def test_a_duplicate_of_what_was_restored_waits_for_that(tmp_path: Path) -> None:
    place = Place(SimulatedBroker(tmp_path), {"x-message-deduplication": True}, durable=True)
    place.declare()
    header = {"x-deduplication-header": "a"}
    place.publish(headers=header)
    place.broker.restart()
    place.withheld = Withheld()
    use_buffer(place.broker.vhost, "q", Buffer(OWNER, withheld=place.withheld))
    again = place.publish(headers=header)
    assert (place.queue.ready_count, again.pending) == (1, True)
    message = place.take()
    place.withheld.confirm(message.sequence)
    assert (again.pending, again.refused) == (False, False)
    place.queue.acknowledge(message)
    place.broker.settle()


# The buffer


def test_it_counts_for_a_queue_that_is_declared_later_or_anew(place: Place) -> None:
    place.declare()
    deleted(place)
    place.declare()
    assert place.publish().pending


def test_only_publishes_to_it_are_late(place: Place) -> None:
    place.declare()
    core_clients.queue(place.broker, "other")
    vhost = place.broker.vhost
    assert vhost.route("", "other").plain
    assert vhost.route("", "q").answers_late
    assert not vhost.route("", "q").plain
    assert vhost.route("", "q").refusal.endswith(REFUSAL)
    version = vhost.version
    ended(place)
    assert vhost.version > version, "remembered routes are void"
    assert not vhost.route("", "q").answers_late


def test_a_new_buffer_of_the_owner_keeps_the_answers(place: Place) -> None:
    place.declare()
    receipt = place.publish()
    use_buffer(place.broker.vhost, "q", Buffer(OWNER, length_max=5, withheld=place.withheld))
    assert receipt.pending
    use_buffer(place.broker.vhost, "q", Buffer(OWNER, length_max=5))
    assert receipt.refused
    assert place.queue.rules.max_length == 5


def test_one_owner_at_a_time(place: Place) -> None:
    with pytest.raises(PreconditionFailed, match="buffer of shovel 's'"):
        use_buffer(place.broker.vhost, "q", Buffer("shovel 't'"))
    end_buffer(place.broker.vhost, "q", "shovel 't'")
    assert "q" in place.broker.vhost.buffers


def test_a_quota_joins_what_is_asked_of_the_queue(place: Place) -> None:
    queue = place.declare(x_max_length=10)
    assert isinstance(queue, ClassicQueue)
    vhost = place.broker.vhost
    use_buffer(vhost, "q", Buffer(OWNER, length_max=20, bytes_max=300, overflow="reject-publish"))
    rules = queue.rules
    assert (rules.max_length, rules.max_length_bytes, rules.overflow) == (10, 300, "reject-publish")
    queue.apply_policy({"max-length": 3}, "p", None)
    assert (queue.rules.max_length, queue.rules.max_length_bytes) == (3, 300)
    end_buffer(vhost, "q", OWNER)
    assert (queue.rules.max_length, queue.rules.max_length_bytes, queue.rules.overflow) == (3, None, "drop-head")


def test_a_full_buffer_refuses_at_once(place: Place) -> None:
    place.declare()
    use_buffer(place.broker.vhost, "q", Buffer(OWNER, bytes_max=10, overflow="reject-publish", withheld=place.withheld))
    assert place.publish(b"12345").pending
    client = guest(place.broker)
    outcome, route, _ = publish_with_receipt(client, "", "q", properties(delivery_mode=2), b"123456")
    client.close()
    assert outcome is Outcome.REFUSED
    assert "reject-publish" in route.refusal
    place.broker.settle()


def test_a_quota_smaller_than_what_waits_drops_heads(place: Place) -> None:
    place.declare()
    receipts = [place.publish() for _ in range(5)]
    use_buffer(place.broker.vhost, "q", Buffer(OWNER, length_max=2, withheld=place.withheld))
    place.broker.settle()
    assert [receipt.refused for receipt in receipts] == [True, True, True, False, False]


def test_a_queue_that_needs_nothing_remembered_remembers_nothing(tmp_path: Path) -> None:
    broker = SimulatedBroker(tmp_path)
    queue = core_clients.queue(broker, "plain", durable=True)
    assert isinstance(queue, ClassicQueue)
    core_clients.publish(broker, "", b"m", core_clients.persistent(), "plain")
    found = poll(queue)
    assert found is not None
    assert not queue.remembers
    queue.requeue([found[0]], failed=False)
    assert queue.remembers
    found = poll(queue)
    assert found is not None
    queue.acknowledge(found[0])
    assert not queue.remembers
    broker.settle()
