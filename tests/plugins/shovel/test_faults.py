"""Both brokers are killed again and again, and the link between them cuts, stalls and resets: nothing is lost."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trio

from tests.plugins.shovel.brokers import until
from tests.support.faulty_link import LOOPBACK, Faults, FaultyLink, faulty_link
from tests.support.killed_brokers import Place, Publisher
from warren.adapters.amqp091.client.uri import parse_uri
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.client.connection import MqttLogin
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.mqtt.client.uri import parse_mqtt_uri
from warren.adapters.mqtt.codec.packets import Subscription
from warren.gateway.peers.amqp import connect_amqp
from warren.gateway.peers.mqtt import connect_mqtt

ROUNDS = 6
MESSAGES_A_ROUND = 400

pytestmark = pytest.mark.limits(seconds=300)


AMQP_UP: dict[str, object] = {
    "src-uri": "amqp://",
    "src-queue": "out",
    "dest-uri": "amqp://{link}?heartbeat=1&connection_timeout=2000",
    "dest-queue": "in",
}
STOMP_UP: dict[str, object] = {
    "src-uri": "amqp://",
    "src-queue": "out",
    "dest-protocol": "stomp",
    "dest-uri": "stomp://{link}?heartbeat=1&connection_timeout=2000",
    "dest-destination": "/queue/in",
}
STOMP_DOWN: dict[str, object] = {
    "src-protocol": "stomp",
    "src-uri": "stomp://{link}?heartbeat=1&connection_timeout=2000",
    "src-destination": "/queue/out",
    "src-prefetch-count": 50,
    "dest-uri": "amqp://",
    "dest-queue": "in",
}
AMQP10_UP: dict[str, object] = {
    "src-uri": "amqp://",
    "src-queue": "out",
    "dest-protocol": "amqp10",
    "dest-uri": "amqp://guest:guest@{link}?heartbeat=1&connection_timeout=2000",
    "dest-address": "/queues/in",
}
AMQP10_DOWN: dict[str, object] = {
    "src-protocol": "amqp10",
    "src-uri": "amqp://guest:guest@{link}?heartbeat=1&connection_timeout=2000",
    "src-address": "/queues/out",
    "src-prefetch-count": 50,
    "dest-uri": "amqp://",
    "dest-queue": "in",
}
MQTT_UP: dict[str, object] = {
    "src-uri": "amqp://",
    "src-queue": "out",
    "dest-protocol": "mqtt",
    "dest-uri": "mqtt://guest:guest@{link}?keep_alive=1&connection_timeout=2000",
    "dest-topic": "in",
}
MQTT_DOWN: dict[str, object] = {
    "src-protocol": "mqtt",
    "src-uri": "mqtt://guest:guest@{link}?keep_alive=1&connection_timeout=2000",
    "src-topics": "out",
    "src-client-id": "shovel",
    "src-prefetch-count": 50,
    "dest-uri": "amqp://",
    "dest-queue": "in",
}


@contextmanager
def places(tmp_path: Path, port: int, definition: dict[str, object]) -> Iterator[tuple[Place, Place]]:
    """An edge that shovels through a port, and an upstream."""
    keys = {
        key: value.format(link=f"{LOOPBACK}:{port}") if isinstance(value, str) else value
        for key, value in definition.items()
    }
    shovel = json.dumps({"s": {**keys, "reconnect-delay": 0.05}})
    with ExitStack() as stack:
        edge = Place(tmp_path / "edge", "--set", "plugins=shovel", "--set", f"shovel_static={shovel}")
        upstream = Place(tmp_path / "upstream", protocols=("amqp", "stomp", "mqtt"))
        stack.callback(edge.end)
        stack.callback(upstream.end)
        yield edge, upstream


async def prepare_for_mqtt(peers: trio.Nursery, amqp: tuple[str, int], mqtt: tuple[str, int]) -> None:
    """What is published to the topic `in` goes to the queue; the shovel's session is there, before anything comes."""
    reader = await connect_amqp(
        peers, parse_uri("amqp://{}:{}".format(*amqp)), product="test", version="1", name="binder"
    )
    channel = reader.open_channel()
    await reader.ask(channel, methods.QueueDeclare(queue="in", durable=True), methods.QueueDeclareOk)
    binding = methods.QueueBind(queue="in", exchange="amq.topic", routing_key="in")
    await reader.ask(channel, binding, methods.QueueBindOk)
    await reader.aclose()
    login = MqttLogin("shovel", clean_start=False, session_expiry_s=10_000, user="guest", password="guest")
    subscriber = await connect_mqtt(peers, parse_mqtt_uri("mqtt://{}:{}".format(*mqtt)), login, ClientMemory())
    await subscriber.subscribe(Subscription("out", 2))
    await subscriber.aclose()


