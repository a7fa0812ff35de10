"""Shovels with a real RabbitMQ: Warren's to it and from it, and RabbitMQ's own to Warren and from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import count

import pytest
import trio

from tests.interop.clients import need
from tests.plugins.shovel.brokers import (
    PERSISTENT,
    edge,
    fill,
    fill_until_blocked,
    set_shovel,
    status,
    take,
    until,
    until_gone,
    until_state,
)
from tests.support.rabbitmq import RabbitMQ, rabbitmq, rabbitmq_available
from warren.core.messages.field_table import Encodable, Timestamp, Typed
from warren.core.messages.properties import encode_properties

BODIES = [b"%d" % number for number in range(2000)]

HEADERS: dict[str, Encodable] = {
    "string": "ä",
    "integers": [Typed("b", -1), Typed("s", -2), Typed("I", -3), Typed("l", -4)],
    "double": 0.5,
    "decimal": Decimal("1.25"),
    "bool": True,
    "bytes": b"\0\xff",
    "void": None,
    "table": {"within": [{"a": 1}]},
    "timestamp": Timestamp(1_700_000_000),
    "empty": {},
}

RICH = encode_properties(
    content_type="text/plain",
    content_encoding="utf-8",
    headers=HEADERS,
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
    with rabbitmq(plugins=("rabbitmq_shovel",)) as running:
        yield running


@pytest.fixture
def url(node: RabbitMQ) -> str:
    return f"amqp://guest:guest@127.0.0.1:{node.amqp_port}"


@pytest.mark.parametrize("mode", ["on-confirm", "on-publish", "no-ack"])
async def test_there_and_back(url: str, mode: str) -> None:
    name = next(_names)
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES)
        await here.publish("", "out", b"rich", RICH)
        await here.publish("", "out", b"x" * 500_000, PERSISTENT)
        await set_shovel(
            broker, "there", src_uri="amqp://", src_queue="out", dest_uri=url, dest_queue=name, ack_mode=mode
        )
        await set_shovel(
            broker, "back", src_uri=url, src_queue=name, dest_uri="amqp://", dest_queue="in", ack_mode=mode
        )
        await until_state(broker, "running", name="back")
        assert await take(here, "in", len(BODIES)) == BODIES
        async with here.consume("in") as deliveries:
            rich, large = await anext(deliveries), await anext(deliveries)
        assert rich.body == b"rich"
        assert rich.properties == RICH, "types of headers included"
        assert large.body == b"x" * 500_000


async def test_what_rabbitmq_refuses_is_kept(node: RabbitMQ, url: str) -> None:
    name = next(_names)
    arguments = {"x-max-length": 100, "x-overflow": "reject-publish"}
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES[:300])
        await set_shovel(
            broker, src_uri="amqp://", src_queue="out", dest_uri=url, dest_queue=name, dest_queue_args=arguments
        )
        await until_state(broker, "blocked", "refused")
        await until(lambda: next(row for row in broker.inspect("queues") if row["name"] == "out")["messages"] == 200)
        await set_shovel(
            broker,
            "drain",
            src_uri=url,
            src_queue=name,
            src_predeclared=True,
            dest_uri="amqp://",
            dest_queue="in",
        )
        await until_state(broker, "running", name="drain")
        assert sorted(await take(here, "in", 300)) == sorted(BODIES[:300])
        await until_state(broker, "running")


async def test_what_is_unroutable_there_is_kept(node: RabbitMQ, url: str) -> None:
    name = next(_names)
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES[:20])
        await set_shovel(
            broker, src_uri="amqp://", src_queue="out", dest_uri=url, dest_exchange="amq.direct", dest_exchange_key=name
        )
        await until_state(broker, "blocked", "NO_ROUTE")
        assert (await status(broker))["forwarded"] == 0
        await set_shovel(
            broker,
            "late",
            src_uri=url,
            src_exchange="amq.direct",
            src_exchange_key=name,
            dest_uri="amqp://",
            dest_queue="in",
        )
        await until_state(broker, "running", name="late")
        assert await take(here, "in", 20) == BODIES[:20]


async def test_an_alarm_of_rabbitmqs_blocks_with_its_reason(node: RabbitMQ, url: str) -> None:
    name = next(_names)
    async with edge() as broker, broker.connect() as here:
        await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri=url, dest_queue=name)
        await until_state(broker, "running")
        await trio.to_thread.run_sync(node.ctl, "set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            count = await fill_until_blocked(broker, here, "out", "low on memory")
        finally:
            with trio.CancelScope(shield=True):  # as others use this RabbitMQ, too
                await trio.to_thread.run_sync(node.ctl, "set_vm_memory_high_watermark", "0.4")
        found = await until_state(broker, "running")
        while found["forwarded"] < count:
            found = await status(broker)


async def test_its_errors_come_through_in_its_words(url: str) -> None:
    async with edge() as broker:
        wrong = url.replace("guest:guest", "guest:wr0ng")
        await set_shovel(broker, "a", src_uri="amqp://", src_queue="out", dest_uri=wrong, dest_queue="x")
        await set_shovel(broker, "b", src_uri="amqp://", src_queue="out", dest_uri=url + "/none", dest_queue="x")
        await set_shovel(
            broker, "c", src_uri=url, src_queue="none", src_predeclared=True, dest_uri="amqp://", dest_queue="x"
        )
        found = await until_state(broker, "terminated", "ACCESS_REFUSED", "a")
        assert "wr0ng" not in str(found)
        await until_state(broker, "terminated", "NOT_ALLOWED - vhost none not found", "b")
        await until_state(broker, "terminated", "NOT_FOUND - no queue 'none'", "c")


async def test_queue_length_moves_what_there_was(url: str) -> None:
    name = next(_names)
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES)
        once = {"src_delete_after": "queue-length"}
        await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri=url, dest_queue=name, **once)
        await until_gone(broker)
        await set_shovel(broker, src_uri=url, src_queue=name, dest_uri="amqp://", dest_queue="in", **once)
        await until_gone(broker)
        assert (await here.check_queue("in")).messages == len(BODIES)


async def test_rabbitmqs_own_shovels_to_warren_and_from_it(node: RabbitMQ) -> None:
    name = next(_names)
    async with edge() as broker, broker.connect() as here:
        await here.declare_queue("in", durable=True)
        await fill(here, "out", BODIES)
        await here.publish("", "out", b"rich", RICH)
        own = {"ack-mode": "on-confirm", "reconnect-delay": 1}
        shovels = {
            "pull": {"src-uri": broker.url(), "src-queue": "out", "dest-uri": "amqp://", "dest-queue": name},
            "push": {"src-uri": "amqp://", "src-queue": name, "dest-uri": broker.url(), "dest-queue": "in"},
        }
        for each, definition in shovels.items():
            await trio.to_thread.run_sync(node.ctl, "set_parameter", "shovel", each, json.dumps({**own, **definition}))
        try:
            assert await take(here, "in", len(BODIES)) == BODIES
            async with here.consume("in") as deliveries:
                rich = await anext(deliveries)
            assert (rich.body, rich.properties) == (b"rich", RICH)
        finally:
            for each in shovels:
                await trio.to_thread.run_sync(node.ctl, "clear_parameter", "shovel", each)
