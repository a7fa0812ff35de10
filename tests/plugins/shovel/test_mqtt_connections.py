"""Two ends that are one client at an MQTT broker share its connection; more than two, or others, can't."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.interop.test_shovel_mosquitto import client, publish
from tests.plugins.shovel.brokers import ask, edge, fill, set_shovel, take, until, until_state
from tests.plugins.shovel.test_mqtt_notifications import mqtt_broker
from warren.adapters.mqtt.client.connection import MqttLogin
from warren.adapters.mqtt.client.uri import parse_mqtt_uri
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import Publish, Subscription, Will
from warren.adapters.peers.errors import PeerError
from warren.gateway.embedding import EmbeddedBroker
from warren.plugins.shovel.mqtt_connections import Direction, MqttConnections, Wish, _agreed

URI = parse_mqtt_uri("mqtt://far.example")
LOGIN = MqttLogin("bridge", clean_start=False, session_expiry_s=100)


async def set_out(broker: EmbeddedBroker, url: str, **more: Any) -> None:
    keys = {"dest_client_id": "bridge", **more}
    await set_shovel(broker, "out", src_uri="amqp://", src_queue="out", dest_protocol="mqtt", dest_uri=url, **keys)


async def set_back(broker: EmbeddedBroker, url: str, name: str = "back", **more: Any) -> None:
    keys = {"src_client_id": "bridge", "src_topics": "in/#", "dest_queue": "in", **more}
    await set_shovel(broker, name, src_protocol="mqtt", src_uri=url, dest_uri="amqp://", **keys)


@pytest.mark.parametrize("first", ["out", "back"])
async def test_whichever_comes_first_there_is_one_connection(first: str) -> None:
    async with mqtt_broker() as (far, url), edge() as broker, broker.connect() as here, client(url, "w") as writer:
        setters = [set_out, set_back] if first == "out" else [set_back, set_out]
        for set_one in setters:
            await set_one(broker, url)
        for name in ("out", "back"):
            await until_state(broker, "running", name=name)
        await publish(writer, [Publish("in/a", b"1", 1)])
        assert await take(here, "in", 1) == [b"1"]
        await fill(here, "out", [b"%d" % number for number in range(100)])
        await until(lambda: not any(row["messages"] for row in broker.inspect("queues")))
        assert len(far.inspect("connections")) == 2, "the writer's, and one for both"


async def test_who_leaves_takes_the_connection_along_and_the_other_comes_back() -> None:
    async with mqtt_broker() as (far, url), edge() as broker, broker.connect() as here, client(url, "w") as writer:
        await set_out(broker, url)
        await set_back(broker, url)
        for name in ("out", "back"):
            await until_state(broker, "running", name=name)
        for restarted in ("out", "back"):
            assert (await ask(broker, "restart_shovel", restarted))["ok"]
            await fill(here, "out", [b"o"])
            await publish(writer, [Publish("in/a", restarted.encode(), 1)])
            assert await take(here, "in", 1) == [restarted.encode()]
            await until(lambda: not any(row["messages"] for row in broker.inspect("queues")))
        assert (await ask(broker, "delete_shovel", "out"))["ok"]
        await publish(writer, [Publish("in/a", b"alone", 1)])
        assert await take(here, "in", 1) == [b"alone"]
        assert "mqtt-subscription-bridge" in str(far.inspect("queues")), "the session is the other one's, too"
        assert (await ask(broker, "delete_shovel", "back"))["ok"]
        await until(lambda: "mqtt-subscription-bridge" not in str(far.inspect("queues")))


async def test_what_comes_for_the_source_waits_while_that_is_away() -> None:
    """The other direction has the connection, over which the broker sends what it has for both."""
    async with mqtt_broker() as (_, url), edge() as broker, broker.connect() as here, client(url, "w") as writer:
        await set_out(broker, url)
        await set_back(broker, url, dest_queue="gone", dest_predeclared=True)
        await until_state(broker, "terminated", name="back")
        await here.declare_queue("gone", durable=True)
        await until_state(broker, "running", name="back")
        await here.delete_queue("gone")
        assert (await ask(broker, "restart_shovel", "back"))["ok"]
        await until_state(broker, "terminated", name="back")
        await until_state(broker, "running", name="out")
        await publish(writer, [Publish("in/a", b"%d" % number, 1) for number in range(20)])
        await fill(here, "out", [b"o"])
        await until(lambda: not any(row["messages"] for row in broker.inspect("queues")))
        await here.declare_queue("gone", durable=True)
        assert await take(here, "gone", 20) == [b"%d" % number for number in range(20)]


async def test_a_second_one_of_a_direction_is_told() -> None:
    async with mqtt_broker() as (_, url), edge() as broker:
        await set_back(broker, url)
        await until_state(broker, "running", name="back")
        await set_back(broker, url, "again")
        found = await until_state(broker, "terminated", name="again")
        assert found["reason"].startswith("the shovel 'back' in virtual host '/' is 'bridge' at mqtt://127.0.0.1:")
        await until_state(broker, "running", name="back")
        assert (await ask(broker, "delete_shovel", "back"))["ok"]
        await until_state(broker, "running", name="again")


async def test_both_ends_of_one_shovel_may_be_one_client() -> None:
    async with mqtt_broker() as (far, url), edge() as broker, client(url, "w") as writer:
        await set_shovel(
            broker,
            "copy",
            src_protocol="mqtt",
            src_uri=url,
            src_topics="in/#",
            src_client_id="bridge",
            dest_protocol="mqtt",
            dest_uri=url,
            dest_client_id="bridge",
            dest_topic="copy/{topic}",
        )
        await until_state(broker, "running", name="copy")
        async with client(url, "r") as reader:
            await reader.subscribe(Subscription("copy/#", 1))
            await publish(writer, [Publish("in/a", b"1", 1)])
            while not reader.connection.arrived:
                await reader.progress()
        assert len(far.inspect("connections")) == 2


def wish(direction: Direction, qos: int = 1, **changes: Any) -> Wish:
    return Wish(f"the {direction}'s", direction, replace(LOGIN, **changes), qos)


def test_what_the_session_is_for_is_the_sources_to_say() -> None:
    will = Will("state", b"0")
    source = wish("source", receive_maximum=7, clean_start=False, is_bridge=True, level=versions.V3_1_1)
    destination = wish("destination", clean_start=True, session_expiry_s=0, will=will, level=versions.V3_1_1)
    login = _agreed({"source": source, "destination": destination})
    assert (login.receive_maximum, login.clean_start, login.session_expiry_s) == (7, False, 100)
    assert (login.is_bridge, login.will) == (True, will)
    assert _agreed({"destination": destination}) == destination.login


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"level": versions.V3_1_1}, "have to have the same version of MQTT"),
        ({"user": "other"}, "have to have the same user"),
        ({"password": "other"}, "have to have the same user"),
        ({"will": Will("b", b"")}, "have to have the same will"),
        ({"qos": 2}, "can't share the session of 'bridge' with 'dest-qos' 2"),
    ],
)
def test_two_that_cant_be_one_are_told_why(changes: dict[str, Any], words: str) -> None:
    source = wish("source", will=Will("a", b""))
    with pytest.raises(PeerError, match=words):
        _agreed({"source": source, "destination": wish("destination", **changes)})


def test_nothing_is_remembered_of_who_connects_no_more() -> None:
    connections = MqttConnections()
    connections.register(wish("source"), URI)
    connections.register(wish("source"), URI)
    with pytest.raises(PeerError, match="give one of them another client id"):
        connections.register(Wish("another", "source", LOGIN), URI)
    connections.register(Wish("another", "destination", LOGIN), URI)
    assert connections.is_used("bridge", URI)
    connections.forget("the source's")
    assert connections.is_used("bridge", URI)
    connections.forget("another")
    assert not connections.is_used("bridge", URI)
    assert not connections._clients
