"""How much a shovel's buffer holds, and who is told when it is full."""

from __future__ import annotations

from typing import Any

import trio

from tests.plugins.shovel.brokers import ask, set_shovel, take, until, until_state
from tests.plugins.shovel.publishers import (
    NOWHERE,
    PUBLISHERS,
    QUEUE,
    edge_with_queue,
    some_turns,
)
from warren.gateway import open_broker


async def test_a_full_buffer_refuses_and_says_so() -> None:
    async with edge_with_queue() as (broker, here):
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue=QUEUE,
            dest_uri=NOWHERE,
            dest_queue="in",
            buffer_max_length_bytes=5,
            buffer_overflow="reject-publish",
        )
        await until_state(broker, "terminated")
        for kind, connected in PUBLISHERS.items():
            async with connected(broker) as publisher:
                publisher.publish(b"12345")
                publisher.publish(b"6")
                expected = ["taken"] if kind.startswith("MQTT 3") else ["taken", "refused"]
                while sorted(publisher.told, reverse=True) != expected:
                    await trio.sleep(0.002)
                await some_turns()
                assert sorted(publisher.told, reverse=True) == expected
            assert await here.purge_queue(QUEUE) == 1


async def test_a_buffer_that_drops_keeps_the_newest() -> None:
    async with edge_with_queue() as (broker, here), open_broker() as upstream:
        keys: dict[str, Any] = {"src_uri": "amqp://", "src_queue": QUEUE, "dest_queue": "in", "buffer_max_length": 3}
        await set_shovel(broker, dest_uri=NOWHERE, **keys)
        await until_state(broker, "terminated")
        for number in range(10):
            await here.publish("", QUEUE, b"%d" % number)
        await set_shovel(broker, dest_uri=upstream.url(), **keys)
        await until_state(broker, "running")
        async with upstream.connect() as far:
            assert await take(far, "in", 3) == [b"7", b"8", b"9"]


async def test_the_quota_ends_with_the_shovel() -> None:
    async with edge_with_queue() as (broker, here):
        await set_shovel(broker, src_uri="amqp://", src_queue=QUEUE, dest_uri=NOWHERE, buffer_max_length=1)
        await until_state(broker, "terminated")
        assert (await ask(broker, "delete_shovel", "s"))["ok"]
        await until(lambda: broker._server.broker.vhost("/").buffers == {})
        for _ in range(3):
            await here.publish("", QUEUE, b"m")
        assert (await here.check_queue(QUEUE)).messages == 3
