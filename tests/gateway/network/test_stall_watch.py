"""Who held the event loop, and for how long: told in the log and counted, and not told of what nobody can help."""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.support.simulated_broker import SimulatedBroker
from warren.gateway.network.clock import Clock
from warren.gateway.network.hub import Hub
from warren.gateway.network.stall_watch import STALL_S, StallWatch, waited_s

pytestmark = pytest.mark.usefixtures("the_watch_speaks")


@pytest.fixture
def the_watch_speaks(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "warren.hub")


class Time:
    """What the watch takes the time for; tests move it on.  waited_s: how long the machine had others run."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.waited_s = 7.0

    def passes(self, seconds: float) -> None:
        self.now_s += seconds


@asynccontextmanager
async def watched(time: Time) -> AsyncIterator[Hub]:
    simulated = SimulatedBroker()
    hub = Hub(simulated.broker, Clock())
    watch = hub.stall_watch = StallWatch(hub, lambda: time.now_s, lambda: time.waited_s)
    watch.start()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hub.run)
            nursery.start_soon(hub.run_requested_turns)
            await wait_all_tasks_blocked()
            yield hub
            nursery.cancel_scope.cancel()
    finally:
        watch.stop()
        hub.close()
        simulated.close()


async def in_a_task(name: str, time: Time, seconds: float) -> None:
    async with trio.open_nursery() as nursery:

        async def hold() -> None:
            time.passes(seconds)

        nursery.start_soon(hold, name=name)


async def test_a_task_that_holds_the_loop_is_named_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    async with watched(time) as hub:
        await in_a_task("reports", time, 0.31)
        assert caplog.messages == ["nobody was served for 0.31 s, which the task reports took"]
        stalls = hub.broker.stalls
        assert (stalls.count, stalls.longest_by) == (1, "the task reports")
        assert stalls.longest_s == pytest.approx(0.31)
        await in_a_task("reports", time, 0.2)
        assert len(caplog.messages) == 1, "said once in a while"
        assert stalls.count == 2
        assert stalls.total_s == pytest.approx(0.51)
        assert stalls.longest_s == pytest.approx(0.31)


async def test_what_is_shorter_is_none(caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    async with watched(time) as hub:
        for _ in range(3):
            await in_a_task("quick", time, STALL_S * 0.9)
        assert hub.broker.stalls.count == 0
    assert caplog.messages == []


async def test_time_that_the_machine_gave_to_others_is_no_stall(caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    async with watched(time) as hub:
        time.waited_s += 0.25
        await in_a_task("unlucky", time, 0.3)
        assert hub.broker.stalls.count == 0
        time.waited_s += 0.25
        assert hub.stall_watch is not None
        hub.stall_watch.look()
        await in_a_task("guilty", time, 0.3)
        assert hub.broker.stalls.longest_s == pytest.approx(0.3), "what was waited before isn't its"
    assert caplog.messages == ["nobody was served for 0.30 s, which the task guilty took"]


async def test_a_turn_of_the_broker_is_told_from_a_task(caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    async with watched(time) as hub:
        hub.broker.at_end_of_batch(lambda: time.passes(0.4))
        hub.request_turn()
        await wait_all_tasks_blocked()
    assert caplog.messages == [
        "nobody was served for 0.40 s, which a turn of the broker: deliveries, sends, timers or long work took"
    ]


async def test_a_collection_of_garbage_is_told(caplog: pytest.LogCaptureFixture) -> None:
    time = Time()

    def slow(phase: str, info: object) -> None:
        if phase == "start":
            time.passes(0.5)

    async with watched(time), trio.open_nursery() as nursery:

        async def collect() -> None:
            # Behind the watch's own, which has noted when it began.
            gc.callbacks.append(slow)
            try:
                gc.collect()
            finally:
                gc.callbacks.remove(slow)

        nursery.start_soon(collect)
    assert caplog.messages == ["nobody was served for 0.50 s, which collecting garbage took"]


async def test_it_leaves_nothing_behind() -> None:
    before = list(gc.callbacks)
    time = Time()
    async with watched(time) as hub:
        pass
    assert gc.callbacks == before
    await in_a_task("later", time, 5)
    assert hub.broker.stalls.count == 0


def test_what_the_system_tells_grows() -> None:
    before = waited_s()
    assert before >= 0
    assert waited_s() >= before
