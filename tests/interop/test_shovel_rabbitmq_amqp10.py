"""Shovels with a real RabbitMQ over AMQP 1.0: to it, from it, what it refuses, and through a link that goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.interop.clients import need
from tests.plugins.shovel.brokers import PERSISTENT, edge, fill, set_shovel, take, until, until_state
from tests.support.faulty_link import LOOPBACK, Faults, faulty_link
from tests.support.rabbitmq import RabbitMQ, rabbitmq, rabbitmq_available
from warren.core.messages.field_table import Typed
from warren.core.messages.properties import encode_properties

BODIES = [b"%d" % number for number in range(1000)]

RICH = encode_properties(
    content_type="text/plain",
    content_encoding="utf-8",
    headers={"colour": "ä", "number": Typed("l", 5), "truth": True},
    delivery_mode=2,
    priority=5,
    correlation_id="c",
    message_id="m",
    timestamp=1_700_000_001,
)

_names = (f"shovelled-{number}" for number in count())


@pytest.fixture(scope="module")
def node() -> Iterator[RabbitMQ]:
    need(rabbitmq_available(), "RabbitMQ")
    with rabbitmq(plugins=("rabbitmq_amqp1_0",)) as running:
        yield running


@pytest.fixture
def url(node: RabbitMQ) -> str:
    return f"amqp://guest:guest@{LOOPBACK}:{node.amqp_port}"


def to(url: str, address: str) -> dict[str, Any]:
    far = {"dest_protocol": "amqp10", "dest_uri": url, "dest_address": address}
    return {"src_uri": "amqp://", "src_queue": "out", **far}


def back(url: str, address: str) -> dict[str, Any]:
    far = {"src_protocol": "amqp10", "src_uri": url, "src_address": address}
    return {**far, "dest_uri": "amqp://", "dest_queue": "in"}


@pytest.mark.parametrize("mode", ["on-confirm", "on-publish", "no-ack"])
async def test_there_and_back(url: str, mode: str) -> None:
    address = f"/queue/{next(_names)}"
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES)
        await here.publish("", "out", b"rich", RICH)
        await here.publish("", "out", b"x" * 500_000, PERSISTENT)
        await set_shovel(broker, "there", **to(url, address), ack_mode=mode)
        await set_shovel(broker, "back", **back(url, address), ack_mode=mode)
        await until_state(broker, "running", name="back")
        assert await take(here, "in", len(BODIES)) == BODIES
        async with here.consume("in") as deliveries:
            rich, large = await anext(deliveries), await anext(deliveries)
        assert rich.body == b"rich"
        assert (RICH.headers or {}).items() <= (rich.properties.headers or {}).items()
        assert {**rich.properties.fields(), "headers": 0} == {**RICH.fields(), "headers": 0}
        assert large.body == b"x" * 500_000
        await until(lambda: all(not row["messages"] for row in broker.inspect("queues") if row["name"] == "out"))


async def test_from_its_topics(url: str) -> None:
    async with edge() as broker, broker.connect() as here:
        await set_shovel(broker, "down", **back(url, "/topic/up.*"))
        await until_state(broker, "running", name="down")
        await set_shovel(broker, "up", **to(url, "/topic/up.1"))
        await fill(here, "out", BODIES[:3])
        assert await take(here, "in", 3) == BODIES[:3]


async def test_its_errors_come_through_in_its_words(url: str) -> None:
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES[:1])
        await set_shovel(broker, "a", **to(url.replace("guest:guest", "guest:wr0ng"), "/queue/x"))
        await set_shovel(broker, "b", **to(url + "/none", "/queue/x"))
        await set_shovel(broker, "c", **back(url, "/amq/queue/none"))
        await set_shovel(broker, "d", **to(url, "/exchange/none/x"))
        found = await until_state(broker, "terminated", "the peer refused the login", "a")
        assert "wr0ng" not in str(found)
        await until_state(broker, "terminated", "amqp:", "b")
        await until_state(broker, "terminated", "amqp:not-found", "c")
        await until_state(broker, "terminated", "amqp:not-found", "d")


@pytest.mark.parametrize("way", ["there", "back"])
async def test_through_a_link_that_goes_wrong(node: RabbitMQ, way: str) -> None:
    address = f"/queue/{next(_names)}"
    async with faulty_link(31) as link, edge() as broker, broker.connect() as here:
        link.target = (LOOPBACK, node.amqp_port)
        good = f"amqp://guest:guest@{LOOPBACK}:{node.amqp_port}"
        bad = f"amqp://guest:guest@{LOOPBACK}:{link.port}?heartbeat=1&connection_timeout=2000"
        link.faults = Faults(bytes_max=30_000)
        await fill(here, "out", BODIES)
        await here.declare_queue("in", durable=True)
        await set_shovel(broker, "there", **to(bad if way == "there" else good, address), src_prefetch_count=50)
        await set_shovel(broker, "back", **back(bad if way == "back" else good, address), src_prefetch_count=50)
        seen: list[bytes] = []
        while set(seen) != set(BODIES):
            seen += await take(here, "in", 1)
            if len(seen) > 150:
                link.heal()
        assert sum(link.happened.values()) > 0
        if way == "there":
            assert list(dict.fromkeys(seen)) == BODIES, "what comes again comes behind, nothing overtakes"
