"""A load over the stream protocol: who publishes and who reads, until all is confirmed and read (stream.py)."""

from __future__ import annotations

from contextlib import ExitStack

from tests.benchmarks.job import Job, Meter, Outcome
from tests.benchmarks.loop import End, run_ends
from tests.benchmarks.stream import StreamClient, StreamConsumer, StreamPublisher

STREAM = "benchmark-stream"

WINDOW = 10_000
"""Messages unconfirmed, where a job says nothing else: what the field's clients have by default."""


def run_stream(job: Job) -> Outcome:
    """So many publishers, unless the stream is there already, and so many consumers that each read all of it."""
    share = job.messages // job.publishers
    total = share * job.publishers
    control = StreamClient(job.port)
    with ExitStack() as stack:
        stack.callback(control.socket.close)
        if job.publish:
            control.create(STREAM)
        clients = [StreamClient(job.port) for _ in range((job.publishers if job.publish else 0) + job.consumers)]
        for client in clients:
            stack.callback(client.socket.close)
        ends: list[End] = []
        publishing = clients[: -job.consumers or None] if job.publish else []
        consuming = clients[len(publishing) :]
        meter = Meter(job.broker_pid)
        for number, client in enumerate(publishing):
            client.declare_publisher(STREAM)
            ends.append(StreamPublisher(client, share, job.confirm_window or WINDOW, number * share))
        for client in consuming:
            client.subscribe(STREAM)
        consumers = [StreamConsumer(client, total, job.publishers) for client in consuming]
        ends += consumers
        load_s = run_ends(ends, job.stall_timeout_s, job.timeout_s)
        for client in clients:
            client.close()
        times = {"MiB/s": sum(each.bytes_read for each in consumers) / load_s / (1 << 20)} if consumers else {}
        outcome = meter.outcome(total * max(1, job.consumers), load_s, times)
        if not job.keep:
            control.delete(STREAM)
        control.close()
    return outcome
