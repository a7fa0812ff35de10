"""The direct client without Trio: what ends it and what that leaves behind, and who it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.core_clients import guest
from tests.support.core_clients import queue as declare
from tests.support.direct_clients import Woken, consume, publish, session_of
from tests.support.polling import poll
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.direct.confirmation import Confirmation
from warren.adapters.direct.errors import ClientClosed, ConsumerEnded
from warren.adapters.direct.session import DirectSession
from warren.core.access.accounts import BROKER, BROKER_NAME
from warren.core.clients.limits import BrokerLimits
from warren.core.declaring.queues import declare_queue
from warren.core.errors import AccessRefused, NotAllowed, NotFound, PreconditionFailed
from warren.core.messages.properties import encode_properties

PERSISTENT = encode_properties(delivery_mode=2)

TIMEOUT_MS = 60_000


@pytest.fixture
def broker() -> SimulatedBroker:
    made = SimulatedBroker()
    client = guest(made)
    declare_queue(client, "q")
    client.close()
    return made


@pytest.fixture
def session(broker: SimulatedBroker) -> DirectSession:
    return session_of(broker)


# Ends


def test_cancelling_gives_back_what_was_not_taken(broker: SimulatedBroker, session: DirectSession) -> None:
    declare(broker, "limited", {"x-delivery-limit": 1})
    consumer = consume(session, "limited", prefetch=3)
    publish(session, b"1", b"2", b"3", key="limited")
    broker.settle()
    delivery = consumer.take()
    consumer.cancel()
    broker.settle()
    found = broker.queue("limited")
    assert (found.ready_count, found.unacked_count) == (2, 1)
    assert found.failures(next(found.browse(0, 1))) == 0, "what the program never saw has not failed"
    delivery.ack()
    assert found.unacked_count == 0
    assert consumer.error is None


def test_closing_a_consumer_returns_everything_in_order(broker: SimulatedBroker, session: DirectSession) -> None:
    consumer = consume(session, prefetch=3)
    publish(session, b"1", b"2", b"3", b"4")
    broker.settle()
    delivery = consumer.take()
    consumer.close(ConsumerEnded("over"))
    broker.settle()
    assert [each.body for each in broker.queue("q").browse(0, 9)] == [b"1", b"2", b"3", b"4"]
    with pytest.raises(ConsumerEnded, match="over"):
        delivery.ack()
    assert session.connection_row().channels == 1
    assert broker.broker.channel_count == 1


def test_an_administrator_closes_the_session(broker: SimulatedBroker, tmp_path: Path) -> None:
    closed = Woken()
    session = session_of(broker, "guest")
    session.on_closed = closed
    declare_queue(session.client, "mine", exclusive=True)
    consumer = consume(session)
    publish(session, b"1", b"2")
    broker.settle()
    delivery = consumer.take()
    assert poll(session, "mine", no_ack=True) is None
    session.force_close("maintenance")
    broker.settle()
    assert closed.count == 1
    assert [each.body for each in broker.queue("q").browse(0, 9)] == [b"1", b"2"]
    assert "mine" not in broker.vhost.queues
    assert not session.connection_row().exists
    assert (broker.broker.client_count, broker.broker.channel_count) == (0, 0)
    for attempt in (delivery.ack, lambda: publish(session, b"3"), lambda: poll(session, "q", no_ack=True)):
        with pytest.raises(ClientClosed, match="CONNECTION_FORCED - maintenance"):
            attempt()
    with pytest.raises(ClientClosed):
        consume(session)
    session.close()
    assert isinstance(consumer.error, ClientClosed)


def test_a_confirm_that_the_end_overtakes_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broker = SimulatedBroker(tmp_path)
    broker.commits_by_itself = False
    declare(broker, "q", durable=True)
    session = session_of(broker)
    confirmation = Confirmation()
    session.publish("", "q", PERSISTENT, b"1", confirmation=confirmation)
    broker.begin_commit()
    session.close()
    assert isinstance(confirmation.error, ClientClosed)
    broker.finish_commit()
    assert caplog.records == []


def test_the_deletion_of_the_queue_ends_the_consumer(broker: SimulatedBroker, session: DirectSession) -> None:
    woken = Woken()
    consumer = consume(session, wake=woken)
    declare_queue(session.client, "q")
    broker.broker.expire_queue(broker.queue("q"))
    assert woken.count == 1
    assert isinstance(consumer.error, ConsumerEnded)
    assert "queue 'q' in vhost '/' was deleted" in consumer.error.text
    consumer.close(None)
    assert broker.broker.channel_count == 1


def test_an_acknowledgement_that_does_not_come(broker: SimulatedBroker, session: DirectSession) -> None:
    consumer = consume(session, arguments={"x-consumer-timeout": TIMEOUT_MS})
    publish(session, b"1", b"2")
    broker.settle()
    delivery = consumer.take()
    for _ in range(10):
        broker.advance(TIMEOUT_MS // 8)
    assert isinstance(consumer.error, ConsumerEnded)
    assert f"Timeout value used: {TIMEOUT_MS} ms" in consumer.error.text
    assert not consumer.arrived
    assert broker.queue("q").ready_count == 2
    with pytest.raises(ConsumerEnded):
        delivery.ack()


def test_the_deletion_of_the_vhost_ends_the_session(broker: SimulatedBroker) -> None:
    broker.broker.add_vhost("other", {})
    session = DirectSession(broker.broker, BROKER, "other", name="direct 1", provided_name="", changed=lambda: None)
    broker.broker.delete_vhost("other")
    assert session.closed is not None
    assert "vhost 'other' is deleted" in session.closed.text


# Who it is


def test_the_broker_itself_may_do_everything(broker: SimulatedBroker, session: DirectSession) -> None:
    declare_queue(session.client, "anything", arguments={"x-dead-letter-exchange": "amq.fanout"})
    session.publish("", "anything", encode_properties(user_id="somebody"), b"")
    assert session.connection_row().user == BROKER_NAME
    assert BROKER_NAME not in broker.broker.users


@pytest.mark.parametrize("add", ["add_user", "add_user_hash"])
def test_nobody_can_have_the_brokers_name(broker: SimulatedBroker, add: str) -> None:
    with pytest.raises(PreconditionFailed, match="the broker's own"):
        getattr(broker.broker.users, add)(BROKER_NAME, "", None if add == "add_user_hash" else ())
    with pytest.raises(PreconditionFailed, match="the broker's own"):
        broker.broker.users.put_user(BROKER)
    with pytest.raises(AccessRefused):
        broker.broker.users.authenticate(BROKER_NAME, "", True)


def test_a_user_may_do_what_it_may(broker: SimulatedBroker) -> None:
    users = broker.broker.users
    users.add_user("reader", "secret")
    with pytest.raises(NotAllowed, match="access to vhost '/' refused for user 'reader'"):
        session_of(broker, "reader")
    users.set_permissions("reader", "/", "", "", "^q$")
    session = session_of(broker, "reader")
    assert poll(session, "q", no_ack=True) is None
    with pytest.raises(AccessRefused):
        publish(session, b"1")
    with pytest.raises(AccessRefused):
        declare_queue(session.client, "other")


def test_limits_count_direct_clients(broker: SimulatedBroker) -> None:
    broker.broker.limits = BrokerLimits(connections=1)
    session = session_of(broker)
    with pytest.raises(NotAllowed, match="node connection limit"):
        session_of(broker, name="direct 2")
    session.close()
    broker.broker.limits = BrokerLimits(channels=2)
    session = session_of(broker)
    consume(session)
    with pytest.raises(NotAllowed, match="number of channels"):
        consume(session)
    with pytest.raises(NotFound):
        consume(session, "nothing")
    session.close()
    broker.broker.limits = BrokerLimits(channels=0)
    with pytest.raises(NotAllowed, match="number of channels"):
        session_of(broker)
    assert (broker.broker.client_count, broker.broker.channel_count) == (0, 0)
    assert not broker.broker.sessions


def test_listings_show_it(broker: SimulatedBroker) -> None:
    session = session_of(broker, "guest")
    consumer = consume(session, prefetch=7)
    publish(session, b"1")
    broker.settle()
    (connection,) = broker.broker.inspect("connections", None)
    assert (connection["protocol"], connection["user"], connection["channels"]) == ("Direct 0-9-1", "guest", 2)
    own, of_consumer = broker.broker.inspect("channels", None)
    assert (own["number"], own["confirm"]) == (1, True)
    assert (of_consumer["number"], of_consumer["messages_unacknowledged"]) == (2, 1)
    (row,) = broker.broker.inspect("consumers", None)
    assert (row["channel_pid"], row["consumer_tag"], row["prefetch_count"]) == ("direct 1 (2)", consumer.tag, 7)


def test_a_tag_is_used_once(session: DirectSession) -> None:
    consumer = consume(session)
    with pytest.raises(NotAllowed, match="reuse"):
        session.consume(
            "q", tag=consumer.tag, no_ack=False, exclusive=False, prefetch=1, arguments={}, wake=lambda: None
        )
