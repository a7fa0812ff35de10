"""What a shovel leaves at an MQTT broker when it changes or goes; the broker is a Warren."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from tests.plugins.shovel.brokers import PERSISTENT, ask, edge, set_shovel, take, until, until_state
from warren.gateway import open_broker
from warren.gateway.embedding import EmbeddedBroker


@asynccontextmanager
async def mqtt_upstream() -> AsyncIterator[tuple[EmbeddedBroker, str]]:
    async with open_broker(listen=("mqtt=127.0.0.1:0",)) as upstream:
        yield upstream, "mqtt://guest:guest@{}:{}".format(*upstream.address("mqtt"))


def topics(upstream: EmbeddedBroker) -> set[object]:
    """What is subscribed to."""
    return {row["routing_key"] for row in upstream.inspect("bindings") if row["source_name"] == "amq.topic"}


def sessions(upstream: EmbeddedBroker) -> int:
    return len(upstream.inspect("queues"))


async def fetch(broker: EmbeddedBroker, url: str, topics: list[str], **more: Any) -> None:
    await set_shovel(
        broker, src_protocol="mqtt", src_uri=url, src_topics=topics, dest_uri="amqp://", dest_queue="in", **more
    )


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_topics_that_are_left_out_are_unsubscribed_from(version: str) -> None:
    async with (
        mqtt_upstream() as (upstream, url),
        edge() as broker,
        broker.connect() as here,
        upstream.connect() as far,
    ):
        await fetch(broker, url, ["a/#", "b"], src_mqtt_version=version)
        await until(lambda: topics(upstream) == {"a.#", "b"})
        await fetch(broker, url, ["b", "c"], src_mqtt_version=version)
        await until(lambda: topics(upstream) == {"b", "c"})
        assert sessions(upstream) == 1
        await until_state(broker, "running")
        for key in ("a.1", "b", "c"):
            await far.publish("amq.topic", key, key.encode())
        assert await take(here, "in", 2) == [b"b", b"c"]


async def test_what_changed_while_the_broker_was_away_is_unsubscribed_from_later() -> None:
    async with edge() as broker:
        async with mqtt_upstream() as (upstream, url):
            port = int(url.rsplit(":", 1)[1])
            await fetch(broker, url, ["a"])
            await until(lambda: topics(upstream) == {"a"})
        await until_state(broker, "terminated")
        await fetch(broker, url, ["b"])
        await until_state(broker, "terminated")
        unsubscribed = trio.Event()
        async with trio.open_nursery() as nursery:

            async def serve(stream: trio.SocketStream) -> None:
                """An MQTT broker that answers and looks at UNSUBSCRIBE alone."""
                await stream.receive_some()
                await stream.send_all(b"\x20\x03\x01\x00\x00")
                packet = await stream.receive_some()
                if packet and packet[0] == 0xA2 and b"\x00\x01a" in packet and b"\x00\x01b" not in packet:
                    unsubscribed.set()

            await nursery.start(trio.serve_tcp, serve, port)
            await unsubscribed.wait()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_deleted_shovel_ends_its_session(version: str) -> None:
    async with mqtt_upstream() as (upstream, url), edge() as broker:
        await fetch(broker, url, ["a"], src_mqtt_version=version)
        await until_state(broker, "running")
        assert sessions(upstream) == 1
        assert (await ask(broker, "delete_shovel", "s"))["ok"]
        await until(lambda: sessions(upstream) == 0)


async def test_another_client_id_ends_the_former_one() -> None:
    async with mqtt_upstream() as (upstream, url), edge() as broker:
        await fetch(broker, url, ["a"], src_client_id="one")
        await until_state(broker, "running")
        await fetch(broker, url, ["a"], src_client_id="two")
        await until(lambda: [row["name"] for row in upstream.inspect("queues")] == ["mqtt-subscription-two"])


async def test_a_broker_that_is_gone_keeps_nobody_waiting() -> None:
    async with edge() as broker:
        async with mqtt_upstream() as (_, url):
            await fetch(broker, url, ["a"])
            await until_state(broker, "running")
        await until_state(broker, "terminated")
        assert (await ask(broker, "delete_shovel", "s"))["ok"]
        async with mqtt_upstream() as (_, other):
            await fetch(broker, other, ["a"])
            await until_state(broker, "running")


async def test_a_restart_of_the_shovel_keeps_the_session() -> None:
    async with (
        mqtt_upstream() as (upstream, url),
        edge() as broker,
        upstream.connect() as far,
        broker.connect() as here,
    ):
        await fetch(broker, url, ["a"])
        await until_state(broker, "running")
        before = upstream.inspect("queues")[0]["name"]
        assert (await ask(broker, "restart_shovel", "s"))["ok"]
        await far.publish("amq.topic", "a", b"1", PERSISTENT)
        assert await take(here, "in", 1) == [b"1"]
        assert [row["name"] for row in upstream.inspect("queues")] == [before]
