"""Shovels with a real Mosquitto: from Warren to it, from it to Warren, and through a link that goes wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.interop.clients import need
from tests.plugins.shovel.brokers import edge, fill, set_shovel, take, until, until_state
from tests.plugins.shovel.test_faults import arrived as arrived_over_amqp
from tests.support.faulty_link import LOOPBACK, Faults, faulty_link
from tests.support.killed_brokers import Place, Publisher
from tests.support.mosquitto import Mosquitto, mosquitto, mosquitto_path
from warren.adapters.mqtt.client.connection import MqttLogin
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.mqtt.client.uri import parse_mqtt_uri
from warren.adapters.mqtt.codec.packets import Publish, Subscription
from warren.core.messages.properties import encode_properties
from warren.gateway.peers.mqtt import MqttPeer, connect_mqtt

BODIES = [b"%d" % number for number in range(1000)]


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Mosquitto]:
    need(mosquitto_path() is not None, "mosquitto")
    with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def url(far: Mosquitto) -> str:
    return f"mqtt://{LOOPBACK}:{far.port}"


@asynccontextmanager
async def client(url: str, client_id: str, *, clean_start: bool = True) -> AsyncIterator[MqttPeer]:
    async with trio.open_nursery() as peers:
        login = MqttLogin(client_id, clean_start=clean_start, session_expiry_s=1000)
        peer = await connect_mqtt(peers, parse_mqtt_uri(url), login, ClientMemory())
        try:
            yield peer
        finally:
            await peer.aclose()


async def arrived(peer: MqttPeer, count: int) -> list[Publish]:
    """The next messages, acknowledged."""
    found: list[Publish] = []
    while len(found) < count:
        while not peer.connection.arrived:
            await peer.progress()
        found.append(peer.connection.arrived.popleft())
        peer.connection.acknowledge(found[-1])
        peer.flush()
    return found


async def publish(peer: MqttPeer, packets: list[Publish]) -> None:
    """Publish, and wait until all are taken over."""
    for packet in packets:
        peer.connection.publish(packet)
    peer.flush()
    sending = peer.connection.sending
    while len(sending.settled) < len(packets):
        await peer.progress()
    assert all(settled.refused is None for settled in sending.settled)
    sending.settled.clear()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_from_a_queue_to_topics(url: str, qos: int, version: str) -> None:
    async with client(url, "reader") as reader, edge() as broker, broker.connect() as here:
        await reader.subscribe(Subscription("site/7/#", 2))
        await fill(here, "out", BODIES)
        await here.bind_queue("out", "amq.topic", "house.*")
        await here.publish("amq.topic", "house.hall", b"last")
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="mqtt",
            dest_uri=url,
            dest_topic="site/7/{topic}",
            dest_qos=qos,
            dest_mqtt_version=version,
        )
        found = await arrived(reader, len(BODIES) + 1)
        assert [message.payload for message in found] == [*BODIES, b"last"]
        assert {message.qos for message in found} == {qos}
        assert found[0].topic == "site/7/out"
        assert found[-1].topic == "site/7/house/hall"
        await until(lambda: broker.inspect("queues")[0]["messages"] == 0)


@pytest.mark.parametrize("mode", ["on-publish", "no-ack"])
async def test_modes_that_wait_for_no_confirm_go_on_beyond_the_prefetch(url: str, mode: str) -> None:
    async with client(url, "writer") as writer, edge() as broker, broker.connect() as here:
        await set_shovel(
            broker,
            src_protocol="mqtt",
            src_uri=url,
            src_topics="a/#",
            src_prefetch_count=10,
            dest_uri="amqp://",
            dest_queue="in",
            ack_mode=mode,
        )
        await until_state(broker, "running")
        await publish(writer, [Publish("a/1", body, 1) for body in BODIES[:100]])
        assert await take(here, "in", 100) == BODIES[:100]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_from_topics_to_a_queue(url: str, qos: int, version: str) -> None:
    async with client(url, "writer") as writer, edge() as broker, broker.connect() as here:
        await set_shovel(
            broker,
            src_protocol="mqtt",
            src_uri=url,
            src_topics=["a/#", "b/+"],
            src_qos=qos,
            src_mqtt_version=version,
            dest_uri="amqp://",
            dest_queue="in",
        )
        await until_state(broker, "running")
        await publish(writer, [Publish("a/1", body, 2) for body in BODIES] + [Publish("c", b"no", 1)])
        assert await take(here, "in", len(BODIES)) == BODIES
        await publish(writer, [Publish("b/2", b"last", 1)])
        assert await take(here, "in", 1) == [b"last"]


async def test_topics_retain_flags_and_properties_come_over(url: str) -> None:
    async with client(url, "both") as peer, edge() as broker, broker.connect() as here:
        await here.declare_queue("in", durable=True)
        await here.bind_queue("in", "amq.topic", "a.#")
        await publish(peer, [Publish("a/kept", b"kept", 1, retain=True)])
        await set_shovel(broker, "in", src_protocol="mqtt", src_uri=url, src_topics="a/#", dest_uri="amqp://")
        await set_shovel(
            broker,
            "round",
            src_protocol="mqtt",
            src_uri=url,
            src_topics="a/#",
            dest_protocol="mqtt",
            dest_uri=url,
            dest_topic="copy/{topic}",
        )
        await until_state(broker, "running", name="in")
        await until_state(broker, "running", name="round")
        rich = Publish(
            "a/rich",
            b"rich",
            2,
            properties={
                "content_type": "text/plain",
                "user_properties": [("k", "1"), ("k", "2")],
                "correlation_data": b"c",
                "message_expiry_interval": 100,
            },
        )
        await peer.subscribe(Subscription("copy/#", 2, retain_as_published=True))
        await publish(peer, [rich])
        found = {message.topic: message for message in await arrived(peer, 2)}
        assert found["copy/a/kept"].payload == b"kept"
        assert found["copy/a/kept"].retain
        assert not found["copy/a/rich"].retain
        properties = found["copy/a/rich"].properties
        assert properties["user_properties"] == [("k", "1"), ("k", "2")]
        assert properties["content_type"] == "text/plain"
        assert properties["correlation_data"] == b"c"
        assert 90 <= properties["message_expiry_interval"] <= 100
        async with here.consume("in") as deliveries:
            kept, rich_here = await anext(deliveries), await anext(deliveries)
        assert (kept.routing_key, kept.body) == ("a.kept", b"kept")
        assert (rich_here.exchange, rich_here.routing_key) == ("amq.topic", "a.rich")
        assert rich_here.properties == encode_properties(
            content_type="text/plain", headers={"k": "2"}, delivery_mode=2, correlation_id="c", expiration="100000"
        )


async def test_what_comes_while_the_shovel_is_away_waits_at_mosquitto(url: str) -> None:
    keys = {"src_protocol": "mqtt", "src_uri": url, "src_topics": "a/#", "dest_uri": "amqp://", "dest_queue": "in"}
    async with client(url, "writer") as writer:
        async with edge() as broker:
            await set_shovel(broker, src_client_id="fixed", **keys)
            await until_state(broker, "running")
        await publish(writer, [Publish("a/1", body, 1) for body in BODIES])
        async with edge() as broker, broker.connect() as here:
            await set_shovel(broker, src_client_id="fixed", **keys)
            await until_state(broker, "running")
            assert await take(here, "in", len(BODIES)) == BODIES


@pytest.mark.parametrize("qos", [1, 2])
async def test_to_it_over_a_link_that_goes_wrong(far: Mosquitto, url: str, qos: int) -> None:
    async with faulty_link(11) as link, client(url, "reader") as reader, edge() as broker, broker.connect() as here:
        link.target = (LOOPBACK, far.port)
        link.faults = Faults(bytes_max=4_000)
        await reader.subscribe(Subscription("out", 2))
        await fill(here, "out", BODIES)
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="mqtt",
            dest_uri=f"mqtt://{LOOPBACK}:{link.port}?keep_alive=1&connection_timeout=2000",
            dest_qos=qos,
        )
        seen: list[bytes] = []
        while set(seen) != set(BODIES):
            seen += [message.payload for message in await arrived(reader, 1)]
            if len(seen) > 300:
                link.heal()
        assert list(dict.fromkeys(seen)) == BODIES, "what comes again comes behind, nothing overtakes"
        assert sum(link.happened.values()) > 0


@pytest.mark.parametrize("qos", [1, 2])
async def test_from_it_over_a_link_that_goes_wrong(far: Mosquitto, url: str, qos: int) -> None:
    async with faulty_link(12) as link, client(url, "writer") as writer, edge() as broker, broker.connect() as here:
        link.target = (LOOPBACK, far.port)
        await set_shovel(
            broker,
            src_protocol="mqtt",
            src_uri=f"mqtt://{LOOPBACK}:{link.port}?keep_alive=1&connection_timeout=2000",
            src_topics="a",
            src_qos=qos,
            dest_uri="amqp://",
            dest_queue="in",
        )
        await until_state(broker, "running")
        link.faults = Faults(bytes_max=8_000)
        for start in range(0, len(BODIES), 100):
            await publish(writer, [Publish("a", body, qos) for body in BODIES[start : start + 100]])
        link.heal()
        seen: list[bytes] = []
        while set(seen) != set(BODIES):
            seen += await take(here, "in", 1)
        if qos == 2:
            assert seen == BODIES, "exactly once, since the shovel remembers what it has"
        else:
            assert list(dict.fromkeys(seen)) == BODIES


async def test_who_isnt_let_in_is_told(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    passwords.chmod(0o600)
    with mosquitto(tmp_path, ["allow_anonymous false", f"password_file {passwords}"]) as running:
        async with edge() as broker:
            await set_shovel(
                broker,
                src_uri="amqp://",
                src_queue="out",
                dest_protocol="mqtt",
                dest_uri=f"mqtt://u:wr0ng@{LOOPBACK}:{running.port}",
            )
            found = await until_state(broker, "terminated", "refused the login: Not authorized (0x87)")
            assert "wr0ng" not in str(found)


class EdgeProcess:
    """An edge with its shovel and its data directory, that is killed and started again."""

    def __init__(self, directory: Path, definition: dict[str, object]) -> None:
        shovel = json.dumps({"s": {**definition, "reconnect-delay": 0.05}})
        self.place = Place(directory, "--set", "plugins=shovel", "--set", f"shovel_static={shovel}")
        self.address = ("", 0)

    async def start(self) -> None:
        self.address = await self.place.start()

    async def restart(self) -> None:
        await self.place.kill()
        await self.start()


@pytest.mark.limits(seconds=240)
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("down", [False, True], ids=["to it", "from it"])
async def test_both_sides_end_and_the_link_goes_wrong(tmp_path: Path, down: bool, qos: int) -> None:
    """Warren is killed; Mosquitto, which writes what it keeps when it ends in good order, is stopped so."""
    need(mosquitto_path() is not None, "mosquitto")
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o777)
    lines = ["persistence true", f"persistence_location {kept}/", "max_inflight_messages 50"]
    async with faulty_link(21) as link, trio.open_nursery() as peers:
        with mosquitto(tmp_path, lines) as far:
            far_url = f"mqtt://{LOOPBACK}:{far.port}"
            link.target = (LOOPBACK, far.port)
            uri = f"mqtt://{LOOPBACK}:{link.port}?keep_alive=1&connection_timeout=2000"
            way: dict[str, object] = (
                {
                    "src-protocol": "mqtt",
                    "src-uri": uri,
                    "src-topics": "out",
                    "src-qos": qos,
                    "src-client-id": "other",
                    "dest-uri": "amqp://",
                    "dest-queue": "in",
                }
                if down
                else {
                    "src-uri": "amqp://",
                    "src-queue": "out",
                    "dest-protocol": "mqtt",
                    "dest-uri": uri,
                    "dest-qos": qos,
                }
            )
            # Whoever takes the messages has a session before the first one comes.
            async with client(far_url, "other", clean_start=False) as taker:
                await taker.subscribe(Subscription("out", 2))
            edge_process = EdgeProcess(tmp_path / "edge", way)
            try:
                await edge_process.start()
                publisher = Publisher("", "out", declares="out")
                wanted: set[int] = set()
                for number in range(4):
                    link.faults = Faults(bytes_max=4_000)
                    if down:
                        async with client(far_url, "writer") as writer:
                            numbers = range(100 * number, 100 * (number + 1))
                            await publish(writer, [Publish("out", b"%d" % each, qos) for each in numbers])
                        wanted |= set(numbers)
                    else:
                        await publisher.publish(peers, edge_process.address, 100)
                        wanted = set(publisher.confirmed)
                    if number % 2:
                        await trio.to_thread.run_sync(far.stop)
                        await trio.to_thread.run_sync(far.start)
                    else:
                        await edge_process.restart()
                await link.go_wrong()
                link.heal()
                assert len(wanted) == 400
                if down:
                    found = await arrived_over_amqp(peers, edge_process.address, wanted)
                else:
                    found = []
                    async with client(far_url, "other", clean_start=False) as taker:
                        while not wanted <= set(found):
                            found += [int(message.payload) for message in await arrived(taker, 1)]
                assert sum(link.happened.values()) > 0
                assert set(found) == wanted
            finally:
                edge_process.place.end()
