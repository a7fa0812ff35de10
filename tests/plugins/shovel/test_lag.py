"""How far behind a shovel is, how fast it is, and when it is done."""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from tests.plugins.shovel.brokers import ask, edge, fill, set_shovel, take, until, until_state
from warren.adapters.amqp091.client.uri import parse_uri
from warren.adapters.peers.errors import PeerError
from warren.core.broker import Broker
from warren.gateway import open_broker
from warren.gateway.embedding import EmbeddedBroker
from warren.plugins.bridging.amqp_ends import AmqpSource
from warren.plugins.shovel import lag
from warren.plugins.shovel.definition import SourceDefinition
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
        assert (found["lag_messages"], found["lag_bytes"], found["drain_seconds"]) == (3, 9, None)
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


def lag_counted(broker: EmbeddedBroker) -> tuple[object, object]:
    counters = broker.inspect("plugins")[0]["counters"]
    assert isinstance(counters, dict)
    return counters["lag_messages"], counters["lag_bytes"]


async def test_a_queue_elsewhere_tells_how_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "LOOK_S", 0.01)
    async with open_broker() as upstream, edge() as broker, broker.connect() as here, upstream.connect() as far:
        await here.declare_queue("in", durable=True, arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
        await fill(far, "out", [b"12"] * 10)
        keys = {"src_uri": upstream.url(), "src_queue": "out", "dest_uri": "amqp://", "dest_queue": "in"}
        await set_shovel(broker, **keys, dest_predeclared=True, src_prefetch_count=3)
        await until_state(broker, "blocked")

        async def waits(count: int) -> dict[str, Any]:
            while (found := await figures(broker))["lag_messages"] != count:
                await trio.sleep(0.005)
            return found

        found = await waits(8)
        assert (found["lag_bytes"], found["lag_seconds"]) == (None, None)
        await fill(far, "out", [b"12"] * 5)
        await waits(13)
        await here.purge_queue("in")
        await waits(11)
        # A look in between may still find one of the two that were moved.
        await until(lambda: lag_counted(broker) == (11, 0))
        await here.delete_queue("in")
        await here.declare_queue("in", durable=True)
        assert (await waits(0))["drain_seconds"] == 0


async def test_what_was_moved_since_the_last_look_is_taken_off(autojump_clock: MockClock) -> None:
    """And the looks are rare: between two of them, 100 of 1000 messages go."""

    class Source:
        looks = 0
        waiting = 1000
        unsettled = 7

        async def ready_count(self) -> int:
            await trio.lowlevel.checkpoint()
            self.looks += 1
            if self.looks == 4:
                raise PeerError("the queue is gone")
            return self.waiting

    source = Source()
    followed = lag.Lag(cast("Broker", None), SourceDefinition((parse_uri("amqp://far.example"),), "q"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(followed.keep_looking, cast("AmqpSource", source))
        await trio.sleep(0.5)
        assert followed.messages == 1007
        for second in range(10):
            source.waiting += 5 - 10
            followed.moved(10)
            await trio.sleep(1)
            if second == 4:
                assert followed.messages == 957
        assert (source.looks, followed.messages) == (2, 957)
        assert followed.drain_seconds == pytest.approx(957 / 5, rel=0.2)
        for _ in range(10):
            source.waiting += 20
            await trio.sleep(1)
        assert source.looks == 3
        assert followed.drain_seconds is None, "more comes than goes"
        await trio.sleep(10)
        assert followed.messages is None
        await trio.sleep(10)
        assert followed.messages == source.waiting + 7
        nursery.cancel_scope.cancel()
    assert followed.messages is None, "of a source that isn't connected nobody knows anything"


@pytest.mark.parametrize("protocol", ["mqtt", "stomp"])
async def test_other_protocols_dont_tell(protocol: str) -> None:
    keys = {"src_topics": "a"} if protocol == "mqtt" else {"src_destination": "/queue/a"}
    async with open_broker(listen=(f"{protocol}=127.0.0.1:0",)) as upstream, edge() as broker:
        url = "{}://guest:guest@{}:{}".format(protocol, *upstream.address(protocol))
        await set_shovel(broker, src_protocol=protocol, src_uri=url, dest_uri="amqp://", dest_queue="in", **keys)
        await until_state(broker, "running")
        found = await figures(broker)
        assert [found[name] for name in ("lag_messages", "lag_bytes", "lag_seconds", "drain_seconds")] == [None] * 4


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
        assert (await figures(broker))["drain_seconds"] is None


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
