"""A shovel tells at an MQTT broker whether it runs, and its will tells when it doesn't; the broker is a Warren."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from tests.interop.test_shovel_mosquitto import client
from tests.plugins.shovel.brokers import ask, edge, set_shovel, until_state
from tests.support.faulty_link import LOOPBACK, Faults, FaultyLink, faulty_link
from warren.adapters.mqtt.codec.packets import Subscription
from warren.gateway import open_broker
from warren.gateway.embedding import EmbeddedBroker
from warren.gateway.peers.mqtt import MqttPeer

TELLS: dict[str, Any] = {
    "src_uri": "amqp://",
    "src_queue": "out",
    "dest_protocol": "mqtt",
    "dest_notification_topic": "bridge/state",
}


@asynccontextmanager
async def mqtt_broker(port: int = 0) -> AsyncIterator[tuple[EmbeddedBroker, str]]:
    async with open_broker(listen=(f"mqtt={LOOPBACK}:{port}",)) as far:
        yield far, "mqtt://guest:guest@{}:{}".format(*far.address("mqtt"))


class Listener:
    """Hears what is said on a topic, live and retained."""

    def __init__(self, peer: MqttPeer) -> None:
        self._peer = peer

    async def next(self) -> tuple[bytes, bool]:
        arrived = self._peer.connection.arrived
        while not arrived:
            await self._peer.progress()
        packet = arrived.popleft()
        self._peer.connection.acknowledge(packet)
        self._peer.flush()
        return packet.payload, packet.retain


@asynccontextmanager
async def listening(url: str, topic: str = "bridge/state") -> AsyncIterator[Listener]:
    async with client(url, f"listener to {topic}") as peer:
        await peer.subscribe(Subscription(topic, 1))
        yield Listener(peer)


def cut(link: FaultyLink) -> None:
    """End all connections, and let none through."""
    link.target = None
    link.faults = Faults(1)
    link.heal()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_up_when_it_runs_and_down_when_it_is_deleted(version: str) -> None:
    async with mqtt_broker() as (_, url), listening(url) as listener, edge() as broker:
        await set_shovel(broker, **TELLS, dest_uri=url, dest_mqtt_version=version)
        assert await listener.next() == (b"1", False)
        async with listening(url, "bridge/+") as late:
            assert await late.next() == (b"1", True), "retained, for who comes later"
        assert (await ask(broker, "restart_shovel", "s"))["ok"]
        assert await listener.next() == (b"0", False)
        assert await listener.next() == (b"1", False)
        assert (await ask(broker, "delete_shovel", "s"))["ok"]
        assert await listener.next() == (b"0", False)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_down_when_the_link_is_cut_and_up_when_it_is_back(version: str) -> None:
    async with mqtt_broker() as (far, url), faulty_link(1) as link, listening(url) as listener, edge() as broker:
        link.target = far.address("mqtt")
        await set_shovel(
            broker, **TELLS, dest_uri=f"mqtt://guest:guest@{LOOPBACK}:{link.port}", dest_mqtt_version=version
        )
        assert await listener.next() == (b"1", False)
        cut(link)
        assert await listener.next() == (b"0", False)
        link.target = far.address("mqtt")
        assert await listener.next() == (b"1", False)


async def test_down_while_the_other_end_is_away_though_this_one_is_there() -> None:
    """Up means that messages go: a destination that can be reached isn't enough."""
    async with (
        mqtt_broker() as (_, url),
        faulty_link(2) as link,
        listening(url) as listener,
        edge() as broker,
        open_broker(listen=(f"amqp={LOOPBACK}:0",)) as source,
    ):
        link.target = source.address("amqp")
        keys = {**TELLS, "src_uri": f"amqp://guest:guest@{LOOPBACK}:{link.port}"}
        await set_shovel(broker, **keys, dest_uri=url)
        assert await listener.next() == (b"1", False)
        cut(link)
        assert await listener.next() == (b"0", False)
        await until_state(broker, "terminated")
        link.target = source.address("amqp")
        assert await listener.next() == (b"1", False)


async def test_own_words_qos_and_no_retained_message() -> None:
    async with mqtt_broker() as (_, url), listening(url) as listener, edge() as broker:
        await set_shovel(
            broker,
            **TELLS,
            dest_uri=url,
            dest_notification_up='{"up": true}',
            dest_notification_down="",
            dest_notification_qos=0,
            dest_notification_retain=False,
        )
        assert await listener.next() == (b'{"up": true}', False)
        assert (await ask(broker, "delete_shovel", "s"))["ok"]
        assert await listener.next() == (b"", False)
        async with listening(url, "bridge/+") as late:
            with trio.move_on_after(0.05):
                raise AssertionError(await late.next())


async def test_at_a_source_too_and_both_ends_tell() -> None:
    async with (
        mqtt_broker() as (_, here),
        mqtt_broker() as (_, there),
        listening(here, "in/state") as at_source,
        listening(there, "bridge/state") as at_destination,
        edge() as broker,
    ):
        await set_shovel(
            broker,
            src_protocol="mqtt",
            src_uri=here,
            src_topics="a/#",
            src_notification_topic="in/state",
            dest_protocol="mqtt",
            dest_uri=there,
            dest_notification_topic="bridge/state",
        )
        for listener in (at_source, at_destination):
            assert await listener.next() == (b"1", False)
        assert (await ask(broker, "delete_shovel", "s"))["ok"]
        for listener in (at_source, at_destination):
            assert await listener.next() == (b"0", False)


async def test_who_may_not_publish_there_is_told() -> None:
    async with mqtt_broker() as (far, url), edge() as broker:
        assert (await ask(far, "add_user", "u", "p"))["ok"]
        assert (await ask(far, "set_permissions", "u", ".*", "amq.topic", ".*"))["ok"]
        assert (await ask(far, "set_topic_permissions", "u", "amq.topic", "^a", ".*"))["ok"]
        await set_shovel(broker, **TELLS, dest_uri=url.replace("guest:guest", "u:p"))
        await until_state(broker, "terminated", "Not authorized (0x87)")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"dest-notification-up": "1"}, "'dest-notification-up' needs 'dest-notification-topic'"),
        ({"dest-notification-topic": "a/#"}, "the key 'dest-notification-topic' can't be used"),
        ({"dest-notification-topic": "a", "dest-notification-qos": 3}, "whole number from 0 to 2"),
        ({"dest-notification-topic": "a", "dest-notification-down": "x" * 70_000}, "at most 65535 bytes"),
        ({"dest-notification-topic": "a", "dest-notification-retain": 1}, "must be true or false"),
        ({"src-notification-topic": "a"}, "is for 'src-protocol' mqtt"),
    ],
)
async def test_what_cant_be_said_is_refused(keys: dict[str, Any], words: str) -> None:
    async with edge() as broker:
        value = {"src-uri": "amqp://", "src-queue": "a", "dest-protocol": "mqtt", "dest-uri": "mqtt://far.example"}
        answer = await ask(broker, "set_parameter", "shovel", "s", json.dumps({**value, **keys}))
        assert not answer["ok"]
        assert words in str(answer)
