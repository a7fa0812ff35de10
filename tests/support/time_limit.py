"""A bound on how long a blocking test may take, for client libraries that wait for an answer without one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

REPEAT_S = 5.0


class TimeLimitExceededError(AssertionError):
    """The test was still waiting when its time was up."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises TimeLimitExceededError in the main thread if the code inside takes longer.

    It is raised again every `REPEAT_S`, in case that what the first one ends (a test) is followed by more that waits
    (its clean-up).
    """

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeLimitExceededError(f"not done within {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds, REPEAT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
