"""How many links connect at once: hundreds that begin in one moment come one behind the other.

Each connection costs this broker and the other one a handshake, and what is declared behind it.  All at a moment would
hold up everybody else on either side, and overrun the other's backlog.  So a link passes here before it connects, and
keeps its place until it runs, or has failed; but no longer than a moment, so that peers that never answer delay
nobody who could be running.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

AT_ONCE: Final = 32
"""Links that connect at a time: enough for a long line, on which each waits for answers most of the time."""

APART_S: Final = 0.005
"""From one that begins to the next, on the average: two hundred a second, five hundred within three seconds."""

APART_JITTER: Final = 0.5
"""So much shorter or longer by chance: brokers that start together don't stay in step."""

HELD_S: Final = 0.25
"""How long a link that comes to nothing keeps its place: with all places taken by such links, the others still come at
four times AT_ONCE in a second."""


class Turnstile:
    """Of all links of a plugin."""

    def __init__(self) -> None:
        self._places = trio.CapacityLimiter(AT_ONCE)
        self._next_s = 0.0

    @property
    def connecting(self) -> int:
        """Links that have a place."""
        return int(self._places.borrowed_tokens)

    @asynccontextmanager
    async def passing(self, nursery: trio.Nursery) -> AsyncIterator[Callable[[], None]]:
        """Come in here to connect; what is given is called when that is done, and may be called again.

        nursery: where the task runs that gives a place back which has been kept for too long.
        """
        place = object()
        await self._places.acquire_on_behalf_of(place)
        kept = True

        def leave() -> None:
            nonlocal kept
            if kept:
                kept = False
                self._places.release_on_behalf_of(place)

        async def leave_late() -> None:
            await trio.sleep(HELD_S)
            leave()

        try:
            at_s = max(trio.current_time(), self._next_s)
            self._next_s = at_s + APART_S * random.uniform(1 - APART_JITTER, 1 + APART_JITTER)
            await trio.sleep_until(at_s)
            nursery.start_soon(leave_late)
            yield leave
        finally:
            leave()
