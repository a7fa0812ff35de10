"""What is published at one node reaches the own queues of the others: once, and only where somebody is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.support.interested_brokers import Bus, Interested, agreed, interested_brokers
from tests.support.tls_broker import run_of
from warren.adapters.direct.errors import Refused, Unroutable
from warren.core.errors import BrokerError
from warren.core.messages.properties import EMPTY, encode_properties
from warren.gateway.client.client import BrokerClient

PERSISTENT = encode_properties(delivery_mode=2)


@asynccontextmanager
async def clients(nodes: list[Interested]) -> AsyncIterator[list[BrokerClient]]:
    """A client of each."""
    async with trio.open_nursery() as nursery:
        found: list[BrokerClient] = []
        done = trio.Event()

        async def one(node: Interested, *, task_status: trio.TaskStatus[BrokerClient]) -> None:
            async with node.broker.connect() as client:
                task_status.started(client)
                await done.wait()

        for node in nodes:
            found.append(await nursery.start(one, node))
        yield found
        done.set()


async def bodies(client: BrokerClient, queue: str) -> list[bytes]:
    """All that is in a queue, in order."""
    found = []
    while (delivery := await client.get(queue, no_ack=True)) is not None:
        found.append(delivery.body)
    return found


async def everywhere(nodes: list[BrokerClient], name: str, type_name: str) -> None:
    """What is shared is on all nodes, here without a cluster's definitions."""
    for client in nodes:
        await client.declare_exchange(name, type_name, durable=True)


async def test_a_message_crosses_once_to_each_node_that_wants_it() -> None:
    async with interested_brokers(3) as nodes, clients(nodes) as (a, b, c):
        for client, names in ((a, ["a1"]), (b, ["b1", "b2"]), (c, [])):
            for name in names:
                await client.declare_queue(name, exclusive=True)
                await client.bind_queue(name, "amq.topic", "t.#")
                await client.bind_queue(name, "amq.topic", "t.1")
        await c.declare_queue("other", exclusive=True)
        await c.bind_queue("other", "amq.topic", "u")
        await agreed(*nodes)
        for number in range(50):
            await a.publish("amq.topic", "t.1", b"%d" % number, PERSISTENT)
        expected = [b"%d" % number for number in range(50)]
        assert await bodies(a, "a1") == expected
        assert await bodies(b, "b1") == expected
        assert await bodies(b, "b2") == expected
        assert await bodies(c, "other") == []
        beyond = run_of(nodes[0].broker).broker.vhosts["/"].beyond
        assert beyond is not None
        crossed = {name: audience.far.publish([]) for name, audience in beyond.audiences.items()}
        assert crossed == {"b": 50, "c": 0}


@pytest.mark.parametrize("type_name", ["direct", "fanout", "topic", "headers", "x-recent-history"])
async def test_exchanges_of_all_types_that_do_not_pick(type_name: str) -> None:
    async with interested_brokers(2) as nodes, clients(nodes) as (a, b):
        await everywhere([a, b], "x", type_name)
        await b.declare_queue("q", exclusive=True)
        await b.bind_queue("q", "x", "key", {"x-match": "all", "colour": "red"} if type_name == "headers" else {})
        await agreed(*nodes)
        await a.publish("x", "key", b"yes", encode_properties(headers={"colour": "red"}))
        assert await bodies(b, "q") == [b"yes"]
        if type_name in ("direct", "topic", "headers"):
            with pytest.raises(Unroutable):
                await a.publish("x", "no", b"no", encode_properties(headers={"colour": "green"}), mandatory=True)


async def test_through_bindings_of_exchanges_and_an_alternate_exchange() -> None:
    async with interested_brokers(2) as nodes, clients(nodes) as (a, b):
        for client in (a, b):
            await client.declare_exchange("rest", "fanout", durable=True)
            await client.declare_exchange("in", "direct", durable=True, arguments={"alternate-exchange": "rest"})
            await client.declare_exchange("out", "topic", durable=True)
            await client.bind_exchange("out", "in", "k")
        await b.declare_queue("q", exclusive=True)
        await b.bind_queue("q", "out", "k")
        await b.declare_queue("unrouted", exclusive=True)
        await b.bind_queue("unrouted", "rest")
        await b.declare_exchange("own", "fanout", auto_delete=True)
        await b.bind_exchange("own", "in", "k")
        await b.bind_queue("q", "own")
        await agreed(*nodes)
        await a.publish("in", "k", b"bound")
        await a.publish("in", "elsewhere", b"unrouted")
        assert await bodies(b, "q") == [b"bound"]
        assert await bodies(b, "unrouted") == [b"unrouted"]


async def test_shared_queues_do_not_get_it_twice() -> None:
    async with interested_brokers(2) as nodes, clients(nodes) as (a, b):
        for client in (a, b):
            await client.declare_queue("shared", durable=True)
            await client.bind_queue("shared", "amq.fanout")
        await b.declare_queue("own", exclusive=True)
        await b.bind_queue("own", "amq.fanout")
        await agreed(*nodes)
        await a.publish("amq.fanout", "", b"m")
        assert await bodies(b, "own") == [b"m"]
        assert await bodies(b, "shared") == []
        assert await bodies(a, "shared") == [b"m"]


