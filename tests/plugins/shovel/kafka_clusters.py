"""Kafka clusters within a test: librdkafka's own, which a producer keeps, and other clients reach over loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import confluent_kafka
import trio

QUIET = 0


class Cluster:
    """One broker, in memory, which makes topics as they are asked for."""

    def __init__(self, *, partitions: int = 4) -> None:
        options: dict[str, Any] = {
            "test.mock.num.brokers": 1,
            "log_level": QUIET,
            "allow.auto.create.topics": True,
            "topic.metadata.refresh.interval.ms": 100,
        }
        self._keeper = confluent_kafka.Producer(options)
        (broker,) = self._keeper.list_topics(timeout=10).brokers.values()
        self.port = int(broker.port)

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"kafka://{self.servers}"

    def publish(self, topic: str, *bodies: bytes, **more: Any) -> None:
        """Have records in a topic, in one partition unless `more` says otherwise."""
        for body in bodies:
            self._keeper.produce(topic, body, **{"partition": 0, **more})
        assert self._keeper.flush(10) == 0

    def records(self, topic: str, count: int) -> list[Any]:
        """The first records of a topic, waited for; in a thread."""
        consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": "reader",
                "log_level": QUIET,
                "auto.offset.reset": "earliest",
            }
        )
        try:
            found: list[Any] = []
            partitions: Any = ()
            for _ in range(100):
                if not partitions:
                    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
                    consumer.assign([confluent_kafka.TopicPartition(topic, each, 0) for each in partitions])
                found += [each for each in consumer.consume(count, 0.1) if each.error() is None]
                if len(found) >= count:
                    break
            return found
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> int:
        """The group's offset of partition 0; -1001 for none; in a thread."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.servers, "group.id": group, "log_level": QUIET})
        try:
            (found,) = consumer.committed([confluent_kafka.TopicPartition(topic, 0)], timeout=10)
            return int(found.offset)
        finally:
            consumer.close()


@contextmanager
def cluster() -> Iterator[Cluster]:
    found = Cluster()
    try:
        yield found
    finally:
        found._keeper.purge()
        found._keeper.flush(1)
        del found._keeper


async def until_committed(cluster: Cluster, group: str, topic: str, offset: int) -> None:
    while await trio.to_thread.run_sync(cluster.committed, group, topic) != offset:
        await trio.sleep(0.05)
