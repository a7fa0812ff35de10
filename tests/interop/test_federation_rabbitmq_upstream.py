"""Federated exchanges whose upstream is a real RabbitMQ."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count

import pytest
import trio

from tests.interop.clients import need
from tests.interop.test_shovel_rabbitmq import RICH
from tests.plugins.federation.brokers import federated, set_policy, set_upstream, told, until_link, until_no_link
from tests.plugins.shovel.brokers import PERSISTENT, take
from tests.support.rabbitmq import RabbitMQ, rabbitmq, rabbitmq_available
from warren.adapters.amqp091.client.channel import ClientChannel
from warren.adapters.amqp091.client.uri import parse_uri
from warren.adapters.amqp091.codec import methods
from warren.core.messages.field_table import Encodable
from warren.core.messages.properties import EMPTY, Properties
from warren.gateway.peers.amqp import AmqpPeer, connect_amqp
from warren.plugins.federation import exchange_link

BODIES = [b"%d" % number for number in range(1000)]

_names = (f"fed.{number}" for number in count())


@pytest.fixture(scope="module")
def node() -> Iterator[RabbitMQ]:
    need(rabbitmq_available(), "RabbitMQ")
    with rabbitmq(plugins=("rabbitmq_federation",)) as running:
        yield running


@pytest.fixture(scope="module")
def plain_node() -> Iterator[RabbitMQ]:
    """Without the federation plugin, and so without the exchange type."""
    need(rabbitmq_available(), "RabbitMQ")
    with rabbitmq() as running:
        yield running


def url_of(node: RabbitMQ) -> str:
    return f"amqp://127.0.0.1:{node.amqp_port}"


class Far:
    """A client of RabbitMQ's."""

    def __init__(self, peer: AmqpPeer, channel: ClientChannel) -> None:
        self.peer = peer
        self.channel = channel

    async def publish(self, exchange: str, key: str, *bodies: bytes, properties: Properties = EMPTY) -> None:
        """Publish, and return when all is confirmed."""
        last = 0
        for body in bodies:
            last = self.channel.publish(exchange, key, properties, body)
        self.peer.flush()
        while not any(number == last for number, _, _ in self.channel.confirmed):
            await self.peer.channel_progress(self.channel)


@asynccontextmanager
async def connected(node: RabbitMQ) -> AsyncIterator[Far]:
    async with trio.open_nursery() as nursery:
        peer = await connect_amqp(nursery, parse_uri(url_of(node)), product="test", version="1", name="test")
        channel = peer.open_channel()
        await peer.ask(channel, methods.ConfirmSelect(), methods.ConfirmSelectOk)
        try:
            yield Far(peer, channel)
        finally:
            await peer.aclose()


async def ctl(node: RabbitMQ, *arguments: str) -> list[list[str]]:
    """The lines that rabbitmqctl prints of a listing, split into columns."""
    text = await trio.to_thread.run_sync(lambda: node.ctl("--silent", *arguments))
    return [line.split("\t") for line in text.splitlines() if line][1:]


async def bindings_of(node: RabbitMQ, exchange: str) -> list[tuple[str, str]]:
    rows = await ctl(node, "list_bindings", "source_name", "destination_name", "routing_key")
    return sorted((destination, key) for source, destination, key in rows if source == exchange)


async def until_bound(node: RabbitMQ, exchange: str, wanted: list[tuple[str, str]]) -> None:
    while await bindings_of(node, exchange) != wanted:
        await trio.sleep(0.05)


async def test_messages_and_bindings(node: RabbitMQ) -> None:
    name = next(_names)
    async with federated() as down, down.connect() as here, connected(node) as far:
        await here.declare_exchange(name, "topic", durable=True)
        await here.declare_queue("q", durable=True)
        await here.bind_queue("q", name, "a.#")
        await set_upstream(down, "u", url_of(node), prefetch_count=100)
        await set_policy(down)
        link = await until_link(down)
        assert link["uri"] == url_of(node).removesuffix(":5672")
        queue = f"federation: {name} -> down"
        assert await bindings_of(node, name) == [(f"{queue} A", "a.#")]
        rows = await ctl(node, "list_exchanges", "name", "type", "durable", "auto_delete", "internal")
        assert [f"{queue} A", "x-federation-upstream", "true", "true", "true"] in rows
        await far.publish(name, "b", b"no")
        await far.publish(name, "a.rich", b"rich", properties=RICH)
        await far.publish(name, "a.b", *BODIES, properties=PERSISTENT)
        await far.publish(name, "a.b", b"x" * 500_000)
        async with here.consume("q") as deliveries:
            rich = await anext(deliveries)
            rich.ack()
            assert (rich.exchange, rich.routing_key, rich.body) == (name, "a.rich", b"rich")
            headers = rich.properties.headers
            assert headers is not None
            ways = headers["x-received-from"]
            assert isinstance(ways, list)
            (entry,) = ways
            assert isinstance(entry, dict)
            assert entry == {
                "uri": url_of(node),
                "exchange": name,
                "redelivered": False,
                "cluster-name": entry["cluster-name"],
                "vhost": "/",
            }
            assert str(entry["cluster-name"]).startswith("node-")
            assert rich.properties.with_header_entries({}, ["x-received-from"]) == RICH, "types of headers included"
        assert await take(here, "q", len(BODIES)) == BODIES
        assert await take(here, "q", 1) == [b"x" * 500_000]
        await here.bind_queue("q", name, "late")
        await until_bound(node, name, [(f"{queue} A", "a.#"), (f"{queue} A", "late")])
        await here.unbind_queue("q", name, "a.#")
        await until_bound(node, name, [(f"{queue} A", "late")])
        await told(down, "restart_federation_link", link["id"])
        await until_bound(node, name, [(f"{queue} B", "late")])
        await until_link(down)
        await told(down, "clear_policy", "p")
        await until_no_link(down)
        assert await bindings_of(node, name) == []
        assert [queue] not in await ctl(node, "list_queues", "name")


