"""The broker's time: wall-clock milliseconds that never run backwards within a run."""

from __future__ import annotations

import time


class Clock:
    """Callable: milliseconds since 1970, by the wall clock at the start and the monotonic clock from there."""

    __slots__ = ("_offset_ns",)

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def __call__(self) -> int:
        return (time.monotonic_ns() + self._offset_ns) // 1_000_000

    def seconds_until(self, at_ms: int) -> float:
        """How long until `at_ms`, in seconds; not below zero."""
        return max(0.0, (at_ms - self()) / 1000)
