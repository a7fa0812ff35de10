"""Hundreds of links that begin in one moment, in virtual time: not all at once, and all within seconds."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from warren.adapters.peers.errors import PeerError
from warren.plugins.bridging.attempts import RUNNING, Attempts
from warren.plugins.bridging.turnstile import APART_JITTER, APART_S, AT_ONCE, HELD_S, Turnstile

LINKS = 500
HANDSHAKE_S = 0.05
SECONDS = 5.0
"""Within which all that can run do."""

LOG = logging.getLogger("warren.test")

Connect = Callable[[], Awaitable[None]]


class Links:
    """Links that pass one turnstile.  at: when each began to connect, in order.  most: how many did at a time."""

    def __init__(self, *connects: Connect) -> None:
        self.turnstile = Turnstile()
        self.at: list[float] = []
        self.most = 0
        self._connecting = 0
        self.all = [self._link(number, connect) for number, connect in enumerate(connects)]

    @property
    def running(self) -> int:
        return sum(link.state == RUNNING for link in self.all)

    def _link(self, number: int, connect: Connect) -> Attempts:
        async def work(peers: trio.Nursery) -> None:
            self.at.append(trio.current_time())
            self._connecting += 1
            self.most = max(self.most, self._connecting)
            try:
                await connect()
            finally:
                self._connecting -= 1
            link.running()
            await trio.sleep_forever()

        link = Attempts(LOG, f"link {number}", 1.0, work, self.turnstile)
        return link


async def connects() -> None:
    await trio.sleep(HANDSHAKE_S)


async def never_answers() -> None:
    await trio.sleep(30)
    raise PeerError("nothing within 30 s")


async def all_run(links: Links, *, count: int) -> float:
    """Run all until so many are at work; how long that took, in seconds."""
    began_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        for link in links.all:
            nursery.start_soon(link.run)
        while links.running < count:
            await trio.sleep(0.01)
        took_s = trio.current_time() - began_s
        nursery.cancel_scope.cancel()
    assert links.turnstile.connecting == 0, "every place was given back"
    return took_s


async def test_hundreds_come_up_within_seconds_but_not_at_once(autojump_clock: MockClock) -> None:
    links = Links(*[connects] * LINKS)
    assert await all_run(links, count=LINKS) < SECONDS
    assert links.most <= AT_ONCE
    apart = [later - earlier for earlier, later in pairwise(links.at)]
    assert min(apart) >= APART_S * (1 - APART_JITTER) - 1e-9
    assert len({round(each, 6) for each in apart}) > LINKS / 4, "no two brokers keep step"


async def test_those_that_never_answer_dont_delay_those_that_do(autojump_clock: MockClock) -> None:
    links = Links(*[never_answers] * (LINKS - 100), *[connects] * 100)
    assert await all_run(links, count=100) < SECONDS


async def test_slow_handshakes_are_bounded_while_they_may_come_to_something(autojump_clock: MockClock) -> None:
    async def slow() -> None:
        await trio.sleep(HELD_S * 0.9)

    links = Links(*[slow] * LINKS)
    assert await all_run(links, count=LINKS) < SECONDS
    assert links.most <= AT_ONCE


@pytest.mark.limits(seconds=600)
async def test_who_comes_back_together_passes_again(autojump_clock: MockClock) -> None:
    there = trio.Event()

    async def refused_first() -> None:
        await trio.sleep(HANDSHAKE_S)
        if not there.is_set():
            raise PeerError("refused")

    links = Links(*[refused_first] * LINKS)

    async with trio.open_nursery() as nursery:
        for link in links.all:
            nursery.start_soon(link.run)
        await trio.sleep(600)
        links.most = 0
        there.set()
        for link in links.all:
            link.restart()
        await trio.sleep(SECONDS)
        assert links.running == LINKS
        assert 1 < links.most <= AT_ONCE
        nursery.cancel_scope.cancel()


async def test_a_link_that_is_cancelled_while_it_waits_takes_no_place(autojump_clock: MockClock) -> None:
    links = Links(*[never_answers] * AT_ONCE, connects)
    async with trio.open_nursery() as nursery:
        for link in links.all:
            nursery.start_soon(link.run)
        await trio.sleep(HELD_S / 2)
        assert links.turnstile.connecting == AT_ONCE
        links.all[-1].cancel()
        await links.all[-1].wait_over()
        await trio.sleep(3 * HELD_S)
        assert links.turnstile.connecting == 0
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("how", ["fails", "ends"])
async def test_a_place_is_given_back_at_once(autojump_clock: MockClock, how: str) -> None:
    turnstile = Turnstile()

    async def work(peers: trio.Nursery) -> None:
        if how == "fails":
            raise PeerError("refused")

    link = Attempts(LOG, "the link", 1.0, work, turnstile)
    with trio.move_on_after(HELD_S / 2):
        await link.run()
    assert turnstile.connecting == 0
