"""The same topic both ways: two shovels of opposite directions, and every message is on each side once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import trio

from tests.interop.test_shovel_mosquitto import client, publish
from tests.plugins.shovel.brokers import PERSISTENT, ask, edge, set_shovel, status, take, until, until_state
from warren.adapters.mqtt.codec.packets import Publish, Subscription
from warren.core.messages.properties import encode_properties
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.embedding import EmbeddedBroker

HERE = [b"here %d" % number for number in range(50)]
THERE = [b"there %d" % number for number in range(50)]
MESSAGES = len(HERE) + 1
"""Of each side, with the last one."""

LISTEN = ("amqp=127.0.0.1:0", "mqtt=127.0.0.1:0", "stomp=127.0.0.1:0")


@asynccontextmanager
async def two(*, both_shovel: bool = False) -> AsyncIterator[tuple[EmbeddedBroker, EmbeddedBroker]]:
    """Two brokers of different names, each with a queue that gets the topic for the other one, and one for a reader."""
    plugins = ("shovel",) if both_shovel else ()
    far_config = Config(in_memory=True, plugins=plugins).replace(cluster_name="b")
    async with open_broker(listen=LISTEN, config=far_config) as far, edge(listen=LISTEN, cluster_name="a") as near:
        for broker in (near, far):
            async with broker.connect() as program:
                for queue in ("out", "read"):
                    await program.declare_queue(queue, durable=True)
                    await program.bind_queue(queue, "amq.topic", "site.#")
        while both_shovel and not (await ask(far, "shovel_status"))["ok"]:
            await trio.sleep(0.005)
        yield near, far


async def exchange(near: EmbeddedBroker, far: EmbeddedBroker) -> None:
    """Messages at both sides are at both sides, once each, also after the last one has been there and back."""
    async with near.connect() as here, far.connect() as there:
        for body in HERE:
            await here.publish("amq.topic", "site.x", body, PERSISTENT)
        for body in THERE:
            await there.publish("amq.topic", "site.x", body, PERSISTENT)
        for program in (here, there):
            assert sorted(await take(program, "read", 100)) == sorted([*HERE, *THERE])
        # What went round a second time would be in front of these.
        for program, body in ((here, b"end here"), (there, b"end there")):
            await program.publish("amq.topic", "site.x", body, PERSISTENT)
        for program in (here, there):
            assert sorted(await take(program, "read", 2)) == [b"end here", b"end there"]


async def settled(counts: dict[EmbeddedBroker, dict[str, int]], *, passed_over: bool = True) -> None:
    """Each shovel has moved as many messages as it is to, and no more; what came back has been passed over."""
    for broker, names in counts.items():
        for name, moved in names.items():
            while (found := await status(broker, name))["pending"] or (passed_over and found["left_out"] < MESSAGES):
                await trio.sleep(0.005)
            assert (found["forwarded"], found["state"]) == (moved, "running")
        await until(lambda broker=broker: not any(row["messages"] for row in broker.inspect("queues")))  # type: ignore[misc]


@dataclass(frozen=True)
class Way:
    """How two shovels of one broker speak to the other one."""

    out: dict[str, Any]
    back: dict[str, Any]
    scheme: str


WAYS = {
    "amqp": Way({"dest_exchange": "amq.topic"}, {"src_queue": "out", "dest_exchange": "amq.topic"}, "amqp"),
    "amqp without a destination": Way({}, {"src_queue": "out"}, "amqp"),
    "stomp": Way({"dest_protocol": "stomp"}, {"src_protocol": "stomp", "src_destination": "/amq/queue/out"}, "stomp"),
    "mqtt": Way({"dest_protocol": "mqtt"}, {"src_protocol": "mqtt", "src_topics": "site/#"}, "mqtt"),
    "mqtt, one client": Way(
        {"dest_protocol": "mqtt", "dest_client_id": "bridge"},
        {"src_protocol": "mqtt", "src_topics": "site/#", "src_client_id": "bridge"},
        "mqtt",
    ),
    "mqtt 3.1.1, one client": Way(
        {"dest_protocol": "mqtt", "dest_client_id": "bridge", "dest_mqtt_version": "3.1.1"},
        {
            "src_protocol": "mqtt",
            "src_topics": "site/#",
            "src_client_id": "bridge",
            "src_mqtt_version": "3.1.1",
        },
        "mqtt",
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_both_shovels_at_one_broker(way: str) -> None:
    found = WAYS[way]
    async with two() as (near, far):
        url = "{}://guest:guest@{}:{}".format(found.scheme, *far.address(found.scheme))
        await set_shovel(near, "out", src_uri="amqp://", src_queue="out", dest_uri=url, no_local=True, **found.out)
        await set_shovel(near, "back", src_uri=url, dest_uri="amqp://", no_local=True, **found.back)
        await until_state(near, "running", name="out")
        await until_state(near, "running", name="back")
        if found.scheme == "mqtt":
            async with far.connect() as there:
                await there.delete_queue("out")
                await there.declare_queue("out")
        await exchange(near, far)
        counts = {"out": MESSAGES, "back": MESSAGES}
        await settled({near: counts, far: {}}, passed_over="one client" not in way)


async def test_each_broker_has_a_shovel_to_the_other() -> None:
    async with two(both_shovel=True) as (near, far):
        for broker, other in ((near, far), (far, near)):
            url = "amqp://guest:guest@{}:{}".format(*other.address("amqp"))
            await set_shovel(broker, "out", src_uri="amqp://", src_queue="out", dest_uri=url, no_local=True)
        await exchange(near, far)
        await settled({near: {"out": MESSAGES}, far: {"out": MESSAGES}})


async def test_without_it_a_message_goes_round_for_ever() -> None:
    """What the others are for."""
    async with two() as (near, far):
        url = "amqp://guest:guest@{}:{}".format(*far.address("amqp"))
        await set_shovel(near, "out", src_uri="amqp://", src_queue="out", dest_uri=url)
        await set_shovel(near, "back", src_uri=url, src_queue="out", dest_uri="amqp://")
        async with near.connect() as here:
            await here.publish("amq.topic", "site.x", b"once")
            assert await take(here, "read", 3) == [b"once"] * 3


async def test_prefixes_in_and_out() -> None:
    """Out: `site/7/` goes before; in: what the centre says under `to/7/` loses that; nothing comes back."""
    async with (
        open_broker(listen=LISTEN) as far,
        edge() as near,
        near.connect() as here,
    ):
        url = "mqtt://guest:guest@{}:{}".format(*far.address("mqtt"))
        for queue, key in (("out", "own.#"), ("read", "in.#")):
            await here.declare_queue(queue, durable=True)
            await here.bind_queue(queue, "amq.topic", key)
        await set_shovel(
            near,
            "out",
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="mqtt",
            dest_uri=url,
            dest_remove_prefix="own/",
            dest_topic="site/7/{topic}",
        )
        await set_shovel(
            near,
            "in",
            src_protocol="mqtt",
            src_uri=url,
            src_topics="to/7/#",
            src_remove_prefix="to/7/",
            src_topic="in/{topic}",
            dest_uri="amqp://",
        )
        await until_state(near, "running", name="in")
        async with client(url, "centre") as centre:
            await centre.subscribe(Subscription("#", 1))
            await here.publish("amq.topic", "own.hall.lamp", b"on")
            while not centre.connection.arrived:
                await centre.progress()
            (found,) = centre.connection.arrived
            assert (found.topic, found.payload) == ("site/7/hall/lamp", b"on")
            await publish(centre, [Publish("to/7/hall/lamp", b"off", 1), Publish("to/7/", b"all", 1)])
            async with here.consume("read") as deliveries:
                received = [await anext(deliveries), await anext(deliveries)]
            assert [(each.routing_key, each.body) for each in received] == [
                ("in.hall.lamp", b"off"),
                ("in.to.7.", b"all"),
            ]
        assert (await status(near, "out"))["forwarded"] == 1


async def test_a_rabbitmq_says_by_its_forward_header_what_came_from_it() -> None:
    """Its shovel names its own cluster, and itself by a URI without a host."""
    way = {"shovelled-by": "b", "src-uri": "amqp://", "dest-uri": "amqp://a.example", "shovel-type": "dynamic"}
    marked = encode_properties(headers={"x-shovelled": [way]})
    others = encode_properties(headers={"x-shovelled": [{**way, "shovelled-by": "c"}, {**way, "src-uri": "amqp:///v"}]})
    async with two() as (near, far), near.connect() as here, far.connect() as there:
        url = "amqp://guest:guest@{}:{}".format(*far.address("amqp"))
        await set_shovel(near, "out", src_uri="amqp://", src_queue="out", dest_uri=url, no_local=True)
        await here.publish("amq.topic", "site.x", b"theirs", marked)
        await here.publish("amq.topic", "site.x", b"others'", others)
        await here.publish("amq.topic", "site.x", b"odd", encode_properties(headers={"x-shovelled": "[[1], 2"}))
        await here.publish("amq.topic", "site.x", b"ours")
        assert await take(there, "read", 3) == [b"others'", b"odd", b"ours"]
        assert (await status(near, "out"))["left_out"] == 1


async def test_the_header_tells_where_it_was_taken_from() -> None:
    async with two() as (near, far), near.connect() as here, far.connect() as there:
        url = "amqp://guest:guest@{}:{}".format(*far.address("amqp"))
        await set_shovel(near, "out", src_uri="amqp://", src_queue="out", dest_uri=url, no_local=True)
        await here.publish("amq.topic", "site.x", b"1")
        async with there.consume("read") as deliveries:
            headers = (await anext(deliveries)).properties.headers or {}
        way = headers["x-shovelled"]
        assert isinstance(way, list)
        assert isinstance(way[0], dict)
        assert (len(way), way[0]["src-broker"], way[0]["shovel-name"]) == (1, "a /", "out")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"no-local": 1}, "the key 'no-local' must be true or false"),
        ({"no-local": True, "src-topics": ["a", "$share/g/a"]}, "'no-local' can't be with '$share'"),
        ({"src-remove-prefix": "a/+/"}, "the key 'src-remove-prefix' can't be used"),
        ({"src-topic": "a/#"}, "the key 'src-topic' can't be used"),
    ],
)
async def test_what_cant_be_meant_is_refused(keys: dict[str, Any], words: str) -> None:
    value = {"src-protocol": "mqtt", "src-uri": "mqtt://far.example", "src-topics": "a", "dest-uri": "amqp://"}
    async with edge() as broker:
        answer = await ask(broker, "set_parameter", "shovel", "s", json.dumps({**value, **keys}))
        assert not answer["ok"]
        assert words in str(answer)
