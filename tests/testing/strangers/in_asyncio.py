"""A stranger's tests in asyncio, with aio-pika.  Run by ../test_strangers.py."""

from __future__ import annotations

import asyncio

import aio_pika
import pytest

from warren.testing.broker import WarrenBroker
from warren.testing.errors import WarrenError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_an_order(warren_url: str, warren_broker: WarrenBroker) -> None:
    async with await aio_pika.connect(warren_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("orders")
        await channel.default_exchange.publish(aio_pika.Message(b"three chairs"), "orders")
        warren_broker.assert_routed("", "orders", "orders", body=b"three chairs")
        with pytest.raises(WarrenError, match=r"await asyncio.to_thread\(warren_broker.wait_until_idle"):
            warren_broker.wait_until_idle()
        waits = asyncio.create_task(asyncio.to_thread(warren_broker.wait_until_idle))
        message = await queue.get()
        await message.ack()
        await waits


async def test_a_robust_connection_comes_back(warren_url: str, warren_broker: WarrenBroker) -> None:
    async with await aio_pika.connect_robust(warren_url, reconnect_interval=0.1) as connection:
        queue = await (await connection.channel()).declare_queue("orders", durable=True)
        back = asyncio.Event()
        connection.reconnect_callbacks.add(lambda *_: back.set())
        warren_broker.close(warren_broker.connections()[0], 320)
        await asyncio.wait_for(back.wait(), 30)
        await queue.declare()
        assert [each.name for each in warren_broker.queues()] == ["orders"]
