"""The load generator's process: reads a Job as JSON from its input, runs it, prints the Outcome as JSON.

`python -m tests.benchmarks.load` is a process of its own so that its CPU time and memory are nobody else's.
It samples the broker's CPU time itself, immediately before the first message and after the last one is
settled, so that neither connecting nor declaring is counted.  `run_in_child` is the other side.

A job ends with proof: every channel is closed after its last ack, which makes the server finish and put back
what it holds unacknowledged, and then each queue must be empty (or, when the job only fills it, hold all
messages).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from tests.benchmarks import wire
from tests.benchmarks.client import Client, LoadError
from tests.benchmarks.consumer import Acks, Consumer
from tests.benchmarks.echo import Echo
from tests.benchmarks.loop import End, run_ends
from tests.benchmarks.mqtt import MqttClient, MqttConsumer, MqttPublisher
from tests.benchmarks.publisher import Publisher
from tests.benchmarks.stomp import StompClient, StompConsumer, StompPublisher
from tests.support.process_usage import usage_of_tree
from tests.support.warren_process import REPOSITORY

QUEUE = "benchmark"
FANOUT_EXCHANGE = "benchmark-fanout"

EXIT_ALLOWANCE_S = 120.0
"""What the child may take beyond the job's own limit: connecting, declaring, and closing."""

ECHO_NAP_S = 0.001
"""With 500 clients it would limit the rate at 500,000 messages/s."""


