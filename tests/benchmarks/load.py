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
from dataclasses import asdict, replace

from tests.benchmarks import amqp10 as amqp10_ends
from tests.benchmarks import wire
from tests.benchmarks.amqp10 import Amqp10Client, Amqp10Consumer, Amqp10Publisher
from tests.benchmarks.client import Client, LoadError
from tests.benchmarks.consumer import Consumer
from tests.benchmarks.echo import Echo
from tests.benchmarks.job import QUEUE, Job, Meter, Outcome
from tests.benchmarks.left import expect_left
from tests.benchmarks.lone import publish_one_by_one
from tests.benchmarks.loop import End, run_ends
from tests.benchmarks.mqtt import MqttClient, MqttConsumer, MqttPublisher, numbered, topics
from tests.benchmarks.paced import PacedLoad
from tests.benchmarks.percentiles import percentiles
from tests.benchmarks.publisher import Publisher
from tests.benchmarks.stomp import StompClient, StompConsumer, StompPublisher
from tests.benchmarks.stream_load import run_stream
from tests.support.warren_process import REPOSITORY

FANOUT_EXCHANGE = "benchmark-fanout"

EXIT_ALLOWANCE_S = 120.0
"""What the child may take beyond the job's own limit: connecting, declaring, and closing."""

PACED_TOPIC = b"benchmark-paced"

ECHO_NAP_S = 0.001
"""With 500 clients it would limit the rate at 500,000 messages/s."""


def run(job: Job) -> Outcome:
    """Run a job in this process.  Raises LoadError when the broker does anything else than it should."""
    if job.protocol == "amqp10":
        return _run_amqp10(job)
    if job.protocol == "stomp":
        return _run_stomp(job)
    if job.protocol == "stream":
        return run_stream(job)
    if job.protocol == "mqtt":
        return _run_mqtt_paced(job) if job.rate else _run_mqtt(job)
    if job.lone:
        return _run_lone(job)
    if job.rate:
        return _run_paced(job)
    if job.clients:
        return _run_echoes(job)
    return _run_pairs(job) if job.pairs else _run_streams(job)


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
    fans_out = job.consumers > 1
    exchange, key = (FANOUT_EXCHANGE, "") if fans_out else (job.exchange, job.keys or QUEUE)
    control = Client(job.port, tls=job.tls)
    queues = _declare(control, job)
    clients: list[Client] = []
    ends: list[End] = []
    if job.publish:
        publishing = Client(job.port, tls=job.tls)
        if job.confirm_window:
            publishing.select_confirms()
        frames = wire.publication(exchange, key, job.body_size, job.persistent)
        ends.append(Publisher(publishing.socket, frames, job.messages, job.confirm_window))
        clients.append(publishing)
    for _ in range(job.consumers):
        consuming = Client(job.port, tls=job.tls)
        tagged = job.consumers_on_queue > 1
        frames = wire.delivery(exchange, key, job.body_size, job.persistent, tagged=tagged, stream=job.stream)
        acknowledged_max = job.messages - job.prefetch if job.deep else None
        ends.append(Consumer(consuming.socket, frames, job.messages, job.acks, job.prefetch, acknowledged_max))
        clients.append(consuming)
    with ExitStack() as stack:
        stack.callback(control.socket.close)
        for client in clients:
            stack.callback(client.socket.close)
        meter = Meter(job.broker_pid)
        _subscribe(job, clients, queues)
        began_at = time.perf_counter()
        load_s = run_ends(ends, job.stall_timeout_s, job.timeout_s)
        _close(clients)
        if not job.consumers and not job.confirm_window:
            # Nothing has come back that would say what the broker has done; that the channel is closed does.
            load_s = time.perf_counter() - began_at
        outcome = meter.outcome(job.messages * max(1, job.consumers), load_s)
        if not job.deep:
            is_taken = job.consumers and not job.stream
            # Of RabbitMQ the channel is closed before its queue has all of it, without confirms, and before the members
            # of a quorum queue have all acks.
            later = job.stream or not is_taken or job.kind == "quorum"
            expect_left(control, queues, 0 if is_taken else job.messages, job.persistent, later=later)
        if job.purge and not job.stream:
            for queue in queues:
                control.purge_queue(queue)
        if (job.consumers or job.purge) and not job.keep:
            _delete(control, queues)
        control.close()
    return outcome


