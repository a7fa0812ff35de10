"""A direct client whose rights another back-end knows: what waits for its answers, and when its credentials expire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.core_clients import guest
from tests.support.other_back_ends import TableBackEnd, TableUser, use_chain
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.direct.confirmation import Confirmation
from warren.adapters.direct.errors import ClientClosed, DirectError, PublishBlocked
from warren.adapters.direct.session import DirectSession
from warren.core.access.answers import Unanswered
from warren.core.declaring.queues import declare_queue
from warren.core.errors import AccessRefused, NotFound
from warren.core.messages.properties import EMPTY

EXPIRES_IN_MS = 60_000


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    simulated = SimulatedBroker()
    client = guest(simulated)
    declare_queue(client, "q")
    client.close()
    yield simulated
    simulated.close()


@pytest.fixture
def table(broker: SimulatedBroker) -> TableBackEnd:
    back_end = TableBackEnd()
    back_end.users["alice"] = TableUser("secret", everything=True)
    use_chain(broker.broker, back_end)
    return back_end


def session_of(broker: SimulatedBroker) -> DirectSession:
    """Alice's."""
    user = broker.broker.users.log_in("alice", "secret", is_loopback=True, mechanism="PLAIN")
    return DirectSession(broker.broker, user, "/", name="direct 1", provided_name="test", changed=lambda: None)


def publish(session: DirectSession, body: bytes, key: str = "q", exchange: str = "") -> Confirmation:
    confirmation = Confirmation()
    session.publish_when_known(exchange, key, EMPTY, body, mandatory=True, confirmation=confirmation)
    return confirmation


def answer_all(broker: SimulatedBroker, table: TableBackEnd) -> None:
    while table.waiting:
        table.answer()
    broker.settle()


def bodies(broker: SimulatedBroker) -> list[bytes]:
    return [message.body for message in broker.queue("q").browse(0, 100)]


def test_what_is_published_waits_in_order(broker: SimulatedBroker, table: TableBackEnd) -> None:
    session = session_of(broker)
    table.answers_when_told()
    confirmations = [publish(session, body) for body in (b"1", b"2", b"3")]
    assert len(session.unknown) == 3
    assert not any(each.done for each in confirmations)
    with pytest.raises(Unanswered):
        session.unknown.require_none()
    answer_all(broker, table)
    assert bodies(broker) == [b"1", b"2", b"3"]
    assert all(each.done and each.error is None for each in confirmations)
    session.unknown.require_none()
    publish(session, b"4")
    assert bodies(broker)[3:] == [b"4"], "what is known isn't asked again"
    assert not table.waiting


def test_each_is_refused_by_itself(broker: SimulatedBroker, table: TableBackEnd) -> None:
    table.users["alice"] = TableUser("secret", rights={("vhost", "/"), ("write", "exchange", "amq.default")})
    session = session_of(broker)
    table.answers_when_told()
    known = publish(session, b"1")
    refused = publish(session, b"2", exchange="amq.direct")
    missing = publish(session, b"3", exchange="nowhere")
    last = publish(session, b"4")
    answer_all(broker, table)
    assert bodies(broker) == [b"1", b"4"]
    assert known.error is None
    assert last.error is None
    assert isinstance(refused.error, AccessRefused)
    assert isinstance(missing.error, AccessRefused | NotFound)


def test_an_alarm_that_is_raised_meanwhile(broker: SimulatedBroker, table: TableBackEnd) -> None:
    session = session_of(broker)
    table.answers_when_told()
    waits = publish(session, b"1")
    broker.broker.alarms.set("memory", raised=True)
    answer_all(broker, table)
    assert isinstance(waits.error, PublishBlocked)
    with pytest.raises(PublishBlocked):
        publish(session, b"2")
    broker.broker.alarms.set("memory", raised=False)
    assert bodies(broker) == []


def test_a_client_that_ends_meanwhile(broker: SimulatedBroker, table: TableBackEnd) -> None:
    session = session_of(broker)
    table.answers_when_told()
    waits = publish(session, b"1")
    session.close()
    assert isinstance(waits.error, ClientClosed)
    answer_all(broker, table)
    assert bodies(broker) == []


def test_an_answer_that_comes_before_somebody_waits_for_it(broker: SimulatedBroker, table: TableBackEnd) -> None:
    """As where a task has a turn between asking and waiting: it isn't waited for in vain, nor asked for ever."""
    session = session_of(broker)
    table.users["alice"].rights, table.users["alice"].everything = {("vhost", "/")}, False
    table.answers_when_told()
    with pytest.raises(Unanswered) as asked:
        session.client.check("queue", "q", "read")
    table.answer()
    called: list[bool] = []
    pinned = asked.value.pin(lambda: called.append(True))
    assert called
    with pytest.raises(AccessRefused):
        session.client.check("queue", "q", "read")
    pinned.release()
    assert not table.waiting


def test_it_ends_with_what_it_logged_in_with(broker: SimulatedBroker, table: TableBackEnd) -> None:
    table.users["alice"].expires_at_ms = broker.broker.now_ms + EXPIRES_IN_MS
    session = session_of(broker)
    ended: list[bool] = []
    session.on_closed = lambda: ended.append(True)
    broker.advance(EXPIRES_IN_MS - 1)
    assert session.closed is None
    broker.advance(2)
    assert ended
    assert isinstance(session.closed, DirectError)
    assert "credentials of the connection have expired" in session.closed.text
    assert session not in broker.broker.sessions


def test_a_newer_secret_lasts_longer(broker: SimulatedBroker, table: TableBackEnd) -> None:
    alice = table.users["alice"]
    alice.expires_at_ms = broker.broker.now_ms + EXPIRES_IN_MS
    session = session_of(broker)
    alice.expires_at_ms += EXPIRES_IN_MS
    alice.password = "newer"
    with pytest.raises(AccessRefused):
        session.client.renew("wrong")
    session.client.renew("newer")
    broker.advance(EXPIRES_IN_MS + 1)
    assert session.closed is None
    broker.advance(EXPIRES_IN_MS)
    assert session.closed is not None
