"""The direct client without Trio: confirms, credit, settling."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.core_clients import queue as declare
from tests.support.direct_clients import Woken, consume, publish, session_of, taken
from tests.support.polling import poll
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.direct.confirmation import Confirmation
from warren.adapters.direct.errors import PublishBlocked, Refused, Unroutable
from warren.adapters.direct.listing import OwnChannelRow
from warren.adapters.direct.session import DirectSession
from warren.core.errors import AccessRefused, NotFound, PreconditionFailed
from warren.core.messages.properties import EMPTY, encode_properties

PERSISTENT = encode_properties(delivery_mode=2)


@pytest.fixture
def broker() -> SimulatedBroker:
    made = SimulatedBroker()
    declare(made, "q")
    return made


@pytest.fixture
def session(broker: SimulatedBroker) -> DirectSession:
    return session_of(broker)


# Confirms


def test_what_needs_no_disk_is_confirmed_at_once(session: DirectSession) -> None:
    (confirmation,) = publish(session, b"a")
    assert confirmation.done
    assert confirmation.error is None


def test_what_is_stored_is_confirmed_by_the_flush_that_covers_it(tmp_path: Path) -> None:
    broker = SimulatedBroker(tmp_path)
    broker.commits_by_itself = False
    declare(broker, "q", durable=True)
    session = session_of(broker)
    first, second = Confirmation(), Confirmation()
    session.publish("", "q", PERSISTENT, b"1", confirmation=first)
    broker.begin_commit()
    session.publish("", "q", PERSISTENT, b"2", confirmation=second)
    assert not first.done
    assert OwnChannelRow(session.connection_row(), session).messages_unconfirmed == 2
    broker.finish_commit()
    assert (first.done, second.done) == (True, False)
    assert broker.broker.commit_wanted
    broker.begin_commit()
    broker.finish_commit()
    assert second.done
    assert second.error is None


def test_unroutable_and_refused_are_told_apart(broker: SimulatedBroker, session: DirectSession) -> None:
    declare(broker, "full", {"x-max-length": 1, "x-overflow": "reject-publish"})
    first, second = publish(session, b"1", b"2", key="full")
    (nowhere,) = publish(session, b"3", key="nowhere")
    optional = Confirmation()
    session.publish("", "nowhere", EMPTY, b"4", confirmation=optional)
    assert first.error is None
    assert isinstance(second.error, Refused)
    assert isinstance(nowhere.error, Unroutable)
    assert "'nowhere'" in nowhere.error.text
    assert (optional.done, optional.error) == (True, None)


def test_an_alarm_blocks_publishing_and_nothing_else(broker: SimulatedBroker, session: DirectSession) -> None:
    publish(session, b"1")
    unblocked = Woken()
    session.on_unblocked = unblocked
    broker.broker.alarms.set("memory", True)
    with pytest.raises(PublishBlocked, match="low on memory"):
        publish(session, b"2")
    assert session.blocked == "low on memory"
    assert poll(session, "q", no_ack=True) is not None
    broker.broker.alarms.set("memory", False)
    assert unblocked.count == 1
    publish(session, b"3")


def test_the_check_of_an_address_is_remembered_until_users_or_topology_change(broker: SimulatedBroker) -> None:
    users = broker.broker.users
    users.add_user("writer", "secret")
    users.set_permissions("writer", "/", "", "^amq.topic$", "")
    session = session_of(broker, "writer")
    with pytest.raises(AccessRefused):
        session.publish("", "", EMPTY, b"")
    session.publish("amq.topic", "a", EMPTY, b"")
    users.set_permissions("writer", "/", "", "", "")
    with pytest.raises(AccessRefused):
        session.publish("amq.topic", "a", EMPTY, b"")
    users.set_permissions("writer", "/", "", ".*", "")
    with pytest.raises(NotFound):
        session.publish("gone", "a", EMPTY, b"")


# Credit and settling


def test_a_program_that_takes_nothing_holds_its_prefetch(broker: SimulatedBroker, session: DirectSession) -> None:
    woken = Woken()
    consumer = consume(session, prefetch=3, wake=woken)
    publish(session, *[b"%d" % number for number in range(10)])
    broker.settle()
    assert len(consumer.arrived) == 3
    assert broker.queue("q").ready_count == 7
    assert woken.count == 1, "once for a batch"
    first, second, third = taken(consumer)
    broker.settle()
    assert not consumer.arrived, "what is in the program's hands counts, too"
    second.ack(up_to=True)
    broker.settle()
    assert [each.body for each in taken(consumer)] == [b"3", b"4"]
    assert (first.tag, third.body) == (1, b"2")


def test_without_acknowledgements_what_was_not_taken_counts(broker: SimulatedBroker, session: DirectSession) -> None:
    consumer = consume(session, prefetch=2, no_ack=True)
    publish(session, b"1", b"2", b"3")
    broker.settle()
    assert len(consumer.arrived) == 2
    delivery = consumer.take()
    broker.settle()
    assert len(consumer.arrived) == 2
    delivery.ack()
    assert broker.queue("q").unacked_count == 0


def test_each_way_to_settle(broker: SimulatedBroker, session: DirectSession) -> None:
    declare(broker, "dead")
    declare(broker, "q2", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    consumer = consume(session, "q2", prefetch=5)
    publish(session, b"ack", b"nack", b"reject", b"requeue", b"discard", key="q2")
    broker.settle()
    acked, nacked, rejected, requeued, discarded = taken(consumer)
    acked.ack()
    nacked.nack()
    rejected.reject()
    requeued.requeue()
    discarded.nack(requeue=False)
    broker.settle()
    again = taken(consumer)
    assert [(each.body, each.redelivered) for each in again] == [(b"nack", True), (b"requeue", True)]
    assert broker.queue("dead").ready_count == 2
    for delivery in again:
        delivery.ack()
    assert broker.queue("q2").unacked_count == 0


def test_settling_twice_is_an_error(broker: SimulatedBroker, session: DirectSession) -> None:
    consumer = consume(session)
    publish(session, b"1")
    broker.settle()
    delivery = consumer.take()
    delivery.ack()
    with pytest.raises(PreconditionFailed, match="unknown delivery tag 1"):
        delivery.ack()


def test_polling(broker: SimulatedBroker, session: DirectSession) -> None:
    assert poll(session, "q", no_ack=False) is None
    publish(session, b"1", b"2", b"3")
    first, second = poll(session, "q", no_ack=False), poll(session, "q", no_ack=False)
    third = poll(session, "q", no_ack=True)
    assert first is not None
    assert second is not None
    assert third is not None
    assert [first.body, second.body, third.body] == [b"1", b"2", b"3"]
    assert broker.queue("q").unacked_count == 2
    second.ack(up_to=True)
    assert broker.queue("q").unacked_count == 0
    with pytest.raises(PreconditionFailed):
        first.ack()


def test_a_priority_is_heeded(broker: SimulatedBroker, session: DirectSession) -> None:
    low = consume(session)
    high = consume(session, arguments={"x-priority": 5})
    publish(session, b"1")
    broker.settle()
    assert not low.arrived
    assert high.take().body == b"1"
