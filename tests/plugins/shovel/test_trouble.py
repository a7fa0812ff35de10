"""Peers, queues and messages that make trouble: a reason in words, no hot loop, and recovery without help."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import trio

from tests.plugins.shovel.brokers import PERSISTENT, ask, edge, fill, set_shovel, status, take, until, until_state
from tests.support.faulty_link import LOOPBACK, Faults, faulty_link
from warren.adapters.amqp091.connection import Connection
from warren.adapters.mqtt.client.connection import MqttLogin
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.mqtt.client.uri import parse_mqtt_uri
from warren.adapters.mqtt.codec.packets import Publish, Subscription
from warren.core.errors import PreconditionFailed
from warren.core.messages.properties import encode_properties
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.embedding import EmbeddedBroker
from warren.gateway.peers.mqtt import connect_mqtt
from warren.plugins.shovel import mqtt_ends

BODIES = [b"%d" % number for number in range(200)]


async def to_upstream(broker: EmbeddedBroker, url: str, **more: Any) -> None:
    await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri=url, dest_queue="in", **more)


async def word(broker: EmbeddedBroker, command: str, *arguments: str, **options: str) -> None:
    answer = await ask(broker, command, *arguments, **options)
    assert answer["ok"], answer


# Peers


@asynccontextmanager
async def silent_peer() -> AsyncIterator[str]:
    """Somebody who takes connections and says nothing."""
    async with trio.open_nursery() as nursery:

        async def serve(stream: trio.SocketStream) -> None:
            while await stream.receive_some():
                pass

        listeners = await nursery.start(
            trio.serve_tcp,
            serve,
            0,
        )
        port = listeners[0].socket.getsockname()[1]
        yield f"{LOOPBACK}:{port}"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("scheme", ["amqp", "mqtt", "stomp"])
async def test_a_peer_that_never_answers(scheme: str) -> None:
    async with silent_peer() as address, edge() as broker:
        keys: dict[str, Any] = {"dest_protocol": "amqp091" if scheme == "amqp" else scheme}
        if scheme == "stomp":
            keys["dest_destination"] = "/queue/in"
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_uri=f"{scheme}://{address}?connection_timeout=100",
            **keys,
        )
        await until_state(broker, "terminated", "didn't answer within 0.1 s")


async def test_a_half_open_connection_is_given_up_and_the_shovel_runs_again() -> None:
    async with faulty_link(3) as link, open_broker() as upstream, edge() as broker, broker.connect() as here:
        link.target = upstream.address()
        link.faults = Faults(bytes_max=20_000, ways=("stall",))
        await to_upstream(broker, f"amqp://{LOOPBACK}:{link.port}?heartbeat=1&connection_timeout=1000")
        await fill(here, "out", BODIES)
        for _ in range(40):
            await here.publish("", "out", bytes(1000), PERSISTENT)
        await until(lambda: link.happened["stall"])
        await until_state(broker, "terminated", "silent")
        link.heal()
        async with upstream.connect() as far:
            found: list[bytes] = []
            while not {*BODIES, bytes(1000)} <= set(found):
                found += await take(far, "in", 1)
        assert [body for body in dict.fromkeys(found) if len(body) < 1000] == BODIES


async def test_an_upstream_that_vanishes_in_the_middle_of_a_message() -> None:
    body = bytes(1024 * 1024)
    async with faulty_link(4) as link, open_broker() as upstream, edge() as broker, broker.connect() as here:
        link.target = upstream.address()
        link.faults = Faults(bytes_max=700_000, ways=("cut", "reset"))
        await fill(here, "out", [body])
        await to_upstream(broker, f"amqp://{LOOPBACK}:{link.port}")
        await until(lambda: link.happened["cut"] + link.happened["reset"] >= 3)
        link.heal()
        async with upstream.connect() as far:
            await until(lambda: not any(row["messages"] for row in broker.inspect("queues")))
            assert (await far.check_queue("in")).messages == 1, "nothing of what was cut counts"
            assert await take(far, "in", 1) == [body]


@pytest.mark.parametrize("there", ["source", "destination"])
async def test_a_peer_with_smaller_frames(there: str) -> None:
    body = bytes(range(256)) * 400
    small = Config(in_memory=True).replace(frame_max=4096)
    async with (
        open_broker(config=small) as upstream,
        edge() as broker,
        broker.connect() as here,
        upstream.connect() as far,
    ):
        source, destination = (far, here) if there == "source" else (here, far)
        await fill(source, "out", [body, b"", b"1"])
        urls = [upstream.url(), "amqp://"] if there == "source" else ["amqp://", upstream.url()]
        await set_shovel(broker, src_uri=urls[0], src_queue="out", dest_uri=urls[1], dest_queue="in")
        await until_state(broker, "running")
        assert await take(destination, "in", 3) == [body, b"", b"1"]


async def test_credentials_that_change_while_it_runs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_broker() as upstream, edge() as broker, broker.connect() as here:
        await word(upstream, "add_user", "bob", "f1rst")
        await word(upstream, "set_permissions", "bob", ".*", ".*", ".*")
        await to_upstream(broker, upstream.url().replace("//", "//bob:f1rst@"))
        await until_state(broker, "running")
        await word(upstream, "change_password", "bob", "s3cond")
        await word(upstream, "close_all_user_connections", "bob", "by hand")
        found = await until_state(broker, "terminated", "ACCESS_REFUSED")
        await fill(here, "out", BODIES)
        await to_upstream(broker, upstream.url().replace("//", "//bob:s3cond@"))
        async with upstream.connect() as far:
            await until_state(broker, "running")
            assert await take(far, "in", len(BODIES)) == BODIES
        for secret in ("f1rst", "s3cond"):
            assert secret not in str(found)
            assert secret not in str(await status(broker))
            assert secret not in caplog.text


async def test_a_virtual_host_that_is_deleted_and_comes_back() -> None:
    async with open_broker() as upstream, edge() as broker, broker.connect() as here:
        await word(upstream, "add_vhost", "v")
        await word(upstream, "set_permissions", "guest", ".*", ".*", ".*", vhost="v")
        await to_upstream(broker, upstream.url() + "/v")
        await until_state(broker, "running")
        await word(upstream, "delete_vhost", "v")
        await until_state(broker, "terminated", "v")
        await fill(here, "out", BODIES)
        await word(upstream, "add_vhost", "v")
        await word(upstream, "set_permissions", "guest", ".*", ".*", ".*", vhost="v")
        await until_state(broker, "running")
        async with upstream.connect(vhost="v") as far:
            assert await take(far, "in", len(BODIES)) == BODIES


async def test_a_uri_with_an_unknown_parameter_is_refused_by_name() -> None:
    async with edge() as broker:
        value = '{"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://h?hartbeat=1"}'
        answer = await ask(broker, "set_parameter", "shovel", "s", value)
        assert not answer["ok"]
        assert "unknown parameter 'hartbeat': did you mean 'heartbeat'?" in str(answer)


async def test_an_mqtt_broker_that_answers_nothing_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """RabbitMQ and Warren say nothing over MQTT 3.1.1 where a full queue refuses a message."""
    monkeypatch.setattr(mqtt_ends, "SILENT_S", 0.1)
    async with (
        open_broker(listen=("mqtt=127.0.0.1:0",)) as upstream,
        edge() as broker,
        broker.connect() as here,
        upstream.connect() as far,
    ):
        await far.declare_queue("in", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        await far.bind_queue("in", "amq.topic", "out")
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="mqtt",
            dest_uri="mqtt://guest:guest@{}:{}".format(*upstream.address("mqtt")),
            dest_mqtt_version="3.1.1",
        )
        await until_state(broker, "running")
        await fill(here, "out", [b"1", b"2"])
        await until_state(broker, "blocked", "answers nothing")
        assert await take(far, "in", 1) == [b"1"]
        await word(broker, "restart_shovel", "s")
        assert await take(far, "in", 1) == [b"2"]
        await until_state(broker, "running")


async def test_retain_flags_and_qos_2_cross_a_bridge() -> None:
    listen = ("mqtt=127.0.0.1:0",)
    async with open_broker(listen=listen) as one, open_broker(listen=listen) as other, edge() as broker:
        urls = ["mqtt://guest:guest@{}:{}".format(*each.address("mqtt")) for each in (one, other)]
        await set_shovel(
            broker,
            src_protocol="mqtt",
            src_uri=urls[0],
            src_topics="#",
            src_qos=2,
            dest_protocol="mqtt",
            dest_uri=urls[1],
            dest_qos=2,
            dest_topic="site/{topic}",
        )
        await until_state(broker, "running")
        async with trio.open_nursery() as peers:
            login = MqttLogin("both", user="guest", password="guest")
            there = await connect_mqtt(peers, parse_mqtt_uri(urls[1]), login, ClientMemory())
            await there.subscribe(Subscription("site/#", 2, retain_as_published=True))
            here = await connect_mqtt(peers, parse_mqtt_uri(urls[0]), login, ClientMemory())
            for retain in (True, False):
                here.connection.publish(Publish(f"t/{retain}", b"m", 2, retain=retain))
            here.flush()
            arrived = there.connection.arrived
            await until(lambda: len(arrived) == 2)
            assert [(each.topic, each.qos, each.retain) for each in arrived] == [
                ("site/t/True", 2, True),
                ("site/t/False", 2, False),
            ]
            late = await connect_mqtt(peers, parse_mqtt_uri(urls[1]), replace(login, client_id="late"), ClientMemory())
            await late.subscribe(Subscription("site/#", 2))
            await until(lambda: len(late.connection.arrived) == 1)
            assert late.connection.arrived[0].topic == "site/t/True", "it is retained there"
            for peer in (here, there, late):
                await peer.aclose()


async def test_what_a_source_delivers_again_is_known_by_its_id() -> None:
    async with faulty_link(5) as link, open_broker() as upstream, edge() as broker, broker.connect() as here:
        async with upstream.connect() as far:
            await far.declare_queue("out", durable=True)
            for number in range(600):
                properties = encode_properties(delivery_mode=2, message_id=str(number))
                await far.publish("", "out", b"%d" % number, properties)
        link.target = upstream.address()
        link.faults = Faults(bytes_max=20_000, ways=("cut", "reset"))
        url = f"amqp://{LOOPBACK}:{link.port}"
        await set_shovel(broker, src_uri=url, src_queue="out", dest_uri="amqp://", dest_queue="in")
        await until(lambda: sum(link.happened.values()) >= 5)
        link.heal()
        await until(lambda: not any(row["messages"] for row in upstream.inspect("queues")))
        await until_state(broker, "running")
        found = await take(here, "in", (await here.check_queue("in")).messages)
        assert sorted(map(int, found)) == list(range(600)), "each once"


@pytest.mark.parametrize("end", ["source", "destination"])
async def test_a_channel_that_is_closed_alone_is_opened_anew(end: str) -> None:
    """As by an acknowledgement that took too long (406), which leaves the connection open."""
    async with open_broker() as far, edge() as broker, broker.connect() as here, far.connect() as there:
        await there.declare_queue("out", durable=True)
        await here.declare_queue("out", durable=True)
        host, port = far.address()
        url = f"amqp://{host}:{port}"
        keys = {"src_uri": url, "dest_uri": "amqp://"}
        if end == "destination":
            keys = {"src_uri": "amqp://", "dest_uri": url}
        await set_shovel(broker, src_queue="out", dest_queue="in", **keys)
        source, destination = (there, here) if end == "source" else (here, there)
        for round in range(2):
            await until_state(broker, "running")
            await fill(source, "out", BODIES)
            while (await destination.check_queue("in")).messages < (round + 1) * len(BODIES):
                await trio.sleep(0.005)
            (channel,) = [
                channel
                for session in far._server.broker.sessions
                if isinstance(session, Connection)
                for channel in session.channels.by_number.values()
            ]
            channel.fail(PreconditionFailed("delivery acknowledgement on channel 1 timed out"), 0, 0)
            assert far._server._run is not None
            far._server._run.hub.settle()
            await until_state(broker, "terminated", "timed out")
        await until_state(broker, "running")
        await fill(source, "out", [b"last"])
        while (await destination.check_queue("in")).messages <= 2 * len(BODIES):
            await trio.sleep(0.005)
        found = await take(destination, "in", (await destination.check_queue("in")).messages)
        assert set(found) == {*BODIES, b"last"}


# Users


async def test_who_declared_it_may_go_but_not_whom_the_uri_names() -> None:
    async with edge() as broker, broker.connect() as here:
        for user in ("admin", "mover"):
            await word(broker, "add_user", user, "secret")
            await word(broker, "set_user_tags", user, "administrator")
            await word(broker, "set_permissions", user, ".*", ".*", ".*")
        await set_shovel(broker, "own", src_uri="amqp://", src_queue="a", dest_uri="amqp://", dest_queue="b")
        await set_shovel(broker, "as", src_uri="amqp://mover@", src_queue="c", dest_uri="amqp://", dest_queue="d")
        await until_state(broker, "running", name="own")
        await until_state(broker, "running", name="as")
        await word(broker, "delete_user", "admin")
        await word(broker, "delete_user", "mover")
        await until_state(broker, "terminated", "mover", name="as")
        await fill(here, "a", BODIES)
        assert await take(here, "b", len(BODIES)) == BODIES
        assert (await status(broker, "own"))["state"] == "running"
        await word(broker, "add_user", "mover", "secret")
        await word(broker, "set_permissions", "mover", ".*", ".*", ".*")
        await until_state(broker, "running", name="as")
