"""What direct clients did is what is counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.counting import counted
from tests.support.direct_clients import consume, publish, session_of, taken
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.direct.session import DirectSession
from warren.core.counters import Counts, vhost_counts
from warren.core.messages.properties import EMPTY


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    broker.connect().declare("q")
    yield broker
    broker.settle()


def of_connection(session: DirectSession) -> Counts:
    return counted(session.client.counts.snapshot())


def test_publishes_and_confirms(broker: SimulatedBroker) -> None:
    session = session_of(broker)
    publish(session, b"1", b"2", b"3")
    publish(session, b"4", key="nowhere")
    session.publish("", "nowhere", EMPTY, b"5")
    expected = {"publish": 5, "confirm": 3, "return_unroutable": 1, "drop_unroutable": 1}
    assert of_connection(session) == expected
    assert counted(vhost_counts(broker.vhost)) == expected


def test_deliveries_and_what_became_of_them(broker: SimulatedBroker) -> None:
    session = session_of(broker)
    publish(session, b"1", b"2", b"3", b"4")
    consumer = consume(session, prefetch=3)
    broker.settle()
    first, second, third = taken(consumer)
    first.ack()
    second.nack(requeue=False)
    third.nack()
    broker.settle()
    counts = {"deliver": 5, "deliver_get": 5, "redeliver": 1, "ack": 1}
    assert counted(consumer.session_counts.snapshot()) == counts
    assert of_connection(session) == {"publish": 4, "confirm": 4, **counts}
    assert counted(broker.queue("q").message_counts) == {"publish": 4, **counts}
    consumer.close(None)
    broker.settle()
    assert of_connection(session) == {"publish": 4, "confirm": 4, **counts}
    assert broker.queue("q").message_counts["ack"] == 1


def test_polls(broker: SimulatedBroker) -> None:
    session = session_of(broker)
    publish(session, b"1", b"2")
    found: list[object] = []
    for no_ack in (False, True, True):
        session.get("q", found.append, no_ack=no_ack)
    polled = {"get": 1, "get_no_ack": 1, "get_empty": 1, "deliver_get": 2}
    assert of_connection(session) == {"publish": 2, "confirm": 2, **polled}
    assert counted(broker.queue("q").message_counts) == {"publish": 2, **polled}