async def test_further_keys_of_a_message() -> None:
    async with interested_brokers(2) as nodes, clients(nodes) as (a, b):
        await b.declare_queue("q", exclusive=True)
        for key in ("copy", "hidden"):
            await b.bind_queue("q", "amq.direct", key)
        await agreed(*nodes)
        await a.publish("amq.direct", "none", b"1", encode_properties(headers={"CC": ["copy"]}))
        await a.publish("amq.direct", "none", b"2", encode_properties(headers={"BCC": ["hidden"]}))
        assert await bodies(b, "q") == [b"1", b"2"]


async def test_a_reply_finds_a_queue_by_its_name() -> None:
    async with interested_brokers(2) as nodes, clients(nodes) as (a, b):
        name = (await a.declare_queue(exclusive=True)).name
        await agreed(*nodes)
        await b.publish("", name, b"reply", mandatory=True)
        assert await bodies(a, name) == [b"reply"]
        await a.delete_queue(name)
        await agreed(*nodes)
        with pytest.raises(Unroutable):
            await b.publish("", name, b"reply", mandatory=True)


async def test_what_goes_is_wanted_no_more() -> None:
    async with interested_brokers(2) as nodes, clients(nodes) as (a, b):
        await everywhere([a, b], "x", "topic")
        for name in ("q1", "q2"):
            await b.declare_queue(name, exclusive=True)
            await b.bind_queue(name, "x", "k")
        await b.unbind_queue("q1", "x", "k")
        await agreed(*nodes)
        await a.publish("x", "k", b"1", mandatory=True)
        await b.delete_queue("q2")
        await agreed(*nodes)
        with pytest.raises(Unroutable):
            await a.publish("x", "k", b"2", mandatory=True)
        await b.bind_queue("q1", "x", "k")
        await b.delete_exchange("x")
        await agreed(*nodes)
        assert all(each.exchange == "" for each in nodes[1].interest.own.interests)


async def test_a_very_large_number_of_bindings_at_once() -> None:
    async with interested_brokers(2) as nodes, clients(nodes) as (a, b):
        await b.declare_queue("q", exclusive=True)
        for number in range(5000):
            await b.bind_queue("q", "amq.topic", f"device.{number}")
        await agreed(*nodes)
        await a.publish("amq.topic", "device.4999", b"m", mandatory=True)
        assert await bodies(b, "q") == [b"m"]
        await b.delete_queue("q")
        await agreed(*nodes)
        with pytest.raises(Unroutable):
            await a.publish("amq.topic", "device.4999", b"m", mandatory=True)


async def test_a_full_queue_of_another_node_refuses() -> None:
    async with interested_brokers(2) as nodes, clients(nodes) as (a, b):
        await b.declare_queue("q", exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        await b.bind_queue("q", "amq.fanout")
        await agreed(*nodes)
        await a.publish("amq.fanout", "", b"1")
        with pytest.raises(Refused):
            await a.publish("amq.fanout", "", b"2")


async def test_what_was_missed_while_cut_off_is_asked_for() -> None:
    bus = Bus()
    async with interested_brokers(2, bus=bus) as nodes, clients(nodes) as (a, b):
        await agreed(*nodes)
        bus.cut.add("b")
        await b.declare_queue("q", exclusive=True)
        await b.bind_queue("q", "amq.fanout")
        while nodes[1].interest.own.is_anything_new:
            await trio.sleep(0.005)
        bus.cut.clear()
        await agreed(*nodes)
        await a.publish("amq.fanout", "", b"m", mandatory=True)
        assert await bodies(b, "q") == [b"m"]


async def test_a_node_that_has_left_is_waited_for_by_nobody() -> None:
    async with interested_brokers(2) as nodes, clients(nodes) as (a, b):
        await b.declare_queue("q", exclusive=True)
        await b.bind_queue("q", "amq.fanout")
        await agreed(*nodes)
        nodes[1].links.close()
        (link,) = nodes[0].links.links.all()
        assert link._transport is not None
        link._transport.abort()
        while link.connection is not None:
            await trio.sleep(0.005)
        waiting = a.publish_nowait("amq.fanout", "", b"m")
        nodes[0].interest.set_nodes([])
        run_of(nodes[0].broker).hub.request_turn()
        await waiting.wait()
        with pytest.raises(Unroutable):
            await a.publish("amq.fanout", "", b"m", EMPTY, mandatory=True)
        nodes[0].interest.set_nodes(["b"])


async def test_a_node_without_a_way_to_it_is_away_after_a_while(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with interested_brokers(2) as nodes, clients(nodes) as (a, b):
        await b.declare_queue("q", exclusive=True)
        await b.bind_queue("q", "amq.fanout")
        await agreed(*nodes)
        monkeypatch.setattr("warren.core.cluster.remote_queue.HELD_MS", 100)
        addresses = nodes[0].links._address_of
        nodes[0].links._address_of = lambda node: None
        (link,) = nodes[0].links.links.all()
        assert link._transport is not None
        link._transport.abort()
        while "doesn't reach the own queues of node 'b' any more" not in caplog.text:
            await trio.sleep(0.005)
        with pytest.raises(Unroutable):
            await a.publish("amq.fanout", "", b"1", mandatory=True)
        nodes[0].links._address_of = addresses
        while True:
            try:
                await a.publish("amq.fanout", "", b"2", mandatory=True)
                break
            except (Unroutable, BrokerError):
                await trio.sleep(0.005)
        assert await bodies(b, "q") == [b"2"]
