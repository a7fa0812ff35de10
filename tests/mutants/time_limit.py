"""When a process has had its time: by clocks that others on a busy machine don't make go faster."""

from __future__ import annotations

import time
from typing import Final

from tests.support.process_usage import cpu_s_of, kept_waiting_s

WALL_FACTOR: Final = 5
"""What waits for ever takes no processor time: so many times as long by the clock on the wall is its time, too, but for
how long it only waited for a processor."""


class TimeLimit:
    """Of one child, from now on.  seconds: of processor time of the process itself."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid = pid
        self._seconds = seconds
        self._ends_at = time.monotonic() + WALL_FACTOR * seconds

    def is_over(self) -> bool:
        """Whether it has had its time; for a child that hasn't been waited for."""
        if time.monotonic() > self._ends_at + kept_waiting_s(self._pid):
            return True
        try:
            return cpu_s_of(self._pid) > self._seconds
        except OSError:
            return False  # it has just ended, or there is no such clock here
