"""How far behind a shovel is, how fast it is, and when it is done."""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from tests.plugins.shovel.brokers import ask, edge, fill, set_shovel, take, until, until_state
from warren.gateway import open_broker
from warren.gateway.embedding import EmbeddedBroker
from warren.plugins.shovel.rate import SMOOTHED_OVER_S, Rate


async def figures(broker: EmbeddedBroker) -> dict[str, Any]:
    columns = ("lag_messages", "lag_bytes", "lag_seconds", "rate", "drain_seconds", "forwarded")
    answer = await ask(broker, "shovel_status", *columns)
    assert answer["ok"], answer
    return cast("list[dict[str, Any]]", answer["rows"])[0]


async def test_what_waits_while_there_is_no_destination() -> None:
    async with edge() as broker, broker.connect() as here:
        await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri="amqp://127.0.0.1:1")
        await until_state(broker, "terminated")
        assert await figures(broker) == {
            "lag_messages": 0,
            "lag_bytes": 0,
            "lag_seconds": 0,
            "rate": 0,
            "drain_seconds": 0,
            "forwarded": 0,
        }
        await fill(here, "out", [b"12345", b"678"])
        await trio.sleep(0.05)
        await here.publish("", "out", b"9")
        found = await figures(broker)
        assert (found["lag_messages"], found["lag_bytes"], found["drain_seconds"]) == (3, 9, -1)
        assert 0.04 < found["lag_seconds"] < 30, "the oldest counts"
        answer = await ask(broker, "list_plugins")
        counters = broker.inspect("plugins")[0]["counters"]
        assert answer["ok"]
        assert isinstance(counters, dict)
        assert (counters["lag_messages"], counters["lag_bytes"]) == (3, 9)


async def test_what_is_under_way_counts_too() -> None:
    async with open_broker() as upstream, edge() as broker, broker.connect() as here, upstream.connect() as far:
        await far.declare_queue("in", durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        await set_shovel(
            broker, src_uri="amqp://", src_queue="out", dest_uri=upstream.url(), dest_queue="in", dest_predeclared=True
        )
        await until_state(broker, "running")
        await fill(here, "out", [b"1", b"22", b"333"])
        await until_state(broker, "blocked")
        found = await figures(broker)
        assert (found["lag_messages"], found["lag_bytes"]) == (2, 5)
        assert found["lag_seconds"] >= 0
        await take(far, "in", 3)
        await until_state(broker, "running")
        await until(lambda: not broker.inspect("queues")[0]["messages"])
        found = await figures(broker)
        assert (found["lag_messages"], found["lag_bytes"], found["drain_seconds"]) == (0, 0, 0)
        assert found["rate"] > 0


async def test_a_source_elsewhere_doesnt_tell() -> None:
    async with open_broker() as upstream, edge() as broker:
        await set_shovel(broker, src_uri=upstream.url(), src_queue="out", dest_uri="amqp://", dest_queue="in")
        await until_state(broker, "running")
        found = await figures(broker)
        assert [found[name] for name in ("lag_messages", "lag_bytes", "lag_seconds", "drain_seconds")] == [-1] * 4


async def test_when_it_is_done(autojump_clock: MockClock) -> None:
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", [b"m"] * 1000)
        await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri="amqp://", dest_queue="in", rate_limit=10)
        await until_state(broker, "running")
        await trio.sleep(40)
        found = await figures(broker)
        assert found["rate"] == pytest.approx(10, rel=0.1)
        assert found["lag_messages"] == pytest.approx(600, rel=0.1)
        assert found["drain_seconds"] == pytest.approx(60, rel=0.2)


async def test_it_is_never_done_while_as_much_comes_as_goes(autojump_clock: MockClock) -> None:
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", [b"m"] * 100)
        await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri="amqp://", dest_queue="in", rate_limit=10)
        await until_state(broker, "running")
        for _ in range(600):
            await here.publish("", "out", b"m")
            await here.publish("", "out", b"m")
            await trio.sleep(0.1)
        assert (await figures(broker))["drain_seconds"] == -1


async def test_the_limit_of_the_rate_is_kept(autojump_clock: MockClock) -> None:
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", [b"m"] * 2000)
        await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri="amqp://", dest_queue="in", rate_limit=50)
        await until_state(broker, "running")
        began_s = trio.current_time()
        before = (await figures(broker))["forwarded"]
        await trio.sleep(20)
        moved = (await figures(broker))["forwarded"] - before
        assert moved / (trio.current_time() - began_s) == pytest.approx(50, rel=0.05)


def test_a_rate_is_known_soon_and_forgets() -> None:
    rate = Rate(0.0)
    assert rate.now(0.0) == 0
    for tenth in range(1, 21):
        rate.count(5, tenth / 10)
    assert rate.now(2.0) == pytest.approx(50, rel=0.05)
    assert rate.now(2.0 + SMOOTHED_OVER_S) < 25
    assert rate.now(2.0 + 20 * SMOOTHED_OVER_S) < 0.01
