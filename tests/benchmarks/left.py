"""What queues hold when a load is done."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tests.benchmarks.client import Client, LoadError

LATER_S = 30.0
"""RabbitMQ counts what a stream holds every few seconds."""

ASKED_EVERY_S = 0.25


def expect_left(
    control: Client,
    queues: Sequence[str],
    expected: int,
    durable: bool,
    *,
    later: bool = False,
    later_s: float = LATER_S,
) -> None:
    """Raise LoadError unless the queues hold so many messages; later: within `later_s`, as for a stream's count."""
    end_s = time.monotonic() + (later_s if later else 0)
    while (left := sum(control.declare_queue(each, durable=durable, passive=True) for each in queues)) != expected:
        if time.monotonic() >= end_s:
            raise LoadError(f"{queues[0]!r} and the like hold {left} messages at the end, not {expected}")
        time.sleep(ASKED_EVERY_S)
