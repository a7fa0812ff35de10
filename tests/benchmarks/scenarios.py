"""The loads that are measured.  Each is a function from a running broker to figures; most are one Job.

A run has a broker of its own, freshly started, so that runs don't inherit each other's memory.  A job is
preceded by a shorter one of the same kind that isn't counted: caches fill, code is compiled, buffers grow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tests.benchmarks.backlog import measure_backlog, measure_recovery, settled_resident_bytes
from tests.benchmarks.figures import MEBIBYTE, Figures
from tests.benchmarks.idle import measure_idle_connections
from tests.benchmarks.job import Job
from tests.benchmarks.load import run_in_child
from tests.benchmarks.management import measure_idle, measure_management
from tests.benchmarks.mqtt import BLOCK_MESSAGES
from tests.benchmarks.servers import Server
from tests.benchmarks.shovel import measure_shovel
from tests.benchmarks.stream_measured import measure_readers, measure_replay
from tests.benchmarks.topology import bind_topics, topic_keys
from tests.support.process_usage import cpu_s_of, usage_of_tree

GENERATOR_BUSY = "generator busy"
"""The generator's CPU time as a part of the load's: near 1 it was the generator that was measured."""

WARM_UP_SHARE = 10
"""One message in so many is sent beforehand."""

UNADDRESSED = Job(port=0, broker_pid=0, messages=0)
"""One publisher, one consumer, 16-byte bodies, transient, automatic acks: what the other jobs vary."""

CONFIRMED = replace(UNADDRESSED, persistent=True, confirm_window=1000, acks="each", prefetch=1000)
"""Persistent messages in a durable queue, 1,000 confirms outstanding, an ack for each delivery."""


TOPIC_BINDINGS = 10_000
TOPIC_KEYS = 1_000

TOPICS = replace(UNADDRESSED, exchange="amq.topic", keys=topic_keys(TOPIC_KEYS), keep=True)
"""Each message's key meets one of the bindings of the queue."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A load.  `measure(server, messages)` runs it once.

    messages: how many are published unless told otherwise; few seconds' worth for either broker.
    protocol: what the server's port is to speak.  is_load: whether it is one load, around which it tells the server.
    """

    name: str
    about: str
    messages: int
    measure: Callable[[Server, int], Figures]
    protocol: str = "amqp"
    is_load: bool = False


def _job_scenario(
    name: str,
    messages: int,
    job: Job,
    about: str,
    *,
    protocol: str = "",
    prepare: Callable[[Server], None] = lambda server: None,
) -> Scenario:
    def measure(server: Server, messages: int) -> Figures:
        prepare(server)
        addressed = replace(job, port=server.port, broker_pid=server.pid, messages=messages)
        run_in_child(replace(addressed, messages=max(messages // WARM_UP_SHARE, 1, job.clients, job.pairs)))
        server.begin()
        outcome = run_in_child(replace(addressed, keep=False))
        server.end()
        return {
            "messages/s": outcome.deliveries / outcome.load_s,
            "broker CPU µs/message": outcome.broker_cpu_s / outcome.deliveries * 1e6,
            "peak MiB": usage_of_tree(server.pid).peak_bytes / MEBIBYTE,
            **outcome.times,
            "generator CPU µs/message": outcome.generator_cpu_s / outcome.deliveries * 1e6,
            GENERATOR_BUSY: outcome.generator_cpu_s / outcome.load_s,
        }

    return Scenario(name, about, messages, measure, protocol or job.protocol, is_load=True)


def _bind_topics(server: Server) -> None:
    bind_topics(server, TOPIC_BINDINGS)


def _measure_start(server: Server, messages: int) -> Figures:
    return {
        "seconds to first connection": server.start_s,
        "CPU seconds to first connection": cpu_s_of(server.pid),
        "resident MiB": settled_resident_bytes(server) / MEBIBYTE,
        "peak MiB": usage_of_tree(server.pid).peak_bytes / MEBIBYTE,
    }


def _measure_websocket(server: Server, messages: int) -> Figures:
    """Plain MQTT, and the same over WebSocket with many messages in a frame and with one, on the same broker."""
    figures: dict[str, float] = {}
    rates = []
    for name, port, per_frame in (
        ("plain", server.mqtt_port, 0),
        (f"WebSocket, {BLOCK_MESSAGES:,} a frame", server.port, BLOCK_MESSAGES),
        ("WebSocket, 1 a frame", server.port, 1),
    ):
        job = Job(port, server.pid, messages, protocol="mqtt", messages_per_frame=per_frame)
        run_in_child(replace(job, messages=max(messages // WARM_UP_SHARE, 1)))
        outcome = run_in_child(job)
        rates.append(outcome.deliveries / outcome.load_s)
        figures[f"messages/s, {name}"] = rates[-1]
        figures[f"broker CPU µs/message, {name}"] = outcome.broker_cpu_s / outcome.deliveries * 1e6
        figures[f"generator CPU µs/message, {name}"] = outcome.generator_cpu_s / outcome.deliveries * 1e6
    figures[f"rate of plain, {BLOCK_MESSAGES:,} a frame"] = rates[1] / rates[0]
    figures["rate of plain, 1 a frame"] = rates[2] / rates[0]
    return figures


def _measure_stream(server: Server, messages: int, job: Job) -> Figures:
    """The same load onto a classic durable queue and onto a stream, on the same broker."""
    figures: dict[str, float] = {}
    rates = []
    for name, stream in (("classic", False), ("stream", True)):
        each = replace(job, port=server.port, broker_pid=server.pid, messages=messages, stream=stream)
        run_in_child(replace(each, messages=max(messages // WARM_UP_SHARE, 1)))
        outcome = run_in_child(each)
        rates.append(outcome.deliveries / outcome.load_s)
        figures[f"messages/s, {name}"] = rates[-1]
        figures[f"broker CPU µs/message, {name}"] = outcome.broker_cpu_s / outcome.deliveries * 1e6
        figures[f"generator CPU µs/message, {name}"] = outcome.generator_cpu_s / outcome.deliveries * 1e6
    figures["rate of classic"] = rates[1] / rates[0]
    return figures


def _measure_stream_both_ways(server: Server, messages: int) -> Figures:
    return _measure_stream(server, messages, CONFIRMED)


def _measure_stream_publish(server: Server, messages: int) -> Figures:
    return _measure_stream(server, messages, replace(CONFIRMED, consumers=0, acks="automatic", prefetch=0, purge=True))


_ALL = (
    _job_scenario("transient", 400_000, UNADDRESSED, "16 bytes, transient, automatic acks, 1 publisher, 1 consumer"),
    _job_scenario(
        "transient-acks",
        300_000,
        replace(UNADDRESSED, acks="each", prefetch=1000),
        "as transient, with prefetch 1,000 and an ack each",
    ),
    _job_scenario("transient-1k", 200_000, replace(UNADDRESSED, body_size=1024), "as transient, with 1 KiB bodies"),
    _job_scenario("transient-16k", 40_000, replace(UNADDRESSED, body_size=16_384), "as transient, with 16 KiB bodies"),
    _job_scenario(
        "tls-1k",
        200_000,
        replace(UNADDRESSED, body_size=1024, tls=True),
        "as transient-1k, over TLS",
        protocol="amqps",
    ),
    _job_scenario(
        "queueing",
        400_000,
        replace(UNADDRESSED, consumers=0, purge=True),
        "16 bytes, transient, published to a queue without consumer, which is purged afterwards",
    ),
    _job_scenario("persistent", 150_000, CONFIRMED, "16 bytes, persistent, 1,000 confirms outstanding, an ack each"),
    _job_scenario(
        "cluster",
        150_000,
        replace(CONFIRMED, kind="quorum"),
        "as persistent, onto a replicated quorum queue: one node, three NATS servers that sync each write",
        protocol="cluster",
    ),
    _job_scenario(
        "hop",
        150_000,
        replace(CONFIRMED, keep=True),  # by the load that warms up, which would have it declared here next time
        "as persistent, onto a durable queue of another node: two nodes, with their clients on the one without it",
        protocol="hop",
    ),
    _job_scenario(
        "no-hop",
        150_000,
        replace(CONFIRMED, keep=True),
        "as hop, with the clients on the node that has it",
        protocol="no_hop",
    ),
    _job_scenario("persistent-1k", 100_000, replace(CONFIRMED, body_size=1024), "as persistent, with 1 KiB bodies"),
    _job_scenario(
        "persistent-multiple",
        150_000,
        replace(CONFIRMED, acks="multiple"),
        "as persistent, with cumulative acks",
    ),
    Scenario(
        "stream-amqp",
        "as persistent, onto a classic durable queue, then onto a stream and from it, on the same broker",
        150_000,
        _measure_stream_both_ways,
    ),
    Scenario(
        "stream-amqp-publish",
        "as stream-amqp, without a consumer",
        150_000,
        _measure_stream_publish,
    ),
    _job_scenario(
        "stream",
        2_000_000,
        replace(UNADDRESSED, protocol="stream"),
        "stream protocol: 16 bytes, 100 in a frame, 10,000 confirms outstanding, read at the same time",
    ),
    _job_scenario(
        "stream-publishers",
        2_000_000,
        replace(UNADDRESSED, protocol="stream", publishers=4),
        "as stream, by four publishers with as many confirms outstanding each",
    ),
    Scenario(
        "stream-readers",
        "as stream, with one reader, then with ten, on the same broker",
        500_000,
        measure_readers,
        "stream",
    ),
    Scenario(
        "stream-replay",
        "a stream that is full is read from its first offset on",
        1_000_000,
        measure_replay,
        "stream",
    ),
    _job_scenario(
        "lone-confirms",
        5_000,
        replace(UNADDRESSED, persistent=True, lone=True),
        "16 bytes, persistent, each confirm awaited before the next message",
    ),
    _job_scenario(
        "latency-5k",
        25_000,
        replace(UNADDRESSED, rate=5_000.0),
        "as transient, at 5,000 messages/s: from when a message was due to its delivery",
    ),
    _job_scenario(
        "latency-20k",
        100_000,
        replace(UNADDRESSED, rate=20_000.0),
        "as latency-5k, at 20,000 messages/s",
    ),
    _job_scenario(
        "fanout-4",
        80_000,
        replace(UNADDRESSED, consumers=4),
        "transient, 1 publisher, 4 queues; per delivery",
    ),
    _job_scenario(
        "fanout",
        40_000,
        replace(UNADDRESSED, consumers=10),
        "transient, 1 publisher, 10 queues; per delivery",
    ),
    _job_scenario(
        "pairs",
        300_000,
        replace(UNADDRESSED, pairs=100),
        "16 bytes, transient, 100 publishers, 100 consumers, 100 queues",
    ),
    _job_scenario(
        "topics",
        200_000,
        TOPICS,
        "16 bytes, transient, a topic exchange with 10,000 bindings, 1,000 routing keys in turn",
        prepare=_bind_topics,
    ),
    _job_scenario(
        "many-connections",
        50_000,
        replace(UNADDRESSED, clients=500),
        "500 connections, each with a queue and one transient message under way",
    ),
    _job_scenario(
        "amqp10",
        400_000,
        replace(UNADDRESSED, protocol="amqp10"),
        "AMQP 1.0: 16 bytes, settled by who sends them, 1 sender, 1 receiver",
    ),
    _job_scenario(
        "amqp10-unsettled",
        300_000,
        replace(UNADDRESSED, protocol="amqp10", confirm_window=1000),
        "AMQP 1.0: as amqp10, unsettled, 1,000 under way, each delivery settled by a disposition of its own",
    ),
    _job_scenario(
        "stomp",
        200_000,
        replace(UNADDRESSED, protocol="stomp"),
        "STOMP 1.2: SEND to a queue, MESSAGE to a subscriber with ack:auto, 16 bytes, transient",
    ),
    _job_scenario(
        "mqtt", 400_000, replace(UNADDRESSED, protocol="mqtt"), "MQTT 3.1.1: QoS 0, 1 publisher, 1 subscriber, 16 bytes"
    ),
    _job_scenario(
        "mqtt-fanout",
        40_000,
        replace(UNADDRESSED, protocol="mqtt", consumers=10),
        "MQTT 3.1.1: QoS 0, 1 publisher, 10 subscribers; per delivery",
    ),
    _job_scenario(
        "mqtt-qos1",
        50_000,
        replace(UNADDRESSED, protocol="mqtt", confirm_window=100),
        "MQTT 3.1.1: QoS 1, 100 in flight, clean sessions",
    ),
    _job_scenario(
        "mqtt-devices",
        50_000,
        replace(UNADDRESSED, protocol="mqtt", confirm_window=1, clients=1000),
        "MQTT 3.1.1: 1,000 connections, QoS 1, one message at a time each, one subscriber to all",
    ),
    Scenario(
        "mqtt-websocket",
        "MQTT 3.1.1: QoS 0, 1 publisher, 1 subscriber, 16 bytes; over TCP, then over WebSocket, on the same broker",
        400_000,
        _measure_websocket,
        "web_mqtt",
    ),
    _job_scenario(
        "mqtt-websocket-single",
        200_000,
        replace(UNADDRESSED, protocol="mqtt", messages_per_frame=1),
        "MQTT 3.1.1 over WebSocket: QoS 0, 1 publisher, 1 subscriber, 16 bytes, one message a frame",
        protocol="web_mqtt",
    ),
    Scenario(
        "mqtt-idle",
        "MQTT 3.1.1: 8,000 connections that do nothing",
        8_000,
        measure_idle_connections,
        "mqtt",
    ),
    Scenario("startup", "a fresh broker: from exec to its answer to a protocol header", 0, _measure_start),
    Scenario(
        "shovel",
        "16 bytes, persistent, from a full queue to another broker (RabbitMQ: to another queue of its own), on-confirm",
        200_000,
        measure_shovel,
        "shovel",
    ),
    Scenario("startup-management", "the same with management and metrics on", 0, _measure_start, "management"),
    Scenario("idle", "CPU time of a minute in which nobody asks for anything", 0, measure_idle),
    Scenario("idle-management", "the same with management and metrics on, used once", 0, measure_idle, "management"),
    Scenario(
        "management",
        "transient, alone and polled every 5 s; then lists and metrics of 10,000 queues, and what stands still",
        1_000_000,
        measure_management,
        "management",
    ),
    Scenario(
        "backlog",
        "1 KiB, persistent, confirmed, no consumer; then consumed and verified in order",
        1_000_000,
        measure_backlog,
    ),
    Scenario(
        "recovery",
        "1 KiB, persistent, confirmed, no consumer; then kill -9 and another start",
        1_000_000,
        measure_recovery,
        "recovery",
    ),
)

SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in _ALL}
"""All scenarios by name, in the order of the report."""

LARGE_SCENARIOS = ("backlog", "recovery", "idle", "idle-management", "cluster", "hop", "no-hop")
"""They take minutes, gigabytes of disk, or servers of another kind, so they are run when asked for."""

DEFAULT_SCENARIOS = tuple(name for name in SCENARIOS if name not in LARGE_SCENARIOS)
"""What is run unless named."""

LOADS = tuple(scenario.name for scenario in SCENARIOS.values() if scenario.is_load)
"""Those that consist of one load, which can be profiled."""
