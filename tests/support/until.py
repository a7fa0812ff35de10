"""Waiting for real clients, with an end: a loop that waits says itself for how long, and what it was waiting for."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

TIME_LIMIT_S: Final = 60.0

STEP_S: Final = 1.0
"""So long a step of a client's loop may wait for something to happen."""


def until(condition: Callable[[], bool], step: Callable[[float], object], limit_s: float = TIME_LIMIT_S) -> None:
    """Do `step`, which is told for how many seconds it may wait, until the condition holds; fail after `limit_s`."""
    give_up_at = time.monotonic() + limit_s
    while not condition():
        left_s = give_up_at - time.monotonic()
        assert left_s > 0, "not within the time limit"
        step(min(left_s, STEP_S))


@contextmanager
def killed_after(process: subprocess.Popen[Any], limit_s: float = TIME_LIMIT_S) -> Iterator[None]:
    """While in the context, a process that is read from is killed when its time is over, so that reading ends."""
    timer = threading.Timer(limit_s, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
