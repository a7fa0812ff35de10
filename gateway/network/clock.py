"""The broker's time: wall-clock milliseconds that never run backwards within a run.

They follow Trio's clock, as every sleep does.  So under `trio.testing.MockClock` the broker's time is virtual as a
whole: TTLs, expiries, heartbeats and timeouts of half an hour pass in a test of milliseconds.
"""

from __future__ import annotations

import time

import trio


class Clock:
    """Callable: milliseconds since 1970, by the wall clock at the start and by Trio's clock from there.

    To be made within `trio.run`, and used there alone.
    """

    __slots__ = ("_current_time", "_offset_s")

    def __init__(self) -> None:
        self._current_time = trio.lowlevel.current_clock().current_time
        self._offset_s = time.time() - self._current_time()

    def __call__(self) -> int:
        return int((self._current_time() + self._offset_s) * 1000)

    def seconds_until(self, at_ms: int) -> float:
        """How long until `at_ms`, in seconds; not below zero."""
        return max(0.0, (at_ms - self()) / 1000)