async def test_an_upstream_without_the_type_has_a_fanout(plain_node: RabbitMQ) -> None:
    name = next(_names)
    async with federated() as down, down.connect() as here, connected(plain_node) as far:
        await here.declare_exchange(name, "direct", durable=True)
        await here.declare_queue("q", durable=True)
        await here.bind_queue("q", name, "k")
        await set_upstream(down, "u", url_of(plain_node))
        await set_policy(down)
        await until_link(down)
        rows = await ctl(plain_node, "list_exchanges", "name", "type")
        assert [f"federation: {name} -> down A", "fanout"] in rows
        been: dict[str, Encodable] = {
            "uri": "amqp://x",
            "exchange": name,
            "redelivered": False,
            "cluster-name": "down",
            "vhost": "/",
        }
        await far.publish(name, "k", b"been", properties=EMPTY.with_changes(headers={"x-received-from": [been]}))
        await far.publish(name, "k", b"new")
        assert await take(here, "q", 1) == [b"new"]
        await until_link(down, forwarded=1, dropped=1)


async def test_its_errors_come_through_in_its_words(node: RabbitMQ) -> None:
    async with federated() as down, down.connect() as here:
        await here.declare_exchange("fed.errors", "fanout")
        await set_upstream(down, "password", url_of(node).replace("//", "//guest:wr0ng@"))
        await set_upstream(down, "vhost", url_of(node) + "/none")
        await set_upstream(down, "exchange", url_of(node), exchange="amq.none")
        await set_policy(down)
        found = await until_link(down, "error", "ACCESS_REFUSED", upstream="password")
        assert "wr0ng" not in str(found)
        await until_link(down, "error", "NOT_ALLOWED - vhost none not found", upstream="vhost")
        await until_link(down, "error", "ACCESS_REFUSED - exchange name 'amq.none'", upstream="exchange")


async def test_an_upstream_that_restarts(node: RabbitMQ) -> None:
    name = next(_names)
    async with federated() as down, down.connect() as here:
        await here.declare_exchange(name, "fanout", durable=True)
        await here.declare_queue("q", durable=True)
        await here.bind_queue("q", name)
        await set_upstream(down, "u", url_of(node))
        await set_policy(down)
        await until_link(down)
        await trio.to_thread.run_sync(node.ctl, "stop_app")
        await until_link(down, "error")
        await trio.to_thread.run_sync(node.ctl, "start_app")
        await until_link(down)
        async with connected(node) as far:
            await far.publish(name, "", *BODIES, properties=PERSISTENT)
        assert await take(here, "q", len(BODIES)) == BODIES


async def test_an_exchange_that_is_deleted_and_made_anew_there(node: RabbitMQ, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange_link, "LOOK_S", 0.1)
    name = next(_names)
    async with federated() as down, down.connect() as here, connected(node) as far:
        await here.declare_exchange(name, "direct", durable=True)
        await here.declare_queue("q", durable=True)
        await here.bind_queue("q", name, "k")
        await set_upstream(down, "u", url_of(node))
        await set_policy(down)
        await until_link(down)
        await far.peer.ask(far.channel, methods.ExchangeDelete(exchange=name), methods.ExchangeDeleteOk)
        declare = methods.ExchangeDeclare(exchange=name, type="direct", durable=True)
        await far.peer.ask(far.channel, declare, methods.ExchangeDeclareOk)
        while not await bindings_of(node, name):
            await trio.sleep(0.05)
        await far.publish(name, "k", b"1")
        assert await take(here, "q", 1) == [b"1"]
        await far.peer.ask(far.channel, methods.ExchangeDelete(exchange=name), methods.ExchangeDeleteOk)
        while not await bindings_of(node, name):
            await trio.sleep(0.05)
        await far.publish(name, "k", b"2")
        assert await take(here, "q", 1) == [b"2"]


async def test_two_brokers_of_one_name(node: RabbitMQ) -> None:
    name = next(_names)
    async with federated() as down, federated() as namesake:
        for each in (down, namesake):
            async with each.connect() as here:
                await here.declare_exchange(name, "fanout", durable=True)
                await here.declare_queue("q", durable=True)
                await here.bind_queue("q", name)
        await set_upstream(down, "u", url_of(node))
        await set_policy(down)
        await until_link(down)
        await set_upstream(namesake, "u", url_of(node))
        await set_policy(namesake)
        await until_link(namesake, "error", "another broker with the cluster name 'down'")
        async with connected(node) as far, down.connect() as here:
            await far.publish(name, "", *BODIES[:100], properties=PERSISTENT)
            assert await take(here, "q", 100) == BODIES[:100], "the first isn't hurt"
        await told(down, "clear_policy", "p")
        await until_link(namesake)
