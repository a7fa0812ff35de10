"""What is asked for is sampled every five seconds, in bounds, and no longer than somebody asks."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.plugins.management.api import open_api, refusal
from tests.support.simulated_broker import SimulatedBroker
from warren.core.administration import operations
from warren.plugins.management.ranges import Span
from warren.plugins.management.sampler import SAMPLE_MS, UNASKED_MS, Sampler
from warren.plugins.management.series import OF_OBJECTS

SPANS = "lengths_age=60&lengths_incr=5&msg_rates_age=60&msg_rates_incr=5&data_rates_age=60&data_rates_incr=5"


class Thing:
    """Something that counts."""

    def __init__(self) -> None:
        self.count = 0
        self.read_count = 0
        self.is_there = True

    def read(self) -> dict[str, int] | None:
        self.read_count += 1
        return {"n": self.count} if self.is_there else None

    async def read_slowly(self) -> dict[str, int] | None:
        await trio.lowlevel.checkpoint()
        return self.read()


async def test_what_nobody_asks_for_is_forgotten_and_then_nothing_runs(autojump_clock: MockClock) -> None:
    sampler, thing, slow = Sampler(SimulatedBroker().broker), Thing(), Thing()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sampler.run)
        await trio.sleep(3600)
        series = sampler.of("thing", lambda: {"n": 0}, thing.read)
        sampler.of("slow", lambda: {"n": 0}, slow.read_slowly)
        thing.count = slow.count = 10
        await trio.sleep(SAMPLE_MS / 1000 + 1)
        assert (thing.read_count, slow.read_count, series.rate("n") > 0) == (1, 1, True)
        await trio.sleep(UNASKED_MS / 1000)
        counted = thing.read_count
        assert (len(sampler), UNASKED_MS // SAMPLE_MS - counted in (0, 1)) == (0, True)
        await trio.sleep(3600)
        assert thing.read_count == counted, "nobody asks, so nobody samples"
        sampler.of("thing", lambda: {"n": 0}, thing.read)
        await trio.sleep(SAMPLE_MS / 1000 + 1)
        assert thing.read_count == counted + 1
        nursery.cancel_scope.cancel()


async def test_what_has_gone_is_forgotten(autojump_clock: MockClock) -> None:
    sampler, thing, slow = Sampler(SimulatedBroker().broker), Thing(), Thing()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sampler.run)
        sampler.of("thing", lambda: {"n": 0}, thing.read, charts=OF_OBJECTS)
        sampler.of("slow", lambda: {"n": 0}, slow.read_slowly)
        thing.is_there = slow.is_there = False
        await trio.sleep(SAMPLE_MS / 1000 + 1)
        assert len(sampler) == 0
        nursery.cancel_scope.cancel()


async def test_one_that_fails_is_forgotten_and_the_others_go_on(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    sampler, thing = Sampler(SimulatedBroker().broker), Thing()

    def fail() -> None:
        raise ZeroDivisionError("of figures")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sampler.run)
        sampler.of("bad", lambda: {"n": 0}, fail)
        sampler.of("good", lambda: {"n": 0}, thing.read)
        await trio.sleep(2 * SAMPLE_MS / 1000 + 1)
        assert (len(sampler), thing.read_count) == (1, 2)
        assert caplog.text.count("ZeroDivisionError: of figures") == 1
        nursery.cancel_scope.cancel()


async def test_only_so_much_is_sampled_and_charted(autojump_clock: MockClock) -> None:
    sampler = Sampler(SimulatedBroker().broker, objects_max=3, charts_max=2)
    span = Span(60_000, 5_000)
    first = sampler.of(0, lambda: {"n": 0}, Thing().read, charts=OF_OBJECTS)
    for number in (1, 2):
        sampler.of(number, lambda: {"n": 0}, Thing().read, charts=OF_OBJECTS)
    assert "samples" not in first.details("n", span), "the one that was asked for longest ago has no charts any more"
    assert sampler.of(0, lambda: {"n": 0}, Thing().read) is first
    sampler.of(3, lambda: {"n": 0}, Thing().read)
    assert len(sampler) == 3
    assert sampler.of(0, lambda: {"n": 0}, Thing().read) is first
    assert len(sampler) == 3
    again = sampler.of(1, lambda: {"n": 0}, Thing().read)
    assert "samples" not in again.details("n", span), "it was forgotten, and begins anew"


async def later(clock: MockClock, seconds: int) -> None:
    """So much later, with every sample in between taken."""
    for _ in range(seconds):
        clock.jump(1)
        await wait_all_tasks_blocked()


PATHS = (
    "/queues/%2F/q?",
    "/overview?",
    "/vhosts/%2F?",
    "/exchanges/%2F/amq.default?",
    "/nodes?node_stats_age=60&node_stats_incr=5&",
)


async def test_answers_have_samples(mock_clock: MockClock) -> None:
    async with open_api() as api:
        operations.queues.declare(api.broker, "/", "q")
        async with api.embedded.connect() as client:
            for path in PATHS:
                await api.get(path + SPANS)
            await later(mock_clock, 20)
            for _ in range(10):
                await client.publish("", "q", b"12345")
            await later(mock_clock, 10)
            queue, overview, vhost, exchange, (node,) = [await api.get(path + SPANS) for path in PATHS]
            for of, name in ((queue, "publish"), (overview, "publish"), (vhost, "publish"), (exchange, "publish_in")):
                details = of["message_stats"][f"{name}_details"]
                samples = [each["sample"] for each in details["samples"]]
                assert (samples[0], samples[-1], of["message_stats"][name]) == (10, 0, 10)
                assert all(each["timestamp"] % SAMPLE_MS == 0 for each in details["samples"])
                assert details["avg_rate"] > 0 < details["avg"] < 10
            for lengths in (queue, overview["queue_totals"], vhost):
                assert lengths["messages_details"]["samples"][0]["sample"] == 10
            assert overview["churn_rates"]["queue_created_details"]["samples"][0]["sample"] == 1
            assert node["mem_used_details"]["samples"][0]["sample"] > 0
            await later(mock_clock, 10)
            assert (await api.get("/queues/%2F/q"))["idle_since"].endswith("+00:00")
            (listed,) = await api.get(f"/queues?{SPANS}&columns=name,messages_details.samples,idle_since")
            assert listed["messages_details"]["samples"][0]["sample"] == 10
            assert (await api.get("/queues?columns=messages_details"))[0] == {"messages_details": {"rate": 0.0}}
            refused = await api.ask("GET", "/queues/%2F/q?lengths_age=60&lengths_incr=0")
            assert "Invalid range parameters" in refusal(refused, 400, "bad_request")


async def test_rates_of_connections_and_channels_and_sorting_by_them(mock_clock: MockClock) -> None:
    async with open_api() as api:
        for name in ("calm", "busy"):
            operations.queues.declare(api.broker, "/", name)
        async with api.embedded.connect() as client:
            for path in ("/connections", "/channels", "/queues"):
                await api.get(path)
            for _ in range(20):
                await client.publish("", "busy", b"12345")
            await later(mock_clock, 5)
            sort = "sort_reverse=true&sort=message_stats.publish_details.rate"
            assert [each["name"] for each in await api.get(f"/queues?{sort}")] == ["busy", "calm"]
            (channel,) = await api.get("/channels")
            assert channel["message_stats"]["publish_details"]["rate"] > 0
            (connection,) = await api.get("/connections")
            assert isinstance(connection["recv_oct_details"]["rate"], float)
