"""A real RabbitMQ that federates exchanges and queues of a Warren: what it makes there works, and goes again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from tests.interop.clients import need
from tests.plugins.federation.amqp_client import amqp_client
from tests.plugins.shovel.brokers import ask
from tests.support.rabbitmq import RabbitMQ, rabbitmq, rabbitmq_available
from warren.core.messages.properties import encode_properties
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.embedding import EmbeddedBroker

PERSISTENT = encode_properties(delivery_mode=2)


@pytest.fixture(scope="module")
def node() -> Iterator[RabbitMQ]:
    need(rabbitmq_available(), "RabbitMQ")
    with rabbitmq(plugins=("rabbitmq_federation",)) as running:
        yield running


@pytest.fixture
def url(node: RabbitMQ) -> str:
    return f"amqp://guest:guest@127.0.0.1:{node.amqp_port}"


@asynccontextmanager
async def upstream_of(
    node: RabbitMQ, apply_to: str, *, plugins: tuple[str, ...] = ("federation",), **keys: object
) -> AsyncIterator[EmbeddedBroker]:
    """A Warren whose exchanges or queues `fed...` the node federates, by the policy `fed`."""
    async with open_broker(config=Config(in_memory=True, plugins=plugins)) as broker:
        upstream = {"uri": broker.url(), "reconnect-delay": 1, **{key.replace("_", "-"): keys[key] for key in keys}}
        await ctl(node, "set_parameter", "federation-upstream", "warren", json.dumps(upstream))
        policy = json.dumps({"federation-upstream": "warren"})
        await ctl(node, "set_policy", "--apply-to", apply_to, "fed", "^fed", policy)
        try:
            yield broker
        finally:
            await ctl(node, "clear_policy", "fed")
            await ctl(node, "clear_parameter", "federation-upstream", "warren")


async def ctl(node: RabbitMQ, *arguments: str) -> str:
    return await trio.to_thread.run_sync(node.ctl, *arguments)


def bindings_from(broker: EmbeddedBroker, exchange: str) -> list[dict[str, Any]]:
    return [row for row in broker.inspect("bindings") if row["source_name"] == exchange]


def queues(broker: EmbeddedBroker) -> list[dict[str, Any]]:
    return broker.inspect("queues")


def internals(broker: EmbeddedBroker, exchange: str) -> list[dict[str, Any]]:
    """The exchanges that the node has made at the Warren for one of these; it has some from other tests, too."""
    rows: list[dict[str, Any]] = broker.inspect("exchanges")
    prefix = f"federation: {exchange} -> "
    return [row for row in rows if row["type"] == "x-federation-upstream" and row["name"].startswith(prefix)]


async def until_keys(broker: EmbeddedBroker, exchange: str, *keys: str) -> list[dict[str, Any]]:
    """Wait until an exchange has bindings with these keys and no others."""
    while sorted(row["routing_key"] for row in bindings_from(broker, exchange)) != sorted(keys):
        await trio.sleep(0.02)
    return bindings_from(broker, exchange)


async def test_a_federated_exchange(node: RabbitMQ, url: str) -> None:
    async with amqp_client(url) as there, upstream_of(node, "exchanges") as broker, broker.connect() as here:
        await here.declare_exchange("fed.news", "topic", durable=True)
        await there.declare_exchange("fed.news", "topic")
        await there.declare_queue("readers")
        await there.bind("readers", "fed.news", "sport.*")
        (binding,) = await until_keys(broker, "fed.news", "sport.*")
        (internal,) = internals(broker, "fed.news")
        assert internal["internal"]
        assert internal["auto_delete"]
        assert internal["durable"]
        assert binding["destination_name"] == internal["name"]
        arguments = dict(internal["arguments"])
        assert arguments["x-max-hops"] == 1
        assert arguments["x-downstream-vhost"] == "/"
        assert arguments["x-internal-purpose"] == "federation"
        queue = next(each for each in queues(broker) if each["name"].startswith("federation: fed.news -> "))
        assert queue["arguments"]["x-internal-purpose"] == "federation"
        (hop,) = binding["arguments"]["x-bound-from"]
        assert (hop["cluster-name"], hop["vhost"]) == (arguments["x-downstream-name"], "/")

        reader = await there.consume("readers")
        await here.publish("fed.news", "weather", b"not asked for", PERSISTENT)
        await here.publish("fed.news", "sport.chess", b"mate", PERSISTENT)
        message = await reader.next()
        assert (message.exchange, message.routing_key, message.body) == ("fed.news", "sport.chess", b"mate")
        (way,) = received_from(message.properties.headers)
        assert way["exchange"] == "fed.news"
        assert way["redelivered"] is False
        assert way["uri"].startswith("amqp://127.0.0.1")
        assert way["cluster-name"].startswith("warren@")
        assert way["vhost"] == "/"

        await there.bind("readers", "fed.news", "weather")
        await until_keys(broker, "fed.news", "sport.*", "weather")
        await there.unbind("readers", "fed.news", "sport.*")
        await until_keys(broker, "fed.news", "weather")
        await here.publish("fed.news", "sport.chess", b"not any more", PERSISTENT)
        await here.publish("fed.news", "weather", b"rain", PERSISTENT)
        assert (await reader.next()).body == b"rain"
        await ctl(node, "set_policy", "--apply-to", "exchanges", "fed", "^none$", '{"federation-upstream": "warren"}')
        await until_keys(broker, "fed.news")
        while internals(broker, "fed.news"):
            await trio.sleep(0.02)


async def test_a_warren_without_the_plugin_is_an_upstream_too(node: RabbitMQ, url: str) -> None:
    """The node's link makes do with a fanout, as with a RabbitMQ without its plugin."""
    async with (
        amqp_client(url) as there,
        upstream_of(node, "exchanges", plugins=()) as broker,
        broker.connect() as here,
    ):
        await here.declare_exchange("fed.plain", "topic", durable=True)
        await there.declare_exchange("fed.plain", "topic")
        await there.declare_queue("plain readers")
        await there.bind("plain readers", "fed.plain", "a.*")
        (binding,) = await until_keys(broker, "fed.plain", "a.*")
        rows = [row for row in broker.inspect("exchanges") if row["name"] == binding["destination_name"]]
        assert [row["type"] for row in rows] == ["fanout"]
        reader = await there.consume("plain readers")
        await here.publish("fed.plain", "a.b", b"came", PERSISTENT)
        assert (await reader.next()).body == b"came"


