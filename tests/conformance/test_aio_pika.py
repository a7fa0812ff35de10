"""The everyday uses of aio-pika, the asyncio client: work queue, publish and subscribe, RPC, transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractRobustConnection
from aio_pika.exceptions import ChannelClosed, DeliveryError

from tests.conformance.scenario import Workbench
from tests.support.amqp_wire import TIME_LIMIT_S, Address

Scenario = Callable[[AbstractRobustConnection], Awaitable[None]]


def run(address: Address, scenario: Scenario) -> None:
    """Runs a scenario on a connection of its own, within the time limit."""

    async def main() -> None:
        async with asyncio.timeout(TIME_LIMIT_S):
            connection = await aio_pika.connect_robust(host=address[0], port=address[1])
            async with connection:
                await scenario(connection)

    asyncio.run(main())


def test_work_queue(bench: Workbench) -> None:
    name = bench.name("queue")

    async def scenario(connection: AbstractRobustConnection) -> None:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=2)
        queue = await channel.declare_queue(name, durable=True)
        for number in range(10):
            job = aio_pika.Message(str(number).encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(job, routing_key=name)
        received = []
        async with queue.iterator() as messages:
            async for message in messages:
                async with message.process():
                    received.append(message.body)
                if len(received) == 10:
                    break
        assert received == [str(number).encode() for number in range(10)]

    run(bench.address, scenario)


def test_publish_and_subscribe(bench: Workbench) -> None:
    name = bench.name("exchange")

    async def scenario(connection: AbstractRobustConnection) -> None:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC)
        queues = []
        for key in ("*.error", "#"):
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind(exchange, key)
            queues.append(queue)
        await exchange.publish(aio_pika.Message(b"1"), "kernel.error")
        await exchange.publish(aio_pika.Message(b"2"), "kernel.info")
        received = []
        for queue, count in zip(queues, (1, 2), strict=True):
            for _ in range(count):
                message = await queue.get(no_ack=True)
                received.append(message.body)
        assert received == [b"1", b"1", b"2"]

    run(bench.address, scenario)


def test_rpc_by_direct_reply_to(bench: Workbench) -> None:
    name = bench.name("queue")

    async def scenario(connection: AbstractRobustConnection) -> None:
        channel = await connection.channel()
        requests = await channel.declare_queue(name)

        async def serve(message: AbstractIncomingMessage) -> None:
            async with message.process():
                reply = aio_pika.Message(message.body.upper(), correlation_id=message.correlation_id)
                await channel.default_exchange.publish(reply, routing_key=str(message.reply_to))

        await requests.consume(serve)
        replies: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        callback_queue = await channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
        await callback_queue.consume(replies.put, no_ack=True)
        request = aio_pika.Message(b"hello", correlation_id="5", reply_to="amq.rabbitmq.reply-to")
        await channel.default_exchange.publish(request, routing_key=name)
        reply = await replies.get()
        assert (reply.body, reply.correlation_id) == (b"HELLO", "5")

    run(bench.address, scenario)


def test_transactions(bench: Workbench) -> None:
    name = bench.name("queue")

    async def scenario(connection: AbstractRobustConnection) -> None:
        channel = await connection.channel(publisher_confirms=False)
        queue = await channel.declare_queue(name)
        async with channel.transaction():
            await channel.default_exchange.publish(aio_pika.Message(b"kept"), routing_key=name)
        transaction = channel.transaction()
        await transaction.select()
        await channel.default_exchange.publish(aio_pika.Message(b"discarded"), routing_key=name)
        await transaction.rollback()
        message = await queue.get(no_ack=True)
        assert message.body == b"kept"
        assert await queue.get(no_ack=True, fail=False) is None

    run(bench.address, scenario)


def test_many_publishes_in_flight(bench: Workbench) -> None:
    name = bench.name("queue")

    async def scenario(connection: AbstractRobustConnection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue(name, durable=True)
        exchange = channel.default_exchange
        bodies = [str(number).encode() for number in range(500)]
        messages = [aio_pika.Message(body, delivery_mode=2) for body in bodies]
        await asyncio.gather(*(exchange.publish(message, routing_key=name) for message in messages))
        assert (await queue.purge()).message_count == 500

    run(bench.address, scenario)


def test_unroutable_and_refused(bench: Workbench) -> None:
    missing = bench.name("missing")

    async def scenario(connection: AbstractRobustConnection) -> None:
        channel = await connection.channel(on_return_raises=True)
        with pytest.raises(DeliveryError):
            await channel.default_exchange.publish(aio_pika.Message(b"message"), routing_key=missing)
        with pytest.raises(ChannelClosed, match="no queue"):
            await channel.declare_queue(missing, passive=True)

    run(bench.address, scenario)
