"""COMMIT of more than a turn has: its messages are there in one moment, whatever they are, and prepared in slices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import core_clients
from tests.support.core_clients import take
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import StompClient, answers, frame
from tests.support.tracebacks import tracebacks
from warren.adapters.session.deliveries import SETTLED_PER_SLICE
from warren.core.queues.base import Queue
from warren.core.queues.classic.burials import DEAD_LETTER_WORK
from warren.core.routing.staging import STAGED_PER_SLICE

COUNT = STAGED_PER_SLICE + 300
"""In two slices, and fewer than a transaction may have."""

IN_ORDER = [b"%d" % number for number in range(COUNT)]


@pytest.fixture
def broker(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    made = SimulatedBroker()
    yield made
    made.close()
    assert tracebacks(caplog) == []


def publishing(broker: SimulatedBroker, arguments: dict[str, str | int], **headers: str) -> tuple[Queue, StompClient]:
    queue = core_clients.queue(broker, "q", arguments, durable=True)
    client = StompClient(broker)
    client.connect()
    client.send("BEGIN", transaction="t")
    for body in IN_ORDER:
        client.send_bytes(frame("SEND", body, destination="/amq/queue/q", transaction="t", **headers))
    return queue, client


def seen_of(broker: SimulatedBroker, queue: Queue) -> list[int]:
    """How many messages there are, turn by turn."""
    seen = []
    more = True
    while more:
        more = broker.broker.end_turn()
        seen.append(queue.ready_count)
    broker.settle()
    return seen


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"x-queue-type": "quorum"},
        {"x-max-priority": 2},
        {"x-max-length": 2 * COUNT, "x-overflow": "reject-publish"},
    ],
)
@pytest.mark.parametrize("headers", [{}, {"expiration": "60000"}])
def test_all_or_nothing_in_slices(
    broker: SimulatedBroker, arguments: dict[str, str | int], headers: dict[str, str]
) -> None:
    queue, client = publishing(broker, arguments, persistent="true", **headers)
    client.transport.receive(frame("COMMIT", transaction="t", receipt="r"))
    seen = seen_of(broker, queue)
    assert seen.count(0) >= 2
    assert set(seen) == {0, COUNT}
    assert [answer["receipt-id"] for answer in answers(client.transport.take())] == ["r"]
    assert take(queue) == IN_ORDER


def test_a_queue_that_has_no_room_for_all(broker: SimulatedBroker) -> None:
    queue, client = publishing(broker, {"x-max-length": 10, "x-overflow": "reject-publish"})
    (answer,) = client.send("COMMIT", transaction="t", receipt="r")
    assert answer.command == "ERROR"
    assert answer["receipt-id"] == "r"
    assert take(queue) == IN_ORDER[:10]


def test_topology_that_changes_meanwhile(broker: SimulatedBroker) -> None:
    queue, client = publishing(broker, {})
    client.transport.receive(frame("COMMIT", transaction="t"))
    broker.broker.end_turn()
    core_clients.queue(broker, "another")
    broker.settle()
    assert take(queue) == IN_ORDER


def test_dead_letters_of_a_cumulative_nack(broker: SimulatedBroker) -> None:
    graves = core_clients.queue(broker, "graves")
    letters = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}
    queue = core_clients.queue(broker, "from", letters)
    for number in range(300):
        core_clients.publish(broker, "", b"%d" % number, key="from")
    client = StompClient(broker)
    client.connect()
    messages = client.send("SUBSCRIBE", id="s", destination="/amq/queue/from", ack="client")
    client.send("BEGIN", transaction="t")
    client.send("NACK", transaction="t", id=messages[-1]["ack"], requeue="false")
    client.transport.receive(frame("COMMIT", transaction="t"))
    most, more = 0, True
    seen = []
    while more:
        before = queue.unacked_count
        more = broker.broker.end_turn()
        most = max(most, before - queue.unacked_count)
        seen.append(graves.ready_count)
    broker.settle()
    assert 0 < most <= SETTLED_PER_SLICE // DEAD_LETTER_WORK + 10
    assert set(seen) == {0, 300}
    assert take(graves) == IN_ORDER[:300]
