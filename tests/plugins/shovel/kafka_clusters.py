"""Kafka clusters of a test: librdkafka's own, which a process keeps (kafka_keeper.py); clients reach it on loopback."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import confluent_kafka
import trio

from tests.support.warren_process import REPOSITORY

QUIET = 0

ANSWER_S: Final = 60.0
"""How long something may take that is there at once on a machine that isn't very busy."""

LOOK_S: Final = 0.1

BATCH: Final = 1000


class Cluster:
    """One broker, in memory, which makes topics as they are asked for."""

    def __init__(self, port: int) -> None:
        self.port = port

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"kafka://{self.servers}"

    def publish(self, topic: str, *bodies: bytes, **more: Any) -> None:
        """Have records in a topic, in one partition unless `more` says otherwise; in a thread."""
        options: dict[str, Any] = {
            "bootstrap.servers": self.servers,
            "log_level": QUIET,
            "allow.auto.create.topics": True,
            "topic.metadata.refresh.interval.ms": 100,
        }
        producer = confluent_kafka.Producer(options)
        for body in bodies:
            producer.produce(topic, body, **{"partition": 0, **more})
        assert producer.flush(ANSWER_S) == 0

    def records(self, topic: str, count: int) -> list[Any]:
        """The first records of a topic, so many at least, waited for; in a thread."""
        return self.records_until(topic, lambda found: len(found) >= count)

    def records_until(self, topic: str, enough: Callable[[list[Any]], bool]) -> list[Any]:
        """The first records of a topic, until there are enough of them; in a thread."""
        consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": "reader",
                "log_level": QUIET,
                "auto.offset.reset": "earliest",
            }
        )
        give_up_at = time.monotonic() + ANSWER_S
        try:
            found: list[Any] = []
            partitions: Any = ()
            while not enough(found):
                assert time.monotonic() < give_up_at, f"{len(found)} records, and no more for {ANSWER_S:g} s"
                if not partitions:
                    partitions = consumer.list_topics(topic, timeout=ANSWER_S).topics[topic].partitions
                    consumer.assign([confluent_kafka.TopicPartition(topic, each, 0) for each in partitions])
                if new := [each for each in consumer.consume(BATCH, LOOK_S) if each.error() is None]:
                    found += new
                    give_up_at = time.monotonic() + ANSWER_S
            return found
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> int:
        """The group's offset of partition 0; -1001 for none; in a thread."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.servers, "group.id": group, "log_level": QUIET})
        try:
            (found,) = consumer.committed([confluent_kafka.TopicPartition(topic, 0)], timeout=ANSWER_S)
            return int(found.offset)
        finally:
            consumer.close()


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster, in a process of its own, which is killed at the end."""
    command = [sys.executable, "-m", "tests.plugins.shovel.kafka_keeper"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY) as keeper:
        try:
            assert keeper.stdout is not None
            yield Cluster(int(keeper.stdout.readline()))
        finally:
            keeper.kill()


async def until_committed(cluster: Cluster, group: str, topic: str, offset: int) -> None:
    while await trio.to_thread.run_sync(cluster.committed, group, topic) != offset:
        await trio.sleep(0.05)
