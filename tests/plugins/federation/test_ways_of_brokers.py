"""Several brokers that federate an exchange from each other: every message comes where it should, once."""

from __future__ import annotations

from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

import pytest

from tests.plugins.federation.brokers import bindings_from, federated, links, set_policy, set_upstream, until_link
from tests.plugins.shovel.brokers import until
from warren.gateway.embedding import EmbeddedBroker
from warren.gateway.plugin import BrokerClient


async def joined(stack: AsyncExitStack, *names: str) -> list[tuple[EmbeddedBroker, BrokerClient]]:
    """Brokers that have the exchange fed.x, bound to a queue q."""
    found = []
    for name in names:
        broker = await stack.enter_async_context(federated(name))
        client = await stack.enter_async_context(broker.connect())
        await client.declare_exchange("fed.x", "fanout")
        await client.declare_queue("q")
        await client.bind_queue("q", "fed.x")
        found.append((broker, client))
    return found


async def federate(down: EmbeddedBroker, name: str, up: EmbeddedBroker, **keys: Any) -> None:
    await set_upstream(down, name, up.url(), **keys)
    await set_policy(down)
    await until_link(down, upstream=name)


async def bodies(client: BrokerClient) -> list[bytes]:
    """What is in q, which is left as it is."""
    return [each.message.body for each in (await client.browse("q"))[0]]


def settled(*brokers: EmbeddedBroker) -> bool:
    """Whether nothing waits in the queues of links."""
    rows = [row for each in brokers for row in each.inspect("queues") if row["name"] != "q"]
    return not any(row["messages"] for row in rows)


async def test_both_ways_a_message_comes_once() -> None:
    async with AsyncExitStack() as stack:
        (one, at_one), (two, at_two) = await joined(stack, "one", "two")
        await federate(one, "two", two)
        await federate(two, "one", one)
        (internal,) = (row for row in one.inspect("exchanges") if str(row["name"]).startswith("federation: "))
        assert internal["type"] == "x-federation-upstream"
        await at_one.publish("fed.x", "", b"from one")
        await at_two.publish("fed.x", "", b"from two")
        await until(lambda: settled(one, two))
        for client in (at_one, at_two):
            while len(await bodies(client)) < 2:
                await until(lambda: settled(one, two))
            assert sorted(await bodies(client)) == [b"from one", b"from two"]


@pytest.mark.parametrize(("max_hops", "reaches"), [(1, False), (2, True)])
async def test_max_hops_ends_a_way(max_hops: int, reaches: bool) -> None:
    async with AsyncExitStack() as stack:
        (one, at_one), (two, at_two), (three, at_three) = await joined(stack, "one", "two", "three")
        await federate(two, "one", one, max_hops=max_hops)
        await federate(three, "two", two, max_hops=max_hops)
        await at_one.publish("fed.x", "", b"far")
        await at_two.publish("fed.x", "", b"near")
        wanted = [b"far", b"near"] if reaches else [b"near"]
        while sorted(await bodies(at_three)) != wanted or len(await bodies(at_two)) < 2:
            await until(lambda: settled(one, two, three))
        assert sorted(await bodies(at_two)) == [b"far", b"near"]


async def test_bindings_go_as_far_as_messages_come() -> None:
    async with AsyncExitStack() as stack:
        brokers = []
        for name in ("one", "two", "three", "four"):
            broker = await stack.enter_async_context(federated(name))
            client = await stack.enter_async_context(broker.connect())
            await client.declare_exchange("fed.x", "direct")
            brokers.append((broker, client))
        for (up, _), (down, _) in pairwise(brokers):
            await federate(down, "up", up, max_hops=2)
        _, at_last = brokers[-1]
        await at_last.declare_queue("q")
        await at_last.bind_queue("q", "fed.x", "k")
        await until(lambda: bindings_from(brokers[2][0], "fed.x") == [("federation: fed.x -> four A", "k")])
        await until(lambda: bindings_from(brokers[1][0], "fed.x") == [("federation: fed.x -> three A", "k")])
        assert bindings_from(brokers[0][0], "fed.x") == [], "two links away is the end"
        await at_last.unbind_queue("q", "fed.x", "k")
        await until(lambda: not bindings_from(brokers[1][0], "fed.x"))
        assert not bindings_from(brokers[2][0], "fed.x")


async def test_two_that_federate_each_other_dont_bind_for_ever() -> None:
    async with AsyncExitStack() as stack:
        (one, _), (two, _) = await joined(stack, "one", "two")
        await federate(one, "two", two, max_hops=9)
        await federate(two, "one", one, max_hops=9)
        for broker, other in ((one, "two"), (two, "one")):
            assert len(bindings_from(broker, "fed.x")) == 2, "its own, and the other's"
            assert (f"federation: fed.x -> {other} A", "") in bindings_from(broker, "fed.x")
        assert [(await links(each))[0]["status"] for each in (one, two)] == ["running", "running"]


@pytest.mark.parametrize("max_hops", [2, 9])
async def test_around_a_ring_of_three_each_message_comes_once_everywhere(max_hops: int) -> None:
    async with AsyncExitStack() as stack:
        ring = await joined(stack, "one", "two", "three")
        for number, (down, _) in enumerate(ring):
            await federate(down, "before", ring[number - 1][0], max_hops=max_hops)
        for _, client in ring:
            await client.publish("fed.x", "", b"%d" % id(client))
        brokers = [broker for broker, _ in ring]
        published = sorted(b"%d" % id(client) for _, client in ring)
        for _, client in ring:
            while len(await bodies(client)) < 3:
                await until(lambda: settled(*brokers))
        await until(lambda: settled(*brokers))
        for _, client in ring:
            assert sorted(await bodies(client)) == published
