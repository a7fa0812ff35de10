"""Transactions by a coordinator's link (part 4): all or nothing, at the discharge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_amqp10 import Amqp10Client, Frame, body_of, data, messages, of, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.encoding import described
from warren.adapters.amqp10.codec.performatives import Detach, Disposition, End
from warren.adapters.amqp10.codec.sections import VALUE
from warren.adapters.amqp10.codec.termini import (
    Accepted,
    Coordinator,
    Declare,
    Declared,
    Discharge,
    Rejected,
    Released,
    TransactionalState,
)
from warren.core.declaring.queues import declare_queue

CONTROL = 9
PERSISTENT = b"\x00\x53\x70\xc0\x02\x01\x41"


def control(client: Amqp10Client, body: object) -> list[Frame]:
    """Send something to the coordinator."""
    return client.publish(described(VALUE, encode_composite(body)), handle=CONTROL)


def begin(client: Amqp10Client) -> bytes:
    """A new transaction."""
    (told,) = of(Disposition, control(client, Declare()))
    state = told.state
    assert isinstance(state, Declared)
    return state.txn_id


def end(client: Amqp10Client, txn_id: bytes, *, fail: bool = False) -> Any:
    """Discharge it; the outcome."""
    body = Discharge()
    body.txn_id, body.fail = txn_id, fail
    (told,) = (each for each in of(Disposition, control(client, body)) if each.role)
    return told.state


@pytest.fixture
def client(connect: Connect) -> Amqp10Client:
    """With a coordinator's link, a sender and a receiver on `q`."""
    return controlling(connect())


def controlling(made: Amqp10Client) -> Amqp10Client:
    declare_queue(made.connection.logged_in, "q", durable=True)
    made.attach_sender(None, handle=CONTROL, target=Coordinator())
    made.attach_sender("/queues/q")
    made.attach_receiver("/queues/q")
    return made