def received_from(headers: Any) -> list[dict[str, Any]]:
    assert headers is not None
    found = headers["x-received-from"]
    assert isinstance(found, list)
    return found


async def test_what_has_been_there_does_not_come_again(node: RabbitMQ, url: str) -> None:
    async with (
        amqp_client(url) as there,
        upstream_of(node, "exchanges", max_hops=2) as broker,
        broker.connect() as here,
    ):
        await here.declare_exchange("fed.loops", "fanout", durable=True)
        await there.declare_exchange("fed.loops", "fanout")
        await there.declare_queue("looped")
        await there.bind("looped", "fed.loops", "")
        await until_keys(broker, "fed.loops", "")
        name = internals(broker, "fed.loops")[0]["arguments"]["x-downstream-name"]
        reader = await there.consume("looped")
        for body, ways in {
            b"has been there": [{"cluster-name": name, "vhost": "/"}],
            b"came too far": [{"cluster-name": "a", "vhost": "/"}, {"cluster-name": "b", "vhost": "/"}],
            b"from another virtual host of it": [{"cluster-name": name, "vhost": "other"}],
            b"comes": [],
        }.items():
            properties = encode_properties(delivery_mode=2, headers={"x-received-from": ways})
            await here.publish("fed.loops", "", body, properties)
        assert (await reader.next()).body == b"from another virtual host of it"
        assert (await reader.next()).body == b"comes"
        assert not reader.arrived


async def test_the_link_comes_back_with_another_internal_exchange(node: RabbitMQ, url: str) -> None:
    async with amqp_client(url) as there, upstream_of(node, "exchanges") as broker:
        async with broker.connect() as here:
            await here.declare_exchange("fed.again", "direct", durable=True)
        await there.declare_exchange("fed.again", "direct")
        await there.declare_queue("again")
        await there.bind("again", "fed.again", "k")
        await until_keys(broker, "fed.again", "k")
        before = internals(broker, "fed.again")[0]["name"]
        assert (await ask(broker, "close_all_connections", "on purpose"))["ok"]
        while before in (names := [row["name"] for row in internals(broker, "fed.again")]) or not names:
            await trio.sleep(0.02)
        assert (before[-2:], names[0][-2:]) in {(" A", " B"), (" B", " A")}
        await until_keys(broker, "fed.again", "k")
        reader = await there.consume("again")
        async with broker.connect() as here:
            await here.publish("fed.again", "k", b"still", PERSISTENT)
        assert (await reader.next()).body == b"still"


async def test_a_federated_queue(node: RabbitMQ, url: str) -> None:
    async with amqp_client(url) as there, upstream_of(node, "queues") as broker, broker.connect() as here:
        await here.declare_queue("fed.jobs", durable=True)
        for number in range(5):
            await here.publish("", "fed.jobs", b"%d" % number, PERSISTENT)
        await there.declare_queue("fed.jobs")
        reader = await there.consume("fed.jobs", prefetch=1)
        for number in range(5):
            message = await reader.next()
            assert message.body == b"%d" % number
            headers = message.properties.headers
            assert headers is not None
            assert (headers["x-original-exchange"], headers["x-original-routing-key"]) == ("", "fed.jobs")
            (way,) = received_from(headers)
            assert (way["queue"], way["visit-count"]) == ("fed.jobs", 1)
        while not (rows := broker.inspect("consumers")):
            await trio.sleep(0.02)
        assert rows[0]["arguments"] == {"x-priority": -1}
        assert rows[0]["consumer_tag"] == "federation-link-warren"
        assert (await here.check_queue("fed.jobs")).messages == 0, "they were moved, not copied"


async def test_consumers_here_come_before_consumers_there(node: RabbitMQ, url: str) -> None:
    async with amqp_client(url) as there, upstream_of(node, "queues") as broker, broker.connect() as here:
        await here.declare_queue("fed.shared", durable=True)
        await there.declare_queue("fed.shared")
        reader = await there.consume("fed.shared")
        while not broker.inspect("consumers"):
            await trio.sleep(0.02)
        async with here.consume("fed.shared", prefetch=2) as own:
            for body in (b"1", b"2", b"3"):
                await here.publish("", "fed.shared", body, PERSISTENT)
            assert [(await anext(own)).body for _ in range(2)] == [b"1", b"2"]
            assert (await reader.next()).body == b"3", "what nobody here can take goes there"
            reader.close()
            while broker.inspect("consumers")[-1]["arguments"]:
                await trio.sleep(0.02)