def _declare(control: Client, job: Job) -> list[str]:
    """The queues of a job, which are there now."""
    if job.consumers > 1:
        queues = [f"{QUEUE}-{number}" for number in range(job.consumers)]
        control.declare_exchange(FANOUT_EXCHANGE, "fanout")
    else:
        queues = list(job.keys) if job.keys and not job.exchange else [QUEUE]
    for queue in queues:
        control.declare_queue(queue, durable=job.persistent, kind="stream" if job.stream else job.kind)
        if job.consumers > 1:
            control.bind(queue, FANOUT_EXCHANGE)
    return queues


def _subscribe(job: Job, clients: Sequence[Client], queues: Sequence[str]) -> None:
    """Consumers of a queue that is already full get deliveries at once, so the CPU of this is measured."""
    if not job.consumers:
        return
    automatic = job.acks == "automatic"
    if job.consumers_on_queue > 1:
        for number in range(job.consumers_on_queue):
            clients[-1].consume(queues[0], automatic, job.prefetch, wire.consumer_tag(number))
        return
    for client, queue in zip(clients[-job.consumers :], queues, strict=True):
        client.consume(queue, automatic, job.prefetch, offset="first" if job.stream else "")


def _run_pairs(job: Job) -> Outcome:
    """As many publishers as consumers, each pair with a queue."""
    queues = [f"{QUEUE}-{number:05}" for number in range(job.pairs)]
    share = job.messages // job.pairs
    control = Client(job.port)
    with ExitStack() as stack:
        stack.callback(control.socket.close)
        publishing, consuming = ([Client(job.port) for _ in queues] for _ in range(2))
        ends: list[End] = []
        for client in [*publishing, *consuming]:
            stack.callback(client.socket.close)
        for queue, publisher, consumer in zip(queues, publishing, consuming, strict=True):
            control.declare_queue(queue, durable=job.persistent)
            consumer.consume(queue, job.acks == "automatic", job.prefetch)
            publication = wire.publication("", queue, job.body_size, job.persistent)
            delivery = wire.delivery("", queue, job.body_size, job.persistent)
            ends.append(Publisher(publisher.socket, publication, share, job.confirm_window))
            ends.append(Consumer(consumer.socket, delivery, share, job.acks, job.prefetch))
        meter = Meter(job.broker_pid)
        load_s = run_ends(ends, job.stall_timeout_s, job.timeout_s)
        _close([*publishing, *consuming])
        outcome = meter.outcome(share * job.pairs, load_s)
        expect_left(control, queues, 0, job.persistent)
        _delete(control, queues)
        control.close()
    return outcome


def _run_lone(job: Job) -> Outcome:
    client, control = Client(job.port), Client(job.port)
    with ExitStack() as stack:
        stack.callback(control.socket.close)
        stack.callback(client.socket.close)
        control.declare_queue(QUEUE, durable=job.persistent)
        client.select_confirms()
        frames = wire.publication("", QUEUE, job.body_size, job.persistent)
        meter = Meter(job.broker_pid)
        began_at = time.perf_counter()
        seconds = publish_one_by_one(client.socket, frames, job.messages)
        load_s = time.perf_counter() - began_at
        _close([client])
        outcome = meter.outcome(job.messages, load_s, percentiles(seconds))
        expect_left(control, [QUEUE], job.messages, job.persistent)
        control.delete_queue(QUEUE)
        control.close()
    return outcome


