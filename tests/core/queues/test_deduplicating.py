"""A queue that drops duplicates of what is in it, and takes a value again as soon as its message has left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import core_clients
from tests.support.core_clients import advance, guest, poll, properties, queue, take
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.core.messages.field_table import Encodable
from warren.core.messages.message import Message
from warren.core.queues.answer import ignore
from warren.core.queues.base import Queue
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.publish import publish as publish_checked
from warren.core.routing.vhost import Outcome

HEADER = "x-deduplication-header"

KINDS: dict[str, dict[str, Encodable]] = {
    "classic": {},
    "priority": {"x-max-priority": 3},
    "quorum": {"x-queue-type": "quorum"},
}


@pytest.fixture
def broker(tmp_path: Path) -> SimulatedBroker:
    return SimulatedBroker(tmp_path)


@pytest.fixture(params=[(kind, durable) for kind in KINDS for durable in (True, False) if durable or kind != "quorum"])
def waiting(broker: SimulatedBroker, request: pytest.FixtureRequest) -> Queue:
    kind, durable = request.param
    return queue(broker, "q", {**KINDS[kind], "x-message-deduplication": True, "x-delivery-limit": 1}, durable=durable)


def publish(broker: SimulatedBroker, value: Encodable, *, body: bytes = b"m", **more: object) -> Outcome:
    client = guest(broker)
    fields: dict[str, object] = {"delivery_mode": 2, **more}
    outcome, _ = publish_checked(client, "", "q", properties(headers={HEADER: value}, **fields), body)
    client.close()
    broker.settle()
    return outcome


def taken(waiting: Queue) -> Message:
    found = poll(waiting)
    assert found is not None
    return found[0]


def test_a_duplicate_of_what_is_ready_is_dropped(broker: SimulatedBroker, waiting: Queue) -> None:
    outcomes = {publish(broker, value) for value in ("a", "b", "a", "a", "b")}
    assert waiting.ready_count == 2
    assert Outcome.REFUSED not in outcomes
    assert waiting.message_counts["drop_duplicate"] == 3


def test_and_of_what_is_with_a_consumer(broker: SimulatedBroker, waiting: Queue) -> None:
    publish(broker, "a")
    message = taken(waiting)
    publish(broker, "a")
    assert waiting.ready_count == 0
    waiting.requeue([message], failed=False)
    broker.settle()
    publish(broker, "a")
    assert waiting.ready_count == 1


def acknowledge(broker: SimulatedBroker, waiting: Queue) -> None:
    waiting.acknowledge(taken(waiting))


def acknowledge_redelivered(broker: SimulatedBroker, waiting: Queue) -> None:
    waiting.requeue([taken(waiting)], failed=False)
    waiting.acknowledge(taken(waiting))


def discard(broker: SimulatedBroker, waiting: Queue) -> None:
    waiting.discard(taken(waiting))


def take_unacknowledged(broker: SimulatedBroker, waiting: Queue) -> None:
    poll(waiting, no_ack=True)


def consume_unacknowledged(broker: SimulatedBroker, waiting: Queue) -> None:
    consumer = SimulatedConsumer(waiting, no_ack=True, credit=1)
    waiting.add_consumer(consumer)
    broker.settle()
    assert consumer.bodies == [b"m"]
    waiting.remove_consumer(consumer)


def consume(broker: SimulatedBroker, waiting: Queue) -> None:
    consumer = SimulatedConsumer(waiting, credit=1)
    waiting.add_consumer(consumer)
    broker.settle()
    consumer.acknowledge(1)
    waiting.remove_consumer(consumer)


def purge(broker: SimulatedBroker, waiting: Queue) -> None:
    waiting.purge(ignore)


def fail_too_often(broker: SimulatedBroker, waiting: Queue) -> None:
    for _ in range(2):
        waiting.requeue([taken(waiting)])
        broker.settle()


LEAVINGS: list[Callable[[SimulatedBroker, Queue], None]] = [
    acknowledge,
    acknowledge_redelivered,
    discard,
    take_unacknowledged,
    consume_unacknowledged,
    consume,
    purge,
    fail_too_often,
]


@pytest.mark.parametrize("leave", LEAVINGS)
def test_what_has_left_is_taken_again(
    broker: SimulatedBroker, waiting: Queue, leave: Callable[[SimulatedBroker, Queue], None]
) -> None:
    for _ in range(3):
        publish(broker, "a")
        assert waiting.ready_count == 1
        leave(broker, waiting)
        broker.settle()
        assert waiting.ready_count == 0
        assert isinstance(waiting, ClassicQueue)
        assert waiting.present is not None
        assert len(waiting.present) == 0


@pytest.mark.parametrize("kind", list(KINDS))
def test_what_expired_or_was_too_much_has_left(broker: SimulatedBroker, kind: str) -> None:
    arguments: dict[str, Encodable] = {"x-message-deduplication": True, "x-max-length": 1, "x-message-ttl": 10}
    waiting = queue(broker, "q", {**KINDS[kind], **arguments}, durable=True)
    publish(broker, "a")
    publish(broker, "b")
    publish(broker, "a")
    assert waiting.ready_count == 1, "a pushed b out"
    publish(broker, "b")
    advance(broker, 10)
    assert waiting.ready_count == 0
    publish(broker, "a")
    assert waiting.ready_count == 1


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_refused_one_was_never_there(broker: SimulatedBroker, kind: str) -> None:
    arguments: dict[str, Encodable] = {"x-max-length": 1, "x-overflow": "reject-publish"}
    waiting = queue(broker, "q", {**KINDS[kind], **arguments, "x-message-deduplication": True}, durable=True)
    publish(broker, "a")
    assert publish(broker, "b") is Outcome.REFUSED
    waiting.acknowledge(taken(waiting))
    assert publish(broker, "b") is not Outcome.REFUSED
    assert waiting.ready_count == 1


@pytest.mark.parametrize("how", ["restart", "crash"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_what_is_there_after_a_restart_is_known(broker: SimulatedBroker, kind: str, how: str) -> None:
    queue(broker, "q", {**KINDS[kind], "x-message-deduplication": True}, durable=True)
    for value in ("a", "b", "c"):
        publish(broker, value)
    broker.queue("q").acknowledge(taken(broker.queue("q")))
    getattr(broker, how)()
    for value in ("b", "c", "a"):
        publish(broker, value)
    waiting = broker.queue("q")
    assert waiting.ready_count == 3
    purge(broker, waiting)
    publish(broker, "b")
    assert waiting.ready_count == 1


def test_a_dead_letter_is_dropped_too_and_told_of(broker: SimulatedBroker, waiting: Queue) -> None:
    dying = queue(
        broker, "first", {"x-message-ttl": 10, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"}
    )
    publish(broker, "a")
    client = guest(broker)
    publish_checked(client, "", "first", properties(headers={HEADER: "a"}), b"m")
    advance(broker, 10)
    assert waiting.ready_count == 1
    assert dying.message_counts["dead_letter_lost_refused"] == 1


@pytest.mark.parametrize("arguments", [{"x-cache-size": 2}, {"x-cache-ttl": 1000}])
def test_a_window_is_about_what_came(broker: SimulatedBroker, arguments: dict[str, Encodable]) -> None:
    waiting = queue(broker, "q", {"x-message-deduplication": True, **arguments})
    publish(broker, "a")
    waiting.acknowledge(taken(waiting))
    publish(broker, "a")
    assert waiting.ready_count == 0
    assert waiting.message_counts["drop_duplicate"] == 1


def test_priorities_are_served_all_the_same(broker: SimulatedBroker) -> None:
    waiting = queue(broker, "q", {"x-message-deduplication": True, "x-max-priority": 3})
    for value, priority in (("a", 1), ("b", 3), ("c", 2), ("a", 3)):
        publish(broker, value, body=str(value).encode(), priority=priority)
    assert take(waiting) == [b"b", b"c", b"a"]


def test_a_message_without_the_header_is_no_duplicate(broker: SimulatedBroker, waiting: Queue) -> None:
    for _ in range(2):
        core_clients.publish(broker, "", b"m", key="q")
    publish(broker, None)
    publish(broker, None)
    broker.settle()
    assert waiting.ready_count == 4
