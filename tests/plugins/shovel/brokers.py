"""Brokers with shovels within a test: an edge and an upstream, each with its own sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import trio

from warren.core.messages.properties import encode_properties
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Answer, Control
from warren.gateway.embedding import EmbeddedBroker
from warren.gateway.plugin import BrokerClient

PERSISTENT = encode_properties(delivery_mode=2)


@asynccontextmanager
async def edge(
    directory: Path | None = None, *, listen: Sequence[str] = ("amqp=127.0.0.1:0",), **options: object
) -> AsyncIterator[EmbeddedBroker]:
    """A broker with the shovel plugin, once that runs."""
    config = Config(in_memory=True, plugins=("shovel",)).replace(**options)
    async with open_broker(directory, listen=listen, config=config) as broker:
        while not (await ask(broker, "shovel_status"))["ok"]:
            await trio.sleep(0.005)
        yield broker


async def ask(broker: EmbeddedBroker, command: str, *arguments: str, **options: object) -> Answer:
    """What `warren ctl` would be answered."""
    server = broker._server
    control = Control(server, server.config, 0.0, server.plugin_words)
    return await run_command(control, {"command": command, "arguments": list(arguments), "options": options})


async def set_shovel(broker: EmbeddedBroker, name: str = "s", **definition: Any) -> None:
    """Declare a shovel; keys with `_` for `-`, and a short reconnect delay."""
    value = {"reconnect-delay": 0.05, **{key.replace("_", "-"): each for key, each in definition.items()}}
    answer = await ask(broker, "set_parameter", "shovel", name, json.dumps(value))
    assert answer["ok"], answer


async def status(broker: EmbeddedBroker, name: str = "s") -> dict[str, Any]:
    """Everything that is said of a shovel; empty if there is none of this name."""
    columns = (
        *("name", "state", "reason", "src_uri", "dest_uri", "pending", "remaining", "forwarded", "type", "vhost"),
        "left_out",
    )
    answer = await ask(broker, "shovel_status", *columns)
    assert answer["ok"], answer
    rows = cast("list[dict[str, Any]]", answer["rows"])
    return next((row for row in rows if row["name"] == name), {})


async def until(holds: Callable[[], Any]) -> None:
    """Look again and again until something holds; the test's own limit ends it if it never does."""
    while not holds():
        await trio.sleep(0.005)


async def until_state(broker: EmbeddedBroker, state: str, reason: str = "", name: str = "s") -> dict[str, Any]:
    """Wait until a shovel is in a state, for a reason that contains a text; its status."""
    while True:
        found = await status(broker, name)
        if found.get("state") == state and reason in found["reason"]:
            return found
        await trio.sleep(0.005)


async def until_gone(broker: EmbeddedBroker) -> None:
    """Wait until no shovel is declared any more, and none works."""
    while (await ask(broker, "list_parameters"))["rows"] or await status(broker):
        await trio.sleep(0.005)


async def fill(client: BrokerClient, queue: str, bodies: list[bytes]) -> None:
    """Publish persistent messages to a durable queue, and wait for their confirms."""
    await client.declare_queue(queue, durable=True)
    for confirmation in [client.publish_nowait("", queue, body, PERSISTENT) for body in bodies]:
        await confirmation.wait()


async def fill_until_blocked(broker: EmbeddedBroker, client: BrokerClient, queue: str, reason: str) -> int:
    """Publish to a shovel's source until its destination blocks it for this reason; how many messages that took.

    An alarm reaches connections some time after it is raised, and blocks those that publish from then on.
    """
    count = 0
    while True:
        found = await status(broker)
        if found["state"] == "blocked" and reason in found["reason"]:
            return count
        await fill(client, queue, [b"%d" % count])
        count += 1
        await trio.sleep(0.02)


async def take(client: BrokerClient, queue: str, count: int) -> list[bytes]:
    """The next messages of a queue, waited for."""
    bodies: list[bytes] = []
    async with client.consume(queue) as deliveries:
        async for delivery in deliveries:
            bodies.append(delivery.body)
            delivery.ack()
            if len(bodies) == count:
                break
    return bodies
