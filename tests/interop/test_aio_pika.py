"""aio-pika (asyncio), with what it builds on top: robust connections, RPC by pattern, confirms as awaitables."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed, PublishError
from aio_pika.patterns import RPC

from tests.interop.clients import TIME_LIMIT_S, url
from tests.support.ports import free_ports
from tests.support.warren_process import start_warren


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run the asyncio side of a test, bounded in time."""

    async def bounded() -> None:
        async with asyncio.timeout(TIME_LIMIT_S):
            await test

    asyncio.run(bounded())


def test_messages_through_an_iterator(broker_address: tuple[str, int]) -> None:
    async def test() -> None:
        async with await aio_pika.connect(url(broker_address)) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=5)
            queue = await channel.declare_queue(exclusive=True)
            for number in range(50):
                message = aio_pika.Message(
                    b"%d" % number, headers={"number": number, "nested": {"list": [1, "two", None]}}, priority=3
                )
                await channel.default_exchange.publish(message, routing_key=queue.name)
            received: list[AbstractIncomingMessage] = []
            async with queue.iterator() as messages:
                async for incoming in messages:
                    async with incoming.process():
                        received.append(incoming)
                    if len(received) == 50:
                        break
            assert [message.body for message in received] == [b"%d" % number for number in range(50)]
            assert received[7].headers == {"number": 7, "nested": {"list": [1, "two", None]}}
            assert received[7].priority == 3
            await queue.delete()

    run(test())


def test_concurrent_publishes_are_each_confirmed(broker_address: tuple[str, int]) -> None:
    async def test() -> None:
        async with await aio_pika.connect(url(broker_address)) as connection:
            channel = await connection.channel(publisher_confirms=True)
            queue = await channel.declare_queue(exclusive=True)
            messages = [aio_pika.Message(b"%d" % number, delivery_mode=2) for number in range(300)]
            publishing = [channel.default_exchange.publish(each, routing_key=queue.name) for each in messages]
            confirmations = await asyncio.gather(*publishing)
            assert {type(each).__name__ for each in confirmations} == {"Ack"}
            declared = await channel.declare_queue(queue.name, passive=True)
            assert declared.declaration_result.message_count == 300
            await queue.delete(if_empty=False)

    run(test())


def test_an_unroutable_message_is_an_error(broker_address: tuple[str, int]) -> None:
    async def test() -> None:
        async with await aio_pika.connect(url(broker_address)) as connection:
            channel = await connection.channel(on_return_raises=True)
            with pytest.raises(PublishError, match="NO_ROUTE"):
                await channel.default_exchange.publish(aio_pika.Message(b"lost"), routing_key="interop-nobody")

    run(test())


def test_refusals_have_their_own_exceptions(broker_address: tuple[str, int]) -> None:
    async def test() -> None:
        async with await aio_pika.connect(url(broker_address)) as connection:
            channel = await connection.channel()
            with pytest.raises(ChannelNotFoundEntity, match="no queue 'interop-missing'"):
                await channel.declare_queue("interop-missing", passive=True)
            channel = await connection.channel()
            queue = await channel.declare_queue("interop-aio-pika", auto_delete=True)
            with pytest.raises(ChannelPreconditionFailed, match="inequivalent arg 'durable'"):
                await channel.declare_queue(queue.name, durable=True, auto_delete=True)
            channel = await connection.channel()
            await channel.queue_delete(queue.name)

    run(test())


async def add(*, left: int, right: int) -> int:
    return left + right


def test_rpc_by_pattern(broker_address: tuple[str, int]) -> None:
    async def test() -> None:
        async with await aio_pika.connect(url(broker_address)) as connection:
            channel = await connection.channel()
            rpc = await RPC.create(channel)
            await rpc.register("interop-add", add, auto_delete=True)
            calls = [rpc.call("interop-add", {"left": number, "right": 1}) for number in range(20)]
            assert await asyncio.gather(*calls) == [number + 1 for number in range(20)]
            await rpc.unregister(add)
            await rpc.close()
            await channel.queue_delete("interop-add")
            await channel.exchange_delete(RPC.DLX_NAME)

    run(test())


def test_a_robust_connection_survives_a_restart(tmp_path: Path) -> None:
    """The broker stops in order and starts again at the same address; the consumer goes on by itself."""
    data = tmp_path / "data"
    (port,) = free_ports(1)
    listen = [f"amqp=127.0.0.1:{port}"]
    broker = start_warren(tmp_path, data_directory=data, listen=listen)
    address = broker.addresses["amqp"]

    def restart() -> None:
        nonlocal broker
        assert broker.stop() == 0
        broker = start_warren(tmp_path, data_directory=data, listen=listen)

    async def test() -> None:
        connection = await aio_pika.connect_robust(url(address), reconnect_interval=0.05)
        async with connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("robust", durable=True)
            received: asyncio.Queue[bytes] = asyncio.Queue()

            async def take(message: AbstractIncomingMessage) -> None:
                async with message.process():
                    await received.put(message.body)

            await queue.consume(take)
            await publish(address, b"before")
            assert await received.get() == b"before"
            await asyncio.to_thread(restart)
            await publish(address, b"after")
            assert await received.get() == b"after"

    try:
        run(test())
    finally:
        broker.stop()


async def publish(address: tuple[str, int], body: bytes) -> None:
    """Publish over a connection of its own, which is not a robust one."""
    async with await aio_pika.connect(url(address)) as connection:
        channel = await connection.channel()
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key="robust")
