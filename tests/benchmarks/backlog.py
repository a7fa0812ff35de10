"""A backlog: what a queued message costs in memory, and whether all of them come back in order.

A queue is filled with no consumer present.  Resident memory is taken before, and again once every message is
confirmed and memory has stopped falling: brokers move bodies out of memory behind the writes.  Then a
consumer takes everything, which the generator checks message by message.
"""

from __future__ import annotations

import time
from dataclasses import replace

from tests.benchmarks.figures import MEBIBYTE, Figures
from tests.benchmarks.load import Job, run_in_child
from tests.benchmarks.servers import Server
from tests.support.process_usage import usage_of_tree

BODY_BYTES = 1024
CONFIRM_WINDOW = 5000
PREFETCH = 1000
WARM_UP_MESSAGES = 2000
"""Enough to have every code path and buffer in use before the first figure is taken."""

RUN_TIMEOUT_S = 900.0
"""A million messages each way, at no less than 2,000/s."""

SETTLE_INTERVAL_S = 0.5
SETTLE_TIMEOUT_S = 10.0
SETTLED_BYTES = MEBIBYTE
"""Memory that fell by less than this within an interval has settled."""


def measure_backlog(server: Server, messages: int) -> Figures:
    """Fill, weigh, and empty a queue of `messages` messages."""
    fill = Job(
        server.port,
        server.pid,
        messages,
        body_size=BODY_BYTES,
        persistent=True,
        confirm_window=CONFIRM_WINDOW,
        consumers=0,
        timeout_s=RUN_TIMEOUT_S,
    )
    drain = replace(fill, publish=False, confirm_window=0, consumers=1, acks="each", prefetch=PREFETCH)
    run_in_child(replace(fill, messages=WARM_UP_MESSAGES))
    run_in_child(replace(drain, messages=WARM_UP_MESSAGES))

    before_bytes = _settled_resident_bytes(server)
    filled = run_in_child(fill)
    after_bytes = _settled_resident_bytes(server)
    filling_peak_bytes = usage_of_tree(server.pid).peak_bytes
    drained = run_in_child(drain)
    return {
        "resident bytes/message": (after_bytes - before_bytes) / messages,
        "resident MiB before": before_bytes / MEBIBYTE,
        "resident MiB after": after_bytes / MEBIBYTE,
        "peak MiB while filling": filling_peak_bytes / MEBIBYTE,
        "peak MiB": usage_of_tree(server.pid).peak_bytes / MEBIBYTE,
        "messages/s in": filled.deliveries / filled.load_s,
        "messages/s out": drained.deliveries / drained.load_s,
        "broker CPU µs/message in": filled.broker_cpu_s / filled.deliveries * 1e6,
        "broker CPU µs/message out": drained.broker_cpu_s / drained.deliveries * 1e6,
    }


def _settled_resident_bytes(server: Server) -> int:
    give_up_at = time.monotonic() + SETTLE_TIMEOUT_S
    resident_bytes = usage_of_tree(server.pid).resident_bytes
    while True:
        time.sleep(SETTLE_INTERVAL_S)
        previous, resident_bytes = resident_bytes, usage_of_tree(server.pid).resident_bytes
        if previous - resident_bytes < SETTLED_BYTES or time.monotonic() > give_up_at:
            return resident_bytes
