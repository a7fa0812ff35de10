"""The loads over the stream protocol that are more than one job each."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.figures import Figures
from tests.benchmarks.job import Job
from tests.benchmarks.load import run_in_child
from tests.benchmarks.servers import Server

READERS = 10

WARM_UP_SHARE = 10
"""One message in so many is sent beforehand."""


def measure_readers(server: Server, messages: int) -> Figures:
    """One reader, then ten, of what is published meanwhile; per message that is published."""
    figures: dict[str, float] = {}
    costs = []
    for name, readers in (("1 reader", 1), (f"{READERS} readers", READERS)):
        job = Job(server.port, server.pid, messages, protocol="stream", consumers=readers)
        run_in_child(replace(job, messages=max(messages // WARM_UP_SHARE, 1)))
        outcome = run_in_child(job)
        costs.append(outcome.broker_cpu_s / messages)
        figures[f"messages/s, {name}"] = messages / outcome.load_s
        figures[f"broker CPU µs/message, {name}"] = costs[-1] * 1e6
        figures[f"generator CPU µs/message, {name}"] = outcome.generator_cpu_s / messages * 1e6
    # With few messages there may be no tick of CPU time at all.
    figures["CPU of one reader's"] = costs[1] / costs[0] if costs[0] else 1.0
    return figures


def measure_replay(server: Server, messages: int) -> Figures:
    """A stream is filled, which isn't measured, and read by one reader."""
    job = Job(server.port, server.pid, messages, protocol="stream", timeout_s=600.0)
    run_in_child(replace(job, consumers=0, keep=True))
    outcome = run_in_child(replace(job, publish=False))
    return {
        "messages/s": outcome.deliveries / outcome.load_s,
        **outcome.times,
        "broker CPU µs/message": outcome.broker_cpu_s / outcome.deliveries * 1e6,
        "generator CPU µs/message": outcome.generator_cpu_s / outcome.deliveries * 1e6,
    }
