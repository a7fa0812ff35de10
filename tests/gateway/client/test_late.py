"""The in-process client and queues that answer later: every call waits for the answer, or is given up whole."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from tests.support.late_queue import LATE_BY_MS, LateQueue, late_queues
from warren.adapters.direct.errors import Refused
from warren.core.errors import PreconditionFailed
from warren.gateway import BrokerClient, EmbeddedBroker, open_broker

LATE = {"x-queue-type": "late"}

LATE_BY_S = LATE_BY_MS / 1000


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    with late_queues():
        async with open_broker(listen=()) as opened:
            yield opened


@pytest.fixture
async def client(broker: EmbeddedBroker) -> AsyncIterator[BrokerClient]:
    async with broker.connect() as connected:
        yield connected


def late_queue(broker: EmbeddedBroker) -> LateQueue:
    found = broker._server.broker.vhost("/").queue("late")
    assert isinstance(found, LateQueue)
    return found


async def test_every_call_waits(client: BrokerClient, autojump_clock: MockClock) -> None:
    began_s = trio.current_time()
    await client.declare_queue("late", arguments=LATE)
    await client.publish("", "late", b"1", mandatory=True)
    await client.publish("", "late", b"2")
    delivery = await client.get("late")
    assert delivery is not None
    assert delivery.body == b"1"
    delivery.ack()
    assert await client.purge_queue("late") == 1
    assert await client.get("late") is None
    assert await client.delete_queue("late") == 0
    assert trio.current_time() - began_s == pytest.approx(7 * LATE_BY_S, abs=0.02)


async def test_errors_and_refusals_come_late_too(
    broker: EmbeddedBroker, client: BrokerClient, autojump_clock: MockClock
) -> None:
    await client.declare_queue("late", arguments=LATE)
    late_queue(broker).refuses = True
    with pytest.raises(Refused):
        await client.publish("", "late", b"1")
    late_queue(broker).fails = True
    with pytest.raises(PreconditionFailed, match="fails"):
        await client.get("late")
    with pytest.raises(PreconditionFailed, match="fails"):
        await client.purge_queue("late")


async def test_a_message_that_nobody_waits_for_goes_back(
    broker: EmbeddedBroker, client: BrokerClient, autojump_clock: MockClock
) -> None:
    await client.declare_queue("late", arguments=LATE)
    await client.publish("", "late", b"1")
    with trio.move_on_after(LATE_BY_S / 2) as scope:
        await client.get("late")
    assert scope.cancelled_caught
    await trio.sleep(LATE_BY_S)
    assert (late_queue(broker).ready_count, late_queue(broker).unacked_count) == (1, 0)


async def test_consuming(client: BrokerClient, autojump_clock: MockClock) -> None:
    await client.declare_queue("late", arguments=LATE)
    async with client.consume("late", prefetch=1) as subscription:
        for number in range(3):
            await client.publish("", "late", b"%d" % number)
        for number in range(3):
            delivery = await anext(subscription)
            assert delivery.body == b"%d" % number
            delivery.ack()
