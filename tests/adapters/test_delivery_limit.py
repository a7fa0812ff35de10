"""Which returns count towards a delivery limit (`delivery_limit_counts`), whatever protocol they come by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.support import core_clients
from tests.support.core_clients import queue
from tests.support.direct_clients import consume, session_of, taken
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_stomp import StompClient
from tests.support.tracebacks import tracebacks
from warren.adapters.amqp091.codec import methods
from warren.core.messages.field_table import Encodable
from warren.core.messages.properties import Properties

LIMIT: Final = 2

ROUNDS: Final = 10
"""More returns than the limit allows."""

Returning = Callable[[SimulatedBroker], int]
"""Take the message and give it back, ROUNDS times or until there is none: how often it was given."""


@pytest.fixture
def broker(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    made = SimulatedBroker()
    yield made
    made.close()
    assert tracebacks(caplog) == []


def prepare(broker: SimulatedBroker, type_name: str) -> None:
    queue(broker, "graves")
    arguments: dict[str, Encodable] = {"x-queue-type": type_name, "x-delivery-limit": LIMIT, "x-consumer-timeout": 8000}
    dead: dict[str, Encodable] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}
    queue(broker, "q", {**arguments, **dead}, durable=True)
    core_clients.publish(broker, "", b"m", key="q")
    broker.settle()


def polling(broker: SimulatedBroker, give_back: Callable[[SimulatedClient, int], None]) -> int:
    client = broker.connect()
    for round_ in range(ROUNDS):
        found = client.get("q")
        if found is None:
            return round_
        assert isinstance(found.method, methods.BasicGetOk)
        give_back(client, found.method.delivery_tag)
        client.settle()
    return ROUNDS


def nack(broker: SimulatedBroker) -> int:
    return polling(broker, lambda client, tag: client.nack(tag))


def nack_many(broker: SimulatedBroker) -> int:
    return polling(broker, lambda client, tag: client.nack(0, multiple=True))


def timeout(broker: SimulatedBroker) -> int:
    for round_ in range(ROUNDS):
        client = broker.connect()
        client.consume("q")
        if not [event for event in client.take() if isinstance(event.method, methods.BasicDeliver)]:
            return round_
        for _ in range(10):
            broker.advance(1000)
        client.close()
    return ROUNDS


def stomp_nack(broker: SimulatedBroker) -> int:
    client = StompClient(broker).connect()
    answers = client.send("SUBSCRIBE", destination="/amq/queue/q", id="1", ack="client-individual")
    for round_ in range(ROUNDS):
        if not answers:
            return round_
        answers = client.send("NACK", id=answers[0]["ack"], requeue="true")
    return ROUNDS


def direct_requeue(broker: SimulatedBroker) -> int:
    session = session_of(broker)
    consumer = consume(session, "q")
    for round_ in range(ROUNDS):
        broker.settle()
        found = taken(consumer)
        if not found:
            return round_
        found[0].requeue()
    return ROUNDS


RETURNS: Final[list[Returning]] = [nack, nack_many, stomp_nack]


def reject(broker: SimulatedBroker) -> int:
    return polling(broker, lambda client, tag: client.send(1, methods.BasicReject(tag, requeue=True)))


def recover(broker: SimulatedBroker) -> int:
    return polling(broker, lambda client, tag: client.send(1, methods.BasicRecover(requeue=True)))


def lose(broker: SimulatedBroker) -> int:
    for round_ in range(ROUNDS):
        client = broker.connect()
        if client.get("q") is None:
            return round_
        client.lose()
    return ROUNDS


FAILURES: Final[list[Returning]] = [reject, recover, lose, direct_requeue]


@pytest.mark.parametrize("type_name", ["classic", "quorum"])
@pytest.mark.parametrize("give_back", [*RETURNS, *FAILURES])
def test_every_return_counts_as_in_rabbitmq_3_13(broker: SimulatedBroker, give_back: Returning, type_name: str) -> None:
    prepare(broker, type_name)
    assert give_back(broker) == LIMIT + 1
    (letter,) = core_clients.take_messages(broker.queue("graves"))
    assert core_clients.headers_of(letter)["x-first-death-reason"] == "delivery_limit"


@pytest.mark.parametrize("give_back", FAILURES)
def test_or_failures_alone(broker: SimulatedBroker, give_back: Returning) -> None:
    broker.broker.counts_returns = False
    prepare(broker, "quorum")
    assert give_back(broker) == LIMIT + 1


@pytest.mark.parametrize("give_back", RETURNS)
def test_then_what_is_given_back_comes_for_ever(broker: SimulatedBroker, give_back: Returning) -> None:
    broker.broker.counts_returns = False
    prepare(broker, "quorum")
    assert give_back(broker) == ROUNDS
    assert broker.queue("graves").ready_count == 0


@pytest.mark.parametrize("counts_returns", [True, False])
def test_what_nobody_has_seen_never_counts(broker: SimulatedBroker, counts_returns: bool) -> None:
    """It has arrived at a program that hasn't taken it."""
    broker.broker.counts_returns = counts_returns
    prepare(broker, "quorum")
    session = session_of(broker)
    for _ in range(ROUNDS):
        consumer = consume(session, "q")
        broker.settle()
        assert consumer.arrived
        consumer.cancel()
        broker.settle()
    assert broker.queue("q").ready_count == 1


@pytest.mark.parametrize("counts_returns", [True, False])
def test_a_program_in_the_process_says_itself_what_is_no_failure(broker: SimulatedBroker, counts_returns: bool) -> None:
    broker.broker.counts_returns = counts_returns
    prepare(broker, "quorum")
    consumer = consume(session_of(broker), "q")
    for _ in range(ROUNDS):
        broker.settle()
        (delivery,) = taken(consumer)
        delivery.nack()
    broker.settle()
    assert len(taken(consumer)) == 1


@pytest.mark.parametrize("counts_returns", [True, False])
def test_a_timeout_is_no_failure(broker: SimulatedBroker, counts_returns: bool) -> None:
    broker.broker.counts_returns = counts_returns
    prepare(broker, "quorum")
    assert timeout(broker) == ROUNDS


def test_the_count_is_shown(broker: SimulatedBroker) -> None:
    prepare(broker, "quorum")
    client = broker.connect()
    for expected in (None, 1, 2):
        found = client.get("q")
        assert found is not None
        headers = Properties.parse(found.properties).headers or {}
        assert headers.get("x-delivery-count") == expected
        client.nack(0, multiple=True)


def test_giving_up_without_a_dead_letter_exchange_is_told_of(
    broker: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    queue(broker, "q", {"x-queue-type": "quorum", "x-delivery-limit": 0}, durable=True)
    for _ in range(3):
        core_clients.publish(broker, "", b"m", key="q")
    broker.settle()
    caplog.clear()
    assert nack(broker) == 3
    told = [line for line in caplog.messages if "x-delivery-limit" in line]
    assert len(told) == 1
