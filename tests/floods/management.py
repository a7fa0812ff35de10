"""Floods over the management API."""

from __future__ import annotations

import json
from typing import Final

from tests.floods.stage import Stage
from tests.floods.table import flood

LISTINGS: Final = (
    "/queues",
    "/queues?page=1&page_size=100&sort=name&sort_reverse=true",
    "/exchanges",
    "/bindings",
    "/connections",
    "/channels",
    "/consumers",
    "/definitions",
    "/overview",
)


@flood(20_000, small=2_000, calls=60_000)
def http_listings(stage: Stage) -> None:
    """Everything is listed, with very many queues and bindings."""
    client = stage.amqp()
    client.frames(
        client.declaration(f"q{number}") + client.bind("amq.topic", f"q{number}", f"k.{number}")
        for number in range(stage.size)
    )
    client.turn()
    stage.http("GET", "/overview")  # what only the first request needs is there then
    with stage.measured():
        for path in LISTINGS:
            found = json.loads(stage.http("GET", path))
            if path in ("/queues", "/bindings"):
                assert len(found) >= stage.size, (path, len(found))


@flood(20_000, small=2_000, calls=60_000)
def http_import(stage: Stage) -> None:
    """Definitions of very many queues are imported, each with a binding."""
    queues = [
        {"name": f"q{number}", "vhost": "/", "durable": True, "auto_delete": False, "arguments": {}}
        for number in range(stage.size)
    ]
    bindings = [
        {
            "source": "amq.topic",
            "vhost": "/",
            "destination": f"q{number}",
            "destination_type": "queue",
            "routing_key": f"k.{number}",
            "arguments": {},
        }
        for number in range(stage.size)
    ]
    stage.http("GET", "/overview")
    with stage.measured():
        stage.http("POST", "/definitions", {"queues": queues, "bindings": bindings})
