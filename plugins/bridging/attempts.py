"""One link for as long as it is wanted: it is tried again and again, after growing pauses, and says how it is.

The work of a link is straight code that connects, moves messages and raises PeerError when an end fails.  Whatever else
it raises is an error of ours, which is logged with its traceback and ends that attempt alone: no link touches another.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from warren.adapters.peers.errors import PeerError

if TYPE_CHECKING:
    import logging

    from warren.plugins.bridging.turnstile import Turnstile

PAUSE_GROWTH: Final = 1.5
PAUSE_MOST_S: Final = 60.0
"""The pause after a failure grows from the reconnect delay to a minute, so that a peer that is gone for days costs
nothing, and one that comes back is found soon."""

JITTER: Final = 0.25
"""Each pause is so much shorter or longer by chance: many links don't come back at once."""

STEADY_S: Final = 30.0
"""A link that ran for so long begins again with the shortest pause."""

STARTING: Final = "starting"
RUNNING: Final = "running"
FAILED: Final = "failed"
STOPPED: Final = "stopped"

AnyUri = TypeVar("AnyUri")

Work = Callable[[trio.Nursery], Awaitable[None]]
"""Connects and works; returns when there is nothing left to do.  The nursery is for the tasks of its peers, which end
after it, so that they can take leave."""


class Attempts:
    """See the head of this file.

    called: the link, for the log.  least_s: the pause after the first failure, in seconds; 0 for no other attempt.
    turnstile: which all links of the plugin pass when they connect; None for a link that waits for nobody.
    state: STARTING, RUNNING, FAILED (it is tried again), STOPPED.  reason: why it isn't running, in words; None if it
    is.  since: when it came to its state, UTC.
    """

    def __init__(
        self, log: logging.Logger, called: str, least_s: float, work: Work, turnstile: Turnstile | None = None
    ) -> None:
        self.state = STARTING
        self.reason: str | None = None
        self.since = _now()
        self._log = log
        self._called = called
        self._least_s = least_s
        self._work = work
        self._turnstile = turnstile
        self._connected: Callable[[], None] = _nothing
        self._scope = trio.CancelScope()
        self._over = trio.Event()
        self._again = trio.Event()
        self._ran_from_s = math.inf

    async def run(self) -> None:
        """Work until there is nothing left to do, or until cancelled."""
        try:
            with self._scope:
                # Who was cancelled before doesn't begin.
                await trio.lowlevel.checkpoint()
                await self._keep_running()
        finally:
            self._became(STOPPED, "stopped")
            self._over.set()

    def running(self) -> None:
        """The work tells that it is connected."""
        self._became(RUNNING, None)
        self._ran_from_s = trio.current_time()
        self._connected()

    def restart(self) -> None:
        """Give up the connections, and connect again at once."""
        self._again.set()

    def cancel(self) -> None:
        """End it."""
        self._scope.cancel()

    async def wait_over(self) -> None:
        """Return when it has ended, and its connections are closed."""
        await self._over.wait()

    # Below

    async def _keep_running(self) -> None:
        least_s = self._least_s
        pause_s = least_s
        while True:
            self._again = trio.Event()
            self._ran_from_s = math.inf
            try:
                if await self._run_once():
                    return
                pause_s = least_s
                continue
            except PeerError as error:
                reason = error.text
            except Exception:
                self._log.exception("%s failed; it is tried again", self._called)
                reason = "an internal error, which is in the log"
            if trio.current_time() - self._ran_from_s >= STEADY_S:
                pause_s = least_s
            if reason != self.reason:
                self._log.warning("%s doesn't run: %s", self._called, reason)
            self._became(FAILED, reason)
            if not least_s:
                await self._again.wait()
                continue
            with trio.move_on_after(pause_s * random.uniform(1 - JITTER, 1 + JITTER)):
                await self._again.wait()
            pause_s = min(pause_s * PAUSE_GROWTH, max(PAUSE_MOST_S, least_s))

    async def _run_once(self) -> bool:
        """Connect and work; True when all is done, False when it was asked to start anew."""
        if self.state != FAILED:
            self._became(STARTING, None)
        finished = False
        async with trio.open_nursery() as peers, trio.open_nursery() as nursery:
            failures: list[PeerError] = []

            async def work() -> None:
                nonlocal finished
                try:
                    await self._pass_and_work(peers, nursery)
                    finished = True
                except PeerError as error:
                    failures.append(error)
                nursery.cancel_scope.cancel()

            nursery.start_soon(work)
            await self._again.wait()
            nursery.cancel_scope.cancel()
        if failures:
            raise failures[0]
        return finished

    async def _pass_and_work(self, peers: trio.Nursery, nursery: trio.Nursery) -> None:
        if self._turnstile is None:
            await self._work(peers)
            return
        async with self._turnstile.passing(nursery) as self._connected:
            await self._work(peers)

    def _became(self, state: str, reason: str | None) -> None:
        if (state, reason) != (self.state, self.reason):
            self.since = _now()
        self.state, self.reason = state, reason


def pick(uris: Sequence[AnyUri]) -> AnyUri:
    """One of several URIs, by chance, for each attempt."""
    return random.choice(uris)


def _nothing() -> None:
    """Nobody waits for a place."""


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
