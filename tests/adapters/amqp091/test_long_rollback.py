"""tx.rollback, and the end of a channel, with very many publishes: they are let go of in turns."""

from __future__ import annotations

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.chores import LET_GO_PER_SLICE


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.connect(channels=2)
    client.declare("q")
    client.send(2, methods.TxSelect())
    client.expect(methods.TxSelectOk, 2)
    return client


@pytest.mark.parametrize("ending", [methods.TxRollback(), methods.ChannelClose(200, "", 0, 0)])
def test_very_many_publishes_are_forgotten_in_turns(
    broker: SimulatedBroker, client: SimulatedClient, ending: methods.Method
) -> None:
    transaction = client.connection.channels.by_number[2].transaction
    assert transaction is not None
    forgotten = transaction.publishes
    client.publish("q", b"1", channel=2)
    forgotten *= LET_GO_PER_SLICE + 1
    client.send(2, ending)
    assert not transaction.publishes
    left = [len(forgotten)]
    for _ in range(2):
        broker.broker.chores.do_one_slice()
        left.append(len(forgotten))
    assert left == [LET_GO_PER_SLICE + 1, 1, 0]
