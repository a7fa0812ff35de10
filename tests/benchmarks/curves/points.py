"""What is measured as something grows: each curve puts up so many of it, and loads a fresh broker beside or through it.

A point has a rate and the CPU time of a message from a load as fast as it goes, and how long messages take at a rate
that is none for any broker (PROBE_RATE).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from tests.benchmarks.client import Client
from tests.benchmarks.figures import Figures
from tests.benchmarks.job import Job, Outcome
from tests.benchmarks.load import run_in_child
from tests.benchmarks.servers import Server
from tests.benchmarks.targets import CPU, RATE
from tests.benchmarks.topology import bind_topics, topic_keys

SIZES = (1, 10, 100, 1_000, 10_000)
DEPTHS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)

PROBE_RATE = 1_000.0
PROBE_MESSAGES = 3_000
PROBE_QUEUE = "benchmark-probe"

FILL_WINDOW = 5_000
DEEP_PREFETCH = 1_000
FILL_TIMEOUT_S = 1_800.0
"""Ten million messages at no less than 5,555/s."""


@dataclass(frozen=True, slots=True)
class Curve:
    """measure(server, size, messages) gives a point.  messages: of the load, unless told otherwise."""

    name: str
    title: str
    axis: str
    measure: Callable[[Server, int, int], Figures]
    messages: int
    sizes: Sequence[int] = SIZES
    protocol: str = "amqp"


def _point(load: Outcome, probe: Outcome) -> Figures:
    return {
        RATE: load.deliveries / load.load_s,
        CPU: load.broker_cpu_s / load.deliveries * 1e6,
        **probe.times,
    }


def _probe(base: Job, **changes: object) -> Outcome:
    """How long messages take now."""
    job = replace(base, messages=min(base.messages, PROBE_MESSAGES), rate=PROBE_RATE, timeout_s=FILL_TIMEOUT_S)
    return run_in_child(replace(job, **changes))  # type: ignore[arg-type]  # fields of a Job


def _loaded(job: Job, least: int = 1) -> Outcome:
    """The load, after a shorter one that isn't counted.  least: messages of that."""
    run_in_child(replace(job, messages=max(job.messages // 10, least)))
    return run_in_child(job)


def queues(server: Server, size: int, messages: int) -> Figures:
    """One channel publishes to so many queues in turn; they have no consumers."""
    names = [f"benchmark-{number:06}" for number in range(size)]
    job = Job(server.port, server.pid, max(messages, 2 * size), keys=names, consumers=0, purge=True, keep=True)
    return _point(_loaded(job, size), _probe(Job(server.port, server.pid, messages)))


def connections(server: Server, size: int, messages: int) -> Figures:
    """So many connections that do nothing, beside a publisher and a consumer."""
    with ExitStack() as stack:
        for _ in range(size):
            stack.callback(Client(server.port).socket.close)
        base = Job(server.port, server.pid, messages)
        return _point(_loaded(base), _probe(base))


def busy_connections(server: Server, size: int, messages: int) -> Figures:
    """So many connections, each with a queue and one message under way."""
    with ExitStack() as stack:
        base = Job(server.port, server.pid, max(messages, 5 * size))
        load = _loaded(replace(base, clients=size), size)
        for _ in range(size):
            stack.callback(Client(server.port).socket.close)
        return _point(load, _probe(base))


def bindings(server: Server, size: int, messages: int) -> Figures:
    """A topic exchange with so many bindings; each message meets one."""
    bind_topics(server, size)
    keys = topic_keys(min(size, 1_000))
    base = Job(server.port, server.pid, messages, exchange="amq.topic", keys=keys, keep=True)
    return _point(_loaded(base), _probe(base))


def consumers(server: Server, size: int, messages: int) -> Figures:
    """So many consumers of one queue, on one channel, which get messages in turn."""
    base = Job(server.port, server.pid, messages, consumers_on_queue=size)
    return _point(_loaded(base), _probe(base))


def topics(server: Server, size: int, messages: int) -> Figures:
    """MQTT: so many topics in turn, each subscribed to by itself."""
    base = Job(server.port, server.pid, messages, protocol="mqtt", topics=size)
    return _point(_loaded(base), _probe(base))


def retained(server: Server, size: int, messages: int) -> Figures:
    """MQTT: retained messages of so many topics, which are replaced in turn."""
    base = Job(server.port, server.pid, max(messages, 2 * size), protocol="mqtt", topics=size)
    return _point(_loaded(replace(base, retain=True, consumers=0), size), _probe(base))


def depth(server: Server, size: int, messages: int) -> Figures:
    """So many persistent messages wait in a queue; others come to its end, and as many leave from its head."""
    base = Job(server.port, server.pid, size, persistent=True, confirm_window=FILL_WINDOW, timeout_s=FILL_TIMEOUT_S)
    moved = min(messages, max(size, 2 * DEEP_PREFETCH))
    run_in_child(replace(base, consumers=0, messages=max(size, moved)))
    load = run_in_child(replace(base, messages=moved, acks="each", prefetch=DEEP_PREFETCH, deep=True, keep=True))
    return _point(load, _probe(Job(server.port, server.pid, messages), keys=[PROBE_QUEUE]))


CURVES: Mapping[str, Curve] = {
    curve.name: curve
    for curve in (
        Curve("queues", "one channel publishes to many queues in turn", "queues", queues, 200_000),
        Curve("connections", "idle connections beside a stream", "connections", connections, 200_000),
        Curve(
            "busy-connections",
            "connections with one message under way each",
            "connections",
            busy_connections,
            20_000,
        ),
        Curve("bindings", "a topic exchange", "bindings", bindings, 200_000),
        Curve("consumers", "consumers of one queue", "consumers", consumers, 200_000),
        Curve("topics", "MQTT topics in turn, each subscribed to", "topics", topics, 200_000, protocol="mqtt"),
        Curve("retained", "MQTT retained messages that are replaced", "topics", retained, 100_000, protocol="mqtt"),
        Curve("depth", "a queue's backlog, in and out", "messages waiting", depth, 100_000, sizes=DEPTHS),
    )
}
"""All curves by name."""
