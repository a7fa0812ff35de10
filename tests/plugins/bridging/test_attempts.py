"""One link tried again and again, in virtual time: pauses, states, restarts."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from warren.adapters.peers.errors import PeerError
from warren.plugins.bridging.attempts import (
    FAILED,
    JITTER,
    PAUSE_MOST_S,
    RUNNING,
    STARTING,
    STEADY_S,
    STOPPED,
    Attempts,
)

LOG = logging.getLogger("warren.test")

Do = Callable[[Attempts], Awaitable[None]]


class Tried:
    """attempts: with a work that does what the test says.  at: when each attempt began."""

    def __init__(self, do: Do, least_s: float) -> None:
        self.at: list[float] = []
        self._do = do
        self.attempts = Attempts(LOG, "the link", least_s, self._work)

    async def _work(self, peers: trio.Nursery) -> None:
        self.at.append(trio.current_time())
        await self._do(self.attempts)


@asynccontextmanager
async def tried(do: Do, least_s: float = 1.0) -> AsyncIterator[Tried]:
    """Attempts that run, until the test is over."""
    made = Tried(do, least_s)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.attempts.run)
        yield made
        made.attempts.cancel()
    assert made.attempts.state == STOPPED


async def fails(attempts: Attempts) -> None:
    raise PeerError("nobody is there")


async def stays(attempts: Attempts) -> None:
    attempts.running()
    await trio.sleep_forever()


async def test_pauses_grow_to_a_minute_and_vary(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with tried(fails) as made:
        await trio.sleep(2000)
        pauses = [later - earlier for earlier, later in pairwise(made.at)]
        assert 1 - JITTER <= pauses[0] <= 1 + JITTER
        assert 1.5 * (1 - JITTER) <= pauses[1] <= 1.5 * (1 + JITTER)
        assert all(PAUSE_MOST_S * (1 - JITTER) <= pause <= PAUSE_MOST_S * (1 + JITTER) for pause in pauses[11:])
        assert len(set(pauses)) == len(pauses)
        assert (made.attempts.state, made.attempts.reason) == (FAILED, "nobody is there")
    assert caplog.text.count("nobody is there") == 1, "the same reason is logged once"


async def test_a_delay_of_a_day_isnt_cut_short(autojump_clock: MockClock) -> None:
    async with tried(fails, 86_400) as made:
        await trio.sleep(80_000 * (1 - JITTER))
        assert len(made.at) == 1


async def test_no_delay_is_no_other_attempt_but_by_hand(autojump_clock: MockClock) -> None:
    async with tried(fails, 0) as made:
        await trio.sleep(100_000)
        assert len(made.at) == 1
        made.attempts.restart()
        await wait_all_tasks_blocked()
        assert len(made.at) == 2


async def test_a_restart_doesnt_wait(autojump_clock: MockClock) -> None:
    async with tried(stays) as made:
        await wait_all_tasks_blocked()
        assert made.attempts.state == RUNNING
        made.attempts.restart()
        await wait_all_tasks_blocked()
        assert made.at == [made.at[0]] * 2
        assert made.attempts.state == RUNNING


async def test_one_that_ran_well_begins_with_the_shortest_pause(autojump_clock: MockClock) -> None:
    async def breaks(attempts: Attempts) -> None:
        if len(made.at) > 10:
            attempts.running()
            await trio.sleep(STEADY_S + 1)
        raise PeerError("nobody is there")

    async with tried(breaks) as made:
        await trio.sleep(1000)
        pauses = [later - earlier for earlier, later in pairwise(made.at)]
        assert pauses[9] > 10
        assert pauses[10] <= STEADY_S + 1 + 1 + JITTER


async def test_what_it_is_meanwhile(autojump_clock: MockClock) -> None:
    async def connects(attempts: Attempts) -> None:
        await trio.sleep(10)
        attempts.running()
        await trio.sleep_forever()

    async with tried(connects) as made:
        await trio.sleep(5)
        assert (made.attempts.state, made.attempts.reason) == (STARTING, None)
        await trio.sleep(10)
        assert (made.attempts.state, made.attempts.reason) == (RUNNING, None)


async def test_a_bug_is_logged_and_tried_again(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async def fails_otherwise(attempts: Attempts) -> None:
        raise RuntimeError("on purpose")

    async with tried(fails_otherwise) as made:
        await trio.sleep(10)
        assert len(made.at) > 2
        assert made.attempts.reason == "an internal error, which is in the log"
    assert "on purpose" in caplog.text
    caplog.clear()


async def test_what_is_done_is_done(autojump_clock: MockClock) -> None:
    async def ends(attempts: Attempts) -> None:
        return

    made = Tried(ends, 1.0)
    await made.attempts.run()
    assert made.attempts.state == STOPPED
    await made.attempts.wait_over()
