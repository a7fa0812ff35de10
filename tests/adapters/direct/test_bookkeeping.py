"""The direct client without Trio: when it asks for a turn, whom it wakes, and what it counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.core_clients import bind
from tests.support.core_clients import queue as declare
from tests.support.direct_clients import Woken, consume, publish, taken
from tests.support.polling import poll
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.direct.errors import ClientClosed, ConsumerEnded
from warren.adapters.direct.session import CHECKED_MAX, DirectSession
from warren.core.access.accounts import BROKER
from warren.core.clients.limits import BrokerLimits
from warren.core.errors import AccessRefused, NotAllowed
from warren.core.messages.properties import EMPTY
from warren.core.routing.firehose import TRACE_EXCHANGE


@pytest.fixture
def broker() -> SimulatedBroker:
    made = SimulatedBroker()
    declare(made, "q")
    return made


@pytest.fixture
def turns() -> Woken:
    return Woken()


@pytest.fixture
def session(broker: SimulatedBroker, turns: Woken) -> DirectSession:
    return DirectSession(broker.broker, BROKER, "/", name="direct 1", provided_name="shop", changed=turns)


def test_whatever_changes_something_asks_for_a_turn(
    broker: SimulatedBroker, session: DirectSession, turns: Woken
) -> None:
    def asked(call: Callable[[], object]) -> bool:
        before = turns.count
        call()
        return turns.count > before

    consumer = consume(session, prefetch=2)
    assert turns.count == 1
    for _ in range(4):
        assert asked(lambda: publish(session, b"1"))
    broker.settle()
    first, _ = taken(consumer)
    assert asked(first.ack)
    polled = poll(session, "q", no_ack=False)
    assert polled is not None
    assert asked(lambda: poll(session, "q", no_ack=False))
    assert asked(polled.nack)
    assert asked(consumer.cancel)
    unacknowledged = consume(session, no_ack=True)
    broker.settle()
    assert asked(unacknowledged.take)
    assert asked(session.close)


def test_a_cancelled_consumer_wakes_who_waits_and_gets_nothing_more(
    broker: SimulatedBroker, session: DirectSession
) -> None:
    woken = Woken()
    consumer = consume(session, wake=woken)
    consumer.cancel()
    assert woken.count == 1
    publish(session, b"1")
    broker.settle()
    assert not consumer.arrived
    assert not consumer.active


def test_closing_a_consumer_wakes_with_the_error(broker: SimulatedBroker, session: DirectSession) -> None:
    woken = Woken()
    consumer = consume(session, wake=woken)
    publish(session, b"1")
    broker.settle()
    assert woken.count == 1
    error = ConsumerEnded("over")
    consumer.close(error)
    assert (woken.count, consumer.error) == (2, error)
    assert not consumer.arrived
    consumer.close(ConsumerEnded("twice"))
    assert consumer.error is error


def test_credit_is_never_overdrawn(broker: SimulatedBroker, session: DirectSession) -> None:
    consumer = consume(session, prefetch=1)
    publish(session, b"1", b"2", b"3")
    broker.settle()
    for body in (b"1", b"2", b"3"):
        assert len(consumer.arrived) == 1
        assert consumer.credit == 0
        assert not consumer.can_take()
        delivery = consumer.take()
        assert delivery.body == body
        delivery.ack()
        broker.settle()
    assert consumer.credit == 1


def test_the_end_wakes_publishers_and_gives_back_what_was_polled(
    broker: SimulatedBroker, session: DirectSession
) -> None:
    unblocked = Woken()
    session.on_unblocked = unblocked
    publish(session, b"1")
    polled = poll(session, "q", no_ack=False)
    assert polled is not None
    session.close()
    assert unblocked.count == 1
    assert broker.queue("q").ready_count == 1
    with pytest.raises(ClientClosed):
        polled.ack()
    broker.broker.alarms.set("memory", True)
    broker.broker.alarms.set("memory", False)
    assert unblocked.count == 1, "it listens to alarms no more"


def test_only_the_end_of_an_alarm_wakes_publishers(broker: SimulatedBroker, session: DirectSession) -> None:
    unblocked = Woken()
    session.on_unblocked = unblocked
    broker.broker.alarms.set("memory", True)
    assert unblocked.count == 0
    broker.broker.alarms.set("disk", True)
    broker.broker.alarms.set("memory", False)
    assert unblocked.count == 0
    broker.broker.alarms.set("disk", False)
    assert unblocked.count == 1


def test_what_a_refused_consumer_took_is_given_back(broker: SimulatedBroker, session: DirectSession) -> None:
    before = broker.broker.channel_count
    session.consume("q", no_ack=False, exclusive=True, prefetch=1, arguments={}, wake=lambda: None)
    with pytest.raises(AccessRefused, match="exclusive"):
        consume(session)
    assert broker.broker.channel_count == before + 1
    assert len(session.consumers) == 1


def test_the_limit_of_consumers_per_channel(broker: SimulatedBroker, session: DirectSession) -> None:
    broker.broker.limits = BrokerLimits(consumers_per_channel=1)
    consume(session)
    consume(session)
    broker.broker.limits = BrokerLimits(consumers_per_channel=0)
    with pytest.raises(NotAllowed, match="consumers per channel"):
        consume(session)


def test_tags_are_made_up(session: DirectSession) -> None:
    first, second = consume(session), consume(session)
    assert first.tag.startswith("direct.ctag")
    assert first.tag != second.tag
    assert (first.channel_number, second.channel_number) == (2, 3)


def test_what_it_says_of_itself(broker: SimulatedBroker, session: DirectSession) -> None:
    (row,) = broker.broker.inspect("connections", None)
    assert row["client_properties"] == {"connection_name": "shop"}
    assert (row["user_provided_name"], row["state"], row["channel_max"]) == ("shop", "running", 0)
    session.publishes_waiting += 1
    assert session.connection_row().state == "blocked"


def test_checked_addresses_are_bounded(broker: SimulatedBroker, session: DirectSession) -> None:
    for number in range(CHECKED_MAX + 1):
        session.publish("amq.topic", f"key.{number}", EMPTY, b"")
    assert len(session._checked) == 1


def test_the_firehose_names_it(broker: SimulatedBroker, session: DirectSession) -> None:
    declare(broker, "trace")
    bind(broker, "trace", TRACE_EXCHANGE, "#")
    broker.broker.set_tracing("/", True)
    publish(session, b"1")
    consumer = consume(session)
    broker.settle()
    consumer.take().nack()
    consumer.cancel()
    assert poll(session, "q", no_ack=True) is not None
    broker.settle()
    broker.broker.set_tracing("/", False)
    seen = []
    while (traced := poll(session, "trace", no_ack=True)) is not None:
        headers = traced.properties.headers or {}
        seen.append((traced.routing_key, headers["connection"], headers["channel"]))
    assert ("publish.", "direct 1", 0) in seen
    assert ("deliver.q", "direct 1", consumer.number) in seen
    assert ("deliver.q", "direct 1", 1) in seen
