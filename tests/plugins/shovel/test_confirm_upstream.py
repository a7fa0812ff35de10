"""Publishes that are answered when the upstream has their messages, in every protocol and whatever becomes of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.plugins.shovel.brokers import ask, edge, set_shovel, take, until, until_state
from tests.plugins.shovel.publishers import (
    LISTEN,
    NOWHERE,
    PERSISTENT,
    PUBLISHERS,
    QUEUE,
    TOPIC,
    edge_with_queue,
    in_process,
    some_turns,
)
from warren.adapters.amqp091.client.uri import parse_uri
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.client.connection import MqttLogin
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.mqtt.client.uri import parse_mqtt_uri
from warren.adapters.mqtt.codec.packets import Publish
from warren.adapters.peers.errors import PeerError
from warren.gateway import open_broker
from warren.gateway.embedding import EmbeddedBroker
from warren.gateway.peers.amqp import connect_amqp
from warren.gateway.peers.mqtt import connect_mqtt
from warren.gateway.plugin import BrokerClient
from warren.plugins.shovel.plugin import static_shovels


async def shovel_to(broker: EmbeddedBroker, url: str, **more: Any) -> None:
    await set_shovel(
        broker, src_uri="amqp://", src_queue=QUEUE, dest_uri=url, dest_queue="in", confirm_upstream=True, **more
    )


async def waiting(here: BrokerClient, count: int) -> None:
    """So many messages are in the queue."""
    while (await here.check_queue(QUEUE)).messages < count:
        await trio.sleep(0.005)


async def answered(answers: list[object]) -> None:
    await until(lambda: answers)


@pytest.mark.parametrize("on_disk", [False, True], ids=["in memory", "on disk"])
@pytest.mark.parametrize("kind", PUBLISHERS)
async def test_the_answer_waits_for_the_upstream(kind: str, on_disk: bool, tmp_path: Path) -> None:
    async with edge_with_queue(tmp_path if on_disk else None) as (broker, here), open_broker() as upstream:
        await shovel_to(broker, NOWHERE)
        await until_state(broker, "terminated")
        async with PUBLISHERS[kind](broker) as publisher:
            for number in range(5):
                publisher.publish(b"%d" % number)
            await waiting(here, 5)
            await some_turns()
            assert publisher.told == []
            assert broker.inspect("shovels")[0]["withheld"] == 5
            await shovel_to(broker, upstream.url())
            await until(lambda: publisher.told == ["taken"] * 5)
        async with upstream.connect() as far:
            assert await take(far, "in", 5) == [b"%d" % number for number in range(5)]


@pytest.mark.parametrize("kind", PUBLISHERS)
async def test_without_it_the_local_disk_answers(kind: str, tmp_path: Path) -> None:
    async with edge_with_queue(tmp_path) as (broker, _):
        await set_shovel(broker, src_uri="amqp://", src_queue=QUEUE, dest_uri=NOWHERE, dest_queue="in")
        async with PUBLISHERS[kind](broker) as publisher:
            publisher.publish(b"1")
            await until(lambda: publisher.told == ["taken"])


async def test_a_transaction_waits_and_fails_as_a_whole() -> None:
    async with edge_with_queue() as (broker, here), open_broker() as upstream, trio.open_nursery() as peers:
        await shovel_to(broker, NOWHERE)
        await until_state(broker, "terminated")
        peer = await connect_amqp(peers, parse_uri(broker.url()), product="test", version="1", name="publisher")
        for then in ("purge", "upstream"):
            channel = peer.open_channel()
            await peer.ask(channel, methods.TxSelect(), methods.TxSelectOk)
            channel.publish("", QUEUE, PERSISTENT, b"1")
            channel.publish("", QUEUE, PERSISTENT, b"2")
            answers: list[object] = []
            channel.ask(methods.TxCommit(), methods.TxCommitOk, answers.append)
            peer.flush()
            await waiting(here, 2)
            await some_turns()
            assert answers == []
            if then == "purge":
                await here.purge_queue(QUEUE)
                await answered(answers)
                assert isinstance(answers[0], PeerError)
                assert answers[0].code == 406
            else:
                await shovel_to(broker, upstream.url())
                await answered(answers)
                assert isinstance(answers[0], methods.TxCommitOk)
        await peer.aclose()


async def test_a_device_that_comes_back_with_qos_2_is_answered_once_and_doubles_nothing() -> None:
    async with edge_with_queue() as (broker, here), open_broker() as upstream, trio.open_nursery() as peers:
        await shovel_to(broker, NOWHERE)
        await until_state(broker, "terminated")
        uri = parse_mqtt_uri("mqtt://guest:guest@{}:{}".format(*broker.address("mqtt")))
        login = MqttLogin("device", clean_start=False, session_expiry_s=100, user="guest", password="guest")
        for attempt in range(2):
            device = await connect_mqtt(peers, uri, login, ClientMemory())
            # The same packet identifier, the first one: for the broker it is the same message again.
            device.connection.publish(Publish(TOPIC, b"1", 2))
            device.flush()
            await waiting(here, 1)
            await some_turns()
            assert device.connection.sending.settled == []
            if not attempt:
                await device.aclose()
        assert (await here.check_queue(QUEUE)).messages == 1
        await shovel_to(broker, upstream.url())
        await until(lambda: [each.refused for each in device.connection.sending.settled] == [None])
        await device.aclose()


# What becomes of those that don't get there


async def purged(broker: EmbeddedBroker, here: BrokerClient) -> None:
    assert await here.purge_queue(QUEUE) == 1


async def deleted_queue(broker: EmbeddedBroker, here: BrokerClient) -> None:
    await here.delete_queue(QUEUE)


async def consumed_by_somebody_else(broker: EmbeddedBroker, here: BrokerClient) -> None:
    assert await take(here, QUEUE, 1) == [b"1"]


async def rejected(broker: EmbeddedBroker, here: BrokerClient) -> None:
    delivery = await here.get(QUEUE)
    assert delivery is not None
    delivery.reject()


async def deleted_shovel(broker: EmbeddedBroker, here: BrokerClient) -> None:
    assert (await ask(broker, "delete_shovel", "s"))["ok"]


async def cleared_parameter(broker: EmbeddedBroker, here: BrokerClient) -> None:
    assert (await ask(broker, "clear_parameter", "shovel", "s"))["ok"]


async def switched_off(broker: EmbeddedBroker, here: BrokerClient) -> None:
    await set_shovel(broker, src_uri="amqp://", src_queue=QUEUE, dest_uri=NOWHERE, dest_queue="in")


async def another_queue(broker: EmbeddedBroker, here: BrokerClient) -> None:
    await set_shovel(
        broker, src_uri="amqp://", src_queue="other", dest_uri=NOWHERE, dest_queue="in", confirm_upstream=True
    )


async def dropped_at_the_head(broker: EmbeddedBroker, here: BrokerClient) -> None:
    await shovel_to(broker, NOWHERE, buffer_max_length=1)
    here.publish_nowait("", QUEUE, b"2")


WAYS: list[Callable[[EmbeddedBroker, BrokerClient], Awaitable[None]]] = [
    purged,
    deleted_queue,
    consumed_by_somebody_else,
    rejected,
    deleted_shovel,
    cleared_parameter,
    switched_off,
    another_queue,
    dropped_at_the_head,
]


@pytest.mark.parametrize("leaves", WAYS)
@pytest.mark.parametrize("kind", PUBLISHERS)
async def test_what_never_gets_there_is_refused(
    kind: str, leaves: Callable[[EmbeddedBroker, BrokerClient], Awaitable[None]]
) -> None:
    async with edge_with_queue() as (broker, here):
        await shovel_to(broker, NOWHERE)
        await until_state(broker, "terminated")
        async with PUBLISHERS[kind](broker) as publisher, in_process(broker) as other:
            publisher.publish(b"1")
            await waiting(here, 1)
            await leaves(broker, here)
            if kind.startswith("MQTT 3"):
                # It has no word for no: the message stays unanswered, and is sent again on the next connection.
                await until(lambda: not broker._server.broker.chores)
                await some_turns()
                assert publisher.told == []
            else:
                await until(lambda: publisher.told == ["refused"])
            assert other.told == []


async def test_what_expires_is_refused_and_what_is_dead_lettered_too() -> None:
    async with edge_with_queue() as (broker, here):
        await here.declare_queue("dead", durable=True)
        assert (
            await ask(
                broker,
                "set_policy",
                "p",
                QUEUE,
                '{"message-ttl": 10, "dead-letter-exchange": "", "dead-letter-routing-key": "dead"}',
            )
        )["ok"]
        await shovel_to(broker, NOWHERE)
        await until_state(broker, "terminated")
        async with in_process(broker) as publisher:
            publisher.publish(b"1")
            await until(lambda: publisher.told == ["refused"])
        assert await take(here, "dead", 1) == [b"1"]


# Ends and beginnings


async def test_a_changed_shovel_keeps_who_waits() -> None:
    async with edge_with_queue() as (broker, here), open_broker() as upstream:
        await shovel_to(broker, NOWHERE)
        await until_state(broker, "terminated")
        async with in_process(broker) as publisher:
            publisher.publish(b"1")
            await waiting(here, 1)
            await shovel_to(broker, NOWHERE, buffer_max_length=100)
            assert (await ask(broker, "restart_shovel", "s"))["ok"]
            await until_state(broker, "terminated")
            assert publisher.told == []
            await shovel_to(broker, upstream.url())
            await until(lambda: publisher.told == ["taken"])


async def test_after_a_restart_it_counts_from_the_first_publish_on(tmp_path: Path) -> None:
    async with edge_with_queue(tmp_path) as (broker, here), in_process(broker) as gone:
        await shovel_to(broker, NOWHERE)
        await until_state(broker, "terminated")
        gone.publish(b"1")
        await waiting(here, 1)
        await some_turns()
    assert gone.told == ["refused"], "the client was closed with the broker"
    async with edge(tmp_path, listen=LISTEN) as broker, open_broker() as upstream:
        assert broker._server.broker.vhost("/").buffers.keys() == {QUEUE}
        async with in_process(broker) as publisher:
            publisher.publish(b"2")
            await some_turns()
            assert publisher.told == []
            await shovel_to(broker, upstream.url())
            await until(lambda: publisher.told == ["taken"])
        async with upstream.connect() as far:
            assert await take(far, "in", 2) == [b"1", b"2"]


async def test_a_shovel_of_the_configuration_ends_with_that(tmp_path: Path) -> None:
    static = {
        "up": {
            "src-uri": "amqp://",
            "src-queue": QUEUE,
            "dest-uri": NOWHERE,
            "dest-queue": "in",
            "confirm-upstream": True,
        }
    }
    async with edge(tmp_path, shovel_static=static_shovels(static)) as broker:
        assert broker._server.broker.vhost("/").buffers.keys() == {QUEUE}
        await until_state(broker, "terminated", name="up")
    async with edge(tmp_path) as broker:
        assert broker._server.broker.vhost("/").buffers == {}
        async with in_process(broker) as publisher:
            publisher.publish(b"1")
            await until(lambda: publisher.told == ["taken"])


async def test_a_publisher_that_is_gone_is_told_nothing() -> None:
    async with edge_with_queue() as (broker, here), open_broker() as upstream:
        await shovel_to(broker, NOWHERE)
        await until_state(broker, "terminated")
        for number, connected in enumerate(PUBLISHERS.values(), 1):
            async with connected(broker) as publisher:
                publisher.publish(b"1")
                # Who goes before it is there may take it along.
                await waiting(here, number)
        await shovel_to(broker, upstream.url())
        await until_state(broker, "running")
        async with upstream.connect() as far:
            assert len(await take(far, "in", len(PUBLISHERS))) == len(PUBLISHERS)
        await until_state(broker, "running")


async def test_what_the_upstream_refuses_waits_until_it_takes_it() -> None:
    async with edge_with_queue() as (broker, _), open_broker() as upstream, upstream.connect() as far:
        await far.declare_queue("in", durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        await shovel_to(broker, upstream.url(), dest_predeclared=True)
        await until_state(broker, "running")
        async with in_process(broker) as publisher:
            for number in range(2):
                publisher.publish(b"%d" % number)
            await until_state(broker, "blocked")
            # The status says so at once, and the publisher is told in the broker's next turn.
            await until(lambda: publisher.told)
            assert publisher.told == ["taken"]
            assert await take(far, "in", 2) == [b"0", b"1"]
            await until(lambda: publisher.told == ["taken", "taken"])


async def test_two_shovels_cant_have_one_buffer() -> None:
    async with edge_with_queue() as (broker, _):
        await shovel_to(broker, NOWHERE)
        await until_state(broker, "terminated", "can't be reached")
        await set_shovel(
            broker, "t", src_uri="amqp://", src_queue=QUEUE, dest_uri=NOWHERE, dest_queue="in", confirm_upstream=True
        )
        await until_state(broker, "terminated", "is the buffer of shovel 's'", name="t")
        assert (await ask(broker, "delete_shovel", "s"))["ok"]
        await until_state(broker, "terminated", "can't be reached", name="t")


async def test_a_crashed_plugin_keeps_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async with edge_with_queue() as (broker, here):
        await shovel_to(broker, NOWHERE)
        await until_state(broker, "terminated")
        async with in_process(broker) as publisher:
            publisher.publish(b"1")
            await waiting(here, 1)
            (supervised,) = broker._server.plugins.plugins  # type: ignore[union-attr]
            plugin = supervised._instance
            crashed = trio.Event()

            def crash(*arguments: object) -> None:
                crashed.set()
                raise RuntimeError("a bug")

            monkeypatch.setattr(plugin, "_begin", crash)
            await ask(
                broker,
                "set_parameter",
                "shovel",
                "other",
                '{"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://"}',
            )
            await crashed.wait()
            await until(lambda: supervised.restarts == 1 and supervised.state == "running")
            await until_state(broker, "terminated")
            assert publisher.told == []
            assert (await ask(broker, "delete_shovel", "s"))["ok"]
            await until(lambda: publisher.told == ["refused"])
