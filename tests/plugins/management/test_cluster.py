"""Two nodes of a cluster by the API of one of them: what it says of the other, and what is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pika
import pytest
import trio
from pika.exceptions import ConnectionClosedByBroker

from tests.plugins.management.api import Api, open_api, refusal
from tests.support.asked_nodes import AskedNode, Bus, asking_nodes
from tests.support.linked_brokers import linked_brokers
from tests.support.tls_broker import run_of
from warren.core.cluster.away import away_queue
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.gateway.cluster import asking
from warren.gateway.configuration.config import Config

LISTEN = ("http=127.0.0.1:0", "amqp=127.0.0.1:0")

PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def a_slow_machine_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a node doesn't say in time is left out, and here all of it is looked for."""
    monkeypatch.setattr(asking, "ANSWER_S", PATIENCE_S)


@dataclass
class Two:
    """api: of the node `near`.  far: the other one."""

    api: Api
    far: Api
    nodes: tuple[AskedNode, AskedNode]


@asynccontextmanager
async def two() -> AsyncIterator[Two]:
    bus = Bus()
    async with open_api(listen=LISTEN) as near, open_api(listen=LISTEN) as far:
        nodes = (
            AskedNode("near", near.broker, run_of(near.embedded).hub, bus),
            AskedNode("far", far.broker, run_of(far.embedded).hub, bus),
        )
        async with asking_nodes(bus, *nodes):
            nodes[0].owners = ["near", "far", "near", ""]
            yield Two(near, far, nodes)


@asynccontextmanager
async def client_of(api: Api) -> AsyncIterator[pika.BlockingConnection]:
    """A client with a channel."""
    ((host, port),) = api.embedded.listening["amqp"]

    def connect() -> pika.BlockingConnection:
        connection = pika.BlockingConnection(pika.ConnectionParameters(host, port, heartbeat=0))
        connection.channel()
        return connection

    connection = await trio.to_thread.run_sync(connect)
    try:
        yield connection
    finally:
        if connection.is_open:
            await trio.to_thread.run_sync(connection.close)


async def test_all_nodes_are_listed_with_what_is_known_of_them() -> None:
    async with two() as both:
        vhost = both.api.broker.vhosts["/"]
        vhost.queues["away"] = away_queue(
            vhost, "away", "gone", arguments={}, arguments_raw=EMPTY_TABLE_RAW, store_id=0
        )
        near, far, gone = await both.api.get("/nodes")
        assert (near["name"], near["running"], near["shards"]) == ("near", True, 2)
        assert near["mem_used"] > 0
        uptime = far.pop("uptime")
        assert uptime >= 0
        assert far == {
            "name": "far",
            "type": "disc",
            "running": True,
            "being_drained": False,
            "shards": 1,
            "applications": [{"name": "warren", "description": "Warren", "version": "1.0"}],
        }
        assert gone == {"name": "gone", "type": "disc", "running": False}
        assert (await both.api.get("/nodes/far"))["name"] == "far"
        assert await both.api.get("/nodes/gone") == gone
        assert (await both.api.get("/nodes/near"))["shards"] == 2
        words = refusal(await both.api.ask("GET", "/nodes/other"), 404, "Object Not Found")
        assert words == "there is no node 'other'; this is 'near'"
        words = refusal(await both.api.ask("GET", "/nodes/far/memory"), 404, "Object Not Found")
        assert words == "node 'far' answers that itself; this is 'near'"
        assert (await both.api.get("/overview"))["node"] == "near"
        (queue,) = await both.api.get("/queues")
        assert (queue["state"], queue["node"]) == ("down", "gone")


async def test_connections_of_all_nodes_are_shown_and_closed() -> None:
    async with two() as both, client_of(both.api), client_of(both.far) as client:
        found = {each["node"]: each for each in await both.api.get("/connections")}
        assert set(found) == {"near", "far"}
        name = found["far"]["name"]
        assert (found["far"]["user"], found["far"]["protocol"]) == ("guest", "AMQP 0-9-1")
        assert found["far"]["client_properties"]["product"] == "Pika Python Client Library"
        one = await both.api.get(f"/connections/{quote(name, safe='')}")
        assert (one["node"], one["channels"]) == ("far", 1)
        assert "recv_oct_details" not in one
        (channel,) = await both.api.get(f"/connections/{quote(name, safe='')}/channels")
        assert (channel["node"], channel["connection_details"]["name"]) == ("far", name)
        detailed = await both.api.get(f"/channels/{quote(channel['name'], safe='')}")
        assert "consumer_details" not in detailed
        assert {each["node"] for each in await both.api.get("/channels")} == {"near", "far"}
        totals = (await both.api.get("/overview"))["object_totals"]
        assert (totals["connections"], totals["channels"]) == (2, 2)
        page = await both.api.get("/connections?page=1&page_size=1&columns=name")
        assert (page["total_count"], page["item_count"]) == (2, 1)
        sessions = await both.api.ask("GET", f"/connections/{quote(name, safe='')}/sessions")
        assert "is on node 'far'" in refusal(sessions, 404, "Object Not Found")
        closed = await both.api.ask(
            "DELETE", f"/connections/{quote(name, safe='')}", headers={"x-reason": "that is enough"}
        )
        assert closed.status_code == 204
        with pytest.raises(ConnectionClosedByBroker, match="that is enough"):
            await trio.to_thread.run_sync(client.process_data_events, PATIENCE_S)


async def test_a_users_connections_are_closed_wherever_they_are() -> None:
    async with two() as both, client_of(both.api) as here, client_of(both.far) as there:
        own = both.api.user("ada", "management")
        assert (await both.api.ask("GET", "/connections", auth=own)).json() == []
        answer = await both.api.ask("DELETE", "/connections/username/guest", auth=own)
        assert answer.status_code == 401
        assert (await both.api.ask("DELETE", "/connections/username/guest")).status_code == 204
        for client in (here, there):
            with pytest.raises(ConnectionClosedByBroker):
                await trio.to_thread.run_sync(client.process_data_events, PATIENCE_S)


async def test_messages_of_a_queue_of_another_node_are_looked_at() -> None:
    config = Config(in_memory=True, plugins=("management",))
    async with (
        linked_brokers(config, listen=("http=127.0.0.1:0",)) as (near, far),
        far.broker.connect() as owner,
        httpx.AsyncClient(auth=("guest", "guest"), trust_env=False, timeout=PATIENCE_S) as http,
    ):
        await owner.declare_queue("q", durable=True)
        for number in range(3):
            await owner.publish("", "q", b"%d" % number)
        near.remote("q", far.name)
        ((host, port),) = near.broker.listening["http"]
        page = (await http.get(f"http://{host}:{port}/api/queues/%2F/q/messages?offset=1")).json()
        assert [(each["position"], each["payload"]) for each in page["items"]] == [(1, "1"), (2, "2")]
        assert (page["next_offset"], page["messages_ready"], page["messages_unacknowledged"]) == (3, 3, 0)