async def arrived(peers: trio.Nursery, address: tuple[str, int], wanted: set[int], *, no_ack: bool = True) -> list[int]:
    """The numbers in the destination's queue, in order, read until all that are wanted have come.

    no_ack: they leave the queue as they are read; else they stay there while this reads.
    """
    host, port = address
    peer = await connect_amqp(peers, parse_uri(f"amqp://{host}:{port}"), product="test", version="1", name="reader")
    try:
        channel = peer.open_channel()
        await peer.ask(channel, methods.QueueDeclare(queue="in", passive=True), methods.QueueDeclareOk)
        await peer.ask(channel, methods.BasicConsume(queue="in", no_ack=no_ack), methods.BasicConsumeOk)
        found: list[int] = []
        missing = set(wanted)
        while missing:
            while not channel.arrived:
                await peer.channel_progress(channel)
            while channel.arrived:
                found.append(int(channel.arrived.popleft().body))
                missing.discard(found[-1])
        return found
    finally:
        await peer.aclose()


@pytest.mark.parametrize(
    ("definition", "protocol", "down"),
    [
        (AMQP_UP, "amqp", False),
        (AMQP10_UP, "amqp", False),
        (AMQP10_DOWN, "amqp", True),
        (STOMP_UP, "stomp", False),
        (STOMP_DOWN, "stomp", True),
        (MQTT_UP, "mqtt", False),
        ({**MQTT_UP, "dest-qos": 2}, "mqtt", False),
        (MQTT_DOWN, "mqtt", True),
        ({**MQTT_DOWN, "src-qos": 2}, "mqtt", True),
    ],
    ids=["amqp", "amqp10", "from amqp10", "stomp", "from stomp", "mqtt 1", "mqtt 2", "from mqtt 1", "from mqtt 2"],
)
@pytest.mark.parametrize("seed", [4711])
async def test_every_confirmed_message_arrives(
    tmp_path: Path, seed: int, definition: dict[str, object], protocol: str, down: bool
) -> None:
    chance = random.Random(seed)
    from_mqtt = down and protocol == "mqtt"
    publisher = Publisher("amq.topic", "out") if from_mqtt else Publisher("", "out", declares="out")
    async with trio.open_nursery() as peers, faulty_link(seed) as link:
        with places(tmp_path, link.port, definition) as (edge, upstream):
            at_edge, at_upstream = await edge.start(), await upstream.start()
            await prepare_for_mqtt(peers, at_upstream, upstream.address("mqtt"))
            link.target = upstream.address(protocol)
            for number in range(ROUNDS):
                # A message over MQTT is twenty bytes, one over AMQP 1.0 not many more.
                is_small = protocol == "mqtt" or definition in (AMQP10_UP, AMQP10_DOWN)
                link.faults = Faults(bytes_max=8_000 if is_small else 60_000)
                async with trio.open_nursery() as nursery:
                    address = at_upstream if down else at_edge
                    nursery.start_soon(publisher.publish, peers, address, MESSAGES_A_ROUND)
                    struck_at = publisher.published + chance.randrange(MESSAGES_A_ROUND // 2)
                    await until(lambda at=struck_at: publisher.published >= at or not nursery.child_tasks)  # type: ignore[misc]
                    if number % 2:
                        await upstream.kill()
                        link.target = None
                        at_upstream = await upstream.start()
                        link.target = upstream.address(protocol)
                    else:
                        await edge.kill()
                        at_edge = await edge.start()
            await link.go_wrong()
            link.heal()
            found = await arrived(peers, at_edge if down else at_upstream, set(publisher.confirmed))
            check(publisher, found, link, in_order=not down)


def check(publisher: Publisher, found: list[int], link: FaultyLink, *, in_order: bool) -> None:
    """in_order: where the source is the edge itself.  A peer that hasn't noticed yet that a link is gone keeps what it
    had sent through it, while what is behind that goes out through the next.
    """
    assert len(publisher.confirmed) > MESSAGES_A_ROUND, "there was something to lose"
    assert sum(link.happened.values()) > 0, "the link has gone wrong"
    assert set(found) <= set(range(publisher.published))
    wanted = set(publisher.confirmed)
    first_seen = [number for number in dict.fromkeys(found) if number in wanted]
    if in_order:
        assert first_seen == sorted(first_seen), "what comes again comes behind, nothing overtakes"
