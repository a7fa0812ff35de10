"""Federated queues between brokers over sockets: messages go where somebody waits for them, and nowhere else."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.plugins.federation.brokers import (
    federated,
    links,
    set_policy,
    set_upstream,
    told,
    until_link,
    until_no_link,
)
from tests.plugins.shovel.brokers import PERSISTENT, fill, until
from warren.adapters.mqtt.sessions.session_queue import MqttQueue
from warren.core.declaring.queues import create_queue
from warren.core.messages.field_table import Encodable
from warren.core.messages.properties import encode_properties
from warren.core.queues.classic.queue import ClassicQueue
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.embedding import EmbeddedBroker
from warren.gateway.plugin import BrokerClient, Subscription
from warren.plugins.federation.links import Links

UP = Config(in_memory=True).replace(cluster_name="up")
BODIES = [b"%d" % number for number in range(300)]
ALL = {"federation-upstream-set": "all"}


async def federate_queues(down: EmbeddedBroker, up: EmbeddedBroker, name: str = "u", **keys: Any) -> dict[str, Any]:
    """Have a broker fetch for its queues `fed...` from another; the link, once it runs."""
    await set_upstream(down, name, up.url(), **keys)
    await set_policy(down, apply_to="queues")
    return await until_link(down, upstream=name)


def fetchers(up: EmbeddedBroker) -> list[dict[str, Any]]:
    """Consumers of links."""
    return [row for row in up.inspect("consumers") if row["arguments"] == {"x-priority": -1}]


async def until_fetched(up: EmbeddedBroker, count: int = 1) -> list[dict[str, Any]]:
    """Wait until so many links consume."""
    await until(lambda: len(fetchers(up)) == count)
    return fetchers(up)


def ready(broker: EmbeddedBroker, queue: str = "fed.q") -> int:
    found = next(row for row in broker.inspect("queues") if row["name"] == queue)["messages_ready"]
    assert isinstance(found, int)
    return found


async def bodies(deliveries: Subscription, count: int) -> list[bytes]:
    """The next so many, acknowledged one by one."""
    found = []
    for _ in range(count):
        delivery = await anext(deliveries)
        found.append(delivery.body)
        delivery.ack()
    return found


@pytest.mark.parametrize("mode", ["on-confirm", "on-publish", "no-ack"])
async def test_messages_come_to_whom_waits_for_them(mode: str) -> None:
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await fill(far, "fed.q", BODIES)
        await here.declare_queue("fed.q", durable=True)
        link = await federate_queues(down, up, ack_mode=mode)
        assert (link["queue"], link["upstream_queue"], link["type"]) == ("fed.q", "fed.q", "queue")
        assert (link["exchange"], link["upstream_exchange"]) == ("", "")
        assert link["consumer_tag"] == "federation-link-u"
        assert fetchers(up) == [], "nobody waits"
        async with here.consume("fed.q") as deliveries:
            assert await bodies(deliveries, len(BODIES)) == BODIES
            (fetcher,) = await until_fetched(up)
            assert fetcher["consumer_tag"] == "federation-link-u"
        await until_fetched(up, 0)
        await until(lambda: ready(up) == 0)
        (link,) = await links(down)
        assert link["forwarded"] == len(BODIES)


async def test_what_a_message_says_of_its_way() -> None:
    rich = encode_properties(delivery_mode=2, headers={"own": 1, "CC": ["fed.q", "else"]}, message_id="m")
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await far.declare_queue("there", durable=True)
        await far.bind_queue("there", "amq.direct", "fed.q")
        await here.declare_queue("fed.q", durable=True)
        await here.declare_queue("else", durable=True)
        await far.publish("amq.direct", "fed.q", b"1", rich)
        await federate_queues(down, up, queue="there", consumer_tag="mine")
        async with here.consume("fed.q") as deliveries:
            delivery = await anext(deliveries)
        assert delivery.properties.headers == {
            "own": 1,
            "x-original-exchange": "amq.direct",
            "x-original-routing-key": "fed.q",
            "x-original-cc": ["fed.q", "else"],
            "x-received-from": [{"uri": up.url(), "queue": "there", "redelivered": False, "visit-count": 1}],
        }
        assert (delivery.exchange, delivery.routing_key) == ("", "fed.q")
        assert delivery.properties.message_id == "m"
        assert ready(down, "else") == 0
        (link,) = await links(down)
        assert (link["upstream_queue"], link["consumer_tag"]) == ("there", "mine")


async def test_no_more_comes_than_consumers_can_take() -> None:
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await fill(far, "fed.q", BODIES)
        await here.declare_queue("fed.q", durable=True)
        await federate_queues(down, up)
        async with here.consume("fed.q", prefetch=5) as deliveries:
            first = [await anext(deliveries) for _ in range(5)]
            await until_fetched(up, 0)
            await until(lambda: ready(up) + ready(down) == len(BODIES) - 5)
            assert ready(down) < 5, "as much may have been under way, and no more"
            for delivery in first:
                delivery.ack()
            assert await bodies(deliveries, len(BODIES) - 5) == BODIES[5:]


async def test_as_much_is_asked_for_as_consumers_can_take() -> None:
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await far.declare_queue("fed.q", durable=True)
        await fill(here, "fed.q", BODIES[:100])
        await federate_queues(down, up, prefetch_count=60)
        async with here.consume("fed.q", prefetch=100) as deliveries:
            held = [await anext(deliveries) for _ in range(100)]
            held.pop().ack()
            (fetcher,) = await until_fetched(up)
            assert fetcher["prefetch_count"] == 1, "that is all there is room for"
            for delivery in held:
                delivery.ack()
            await far.publish("", "fed.q", b"one more", PERSISTENT)
            assert (await anext(deliveries)).body == b"one more"
            await until(lambda: [each["prefetch_count"] for each in fetchers(up)] == [60])


@pytest.mark.parametrize(
    "arguments", [{"x-queue-type": "quorum"}, {"x-max-priority": 4}, {"x-single-active-consumer": True}]
)
async def test_queues_of_every_kind(arguments: dict[str, Encodable]) -> None:
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await here.declare_queue("fed.q", durable=True, arguments=arguments)
        await federate_queues(down, up)
        for body in BODIES[:50]:
            await far.publish("", "fed.q", body, PERSISTENT)
        async with here.consume("fed.q", prefetch=10) as deliveries, here.consume("fed.q", prefetch=10) as others:
            if "x-single-active-consumer" in arguments:
                assert await bodies(deliveries, 50) == BODIES[:50]
            else:
                assert await bodies(deliveries, 10) + await bodies(others, 10)


async def test_connecting_anew_doubles_nothing() -> None:
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await fill(far, "fed.q", BODIES)
        await here.declare_queue("fed.q", durable=True)
        link = await federate_queues(down, up)
        done: list[bytes] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, here, done, 10)
            for part in range(1, 6):
                await until(lambda count=part * 50: len(done) >= count)  # type: ignore[misc]
                await told(down, "restart_federation_link", link["id"])
            await until(lambda: len(done) >= len(BODIES))
            nursery.cancel_scope.cancel()
        assert Counter(map(int, done)) == Counter(range(len(BODIES)))


async def test_whose_a_message_is_comes_along_from_a_trusted_upstream() -> None:
    mine = encode_properties(delivery_mode=2, user_id="guest")
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here:
        await here.declare_queue("fed.q", durable=True)
        await federate_queues(down, up, trust_user_id=True)
        async with up.connect("guest") as far, here.consume("fed.q") as deliveries:
            await far.publish("", "fed.q", b"1", mine)
            assert (await anext(deliveries)).properties.user_id == "guest"


async def test_consumers_at_the_upstream_come_first() -> None:
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await far.declare_queue("fed.q", durable=True)
        await here.declare_queue("fed.q", durable=True)
        await federate_queues(down, up)
        async with here.consume("fed.q") as deliveries, far.consume("fed.q", prefetch=2) as own:
            await until_fetched(up)
            for body in (b"1", b"2", b"3"):
                await far.publish("", "fed.q", body, PERSISTENT)
            assert [(await anext(own)).body, (await anext(own)).body] == [b"1", b"2"]
            assert (await anext(deliveries)).body == b"3"


async def test_what_is_here_comes_first_and_what_is_there_stays_meanwhile() -> None:
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await fill(far, "fed.q", [b"far"])
        await fill(here, "fed.q", [b"1", b"2", b"3"])
        await federate_queues(down, up)
        async with here.consume("fed.q", prefetch=1) as deliveries:
            for body in (b"1", b"2", b"3"):
                delivery = await anext(deliveries)
                assert (delivery.body, ready(up), len(fetchers(up))) == (body, 1, 0)
                delivery.ack()
            assert (await anext(deliveries)).body == b"far"


async def test_a_consumer_of_low_priority_fetches_nothing() -> None:
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await fill(far, "fed.q", [b"1"])
        await here.declare_queue("fed.q", durable=True)
        await federate_queues(down, up)
        async with here.consume("fed.q", arguments={"x-priority": -1}):
            async with here.consume("fed.q") as deliveries:
                assert await bodies(deliveries, 1) == [b"1"]
                await until_fetched(up)
            await until_fetched(up, 0)


async def test_the_upstreams_queue_is_made_if_it_is_not_there_and_taken_as_it_is_if_it_is() -> None:
    arguments = {"x-max-length": 7, "x-message-ttl": 60_000}
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await here.declare_queue("fed.made", durable=True, arguments=arguments)
        await here.declare_queue("fed.transient", auto_delete=True)
        await here.declare_queue("fed.taken", durable=True)
        await far.declare_queue("fed.taken", arguments={"x-max-length": 3})
        await set_upstream(down, "u", up.url())
        await set_policy(down, apply_to="queues")
        await until_link(down, queue="fed.made")
        await until_link(down, queue="fed.transient")
        await until_link(down, queue="fed.taken")
        found = {row["name"]: row for row in up.inspect("queues")}
        assert (found["fed.made"]["arguments"], found["fed.made"]["durable"]) == (arguments, True)
        assert (found["fed.transient"]["auto_delete"], found["fed.transient"]["durable"]) == (False, False)
        assert (found["fed.taken"]["arguments"], found["fed.taken"]["durable"]) == ({"x-max-length": 3}, False)
        await told(down, "clear_policy", "p")
        await until_no_link(down)
        assert {row["name"] for row in up.inspect("queues")} == {"fed.made", "fed.taken", "fed.transient"}, "they stay"


async def test_queues_that_are_nobody_elses_are_not_federated() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here:
        await here.declare_queue("fed.exclusive", exclusive=True)
        await here.declare_queue("fed.own", arguments={"x-internal-purpose": "federation"})
        create_queue(down._server.broker.vhosts["/"], "fed.mqtt", arguments={"x-queue-type": MqttQueue.type_name})
        await here.declare_queue("fed.q")
        await federate_queues(down, up)
        assert [link["queue"] for link in await links(down)] == ["fed.q"]


async def test_it_recovers_when_the_upstreams_queue_is_deleted() -> None:
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await here.declare_queue("fed.q", durable=True)
        await federate_queues(down, up)
        async with here.consume("fed.q") as deliveries:
            await until_fetched(up)
            await far.delete_queue("fed.q")
            await until_fetched(up)
            await far.publish("", "fed.q", b"1", PERSISTENT)
            assert await bodies(deliveries, 1) == [b"1"]


async def test_it_ends_with_the_queue_and_with_the_policy() -> None:
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        for how in ("queue", "policy"):
            await fill(far, "fed.q", [b"1"])
            await here.declare_queue("fed.q", durable=True)
            await federate_queues(down, up)
            async with here.consume("fed.q") as deliveries:
                assert await bodies(deliveries, 1) == [b"1"]
                await until_fetched(up)
                if how == "policy":
                    await told(down, "clear_policy", "p")
                else:
                    await here.delete_queue("fed.q")
                await until_no_link(down)
                await until(lambda: not up.inspect("consumers"))
                left = down._server.broker.vhosts["/"].queues.get("fed.q")
                assert left is None if how == "queue" else isinstance(left, ClassicQueue) and left.demand is None


async def test_what_comes_too_late_for_a_queue_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Links, "gone", lambda self, target: None)
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await here.declare_queue("fed.q", durable=True)
        await federate_queues(down, up)
        down.set_alarm("memory", True)
        async with here.consume("fed.q"):
            await fill(far, "fed.q", BODIES[:3])
            await until_fetched(up)
            await until(lambda: ready(up) == 0)
            await here.delete_queue("fed.q")
            down.set_alarm("memory", False)
            await until(lambda: not fetchers(up))
            await told(down, "restart_federation_link", (await links(down))[0]["id"])
            await until(lambda: ready(up) == 3)


async def test_what_is_refused_here_waits_and_is_not_lost() -> None:
    arguments: dict[str, Encodable] = {"x-max-length-bytes": 10, "x-overflow": "reject-publish"}
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await fill(far, "fed.q", [b"a", b"b"])
        await here.declare_queue("fed.q", durable=True, arguments=arguments)
        await federate_queues(down, up)
        async with here.consume("fed.q", prefetch=1) as deliveries:
            first = await anext(deliveries)
            await here.publish("", "fed.q", b"0123456789", PERSISTENT)
            await until(lambda: ready(up) == 0 or not fetchers(up))
            first.ack()
            assert sorted([first.body, *await bodies(deliveries, 2)]) == sorted([b"a", b"b", b"0123456789"])


async def test_an_upstream_without_priorities_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warren.adapters.amqp091.handshake.CAPABILITIES", ("basic.nack", "publisher_confirms"))
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here:
        await here.declare_queue("fed.q", durable=True)
        await set_upstream(down, "u", up.url())
        await set_policy(down, apply_to="queues")
        await until_link(down, "error", "upstream_lacks_consumer_priorities")


# Several brokers


@pytest.mark.parametrize("prefetch", [1, 10])
async def test_two_queues_that_take_from_each_other_do_not_play_ping_pong(prefetch: int) -> None:
    async with AsyncExitStack() as stack:
        both = [await stack.enter_async_context(federated(name)) for name in ("left", "right")]
        clients = [await stack.enter_async_context(each.connect()) for each in both]
        for client in clients:
            await fill(client, "fed.q", [])
        await federate_queues(both[0], both[1])
        await federate_queues(both[1], both[0])
        await fill(clients[0], "fed.q", BODIES)
        done: list[list[bytes]] = [[], []]
        async with trio.open_nursery() as nursery:
            for client, found in zip(clients, done, strict=True):
                nursery.start_soon(work, client, found, prefetch)
            await until(lambda: sum(map(len, done)) == len(BODIES))
            nursery.cancel_scope.cancel()
        assert sorted(map(int, done[0] + done[1])) == list(range(len(BODIES))), "each once"
        assert done[1], "both have worked"
        assert await moved(both) <= len(done[1]) + 2 * prefetch, "what is moved is worked off there"


async def moved(brokers: list[EmbeddedBroker]) -> int:
    """Messages that have come over any link."""
    return sum([link["forwarded"] for each in brokers for link in await links(each)])


async def work(client: BrokerClient, done: list[bytes], prefetch: int) -> None:
    async with client.consume("fed.q", prefetch=prefetch) as deliveries:
        async for delivery in deliveries:
            done.append(delivery.body)
            delivery.ack()


@pytest.mark.parametrize("upstreams", [1, 2])
async def test_a_ring_of_three_loses_nothing_and_circles_nothing(upstreams: int) -> None:
    async with AsyncExitStack() as stack:
        ring = [await stack.enter_async_context(federated(f"ring-{number}")) for number in range(3)]
        clients = [await stack.enter_async_context(each.connect()) for each in ring]
        for client in clients:
            await fill(client, "fed.q", [])
        for number, broker in enumerate(ring):
            for back in range(1, upstreams + 1):
                await federate_queues(broker, ring[number - back], f"u{back}")
        done: list[bytes] = []
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(work, client, done, 3)
            for number in range(600):
                await clients[number // 200].publish("", "fed.q", b"%d" % number, PERSISTENT)
            await until(lambda: len(done) == 600)
            nursery.cancel_scope.cancel()
        assert Counter(map(int, done)) == Counter(range(600))
        await until(lambda: all(not each.inspect("consumers") for each in ring))
        before = await moved(ring)
        for client in clients:
            assert (await client.check_queue("fed.q")).messages == 0
        # Nobody consumes any more, so nothing moves, however full a queue is.
        await fill(clients[0], "fed.q", BODIES)
        for _ in range(50):
            await wait_all_tasks_blocked(0.001)
        assert ready(ring[0]) == len(BODIES)
        assert await moved(ring) == before
