"""Consuming with the in-process client on Trio: credit, the ends of an iteration, what cancelling leaves behind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from warren.adapters.direct.errors import ConsumerEnded
from warren.core.errors import AccessRefused, NotFound
from warren.core.messages.properties import encode_properties
from warren.gateway.client.client import BrokerClient
from warren.gateway.client.subscription import Subscription
from warren.gateway.embedding import EmbeddedBroker, open_broker

PERSISTENT = encode_properties(delivery_mode=2)


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    async with open_broker(listen=()) as opened:
        yield opened


@pytest.fixture
async def client(broker: EmbeddedBroker) -> AsyncIterator[BrokerClient]:
    async with broker.connect(name="test") as connected:
        await connected.declare_queue("q")
        yield connected


async def messages(client: BrokerClient, queue: str = "q") -> int:
    return (await client.check_queue(queue)).messages


# Consuming


async def test_iterating(client: BrokerClient) -> None:
    received = []

    async def receive() -> None:
        async with client.consume("q", prefetch=2) as subscription:
            async for delivery in subscription:
                received.append((delivery.tag, delivery.body, delivery.redelivered, delivery.routing_key))
                delivery.ack()
                if len(received) == 5:
                    break

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        for number in range(5):
            await client.publish("", "q", b"%d" % number, encode_properties(message_id=str(number)))
    assert received == [(number + 1, b"%d" % number, False, "q") for number in range(5)]
    assert await messages(client) == 0


async def test_who_does_not_iterate_holds_its_credit_and_no_more(
    broker: EmbeddedBroker, client: BrokerClient, autojump_clock: MockClock
) -> None:
    async with client.consume("q", prefetch=4):
        for _ in range(10):
            await client.publish("", "q", b"")
        await trio.sleep(60)
        (row,) = broker.inspect("queues")
        assert (row["messages_ready"], row["messages_unacknowledged"]) == (6, 4)
    (row,) = broker.inspect("queues")
    assert (row["messages_ready"], row["messages_unacknowledged"]) == (10, 0)


async def test_batches(client: BrokerClient) -> None:
    for number in range(6):
        await client.publish("", "q", b"%d" % number)
    async with client.consume("q", prefetch=4) as subscription:
        first = await subscription.receive_batch()
        assert [each.body for each in first] == [b"0", b"1", b"2", b"3"]
        first[-1].ack(up_to=True)
        second = await subscription.receive_batch()
        assert [each.body for each in second] == [b"4", b"5"]
        subscription.cancel()
        assert await subscription.receive_batch() == []
        second[1].ack(up_to=True)
    assert await messages(client) == 0


async def test_cancelling_ends_the_iteration(client: BrokerClient) -> None:
    for number in range(3):
        await client.publish("", "q", b"%d" % number)
    bodies = []
    async with client.consume("q") as subscription:
        async for delivery in subscription:
            bodies.append(delivery.body)
            subscription.cancel()
            delivery.ack()
    assert bodies == [b"0"]
    assert await messages(client) == 2


async def test_the_deletion_of_its_queue_ends_the_iteration_with_an_error(client: BrokerClient) -> None:
    async def receive(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with client.consume("q") as subscription:
            task_status.started()
            with pytest.raises(ConsumerEnded, match="queue 'q' in vhost '/' was deleted"):
                await anext(subscription)

    async with trio.open_nursery() as nursery:
        await nursery.start(receive)
        await client.delete_queue("q")


async def test_a_late_acknowledgement_ends_the_iteration_with_an_error(
    client: BrokerClient, autojump_clock: MockClock
) -> None:
    await client.publish("", "q", b"1")
    async with client.consume("q", arguments={"x-consumer-timeout": 600_000}) as subscription:
        delivery = await anext(subscription)
        with pytest.raises(ConsumerEnded, match="Timeout value used: 600000 ms"):
            await anext(subscription)
        with pytest.raises(ConsumerEnded):
            delivery.ack()
    assert await messages(client) == 1


async def test_cancellation_returns_everything(client: BrokerClient, autojump_clock: MockClock) -> None:
    for number in range(5):
        await client.publish("", "q", b"%d" % number)
    with trio.move_on_after(5):
        async with client.consume("q", prefetch=3) as subscription:
            await anext(subscription)
            await trio.sleep_forever()
    assert await messages(client) == 5
    with trio.CancelScope() as scope:
        async with client.consume("q", prefetch=3) as subscription:
            scope.cancel()
            await anext(subscription)
    assert scope.cancelled_caught
    browsed, _ = await client.browse("q")
    assert [each.message.body for each in browsed] == [b"%d" % number for number in range(5)]


async def test_nothing_begins_in_a_cancelled_task(client: BrokerClient) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await client.declare_queue("never")
    with trio.CancelScope() as scope:
        scope.cancel()
        await client.publish("", "q", b"never")
    with trio.CancelScope() as scope:
        scope.cancel()
        await client.get("q")
    assert await messages(client) == 0
    with pytest.raises(NotFound):
        await client.check_queue("never")


async def test_two_tasks_share_a_subscription(client: BrokerClient) -> None:
    received: list[bytes] = []

    async def receive(subscription: Subscription) -> None:
        async for delivery in subscription:
            received.append(delivery.body)
            delivery.ack()

    async with client.consume("q") as subscription, trio.open_nursery() as nursery:
        nursery.start_soon(receive, subscription)
        nursery.start_soon(receive, subscription)
        for number in range(4):
            await client.publish("", "q", b"%d" % number)
        await wait_all_tasks_blocked()
        subscription.cancel()
    assert sorted(received) == [b"0", b"1", b"2", b"3"]


async def test_exclusive_and_names(broker: EmbeddedBroker, client: BrokerClient) -> None:
    async with client.consume("q", exclusive=True, tag="mine") as subscription:
        assert (subscription.tag, subscription.queue_name) == ("mine", "q")
        with pytest.raises(AccessRefused, match="exclusive"):
            async with client.consume("q"):
                pytest.fail("it consumes")
        (row,) = broker.inspect("consumers")
        assert (row["consumer_tag"], row["exclusive"]) == ("mine", True)
    assert broker.inspect("consumers") == []
    with pytest.raises(ValueError, match="at least 1"):
        async with client.consume("q", prefetch=0):
            pytest.fail("it consumes")
