"""What a load finds in a broker: many bindings, many queues."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from tests.benchmarks.client import Client
from tests.benchmarks.job import QUEUE
from tests.benchmarks.servers import Server


def topic_keys(count: int) -> Sequence[str]:
    """Routing keys that each meet one binding of `bind_topics`, if that makes as many."""
    return [f"sensor.{number:06}.now" for number in range(count)]


def bind_topics(server: Server, count: int) -> None:
    """Bind the queue so many times to amq.topic."""
    with closing(Client(server.port)) as client:
        client.declare_queue(QUEUE)
        for number in range(count):
            client.bind(QUEUE, "amq.topic", f"sensor.{number:06}.*")
