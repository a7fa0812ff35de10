"""Warren's own plugins are enabled and disabled while the broker runs, with all that they bring."""

from __future__ import annotations

import socket

import httpx
import pytest
import trio

from tests.plugins.federation.brokers import federated, links, set_policy, set_upstream, until_link
from tests.plugins.shovel.brokers import ask, set_shovel, take, until, until_state
from tests.plugins.shovel.publishers import NOWHERE, QUEUE, edge_with_queue
from warren.core.errors import PreconditionFailed
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.configuration.config import Config

LISTEN = ("http=127.0.0.1:0", "metrics=127.0.0.1:0")


async def fetched(address: tuple[str, int], path: str) -> int:
    host, port = address
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"http://{host}:{port}{path}", auth=("guest", "guest"))).status_code


def is_refused(address: tuple[str, int]) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(address) != 0


async def test_listeners_come_and_go_with_who_serves_them() -> None:
    async with open_broker(listen=LISTEN, config=Config(in_memory=True)) as broker:
        server = broker._server
        addresses = {name: broker.address(name) for name in ("http", "metrics")}
        assert await fetched(addresses["http"], "/api/overview") == 200
        stream = await trio.open_tcp_stream(*addresses["http"])
        await server.set_plugins(["metrics"])
        assert is_refused(addresses["http"])
        assert await stream.receive_some() == b"", "whoever was connected is told"
        await stream.aclose()
        assert await fetched(addresses["metrics"], "/metrics") == 200
        assert set(server.listening) == {"metrics"}
        await server.set_plugins([])
        assert is_refused(addresses["metrics"])
        await server.set_plugins(["management", "metrics"])
        addresses = {name: broker.address(name) for name in ("http", "metrics")}
        assert await fetched(addresses["http"], "/api/overview") == 200
        assert await fetched(addresses["metrics"], "/metrics") == 200
        await server.stop_app()
        await server.start_app()
        assert {name: broker.address(name) for name in ("http", "metrics")} == addresses
        assert await fetched(addresses["http"], "/api/overview") == 200


async def test_a_listener_that_nobody_served_is_served() -> None:
    async with open_broker(listen=LISTEN, config=Config(in_memory=True, plugins=("-management",))) as broker:
        address = broker.address("http")
        await broker._server.set_plugins(["management", "metrics"])
        assert broker.address("http") == address
        assert await fetched(address, "/api/overview") == 200


async def test_shovels_end_and_begin_again() -> None:
    async with edge_with_queue() as (broker, here), open_broker() as upstream:
        server = broker._server
        others = [name for name in server.config.plugins if name != "shovel"]
        await set_shovel(broker, src_uri="amqp://", src_queue=QUEUE, dest_uri=upstream.url(), dest_queue="in")
        await until_state(broker, "running")
        await server.set_plugins(others)
        await here.publish("", QUEUE, b"meanwhile")
        assert (await here.check_queue(QUEUE)).messages == 1, "nobody takes it"
        assert "error" in await ask(broker, "shovel_status")
        with pytest.raises(PreconditionFailed):
            server.broker.parameters.check("/", "shovel", "t", {})
        await server.set_plugins([*others, "shovel"])
        await until_state(broker, "running")
        async with upstream.connect() as far:
            assert await take(far, "in", 1) == [b"meanwhile"]


async def test_without_shovels_nothing_is_a_buffer() -> None:
    async with edge_with_queue() as (broker, here):
        server = broker._server
        buffers = server.broker.vhost("/").buffers
        await set_shovel(broker, src_uri="amqp://", src_queue=QUEUE, dest_uri=NOWHERE, buffer_max_length=1)
        await until_state(broker, "terminated")
        assert len(buffers) == 1
        others = [name for name in server.config.plugins if name != "shovel"]
        await server.set_plugins(others)
        await until(lambda: not buffers)
        for _ in range(3):
            await here.publish("", QUEUE, b"m")
        assert (await here.check_queue(QUEUE)).messages == 3
        await server.set_plugins([*others, "shovel"])
        assert len(buffers) == 1


async def test_federation_ends_and_begins_again() -> None:
    def is_bound(up: EmbeddedBroker) -> bool:
        return any(row["source_name"] == "fed.x" for row in up.inspect("bindings"))

    async with open_broker() as up, federated() as down, down.connect() as here:
        server = down._server
        others = [name for name in server.config.plugins if name != "federation"]
        await here.declare_exchange("fed.x", "topic", durable=True)
        await here.declare_queue("q", durable=True)
        await here.bind_queue("q", "fed.x", "a.*")
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        await until_link(down)
        await server.set_plugins(others)
        assert "federation_links" not in server.broker.listings.names()
        await server.set_plugins([*others, "federation"])
        await until_link(down)
        await until(lambda: is_bound(up))
        assert len(await links(down)) == 1
        async with up.connect() as far:
            await far.publish("fed.x", "a.1", b"yes")
        assert await take(here, "q", 1) == [b"yes"]
