"""Shovels whose ends speak AMQP 1.0, from Warren to Warren: everything arrives as it was."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.plugins.shovel.amqp10_brokers import back, far_broker, to, url
from tests.plugins.shovel.brokers import ask, edge, fill, set_shovel, status, take, until, until_gone, until_state
from tests.plugins.shovel.stomp_brokers import next_of
from warren.core.messages.field_table import Typed
from warren.core.messages.properties import encode_properties
from warren.gateway.configuration.config import Config

BODIES = [b"%d" % number for number in range(3000)]

MODES = ["on-confirm", "on-publish", "no-ack"]


@pytest.mark.parametrize("mode", MODES)
async def test_from_a_queue_here_to_one_there(mode: str) -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await far.declare_queue("in", durable=True)
        await fill(here, "out", BODIES)
        await set_shovel(broker, **to(upstream, "/queues/in", ack_mode=mode))
        assert await take(far, "in", len(BODIES)) == BODIES
        found = await until_state(broker, "running")
        while found["forwarded"] < len(BODIES) or found["pending"]:
            found = await status(broker)
        assert found["dest_uri"] == url(upstream, "")
        assert (await here.check_queue("out")).messages == 0


@pytest.mark.parametrize("mode", MODES)
async def test_from_a_queue_there_to_one_here(mode: str) -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await fill(far, "out", BODIES)
        await set_shovel(broker, **back(upstream, "/queues/out", src_prefetch_count=50, ack_mode=mode))
        await until_state(broker, "running")
        assert await take(here, "in", len(BODIES)) == BODIES
        await until(lambda: upstream.inspect("queues")[0]["messages"] == 0)


RICH = encode_properties(
    content_type="text/plain",
    content_encoding="gzip",
    headers={"text": "ä", "number": Typed("l", 5), "truth": True, "x-kept": "yes"},
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
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await far.declare_queue("middle", durable=True)
        await set_shovel(broker, "up", **to(upstream, "/queues/middle"))
        await set_shovel(broker, "down", **back(upstream, "/queues/middle"))
        for name in ("up", "down"):
            await until_state(broker, "running", name=name)
        await here.publish("", "out", b"rich", RICH)
        delivery = await next_of(here, "in")
        assert delivery.body == b"rich"
        assert delivery.properties.fields() == RICH.fields()


@pytest.mark.parametrize("size", [0, 255, 256, 500_000])
async def test_bodies_of_every_size_come_over_both_ways(size: int) -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await far.declare_queue("middle", durable=True)
        body = bytes(each % 251 for each in range(size))
        await fill(here, "out", [body] * 3)
        await set_shovel(broker, "up", **to(upstream, "/queues/middle"))
        await set_shovel(broker, "down", **back(upstream, "/queues/middle"))
        await until_state(broker, "running", name="down")
        assert await take(here, "in", 3) == [body] * 3


async def test_to_an_exchange_by_each_messages_routing_key() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await far.declare_queue("in")
        await far.bind_queue("in", "amq.topic", "a.#")
        await here.declare_queue("out", durable=True)
        await here.bind_queue("out", "amq.topic", "#")
        await set_shovel(broker, **to(upstream, "/exchange/amq.topic"))
        await here.publish("amq.topic", "a.b", b"1")
        delivery = await next_of(far, "in")
        assert (delivery.exchange, delivery.routing_key) == ("amq.topic", "a.b")


async def test_back_to_the_address_that_messages_had() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await far.declare_queue("out", durable=True)
        await far.bind_queue("out", "amq.topic", "#")
        await here.declare_queue("in")
        await here.bind_queue("in", "amq.topic", "a.*")
        keys = back(upstream, "/queues/out")
        del keys["dest_queue"]
        await set_shovel(broker, **keys)
        await far.publish("amq.topic", "a.b", b"1")
        delivery = await next_of(here, "in")
        assert (delivery.exchange, delivery.routing_key) == ("amq.topic", "a.b")


async def test_the_way_is_told_whole_by_warrens_names_and_rabbitmqs() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await far.declare_queue("middle", durable=True)
        await fill(here, "out", [b"1"])
        told = {"dest_add_forward_headers": True, "dest_add_timestamp_header": True}
        await set_shovel(broker, "up", **to(upstream, "/queues/middle", **told))
        await set_shovel(broker, "down", **back(upstream, "/queues/middle", **told))
        await until_state(broker, "running", name="down")
        headers: dict[str, Any] = (await next_of(here, "in")).properties.headers or {}
        ways = headers["x-shovelled"]
        assert [way["shovel-name"] for way in ways] == ["down", "up"]
        assert ways[0]["src-address"] == ways[1]["dest-address"] == "/queues/middle"
        assert (headers["x-opt-shovel-name"], headers["x-opt-shovel-type"]) == ("up", "dynamic")
        assert headers["x-opt-shovelled-timestamp"] == headers["x-shovelled-timestamp"] or ways


async def test_from_amqp10_to_amqp10_the_bare_message_stays_as_it_was() -> None:
    async with far_broker() as (one, source), far_broker() as (other, destination), edge() as broker:
        await source.declare_queue("out", durable=True)
        await destination.declare_queue("in", durable=True)
        for number in range(3):
            await source.publish("", "out", b"%d" % number, RICH)
        source_keys = {"src_protocol": "amqp10", "src_uri": url(one), "src_address": "/queues/out"}
        far = {"dest_protocol": "amqp10", "dest_uri": url(other), "dest_address": "/queues/in"}
        changes: dict[str, Any] = {"dest_message_annotations": {"x-site": 7}, "dest_add_forward_headers": True}
        await set_shovel(broker, **source_keys, **far, **changes)
        for number in range(3):
            delivery = await next_of(destination, "in")
            assert delivery.body == b"%d" % number
            headers = delivery.properties.headers or {}
            assert {"text": "ä", "number": 5, "truth": True, "x-kept": "yes", "x-site": 7}.items() <= headers.items()
            fields = {**delivery.properties.fields(), "headers": None}
            assert fields == {**RICH.fields(), "headers": None}


async def test_properties_of_the_shovels_own() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await far.declare_queue("in", durable=True)
        await fill(here, "out", [b"1"])
        await set_shovel(
            broker,
            **to(upstream, "/queues/in"),
            dest_properties={"content-type": "text/x", "message_id": "7", "creation-time": 5000},
            dest_application_properties={"site": 7, "own": True},
            dest_message_annotations={"x-level": "high"},
            dest_publish_properties={"app_id": "edge"},
        )
        properties = (await next_of(far, "in")).properties
        assert (properties.content_type, properties.message_id, properties.app_id) == ("text/x", "7", "edge")
        assert properties.timestamp == 5
        assert properties.headers == {"site": 7, "own": True, "x-level": "high"}


async def test_it_ends_after_exactly_so_many_messages() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await fill(far, "out", BODIES[:300])
        await set_shovel(broker, **back(upstream, "/queues/out", src_delete_after=100))
        await until_gone(broker)
        assert (await here.check_queue("in")).messages == 100
        assert await take(far, "out", 200) == BODIES[100:300]


async def test_the_status_names_the_addresses() -> None:
    async with far_broker() as (upstream, far), edge() as broker:
        await far.declare_queue("out", durable=True)
        await set_shovel(broker, **back(upstream, "/queues/out"))
        await until_state(broker, "running")
        answer = await ask(broker, "shovel_status", "src_address", "dest_address")
        assert answer["rows"] == [{"src_address": "/queues/out", "dest_address": ""}]
        (row,) = [each for each in upstream.inspect("connections") if each["protocol"] == "AMQP 1-0"]
        assert "Shovel s" in str(row)


async def test_what_the_filter_leaves_out_is_rejected_at_the_source() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await far.declare_queue("dead")
        await far.declare_queue(
            "out", durable=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
        )
        for number in range(6):
            await far.publish("", "out", b"%d" % number, encode_properties(headers={"odd": number % 2}))
        keys = back(upstream, "/queues/out", src_filter={"headers": {"odd": 1}}, filter_else="dead-letter")
        await set_shovel(broker, **keys)
        await until_state(broker, "running")
        assert await take(here, "in", 3) == [b"1", b"3", b"5"]
        assert await take(far, "dead", 3) == [b"0", b"2", b"4"]


async def test_a_confirm_upstream_waits_for_the_outcome() -> None:
    async with far_broker() as (upstream, far), edge() as broker, broker.connect() as here:
        await set_shovel(broker, **to(upstream, "/queues/in", confirm_upstream=True))
        await until_state(broker, "terminated", "not-found")
        waiting = here.publish_nowait("", "out", b"1", RICH)
        await far.declare_queue("in", durable=True)
        await waiting.wait()
        assert await take(far, "in", 1) == [b"1"]


async def test_no_local_knows_a_broker_by_its_name() -> None:
    async with (
        far_broker(config=Config(in_memory=True, cluster_name="far")) as (upstream, far),
        edge(cluster_name="near") as broker,
        broker.connect() as here,
    ):
        await far.declare_queue("there", durable=True)
        await set_shovel(broker, "up", **to(upstream, "/queues/there", no_local=True))
        await set_shovel(broker, "down", **back(upstream, "/queues/there", no_local=True, dest_queue="out"))
        for name in ("up", "down"):
            await until_state(broker, "running", name=name)
        await here.publish("", "out", b"1", RICH)
        while (await status(broker, "down"))["left_out"] != 1:
            await trio.sleep(0.005)
        assert (await status(broker, "up"))["forwarded"] == 1
