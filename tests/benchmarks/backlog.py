"""A backlog: what a queued message costs in memory, whether all of them come back in order, and after kill -9.

A queue is filled with no consumer present.  Resident memory is taken before, and again once every message is
confirmed and memory has stopped falling: brokers move bodies out of memory behind the writes.  Then a
consumer takes everything, which the generator checks message by message.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace

from tests.benchmarks.client import Client, LoadError
from tests.benchmarks.figures import MEBIBYTE, Figures
from tests.benchmarks.job import QUEUE, Job
from tests.benchmarks.load import run_in_child
from tests.benchmarks.servers import Server
from tests.support.process_usage import usage_of_tree

BODY_BYTES = 1024
CONFIRM_WINDOW = 5000
PREFETCH = 1000
WARM_UP_MESSAGES = 2000
"""Enough to have every code path and buffer in use before the first figure is taken."""

RUN_TIMEOUT_S = 900.0
"""A million messages each way, at no less than 2,000/s."""

LOOK_INTERVAL_S = 0.01
"""Between two looks at how many messages have been recovered."""

SETTLE_INTERVAL_S = 0.5
SETTLE_TIMEOUT_S = 10.0
SETTLED_BYTES = MEBIBYTE
"""Memory that fell by less than this within an interval has settled."""


def measure_backlog(server: Server, messages: int) -> Figures:
    """Fill, weigh, and empty a queue of `messages` messages."""
    fill = _filling(server, messages)
    drain = _draining(fill)
    run_in_child(replace(fill, messages=WARM_UP_MESSAGES))
    run_in_child(replace(drain, messages=WARM_UP_MESSAGES))

    before_bytes = settled_resident_bytes(server)
    filled = run_in_child(fill)
    after_bytes = settled_resident_bytes(server)
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


def measure_recovery(server: Server, messages: int) -> Figures:
    """Fill a queue, kill the broker, start it again, and find all messages there."""
    if server.start_again is None:
        raise LoadError("this broker can't be started again")
    fill = _filling(server, messages)
    run_in_child(replace(fill, messages=WARM_UP_MESSAGES))
    run_in_child(replace(_draining(fill), messages=WARM_UP_MESSAGES))
    before_bytes = settled_resident_bytes(server)
    run_in_child(fill)
    after_bytes = settled_resident_bytes(server)
    again = server.start_again()
    answered_at = time.perf_counter()
    with closing(Client(again.port)) as client:
        while (found := client.declare_queue(QUEUE, durable=True, passive=True)) < messages:
            if time.perf_counter() - answered_at > RUN_TIMEOUT_S:
                break
            time.sleep(LOOK_INTERVAL_S)
    recovered_s = again.start_s + time.perf_counter() - answered_at
    if found != messages:
        raise LoadError(f"{found} of {messages} messages are there after kill -9")
    return {
        "resident bytes/message": (after_bytes - before_bytes) / messages,
        "recovery s": recovered_s,
        "seconds to first connection": again.start_s,
        "resident MiB after recovery": settled_resident_bytes(again) / MEBIBYTE,
        "peak MiB while recovering": usage_of_tree(again.pid).peak_bytes / MEBIBYTE,
    }


def _filling(server: Server, messages: int) -> Job:
    return Job(
        server.port,
        server.pid,
        messages,
        body_size=BODY_BYTES,
        persistent=True,
        confirm_window=CONFIRM_WINDOW,
        consumers=0,
        timeout_s=RUN_TIMEOUT_S,
    )


def _draining(fill: Job) -> Job:
    return replace(fill, publish=False, confirm_window=0, consumers=1, acks="each", prefetch=PREFETCH)


def settled_resident_bytes(server: Server) -> int:
    give_up_at = time.monotonic() + SETTLE_TIMEOUT_S
    resident_bytes = usage_of_tree(server.pid).resident_bytes
    while True:
        time.sleep(SETTLE_INTERVAL_S)
        previous, resident_bytes = resident_bytes, usage_of_tree(server.pid).resident_bytes
        if previous - resident_bytes < SETTLED_BYTES or time.monotonic() > give_up_at:
            return resident_bytes