@dataclass(frozen=True, slots=True)
class Job:
    """One load.  The defaults describe one publisher and one consumer of transient messages without acks.

    messages: how many each publisher publishes; every consumer gets all of them.
    confirm_window: unconfirmed messages at most; 0 publishes without confirms.
    consumers: with more than one, a fanout exchange feeds a queue for each.  None: fill the queue.
    publish: False consumes what an earlier job left.
    clients: if not 0, that many Echo clients share the messages instead of the publisher and the consumers.
    protocol: "amqp", or "stomp": one publisher and one subscriber with ack:auto, 16-byte bodies; or "mqtt": QoS 1 if
    there is a confirm_window, which is then what may be unanswered per connection, else QoS 0; `clients`, if not 0, are
    publishers with one subscriber to all of them.
    messages_per_frame: with "mqtt" and QoS 0, over WebSocket, with so many messages in each frame; 0 without WebSocket.
    stall_timeout_s: fail when nothing moves for so long.
    timeout_s: fail when the load isn't done after so long.
    """

    port: int
    broker_pid: int
    messages: int
    body_size: int = 16
    persistent: bool = False
    confirm_window: int = 0
    acks: Acks = "automatic"
    prefetch: int = 0
    consumers: int = 1
    publish: bool = True
    clients: int = 0
    protocol: str = "amqp"
    messages_per_frame: int = 0
    stall_timeout_s: float = 20.0
    timeout_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job took.

    deliveries: messages that the consumers got, or, with no consumer, messages published.
    load_s: from the first byte sent to the last delivery, ack and confirm.
    broker_cpu_s, generator_cpu_s: CPU time from the first byte until everything was settled.
    """

    deliveries: int
    load_s: float
    broker_cpu_s: float
    generator_cpu_s: float


def run(job: Job) -> Outcome:
    """Run a job in this process.  Raises LoadError when the broker does anything else than it should."""
    if job.protocol == "stomp":
        return _run_stomp(job)
    if job.protocol == "mqtt":
        return _run_mqtt(job)
    return _run_echoes(job) if job.clients else _run_streams(job)


def run_in_child(job: Job) -> Outcome:
    """Run a job in a process of its own.  Raises LoadError with its text when it fails."""
    timeout_s = job.timeout_s + EXIT_ALLOWANCE_S
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.load"],
            input=json.dumps(asdict(job)),
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LoadError(f"the load generator didn't end within {timeout_s:g} s") from None
    if done.returncode != 0:
        raise LoadError(done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}")
    return Outcome(**json.loads(done.stdout))


def _run_streams(job: Job) -> Outcome:
    exchange, key = (FANOUT_EXCHANGE, "") if job.consumers > 1 else ("", QUEUE)
    queues = [QUEUE] if job.consumers <= 1 else [f"{QUEUE}-{number}" for number in range(job.consumers)]
    control = Client(job.port)
    if job.consumers > 1:
        control.declare_exchange(FANOUT_EXCHANGE, "fanout")
    for queue in queues:
        control.declare_queue(queue, durable=job.persistent)
        if job.consumers > 1:
            control.bind(queue, FANOUT_EXCHANGE)

    clients: list[Client] = []
    ends: list[End] = []
    if job.publish:
        publishing = Client(job.port)
        if job.confirm_window:
            publishing.select_confirms()
        frames = wire.publication(exchange, key, job.body_size, job.persistent)
        ends.append(Publisher(publishing.socket, frames, job.messages, job.confirm_window))
        clients.append(publishing)
    for _ in range(job.consumers):
        consuming = Client(job.port)
        frames = wire.delivery(exchange, key, job.body_size, job.persistent)
        ends.append(Consumer(consuming.socket, frames, job.messages, job.acks, job.prefetch))
        clients.append(consuming)
    with ExitStack() as stack:
        stack.callback(control.socket.close)
        for client in clients:
            stack.callback(client.socket.close)
        meter = _Meter(job.broker_pid)
        _subscribe(job, clients, queues)
        load_s = run_ends(ends, job.stall_timeout_s, job.timeout_s)
        outcome = _settle(job, clients, meter, load_s, job.messages * max(1, job.consumers))
        _expect_left(control, queues, 0 if job.consumers else job.messages, job.persistent)
        if job.consumers:
            _delete(control, queues)
        control.close()
    return outcome


def _subscribe(job: Job, clients: Sequence[Client], queues: Sequence[str]) -> None:
    """Consumers of a queue that is already full get deliveries at once, so the CPU of this is measured."""
    consuming = clients[len(clients) - job.consumers :]
    for client, queue in zip(consuming, queues, strict=False):
        client.consume(queue, automatic_acks=job.acks == "automatic", prefetch=job.prefetch)


def _run_echoes(job: Job) -> Outcome:
    clients: list[Client] = []
    ends: list[End] = []
    queues = [f"{QUEUE}-{number}" for number in range(job.clients)]
    control = Client(job.port)
    with ExitStack() as stack:
        stack.callback(control.socket.close)
        for number, queue in enumerate(queues):
            control.declare_queue(queue, durable=job.persistent)
            client = Client(job.port)
            stack.callback(client.socket.close)
            client.consume(queue, automatic_acks=True, prefetch=0)
            share = job.messages // job.clients + (number < job.messages % job.clients)
            publication = wire.publication("", queue, job.body_size, job.persistent)
            delivery = wire.delivery("", queue, job.body_size, job.persistent)
            ends.append(Echo(client.socket, publication, delivery, share))
            clients.append(client)
        meter = _Meter(job.broker_pid)
        load_s = run_ends(ends, job.stall_timeout_s, job.timeout_s, ECHO_NAP_S)
        outcome = meter.outcome(job.messages, load_s)
        for client in clients:
            client.close()
        _expect_left(control, queues, 0, job.persistent)
        _delete(control, queues)
        control.close()
    return outcome


def _run_stomp(job: Job) -> Outcome:
    publishing, consuming = StompClient(job.port), StompClient(job.port)
    with ExitStack() as stack:
        stack.callback(publishing.socket.close)
        stack.callback(consuming.socket.close)
        consuming.subscribe()
        meter = _Meter(job.broker_pid)
        ends: list[End] = [
            StompPublisher(publishing.socket, job.messages),
            StompConsumer(consuming.socket, job.messages),
        ]
        load_s = run_ends(ends, job.stall_timeout_s, job.timeout_s)
        publishing.close()
        consuming.close()
        return meter.outcome(job.messages, load_s)


def _run_mqtt(job: Job) -> Outcome:
    qos = 1 if job.confirm_window else 0
    websocket = job.messages_per_frame > 0
    with ExitStack() as stack:
        publishing = [
            MqttClient(job.port, f"publisher-{number}", websocket=websocket) for number in range(max(job.clients, 1))
        ]
        consuming = [MqttClient(job.port, f"consumer-{number}", websocket=websocket) for number in range(job.consumers)]
        for client in [*publishing, *consuming]:
            stack.callback(client.socket.close)
        for client in consuming:
            client.subscribe(qos)
        meter = _Meter(job.broker_pid)
        share = job.messages // len(publishing)
        ends: list[End] = [
            MqttPublisher(client.socket, share, qos, job.confirm_window, number * share, job.messages_per_frame)
            for number, client in enumerate(publishing)
        ]
        total = share * len(publishing)
        ends += [
            MqttConsumer(client.socket, total, qos, ordered=not job.clients, websocket=websocket)
            for client in consuming
        ]
        load_s = run_ends(ends, job.stall_timeout_s, job.timeout_s, ECHO_NAP_S if job.clients else 0)
        outcome = meter.outcome(total * len(consuming), load_s)
        for client in [*publishing, *consuming]:
            client.close()
        return outcome


class _Meter:
    """Reads the broker's and this process's CPU time at the beginning and at the end."""

    def __init__(self, broker_pid: int) -> None:
        self._pid = broker_pid
        self._broker_cpu_s = usage_of_tree(broker_pid).cpu_s
        self._generator_cpu_s = time.process_time()

    def outcome(self, deliveries: int, load_s: float) -> Outcome:
        generator_cpu_s = time.process_time() - self._generator_cpu_s
        broker_cpu_s = usage_of_tree(self._pid).cpu_s - self._broker_cpu_s
        return Outcome(deliveries, load_s, broker_cpu_s, generator_cpu_s)


def _settle(job: Job, clients: Sequence[Client], meter: _Meter, load_s: float, deliveries: int) -> Outcome:
    """Close the loaded connections, which waits until their acks are handled, and then read the meter."""
    for client in clients:
        client.close()
    return meter.outcome(deliveries, load_s)


def _expect_left(control: Client, queues: Sequence[str], expected: int, durable: bool) -> None:
    for queue in queues:
        left = control.declare_queue(queue, durable=durable, passive=True)
        if left != expected:
            raise LoadError(f"queue {queue!r} holds {left} messages at the end, not {expected}")


def _delete(control: Client, queues: Sequence[str]) -> None:
    for queue in queues:
        control.delete_queue(queue)
    if len(queues) > 1:
        control.delete_exchange(FANOUT_EXCHANGE)


def main() -> None:
    """Entry of the child process."""
    job = Job(**json.load(sys.stdin))
    try:
        outcome = run(job)
    except (LoadError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}" if isinstance(error, OSError) else str(error))
    print(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main()
