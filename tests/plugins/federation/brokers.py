"""Brokers with the federation plugin within a test, and what is asked of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import trio

from tests.plugins.shovel.brokers import ask
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.embedding import EmbeddedBroker

COLUMNS = (
    *("exchange", "queue", "upstream_exchange", "upstream_queue", "upstream", "vhost", "status", "error", "uri", "id"),
    *("timestamp", "local_connection", "consumer_tag", "forwarded", "dropped", "type"),
)


@asynccontextmanager
async def federated(
    cluster_name: str = "down", directory: Path | None = None, **options: object
) -> AsyncIterator[EmbeddedBroker]:
    """A broker with the federation plugin, once that runs."""
    config = Config(in_memory=directory is None, plugins=("federation",)).replace(cluster_name=cluster_name, **options)
    async with open_broker(directory, config=config) as broker:
        while not (await ask(broker, "federation_status"))["ok"]:
            await trio.sleep(0.005)
        yield broker


async def told(broker: EmbeddedBroker, command: str, *arguments: str, **options: str) -> None:
    """`warren ctl` does something."""
    answer = await ask(broker, command, *arguments, **options)
    assert answer["ok"], answer


async def set_upstream(
    broker: EmbeddedBroker, name: str, uri: str | list[str], *, vhost: str = "/", **keys: Any
) -> None:
    """Declare an upstream; keys with `_` for `-`, and a short reconnect delay."""
    value = {"uri": uri, "reconnect-delay": 0.05, **{key.replace("_", "-"): each for key, each in keys.items()}}
    await told(broker, "set_parameter", "federation-upstream", name, json.dumps(value), vhost=vhost)


async def set_policy(
    broker: EmbeddedBroker,
    pattern: str = "^fed",
    definition: dict[str, str] | None = None,
    *,
    apply_to: str = "exchanges",
    name: str = "p",
    vhost: str = "/",
) -> None:
    """Have a policy federate, with all upstreams unless told otherwise."""
    found = json.dumps(definition or {"federation-upstream-set": "all"})
    await told(broker, "set_policy", name, pattern, found, vhost=vhost, apply_to=apply_to)


async def links(broker: EmbeddedBroker) -> list[dict[str, Any]]:
    """Everything that is said of all links."""
    answer = await ask(broker, "federation_status", *COLUMNS)
    assert answer["ok"], answer
    return cast("list[dict[str, Any]]", answer["rows"])


async def until_link(
    broker: EmbeddedBroker, status: str = "running", error: str = "", **columns: object
) -> dict[str, Any]:
    """Wait until a link with these columns has a status, for a reason that contains a text; what is said of it."""
    while True:
        for found in await links(broker):
            wanted = {"status": status, **columns}
            if error in found["error"] and all(found[name] == value for name, value in wanted.items()):
                return found
        await trio.sleep(0.005)


async def until_no_link(broker: EmbeddedBroker) -> None:
    """Wait until there is no link any more, not even one that cleans up."""
    while await links(broker):
        await trio.sleep(0.005)


def bindings_from(broker: EmbeddedBroker, exchange: str, vhost: str = "/") -> list[tuple[str, str]]:
    """Destinations and routing keys of an exchange's bindings."""
    return sorted(
        (str(row["destination_name"]), str(row["routing_key"]))
        for row in broker.inspect("bindings")
        if row["source_name"] == exchange and row["vhost"] == vhost
    )


def names(broker: EmbeddedBroker, what: str, vhost: str = "/") -> list[str]:
    """The names of queues or exchanges, but for those that are there from the start."""
    rows = (row for row in broker.inspect(what) if row["vhost"] == vhost)
    return sorted(str(row["name"]) for row in rows if row["name"] and not str(row["name"]).startswith("amq."))