def test_what_is_published_is_there_when_it_is_committed(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    txn = begin(client)
    told = only(Disposition, client.publish(data(b"one"), state=TransactionalState(txn)))
    assert isinstance(told.state, TransactionalState)
    assert (told.settled, told.state.txn_id, type(told.state.outcome)) == (True, txn, Accepted)
    client.publish(data(b"two"), state=TransactionalState(txn))
    assert simulated.queue("q").ready_count == 0
    assert isinstance(end(client, txn), Accepted)
    assert [message.body for message in simulated.queue("q").browse(0, 9)] == [b"one", b"two"]


def test_nothing_of_it_is_there_when_it_is_rolled_back(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    txn = begin(client)
    client.publish(data(b"one"), state=TransactionalState(txn))
    assert isinstance(end(client, txn, fail=True), Accepted)
    assert simulated.queue("q").ready_count == 0
    state = end(client, txn)
    assert isinstance(state, Rejected)
    assert state.error is not None
    assert state.error.condition == "amqp:transaction:unknown-id"


@pytest.mark.parametrize("settled", [True, False])
def test_settling_takes_part(client: Amqp10Client, simulated: SimulatedBroker, settled: bool) -> None:
    for content in (b"one", b"two"):
        client.publish(data(content))
    client.credit(2)
    txn = begin(client)
    assert client.settle(0, 1, TransactionalState(txn, Accepted()), settled=settled) == []
    assert simulated.queue("q").unacked_count == 2
    body = Discharge()
    body.txn_id = txn
    told = of(Disposition, control(client, body))
    assert [each.first for each in told if not each.role] == ([] if settled else [0, 1])
    assert simulated.queue("q").unacked_count == 0
    assert simulated.queue("q").ready_count == 0


def test_rolling_back_leaves_deliveries_unsettled(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.publish(data(b"one"))
    client.credit(1)
    txn = begin(client)
    client.settle(0, 0, TransactionalState(txn, Accepted()), settled=False)
    end(client, txn, fail=True)
    assert simulated.queue("q").unacked_count == 1
    client.settle(0)
    assert simulated.queue("q").unacked_count == 0


def test_what_its_receiver_had_settled_comes_again(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.publish(data(b"one"))
    client.credit(1)
    txn = begin(client)
    client.settle(0, 0, TransactionalState(txn, Accepted()))
    end(client, txn, fail=True)
    assert simulated.queue("q").ready_count == 1
    assert [body_of(each) for each in messages(client.credit(1, delivery_count=1))] == [b"one"]


def test_a_crash_leaves_all_or_nothing(tmp_path: Path) -> None:
    durable = SimulatedBroker(tmp_path)
    client = controlling(Amqp10Client(durable).open().begin())
    declare_queue(client.connection.logged_in, "r", durable=True)
    client.attach_sender("/queues/r", handle=3)
    durable.settle()
    durable.commits_by_itself = False
    txn = begin(client)
    for handle in (0, 3):
        client.publish(PERSISTENT + data(b"x"), handle=handle, state=TransactionalState(txn))
    body = Discharge()
    body.txn_id = txn
    assert control(client, body) == []
    durable.begin_commit()
    durable.finish_commit()
    assert isinstance(only(Disposition, client.take()).state, Accepted)
    durable.commits_by_itself = True
    durable.crash()
    assert [durable.queue(name).ready_count for name in ("q", "r")] == [1, 1]
    durable.close()


def test_rights_are_asked_for_again_when_it_is_committed(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    txn = begin(client)
    client.publish(data(b"x"), state=TransactionalState(txn))
    simulated.broker.users.set_permissions("guest", "/", "", "^$", ".*")
    state = end(client, txn)
    assert isinstance(state, Rejected)
    assert state.error is not None
    assert state.error.condition == "amqp:transaction:rollback"
    assert "refused for user 'guest'" in (state.error.description or "")
    assert (simulated.queue("q").ready_count, simulated.queue("q").unacked_count) == (0, 0)


def test_what_leads_nowhere_is_told_at_once(client: Amqp10Client) -> None:
    client.attach_sender("/exchanges/amq.direct/none", handle=4)
    txn = begin(client)
    told = only(Disposition, client.publish(data(b"x"), handle=4, state=TransactionalState(txn)))
    assert isinstance(told.state.outcome, Released)


def test_a_session_that_ends_with_part_of_it_dooms_it(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.begin(1)
    client.attach_sender("/queues/q", handle=5, channel=1)
    client.attach_receiver("/queues/q", handle=6, channel=1)
    client.publish(data(b"kept"))
    client.credit(1, handle=6, channel=1)
    txn = begin(client)
    client.publish(data(b"x"), handle=5, channel=1, state=TransactionalState(txn))
    client.settle(0, 0, TransactionalState(txn, Accepted()), channel=1)
    client.end(1)
    state = end(client, txn)
    assert isinstance(state, Rejected)
    assert state.error is not None
    assert state.error.condition == "amqp:transaction:rollback"
    assert [message.body for message in simulated.queue("q").browse(0, 9)] == [b"kept"]


@pytest.mark.parametrize("how", ["detach", "end", "close", "lose"])
def test_who_controls_it_takes_it_along(client: Amqp10Client, simulated: SimulatedBroker, how: str) -> None:
    client.publish(data(b"kept"))
    client.credit(1)
    txn = begin(client)
    client.publish(data(b"x"), state=TransactionalState(txn))
    client.settle(0, 0, TransactionalState(txn, Accepted()), settled=False)
    if how == "detach":
        client.detach(CONTROL)
        assert simulated.queue("q").unacked_count == 1
    elif how == "end":
        client.end()
    elif how == "close":
        client.close()
    else:
        client.transport.lose()
    simulated.settle()
    assert simulated.queue("q").ready_count + simulated.queue("q").unacked_count == 1


def test_an_unknown_transaction_ends_what_names_it(client: Amqp10Client) -> None:
    detach = only(Detach, client.publish(data(b"x"), state=TransactionalState(b"none")))
    assert detach.error.condition == "amqp:transaction:unknown-id"
    assert only(End, client.settle(0, 0, TransactionalState(b"none", Accepted()))).error.condition == (
        "amqp:transaction:unknown-id"
    )


def test_they_are_bounded(client: Amqp10Client) -> None:
    for _ in range(64):
        begin(client)
    assert only(Detach, control(client, Declare())).error.condition == "amqp:resource-limit-exceeded"


def test_what_they_hold_is_bounded(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    txn = begin(client)
    states = [
        only(
            Disposition,
            [f for f in client.publish(data(b"x"), state=TransactionalState(txn)) if isinstance(f.body, Disposition)],
        ).state
        for _ in range(1025)
    ]
    assert isinstance(states[1023].outcome, Accepted)
    assert isinstance(states[1024].outcome, Rejected)
    assert isinstance(end(client, txn), Rejected)
    assert simulated.queue("q").ready_count == 0


@pytest.mark.parametrize("payload", [data(b"x"), b"\x00\x53\x77\x41", b"\x00\x53\x77\x00\x53\x24\x45"])
def test_anything_else_ends_the_link(client: Amqp10Client, payload: bytes) -> None:
    detach = only(Detach, client.publish(payload, handle=CONTROL))
    assert detach.error.condition in ("amqp:invalid-field", "amqp:decode-error")


def test_one_that_is_void_since_a_session_has_ended_says_so(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.begin(channel=1)
    client.attach_sender("/queues/q", channel=1, name="there")
    txn = begin(client)
    client.publish(data(b"one"), channel=1, state=TransactionalState(txn))
    client.end(channel=1)
    told = only(Disposition, client.publish(data(b"two"), state=TransactionalState(txn)))
    assert told.state.outcome.error.condition == "amqp:transaction:rollback"
    state = end(client, txn)
    assert isinstance(state, Rejected)
    assert state.error is not None
    assert state.error.condition == "amqp:transaction:rollback"
    assert simulated.queue("q").ready_count == 0


def test_settling_in_one_that_is_void_ends_the_session(client: Amqp10Client) -> None:
    client.publish(data(b"one"))
    client.credit(1)
    client.begin(channel=1)
    client.attach_sender("/queues/q", channel=1, name="there")
    txn = begin(client)
    client.publish(data(b"two"), channel=1, state=TransactionalState(txn))
    client.end(channel=1)
    ended = only(End, client.settle(0, 0, TransactionalState(txn, Accepted())))
    assert ended.error.condition == "amqp:transaction:rollback"
