"""Transactions that are too much for one turn (part 4): done in slices, all of each in one moment."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support.amqp10_turns import (
    CONTROL,
    IN_ORDER,
    MANY,
    disposition,
    frame,
    queue_of,
    ready,
)
from tests.support.simulated_amqp10 import Amqp10Client, data, of
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.encoding import described
from warren.adapters.amqp10.codec.performatives import Disposition, End, Transfer
from warren.adapters.amqp10.codec.sections import VALUE
from warren.adapters.amqp10.codec.termini import (
    Accepted,
    Coordinator,
    Declare,
    Discharge,
    TransactionalState,
)
from warren.adapters.amqp10.settings import Amqp10Settings
from warren.adapters.session.read_gate import SETTLING
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.staging import STAGED_PER_SLICE


@pytest.fixture
def publishing(connect: Connect, simulated: SimulatedBroker) -> Amqp10Client:
    """With a coordinator's link, and one to publish by that has much credit."""
    queue_of(simulated)
    client = connect(replace(Amqp10Settings(), link_credit=5000))
    client.attach_sender(None, handle=CONTROL, target=Coordinator())
    client.attach_sender("/queues/q")
    return client


def declared(client: Amqp10Client) -> bytes:
    (told,) = of(Disposition, client.publish(described(VALUE, encode_composite(Declare())), handle=CONTROL))
    found: bytes = told.state.txn_id
    return found


def discharge(client: Amqp10Client, txn_id: bytes, *, fail: bool = False) -> bytes:
    body = Discharge()
    body.txn_id, body.fail = txn_id, fail
    transfer = Transfer()
    transfer.handle, transfer.delivery_id, transfer.delivery_tag = CONTROL, client.next_delivery_id, b"t"
    client.next_delivery_id += 1
    return frame(transfer, described(VALUE, encode_composite(body)))


def publish(client: Amqp10Client, count: int, txn_id: bytes) -> None:
    for at in range(0, count, 100):
        whole = b""
        for number in range(at, at + 100):
            transfer = Transfer()
            transfer.handle, transfer.delivery_id, transfer.delivery_tag = 0, client.next_delivery_id, b"t"
            transfer.state = TransactionalState(txn_id)
            client.next_delivery_id += 1
            whole += frame(transfer, data(b"%d" % number))
        client.send_bytes(whole)


def test_discharges_that_come_together(publishing: Amqp10Client, simulated: SimulatedBroker) -> None:
    queue = simulated.queue("q")
    txns = [declared(publishing) for _ in range(4)]
    for txn in txns:
        publish(publishing, 1000, txn)
    publishing.transport.receive(b"".join(discharge(publishing, txn) for txn in txns))
    assert queue.ready_count == 0
    counts = [0]
    while simulated.broker.end_turn():
        counts.append(queue.ready_count)
    counts.append(queue.ready_count)
    assert {after - before for before, after in pairwise(counts)} == {0, 1000}, "each at once, one behind the other"
    assert len(counts) >= 4 * 1000 // STAGED_PER_SLICE
    told = of(Disposition, publishing.take())
    assert sum((each.last or each.first) - each.first + 1 for each in told) == 4
    assert {type(each.state) for each in told} == {Accepted}
    assert [message.body for message in queue.browse(0, 1001)][:1001] == [b"%d" % n for n in range(1000)] + [b"0"]


def test_a_discharge_goes_to_its_end_without_the_connection(
    publishing: Amqp10Client, simulated: SimulatedBroker
) -> None:
    txn = declared(publishing)
    publish(publishing, 1000, txn)
    publishing.transport.receive(discharge(publishing, txn))
    assert simulated.queue("q").ready_count == 0
    publishing.transport.lose()
    simulated.settle()
    assert simulated.queue("q").ready_count == 1000


@pytest.mark.parametrize("fail", [True, False])
@pytest.mark.parametrize("by_receiver", [True, False])
def test_a_transaction_beside_a_large_window(
    consuming: tuple[ClassicQueue, Amqp10Client], simulated: SimulatedBroker, fail: bool, by_receiver: bool
) -> None:
    queue, client = consuming
    client.credit(0, delivery_count=MANY)
    client.attach_sender(None, handle=CONTROL, target=Coordinator())
    txn = declared(client)
    state = TransactionalState(txn, Accepted())
    client.send_bytes(b"".join(disposition(number, None, state, settled=by_receiver) for number in range(7, 500, 2)))
    unacked = client.connection.sessions[0].deliveries.unacked
    assert len(unacked) == MANY - 247
    client.transport.receive(discharge(client, txn, fail=fail))
    simulated.settle()
    unacked = client.connection.sessions[0].deliveries.unacked
    if fail and not by_receiver:
        assert list(unacked) == list(range(1, MANY + 1))
    else:
        assert len(unacked) == MANY - 247
        assert ready(queue) == ([b"%d" % number for number in range(7, 500, 2)] if fail else [])
    assert queue.unacked_count == len(unacked)


def test_more_than_a_transaction_may_have_is_found_out_in_slices(
    consuming: tuple[ClassicQueue, Amqp10Client], simulated: SimulatedBroker
) -> None:
    queue, client = consuming
    client.attach_sender(None, handle=CONTROL, target=Coordinator())
    txn = declared(client)
    client.transport.receive(disposition(0, MANY, TransactionalState(txn, Accepted())))
    assert client.connection.read_gate.is_closed_for(SETTLING)
    simulated.settle()
    (ended,) = of(End, client.take())
    assert ended.error.condition == "amqp:resource-limit-exceeded"
    assert ready(queue) == IN_ORDER
