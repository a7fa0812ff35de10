"""Hundreds of shovels in one broker come up together."""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio

from tests.plugins.shovel.brokers import ask, edge
from warren.gateway import open_broker
from warren.plugins.shovel.plugin import static_shovels

MANY = 500


@pytest.mark.limits(seconds=600)  # nine seconds, which a very busy machine may take minutes for
async def test_five_hundred_connect_to_one_broker() -> None:
    async with open_broker(listen=("amqp=127.0.0.1:0",)) as upstream:
        url = "amqp://guest:guest@{}:{}".format(*upstream.address("amqp"))
        wanted = {
            f"s{number}": {
                "src-uri": "amqp://",
                "src-queue": f"out{number}",
                "dest-uri": url,
                "dest-queue": f"in{number}",
            }
            for number in range(MANY)
        }
        async with edge(shovel_static=static_shovels(wanted)) as broker, broker.connect() as here:
            began_s = trio.current_time()
            while True:
                rows = cast("list[dict[str, Any]]", (await ask(broker, "shovel_status", "state", "reason"))["rows"])
                if sum(row["state"] == "running" for row in rows) == MANY:
                    break
                await trio.sleep(0.05)
            assert trio.current_time() - began_s > 1.0, "they don't all come in one moment"
            assert len(upstream.inspect("queues")) == MANY
            await here.publish("", f"out{MANY - 1}", b"last")
            while sum(cast("int", row["messages"]) for row in upstream.inspect("queues")) < 1:
                await trio.sleep(0.01)
