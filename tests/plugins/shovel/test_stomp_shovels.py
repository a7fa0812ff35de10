"""Shovels whose ends speak STOMP, from Warren to Warren: everything arrives as it was."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugins.shovel.brokers import ask, edge, fill, set_shovel, status, take, until, until_gone, until_state
from tests.plugins.shovel.stomp_brokers import far_broker, next_of, url
from warren.core.messages.field_table import Typed
from warren.core.messages.properties import Properties, encode_properties
from warren.gateway import open_broker

BODIES = [b"%d" % number for number in range(300)]

MODES = ["on-confirm", "on-publish", "no-ack"]


@pytest.mark.parametrize("mode", MODES)
async def test_from_a_queue_here_to_one_there(mode: str) -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES)
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="stomp",
            dest_uri=url(upstream),
            dest_destination="/queue/in",
            ack_mode=mode,
        )
        await until(lambda: any(row["name"] == "in" for row in upstream.inspect("queues")))
        assert await take(far, "in", len(BODIES)) == BODIES
        found = await until_state(broker, "running")
        while found["forwarded"] < len(BODIES) or found["pending"]:
            found = await status(broker)
        assert found["dest_uri"] == url(upstream)
        assert (await here.check_queue("out")).messages == 0


@pytest.mark.parametrize("mode", MODES)
async def test_from_a_queue_there_to_one_here(mode: str) -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await fill(far, "out", BODIES)
        await set_shovel(
            broker,
            src_protocol="stomp",
            src_uri=url(upstream),
            src_destination="/queue/out",
            src_prefetch_count=50,
            dest_uri="amqp://",
            dest_queue="in",
            ack_mode=mode,
        )
        await until_state(broker, "running")
        assert await take(here, "in", len(BODIES)) == BODIES
        await until(lambda: upstream.inspect("queues")[0]["messages"] == 0)


@pytest.mark.parametrize("mode", MODES)
async def test_from_stomp_to_stomp_by_the_messages_own_destinations(mode: str) -> None:
    async with far_broker() as (one, source), far_broker() as (other, destination), edge() as broker:
        await source.declare_queue("a/b", durable=True)
        await source.bind_queue("a/b", "amq.topic", "x.#")
        await source.bind_queue("a/b", "amq.direct", "k")
        for name in ("all", "a/b"):
            await destination.declare_queue(name, durable=True)
        await destination.bind_queue("all", "amq.topic", "#")
        await destination.bind_queue("all", "amq.direct", "k")
        await source.publish("", "a/b", b"queue")
        await source.publish("amq.topic", "x.y", b"topic")
        await source.publish("amq.direct", "k", b"direct")
        await set_shovel(
            broker,
            src_protocol="stomp",
            src_uri=url(one),
            src_destination="/queue/a%2Fb",
            dest_protocol="stomp",
            dest_uri=url(other),
            ack_mode=mode,
        )
        assert await take(destination, "a/b", 1) == [b"queue"]
        topic, direct = await next_of(destination, "all"), await next_of(destination, "all")
        assert (topic.exchange, topic.routing_key, topic.body) == ("amq.topic", "x.y", b"topic")
        assert (direct.exchange, direct.routing_key, direct.body) == ("amq.direct", "k", b"direct")


RICH = encode_properties(
    content_type="text/plain",
    content_encoding="gzip",
    headers={
        "text": "a:b\nc\\",
        "number": Typed("l", 5),
        "truth": True,
        "list": [1, None, {"a": "b"}],
        "nothing": None,
    },
    delivery_mode=2,
    priority=3,
    correlation_id="c",
    reply_to="answers",
    expiration="100000",
    message_id="m",
    timestamp=1_700_000_000,
    type="t",
    app_id="a",
)


async def test_properties_and_headers_come_over_both_ways() -> None:
    async with far_broker() as (upstream, _), edge() as broker, broker.connect() as here:
        await set_shovel(
            broker,
            "up",
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="stomp",
            dest_uri=url(upstream),
            dest_destination="/queue/middle",
        )
        await set_shovel(
            broker,
            "down",
            src_protocol="stomp",
            src_uri=url(upstream),
            src_destination="/queue/middle",
            dest_uri="amqp://",
            dest_queue="in",
        )
        for name in ("up", "down"):
            await until_state(broker, "running", name=name)
        await here.publish("", "out", b"rich", RICH)
        delivery = await next_of(here, "in")
        assert delivery.body == b"rich"
        texts = {"text": "a:b\nc\\", "number": "5", "truth": "true", "list": '[1,null,{"a":"b"}]', "nothing": ""}
        assert _without_receipt(delivery.properties) == {**RICH.fields(), "headers": texts}


def _without_receipt(properties: Properties) -> dict[str, object]:
    """The headers of SEND that RabbitMQ makes entries of, too, as Warren does (spec B.5)."""
    fields = properties.fields()
    headers = dict(properties.headers or {})
    headers.pop("receipt", None)
    headers.pop("content-length", None)
    return {**fields, "headers": headers}


async def test_what_a_message_says_declares_nothing_and_answers_nobody() -> None:
    headers = {"auto-delete": "true", "x-max-length": "1", "receipt": "7", "transaction": "t", "durable": "false"}
    odd = encode_properties(headers={**headers, "kept": "yes"}, reply_to="/temp-queue/x", delivery_mode=2)
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await fill(here, "out", [])
        await here.publish("", "out", b"odd", odd)
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="stomp",
            dest_uri=url(upstream),
            dest_destination="/queue/in",
        )
        await until(lambda: (rows := upstream.inspect("queues")) and rows[0]["messages"])
        (row,) = upstream.inspect("queues")
        assert (row["name"], row["durable"], row["auto_delete"], row["arguments"]) == ("in", True, False, {})
        delivery = await next_of(far, "in")
        assert {"kept": "yes"}.items() <= (delivery.properties.headers or {}).items()
        assert not {"auto-delete", "x-max-length", "transaction", "durable"} & set(delivery.properties.headers or {})
        assert delivery.properties.reply_to is None
        assert (await status(broker))["state"] == "running"


async def test_headers_of_the_shovels_own() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await here.declare_queue("out", durable=True)
        await here.publish("", "out", b"1", encode_properties(headers={"site": "0"}))
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="stomp",
            dest_uri=url(upstream),
            dest_destination="/queue/in-{routing_key}",
            dest_headers={"persistent": True, "site": 7, "x-max-length": 9},
            dest_publish_properties={"app_id": "edge"},
            dest_add_forward_headers=True,
        )
        await until(lambda: upstream.inspect("queues"))
        assert upstream.inspect("queues")[0]["arguments"] == {"x-max-length": 9}
        properties = (await next_of(far, "in-out")).properties
        assert (properties.delivery_mode, properties.app_id) == (2, "edge")
        assert properties.headers is not None
        assert properties.headers["site"] == "7"
        told = str(properties.headers["x-shovelled"])
        assert '"src-queue":"out","dest-destination":"/queue/in-{routing_key}"' in told
        assert f'"dest-uri":"{url(upstream)}"' in told


async def test_the_way_over_several_shovels_is_told_whole() -> None:
    async with far_broker() as (upstream, _), edge() as broker, broker.connect() as here:
        await fill(here, "out", [b"1"])
        told = {"dest_add_forward_headers": True}
        stomp = {"dest_protocol": "stomp", "dest_uri": url(upstream), "dest_destination": "/queue/middle"}
        await set_shovel(broker, "up", src_uri="amqp://", src_queue="out", **stomp, **told)
        source = {"src_protocol": "stomp", "src_uri": url(upstream), "src_destination": "/queue/middle"}
        await set_shovel(broker, "down", **source, dest_uri="amqp://", dest_queue="in", **told)
        await until(lambda: any(row["name"] == "in" for row in broker.inspect("queues")))
        ways = ((await next_of(here, "in")).properties.headers or {})["x-shovelled"]
        assert isinstance(ways, list)
        assert [way["shovel-name"] for way in ways if isinstance(way, dict)] == ["down", "up"]
        assert ways[0]["src-destination"] == "/queue/middle"  # type: ignore[call-overload, index]


async def test_topics_of_brokers_whose_topics_are_paths() -> None:
    async with far_broker() as (upstream, _), edge() as broker, broker.connect() as here:
        await here.declare_queue("out", durable=True)
        await here.bind_queue("out", "amq.topic", "#")
        await here.publish("amq.topic", "house%.hall", b"1")
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="stomp",
            dest_uri=url(upstream),
            dest_destination="/topic/{topic}",
        )
        # Warren is none of them, and repeats what it was given.
        await until_state(broker, "blocked", "'/house%25/hall' is not a valid topic destination")


async def test_between_stomp_and_mqtt() -> None:
    listen = ("stomp=127.0.0.1:0", "mqtt=127.0.0.1:0")
    async with open_broker(listen=listen) as upstream, upstream.connect() as far, edge() as broker:
        mqtt = "mqtt://{}:{}".format(*upstream.address("mqtt"))
        await set_shovel(
            broker,
            "to-stomp",
            src_protocol="mqtt",
            src_uri=mqtt,
            src_topics="up/+",
            dest_protocol="stomp",
            dest_uri=url(upstream),
            dest_destination="/topic/middle.{routing_key}",
        )
        await set_shovel(
            broker,
            "to-mqtt",
            src_protocol="stomp",
            src_uri=url(upstream),
            src_destination="/topic/middle.#",
            dest_protocol="mqtt",
            dest_uri=mqtt,
            dest_topic="down/{topic}",
        )
        for name in ("to-stomp", "to-mqtt"):
            await until_state(broker, "running", name=name)
        await far.declare_queue("in")
        await far.bind_queue("in", "amq.topic", "down.#")
        await far.publish("amq.topic", "up.1", b"1", encode_properties(content_type="text/plain"))
        delivery = await next_of(far, "in")
        assert (delivery.routing_key, delivery.body) == ("down.middle.up.1", b"1")
        assert delivery.properties.content_type == "text/plain"


def durable(url: str, destinations: list[str], id: str) -> dict[str, Any]:
    return {
        "src_protocol": "stomp",
        "src_uri": url,
        "src_destination": destinations,
        "src_headers": {"durable": True, "auto-delete": False, "id": id},
        "dest_uri": "amqp://",
        "dest_queue": "in",
    }


async def test_several_sources_and_a_durable_subscription() -> None:
    async with far_broker() as (upstream, far):
        keys = durable(url(upstream), ["/topic/a.*", "/exchange/amq.direct/k"], "site 7")
        async with edge() as broker, broker.connect() as here:
            await set_shovel(broker, **keys)
            await until_state(broker, "running")
            await far.publish("amq.topic", "a.1", b"1")
            await far.publish("amq.topic", "b.1", b"no")
            await far.publish("amq.direct", "k", b"2")
            assert sorted(await take(here, "in", 2)) == [b"1", b"2"]
            answer = await ask(broker, "shovel_status", "src_destination", "dest_destination")
            assert answer["rows"] == [{"src_destination": "/topic/a.* /exchange/amq.direct/k", "dest_destination": ""}]
        await until(lambda: not [row for row in upstream.inspect("connections") if row["host"]])
        await far.publish("amq.topic", "a.2", b"meanwhile")
        async with edge() as broker, broker.connect() as here:
            await set_shovel(broker, **keys)
            await until_state(broker, "running")
            assert await take(here, "in", 1) == [b"meanwhile"]


async def test_a_durable_subscription_ends_with_its_shovel_unless_the_next_one_has_it() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await set_shovel(broker, **durable(url(upstream), ["/topic/a", "/topic/b"], "one"))
        await until_state(broker, "running")
        await until(lambda: len(upstream.inspect("queues")) == 2)
        await set_shovel(broker, **durable(url(upstream), ["/topic/a"], "one"))
        await until(lambda: len(upstream.inspect("queues")) == 1)
        await far.publish("amq.topic", "a", b"1")
        assert await take(here, "in", 1) == [b"1"]
        assert (await ask(broker, "delete_shovel", "s"))["ok"]
        await until(lambda: upstream.inspect("queues") == [])


async def test_it_ends_after_exactly_so_many_messages() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await fill(far, "out", BODIES)
        await set_shovel(
            broker,
            src_protocol="stomp",
            src_uri=url(upstream),
            src_destination="/queue/out",
            src_delete_after=100,
            dest_uri="amqp://",
            dest_queue="in",
        )
        await until_gone(broker)
        assert (await here.check_queue("in")).messages == 100
        assert await take(far, "out", 200) == BODIES[100:]