def _run_paced(job: Job) -> Outcome:
    exchange, key = job.exchange, job.keys[0] if job.keys else QUEUE
    publishing, consuming, control = (Client(job.port) for _ in range(3))
    with ExitStack() as stack:
        for client in (publishing, consuming, control):
            stack.callback(client.socket.close)
        queue = QUEUE if exchange else key
        control.declare_queue(queue, durable=job.persistent)
        _subscribe(replace(job, consumers=1), [consuming], [queue])
        tagged = job.consumers_on_queue > 1
        publication = wire.publication(exchange, key, job.body_size, job.persistent)
        delivery = wire.delivery(exchange, key, job.body_size, job.persistent, tagged=tagged)
        consumer = Consumer(consuming.socket, delivery, job.messages, "automatic", 0)
        meter = Meter(job.broker_pid)
        load = PacedLoad(publishing.socket, consumer, publication, job.messages, job.rate)
        load_s, times = load.run(job.stall_timeout_s)
        _close([publishing, consuming])
        outcome = meter.outcome(job.messages, load_s, times)
        expect_left(control, [queue], 0, job.persistent)
        if not job.keep:
            control.delete_queue(queue)
        control.close()
    return outcome


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
        meter = Meter(job.broker_pid)
        load_s = run_ends(ends, job.stall_timeout_s, job.timeout_s, ECHO_NAP_S)
        outcome = meter.outcome(job.messages, load_s)
        for client in clients:
            client.close()
        expect_left(control, queues, 0, job.persistent)
        _delete(control, queues)
        control.close()
    return outcome


def _run_amqp10(job: Job) -> Outcome:
    settled = not job.confirm_window
    control = Client(job.port)
    control.declare_queue(amqp10_ends.QUEUE)
    publishing, consuming = Amqp10Client(job.port), Amqp10Client(job.port)
    with ExitStack() as stack:
        stack.callback(publishing.socket.close)
        stack.callback(consuming.socket.close)
        stack.callback(control.socket.close)
        consuming.attach(receiver=True, settled=settled)
        publishing.attach(receiver=False, settled=settled)
        meter = Meter(job.broker_pid)
        ends: list[End] = [
            Amqp10Publisher(publishing, job.messages, job.confirm_window),
            Amqp10Consumer(consuming, job.messages, settled=settled),
        ]
        load_s = run_ends(ends, job.stall_timeout_s, job.timeout_s)
        outcome = meter.outcome(job.messages, load_s)
        publishing.close()
        consuming.close()
        expect_left(control, [amqp10_ends.QUEUE], 0, durable=False)
        _delete(control, [amqp10_ends.QUEUE])
        return outcome


def _run_stomp(job: Job) -> Outcome:
    publishing, consuming = StompClient(job.port), StompClient(job.port)
    with ExitStack() as stack:
        stack.callback(publishing.socket.close)
        stack.callback(consuming.socket.close)
        consuming.subscribe()
        meter = Meter(job.broker_pid)
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
        names = topics(job.topics)
        for client in consuming:
            for name in names:
                client.subscribe(qos, name)
        meter = Meter(job.broker_pid)
        share = job.messages // len(publishing)
        ends: list[End] = [
            MqttPublisher(
                client.socket,
                share,
                qos,
                job.confirm_window,
                number * share,
                job.messages_per_frame,
                names,
                retain=job.retain,
            )
            for number, client in enumerate(publishing)
        ]
        total = share * len(publishing)
        ends += [
            MqttConsumer(client.socket, total, qos, ordered=not job.clients, websocket=websocket, names=names)
            for client in consuming
        ]
        began_at = time.perf_counter()
        load_s = run_ends(ends, job.stall_timeout_s, job.timeout_s, ECHO_NAP_S if job.clients else 0)
        if not consuming:
            # Nothing comes back but an answer to a ping, by which all was handled.
            for client in publishing:
                client.close()
            return meter.outcome(total, time.perf_counter() - began_at)
        outcome = meter.outcome(total * len(consuming), load_s)
        for client in [*publishing, *consuming]:
            client.close()
        return outcome


def _run_mqtt_paced(job: Job) -> Outcome:
    with ExitStack() as stack:
        publishing, consuming = MqttClient(job.port, "publisher"), MqttClient(job.port, "consumer")
        for client in (publishing, consuming):
            stack.callback(client.socket.close)
        consuming.subscribe(0, PACED_TOPIC)
        meter = Meter(job.broker_pid)
        consumer = MqttConsumer(consuming.socket, job.messages, 0, names=[PACED_TOPIC])
        load = PacedLoad(publishing.socket, consumer, numbered(PACED_TOPIC), job.messages, job.rate)
        load_s, times = load.run(job.stall_timeout_s)
        outcome = meter.outcome(job.messages, load_s, times)
        publishing.close()
        consuming.close()
        return outcome


def _close(clients: Sequence[Client]) -> None:
    """Close the loaded connections, which waits until all that they sent, their acks, too, is handled."""
    for client in clients:
        client.close()


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
