"""The hub's turns, as those see them who call into the broker from other tasks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.support.simulated_broker import SimulatedBroker
from warren.core.broker import ROUNDS_MAX
from warren.core.queues.base import Queue
from warren.gateway.network.clock import Clock
from warren.gateway.network.hub import Hub


@asynccontextmanager
async def running_hub() -> AsyncIterator[Hub]:
    """A hub and nothing else, so that every turn is one that the test asked for."""
    simulated = SimulatedBroker()
    hub = Hub(simulated.broker, Clock())
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hub.run)
            nursery.start_soon(hub.run_requested_turns)
            await wait_all_tasks_blocked()
            yield hub
            nursery.cancel_scope.cancel()
    finally:
        hub.close()
        simulated.close()


class Endless:
    """A queue, as dispatch sees one, that has something left `turns` times."""

    description = "queue 'endless'"
    dirty = True

    def __init__(self, hub: Hub, turns: int) -> None:
        self._hub = hub
        self.left = turns

    def drain(self) -> None:
        if self.left:
            self.left -= 1
            # What `dispatch` puts into `touched` makes for another round, as a fast consumer does.
            self._hub.broker.touched.append(self)  # type: ignore[arg-type]

    @property
    def transport(self) -> Endless:
        return self

    def send(self) -> None:
        self._hub.broker.dirty_queues.append(cast("Queue", self))


@pytest.mark.interpreted("gives in a stand-in for a queue, which the compiled form refuses")
async def test_what_one_settling_leaves_is_done_in_further_ones() -> None:
    async with running_hub() as hub:
        queue = Endless(hub, 10 * ROUNDS_MAX)
        hub.broker.dirty_queues.append(cast("Queue", queue))
        hub.settle()
        assert queue.left == 9 * ROUNDS_MAX, "one settling is bounded"
        await wait_all_tasks_blocked()
        assert queue.left == 0


async def test_requests_for_a_turn_are_settled_together() -> None:
    async with running_hub() as hub:
        calls: list[str] = []

        async def work(name: str) -> None:
            hub.broker.at_end_of_batch(lambda: calls.append(name))
            hub.request_turn()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, "a")
            nursery.start_soon(work, "b")
            await wait_all_tasks_blocked()
        assert sorted(calls) == ["a", "b"]


@pytest.mark.interpreted("replaces a method of the broker")
async def test_a_turn_by_somebody_else_fulfils_a_request() -> None:
    async with running_hub() as hub:
        settled: list[bool] = []
        end_turn = hub.broker.end_turn

        def counted() -> bool:
            settled.append(True)
            return end_turn()

        hub.broker.end_turn = counted  # type: ignore[method-assign]
        hub.request_turn()
        hub.turn()
        await wait_all_tasks_blocked()
        assert settled == [True], "what the turn had settled was settled once more"
        hub.request_turn()
        await wait_all_tasks_blocked()
        assert settled == [True, True], "a request after that turn is a new one"


async def test_the_clock_follows_trios(mock_clock: MockClock) -> None:
    clock = Clock()
    began_ms = clock()
    assert abs(began_ms - time.time() * 1000) < 10_000
    mock_clock.jump(3600)
    assert clock() - began_ms in (3_600_000, 3_599_999)
    assert 0.9 < clock.seconds_until(clock() + 1000) <= 1.0
    assert clock.seconds_until(began_ms) == 0.0
