"""Shovels with a real RabbitMQ over STOMP: to it, from it, what it refuses, and through a link that goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import trio

from tests.interop.clients import need
from tests.plugins.shovel.brokers import (
    PERSISTENT,
    ask,
    edge,
    fill,
    fill_until_blocked,
    set_shovel,
    status,
    take,
    until,
    until_state,
)
from tests.support.faulty_link import LOOPBACK, Faults, faulty_link
from tests.support.rabbitmq import RabbitMQ, rabbitmq, rabbitmq_available
from warren.core.messages.field_table import Typed
from warren.core.messages.properties import encode_properties

BODIES = [b"%d" % number for number in range(1000)]

RICH = encode_properties(
    content_type="text/plain",
    content_encoding="utf-8",
    headers={"colour": "a:b\nc\\", "number": Typed("l", 5), "truth": True},
    delivery_mode=2,
    priority=5,
    correlation_id="c",
    reply_to="r",
    expiration="60000",
    message_id="m",
    timestamp=1_700_000_001,
    type="t",
    app_id="a",
)

_names = (f"shovelled-{number}" for number in count())


@pytest.fixture(scope="module")
def node() -> Iterator[RabbitMQ]:
    need(rabbitmq_available(), "RabbitMQ")
    with rabbitmq(plugins=("rabbitmq_stomp",)) as running:
        yield running


@pytest.fixture
def url(node: RabbitMQ) -> str:
    return f"stomp://guest:guest@{LOOPBACK}:{node.ports['stomp']}"


def to(url: str, destination: str) -> dict[str, Any]:
    return {
        "src_uri": "amqp://",
        "src_queue": "out",
        "dest_protocol": "stomp",
        "dest_uri": url,
        "dest_destination": destination,
    }


def back(url: str, destination: str) -> dict[str, Any]:
    return {
        "src_protocol": "stomp",
        "src_uri": url,
        "src_destination": destination,
        "dest_uri": "amqp://",
        "dest_queue": "in",
    }


@pytest.mark.parametrize("mode", ["on-confirm", "on-publish", "no-ack"])
async def test_there_and_back(url: str, mode: str) -> None:
    destination = f"/queue/{next(_names)}"
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES)
        await here.publish("", "out", b"rich", RICH)
        await here.publish("", "out", b"x" * 500_000, PERSISTENT)
        await set_shovel(broker, "there", **to(url, destination), ack_mode=mode)
        await set_shovel(broker, "back", **back(url, destination), ack_mode=mode)
        await until_state(broker, "running", name="back")
        assert await take(here, "in", len(BODIES)) == BODIES
        async with here.consume("in") as deliveries:
            rich, large = await anext(deliveries), await anext(deliveries)
        assert rich.body == b"rich"
        headers = {"colour": "a:b\nc\\", "number": "5", "truth": "true"}
        assert headers.items() <= (rich.properties.headers or {}).items()
        assert {**rich.properties.fields(), "headers": 0} == {**RICH.fields(), "headers": 0}
        assert large.body == b"x" * 500_000
        await until(lambda: all(not row["messages"] for row in broker.inspect("queues") if row["name"] == "out"))


async def test_from_its_topics_with_their_own_destinations(url: str) -> None:
    async with edge() as broker, broker.connect() as here:
        await here.declare_queue("in", durable=True)
        await here.bind_queue("in", "amq.topic", "house.#")
        await here.declare_queue("out", durable=True)
        await here.bind_queue("out", "amq.topic", "up.#")
        source = {"src_protocol": "stomp", "src_uri": url, "src_destination": ["/topic/up.*", "/topic/house.*"]}
        await set_shovel(broker, "down", **source, dest_uri="amqp://")
        await until_state(broker, "running", name="down")
        await set_shovel(broker, "up", **to(url, "/topic/house.{routing_key}"))
        await here.publish("", "out", b"1", PERSISTENT)
        async with here.consume("in") as deliveries:
            delivery = await anext(deliveries)
        assert (delivery.exchange, delivery.routing_key, delivery.body) == ("amq.topic", "house.out", b"1")
        assert delivery.properties.delivery_mode == 2


async def test_what_comes_while_the_shovel_is_away_waits_in_a_durable_subscription(node: RabbitMQ, url: str) -> None:
    headers = {"durable": True, "auto-delete": False, "id": "site 7"}
    keys = {**back(url, f"/topic/{next(_names)}"), "src_headers": headers}
    async with edge() as broker:
        await set_shovel(broker, **keys)
        await until_state(broker, "running")
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES[:50])
        await here.declare_queue("in", durable=True)
        await set_shovel(broker, "up", **to(url, keys["src_destination"]))
        await until_state(broker, "running", name="up")
        while (await status(broker, "up"))["forwarded"] < 50:
            await trio.sleep(0.005)
        await set_shovel(broker, **keys)
        assert await take(here, "in", 50) == BODIES[:50]
        assert "stomp-subscription" in await trio.to_thread.run_sync(node.ctl, "list_queues", "name")
        await ask(broker, "delete_shovel", "s")
        while "stomp-subscription" in await trio.to_thread.run_sync(node.ctl, "list_queues", "name"):
            await trio.sleep(0.1)


async def test_what_rabbitmq_hangs_up_on_is_kept_and_comes_when_there_is_room(node: RabbitMQ, url: str) -> None:
    name = next(_names)
    policy = '{"max-length": 100, "overflow": "reject-publish"}'
    await trio.to_thread.run_sync(node.ctl, "set_policy", name, f"^{name}$", policy)
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES[:300])
        await here.declare_queue("in", durable=True)
        await set_shovel(broker, **to(url, f"/queue/{name}"))
        await until_state(broker, "terminated", "had answered nothing of what it was sent last: is a queue full there?")
        await set_shovel(broker, "drain", **back(url, f"/queue/{name}"))
        seen: list[bytes] = []
        while set(seen) != set(BODIES[:300]):
            seen += await take(here, "in", 1)
        await until(lambda: next(row for row in broker.inspect("queues") if row["name"] == "out")["messages"] == 0)
        await until_state(broker, "running")


async def test_an_alarm_of_rabbitmqs_is_waited_for(node: RabbitMQ, url: str) -> None:
    async with edge() as broker, broker.connect() as here:
        await set_shovel(broker, **to(url, f"/queue/{next(_names)}"))
        await until_state(broker, "running")
        await trio.to_thread.run_sync(node.ctl, "set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            count = await fill_until_blocked(broker, here, "out", "answers nothing of what it is sent")
        finally:
            with trio.CancelScope(shield=True):  # as others use this RabbitMQ, too
                await trio.to_thread.run_sync(node.ctl, "set_vm_memory_high_watermark", "0.4")
        found = await until_state(broker, "running")
        while found["forwarded"] < count:
            found = await status(broker)


async def test_its_errors_come_through_in_its_words(url: str) -> None:
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES[:1])
        await set_shovel(broker, "a", **to(url.replace("guest:guest", "guest:wr0ng"), "/queue/x"))
        await set_shovel(broker, "b", **to(url + "/none", "/queue/x"))
        await set_shovel(broker, "c", **back(url, "/amq/queue/none"))
        await set_shovel(broker, "d", **to(url, "/exchange/none/x"))
        found = await until_state(broker, "terminated", "Bad CONNECT: Access refused for user 'guest'", "a")
        assert "wr0ng" not in str(found)
        await until_state(broker, "terminated", "Virtual host 'none' access denied", "b")
        await until_state(broker, "terminated", "NOT_FOUND - no queue 'none'", "c")
        await until_state(broker, "terminated", "NOT_FOUND - no exchange 'none'", "d")


@pytest.mark.parametrize("way", ["there", "back"])
async def test_through_a_link_that_goes_wrong(node: RabbitMQ, way: str) -> None:
    destination = f"/queue/{next(_names)}"
    async with faulty_link(31) as link, edge() as broker, broker.connect() as here:
        link.target = (LOOPBACK, node.ports["stomp"])
        good = f"stomp://guest:guest@{LOOPBACK}:{node.ports['stomp']}"
        bad = f"stomp://guest:guest@{LOOPBACK}:{link.port}?heartbeat=1&connection_timeout=2000"
        link.faults = Faults(bytes_max=30_000)
        await fill(here, "out", BODIES)
        await here.declare_queue("in", durable=True)
        await set_shovel(broker, "there", **to(bad if way == "there" else good, destination), src_prefetch_count=50)
        await set_shovel(broker, "back", **back(bad if way == "back" else good, destination), src_prefetch_count=50)
        seen: list[bytes] = []
        while set(seen) != set(BODIES):
            seen += await take(here, "in", 1)
            if len(seen) > 150:
                link.heal()
        assert sum(link.happened.values()) > 0
        if way == "there":
            assert list(dict.fromkeys(seen)) == BODIES, "what comes again comes behind, nothing overtakes"
