"""A destination that takes nothing holds back the source, even one that isn't acknowledged."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.plugins.shovel.brokers import PERSISTENT, edge, set_shovel, take, until_state
from warren.gateway import open_broker


@pytest.mark.parametrize("protocol", ["amqp091", "mqtt"])
async def test_a_source_that_isnt_acknowledged_is_held_back(protocol: str) -> None:
    """What the destination doesn't take waits at the source, not in this broker's memory."""
    body, count = bytes(256 * 1024), 200
    listen = ("amqp=127.0.0.1:0", "mqtt=127.0.0.1:0")
    async with (
        open_broker(listen=listen) as far_broker,
        open_broker() as destination,
        edge() as broker,
        far_broker.connect() as far,
        destination.connect() as there,
    ):
        destination.set_alarm("memory", True)
        keys: dict[str, Any] = {"src_uri": far_broker.url(), "src_queue": "out"}
        if protocol == "mqtt":
            keys = {"src_uri": far_broker.url("mqtt").replace("//", "//guest:guest@"), "src_topics": "t"}
        await set_shovel(
            broker,
            src_protocol=protocol,
            dest_uri=destination.url(),
            dest_queue="in",
            ack_mode="no-ack",
            **keys,
        )
        await until_state(broker, "running")
        for _ in range(count):
            exchange, key = ("amq.topic", "t") if protocol == "mqtt" else ("", "out")
            await far.publish(exchange, key, body, PERSISTENT)
        before = -1
        while (now := sum(int(str(row["messages"])) for row in far_broker.inspect("queues"))) != before:
            before = now
            await trio.sleep(0.3)
        assert now > count // 4, "most of it waits where it was"
        destination.set_alarm("memory", False)
        assert len(await take(there, "in", count)) == count
