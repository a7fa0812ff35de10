"""The broker's time: wall-clock milliseconds that never run backwards within a run.

They follow Trio's clock, as every sleep does.  So under `trio.testing.MockClock` the broker's time is virtual as a
whole: TTLs, expiries, heartbeats and timeouts of half an hour pass in a test of milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import trio

REAL_CLOCK: Final = "SystemClock"
"""What Trio calls the class of its own clock, which runs as the system's monotonic clock does."""


class Clock:
    """Callable: milliseconds since 1970, by the wall clock at the start and by Trio's clock from there.

    To be made within `trio.run`, and used there alone.
    """

    __slots__ = ("_now_ns", "_offset_ns")

    def __init__(self) -> None:
        self._now_ns = _nanoseconds_of(trio.lowlevel.current_clock())
        self._offset_ns = time.time_ns() - self._now_ns()

    def __call__(self) -> int:
        return (self._now_ns() + self._offset_ns) // 1_000_000

    def seconds_until(self, at_ms: int) -> float:
        """How long until `at_ms`, in seconds; not below zero."""
        return max(0.0, (at_ms - self()) / 1000)


def _nanoseconds_of(clock: trio.abc.Clock) -> Callable[[], int]:
    """The time by a clock of Trio's; the real one is asked at its source, since every turn of the hub asks."""
    if type(clock).__name__ == REAL_CLOCK:
        return time.monotonic_ns
    return lambda: round(clock.current_time() * 1_000_000_000)
