"""The load loop: publishers and consumers over one selector, until all are done or nothing moves any more.

An end is asked to `pump` after each of its reads (a confirm opens the window, a delivery makes an ack due)
and whenever its socket is writable, as long as it says that it has more to send.

Where each end has a single message under way, nearly every turn of the loop would find only one or two
sockets ready, and the generator would compete with the broker for the CPU just to look.  There the loop can
nap after turns that moved few messages, for a small part of what all ends' messages take together.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from typing import Protocol

from tests.benchmarks.client import LoadError

SELECT_TIMEOUT_S = 1.0
"""How long to wait before looking at the clock when nothing happens."""

PROGRESS_CHECK_INTERVAL_S = 1.0
"""How often progress is looked at while something happens."""

SMALL_TURN_MESSAGES = 64
"""A turn that moved fewer messages than this is followed by a nap, if naps are asked for."""


class End(Protocol):
    """One connection's part in the load."""

    socket: socket.socket

    @property
    def done(self) -> bool:
        """Whether it has sent and received everything."""

    @property
    def progress(self) -> int:
        """A number that grows whenever anything happens."""

    def read(self) -> None:
        """Take what the readable socket has."""

    def pump(self) -> bool:
        """Send what may be sent.  Returns whether to call again when the socket is writable."""


def run_ends(ends: Sequence[End], stall_timeout_s: float, timeout_s: float, nap_s: float = 0) -> float:
    """Run until every end is done.  Returns the seconds from the first `pump` to the last event.

    nap_s: how long to nap after a turn that moved few messages; 0 doesn't.
    Raises LoadError when nothing moved for `stall_timeout_s`, or `timeout_s` passed: a run is bounded in any
    case.
    """
    with selectors.DefaultSelector() as selector:
        interests: dict[End, int] = {}
        for end in ends:
            end.socket.setblocking(False)
            selector.register(end.socket, selectors.EVENT_READ, end)
            interests[end] = selectors.EVENT_READ
        watch = _Watch(ends, stall_timeout_s, timeout_s)
        for end in ends:
            _pump(end, selector, interests)
        unfinished = {end for end in ends if not end.done}
        moved_before = 0
        while unfinished:
            for key, events in selector.select(SELECT_TIMEOUT_S):
                end = key.data
                if events & selectors.EVENT_READ:
                    _read(end)
                _pump(end, selector, interests)
                if end.done:
                    unfinished.discard(end)
            watch.check()
            if nap_s and unfinished:
                moved = sum(end.progress for end in ends)
                if moved - moved_before < SMALL_TURN_MESSAGES:
                    time.sleep(nap_s)
                moved_before = moved
        seconds = time.perf_counter() - watch.started_at
    for end in ends:
        end.socket.setblocking(True)
    return seconds


def _read(end: End) -> None:
    """A readable socket may have nothing to give: a part of a TLS record, or what was taken meanwhile."""
    try:
        end.read()
    except BlockingIOError:
        pass


def _pump(end: End, selector: selectors.BaseSelector, interests: dict[End, int]) -> None:
    interest = selectors.EVENT_READ | (selectors.EVENT_WRITE if end.pump() else 0)
    if interests[end] != interest:
        selector.modify(end.socket, interest, end)
        interests[end] = interest


class _Watch:
    """Notices that a run takes too long or doesn't move."""

    def __init__(self, ends: Sequence[End], stall_timeout_s: float, timeout_s: float) -> None:
        self.started_at = time.perf_counter()
        self._ends = ends
        self._stall_timeout_s = stall_timeout_s
        self._give_up_at = self.started_at + timeout_s
        self._check_at = 0.0
        self._moved_at = self.started_at
        self._progress = -1

    def check(self) -> None:
        now = time.perf_counter()
        if now < self._check_at:
            return
        self._check_at = now + PROGRESS_CHECK_INTERVAL_S
        progress = sum(end.progress for end in self._ends)
        if progress != self._progress:
            self._progress, self._moved_at = progress, now
        if now > self._give_up_at:
            raise LoadError(f"not finished after {now - self.started_at:.0f} s: {self._state()}")
        if now - self._moved_at > self._stall_timeout_s:
            self._read_what_there_is()
            raise LoadError(f"nothing moved for {self._stall_timeout_s:g} s: {self._state()}")

    def _read_what_there_is(self) -> None:
        """A socket that waits for a chunk may hold the server's last words; reading says what is wrong."""
        for end in self._ends:
            _read(end)

    def _state(self) -> str:
        return "; ".join(str(end) for end in self._ends if not end.done)
