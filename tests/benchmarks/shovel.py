"""A shovel: how fast a full queue is brought to another broker, with every message confirmed there.

Warren's shovel is a plugin of one broker, and brings the messages to a second one over TCP.  RabbitMQ's brings them to
another queue of the same broker, which spares it the network.  The clock runs from the first look at which something
has arrived to the one at which all has, so that how a shovel is declared doesn't count.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing

from tests.benchmarks.client import Client, LoadError
from tests.benchmarks.figures import MEBIBYTE, Figures
from tests.benchmarks.job import QUEUE, Job
from tests.benchmarks.load import run_in_child
from tests.benchmarks.servers import Server
from tests.support.child import LOOPBACK
from tests.support.process_usage import usage_of_tree

CONFIRM_WINDOW = 5000
DESTINATION = "shovelled"
FIRST_LOOK_INTERVAL_S = 0.001
LOOK_INTERVAL_S = 0.02
"""Quickly until something has come, then seldom enough to cost nothing."""
RUN_TIMEOUT_S = 300.0


def measure_shovel(server: Server, messages: int) -> Figures:
    """Fill a queue, then have it shovelled."""
    upstream, set_shovel = server.upstream, server.set_shovel
    if upstream is None or set_shovel is None:
        raise LoadError("this broker has no shovel")
    run_in_child(Job(server.port, server.pid, messages, persistent=True, confirm_window=CONFIRM_WINDOW, consumers=0))
    uri = "amqp://" if upstream.port == server.port else f"amqp://guest:guest@{LOOPBACK}:{upstream.port}"
    definition = {
        "src-uri": "amqp://",
        "src-queue": QUEUE,
        "dest-uri": uri,
        "dest-queue": DESTINATION,
        "ack-mode": "on-confirm",
    }
    with closing(Client(upstream.port)) as client:
        return _measure(server, upstream, set_shovel, client, json.dumps(definition), messages)


def _measure(
    server: Server,
    upstream: Server,
    set_shovel: Callable[[str], object],
    client: Client,
    definition: str,
    messages: int,
) -> Figures:
    client.declare_queue(DESTINATION, durable=True)
    pids = {server.pid, upstream.pid}
    declared_at = time.perf_counter()
    set_shovel(definition)
    arrived, began_at = _look(client, 1, FIRST_LOOK_INTERVAL_S)
    cpu_before_s = sum(usage_of_tree(pid).cpu_s for pid in pids)
    all_arrived, ended_at = _look(client, messages, LOOK_INTERVAL_S)
    cpu_s = sum(usage_of_tree(pid).cpu_s for pid in pids) - cpu_before_s
    if arrived == all_arrived:
        # So few that all had come before the first look: declaring the shovel counts, too.
        arrived, began_at = 0, declared_at
    moved = all_arrived - arrived
    return {
        "messages/s": moved / (ended_at - began_at),
        "CPU µs/message, both brokers": cpu_s / moved * 1e6,
        "peak MiB": usage_of_tree(server.pid).peak_bytes / MEBIBYTE,
    }


def _look(client: Client, least: int, interval_s: float) -> tuple[int, float]:
    """How many messages have arrived, once it is so many, and when."""
    give_up_at = time.monotonic() + RUN_TIMEOUT_S
    while time.monotonic() < give_up_at:
        count = client.declare_queue(DESTINATION, durable=True)
        if count >= least:
            return count, time.perf_counter()
        time.sleep(interval_s)
    raise LoadError(f"fewer than {least} messages were shovelled within {RUN_TIMEOUT_S:g} s")
