"""Queues that nobody reads, that grow, and that keep less than somebody expects."""

from __future__ import annotations

import shlex
import threading

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.gateway.doctor.examined import PERSISTENT, TRANSIENT, Examined, publish, take


def test_a_queue_that_nobody_reads(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("forgotten", durable=True)
        publish(channel, "forgotten", 5)
    assert examined.places("unread-queue") == [("queue", "forgotten")]
    said = examined.details("unread-queue")
    assert "5 messages; no consumer and no poll since 20" in said
    assert "when it was declared or the broker started" in said


def test_a_queue_whose_consumer_has_gone(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("left", durable=True)
        channel.basic_qos(prefetch_count=1)
        publish(channel, "left", 5)
        take(channel, "left", 1, ack=False)
        assert examined.places("unread-queue") == []
    assert examined.places("unread-queue") == [("queue", "left")]
    assert "declared" not in examined.details("unread-queue")


@pytest.mark.parametrize("way", ["consumed", "empty", "way station", "just now"])
def test_queues_that_somebody_reads(examined: Examined, way: str) -> None:
    waits = {"x-message-ttl": 3_600_000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "read"}
    with examined.channel() as channel:
        channel.queue_declare("read", durable=True, arguments=waits if way == "way station" else {})
        publish(channel, "read", 0 if way == "empty" else 3)
        if way == "consumed":
            channel.basic_qos(prefetch_count=1)
            take(channel, "read", 1, ack=False)
        assert examined.places("unread-queue", patience=600 if way == "just now" else 0) == []


def test_a_bound_makes_it_a_notice(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("log", durable=True, arguments={"x-max-length": 100})
        channel.queue_declare("old log", durable=True)
        publish(channel, "log", 1)
        assert examined.findings()["unread-queue"]["severity"] == "notice"
        publish(channel, "old log", 1)
        assert examined.findings()["unread-queue"]["severity"] == "warning"


def test_what_is_said_to_type_works(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("a (strange) 'name'", durable=True)
        channel.queue_declare("another", durable=True)
        publish(channel, "a (strange) 'name'", 1)
    (place,) = examined.findings()["unread-queue"]["places"]
    program, *words = shlex.split(place["remedy"])
    assert program == "warren"
    examined.ctl(*words)
    rows = examined.formatted("list_queues", "-p", examined.vhost, "name", "policy")
    assert {each["name"]: each["policy"] for each in rows} == {"a (strange) 'name'": "bounded", "another": None}
    assert examined.findings()["unread-queue"]["severity"] == "notice"


class Flood:
    """Publishes to a queue in a thread, for as long as its block lasts."""

    def __init__(self, examined: Examined, queue: str) -> None:
        self._examined = examined
        self._queue = queue
        self._enough = threading.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._publish)

    def _publish(self) -> None:
        with self._examined.channel() as channel:
            while not self._enough.is_set():
                publish(channel, self._queue, 20, TRANSIENT)
                self._begun.set()

    def __enter__(self) -> Flood:
        self._thread.start()
        assert self._begun.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()


def fill(examined: Examined, channel: BlockingChannel, queue: str) -> None:
    """With more than a thousand, without waiting for each."""
    with examined.connection() as connection:
        quick = connection.channel()
        publish(quick, queue, 1500, TRANSIENT)
        quick.queue_declare(queue, passive=True)


def test_a_queue_that_grows(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("jobs", durable=True)
        fill(examined, channel, "jobs")
        with Flood(examined, "jobs"):
            assert examined.places("growing-queue", watch=2) == [("queue", "jobs")]
            assert "more in" in examined.details("growing-queue", watch=2)


def test_queues_that_grow_within_bounds_or_not_at_all(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("bounded", durable=True, arguments={"x-max-length": 10_000_000})
        channel.queue_declare("still", durable=True)
        channel.queue_declare("short", durable=True)
        for name in ("bounded", "still"):
            fill(examined, channel, name)
        with Flood(examined, "bounded"):
            assert examined.places("growing-queue", watch=1) == []
    assert examined.findings(watch=0).get("growing-queue") is None


def test_a_queue_that_is_polled(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("jobs", durable=True)
        publish(channel, "jobs", 2)
        for _ in range(1000):
            channel.basic_get("jobs", auto_ack=True)
        assert examined.places("polling") == [("queue", "jobs")]
        assert "1,000 polls, 998 of them for nothing" in examined.details("polling")


def test_a_queue_that_is_polled_now_and_then(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("jobs", durable=True)
        for _ in range(50):
            channel.basic_get("jobs", auto_ack=True)
        assert examined.places("polling") == []


def test_transient_messages_in_a_durable_queue(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("orders", durable=True)
        publish(channel, "orders", 2, TRANSIENT)
        publish(channel, "orders", 3, PERSISTENT)
    assert examined.places("transient-messages") == [("queue", "orders")]
    assert examined.details("transient-messages") == "2 of 5 messages that were looked at"


def test_persistent_messages_in_a_durable_queue(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("orders", durable=True)
        channel.queue_declare("quorum", durable=True, arguments={"x-queue-type": "quorum"})
        publish(channel, "orders", 3, PERSISTENT)
        publish(channel, "quorum", 3, TRANSIENT)  # it keeps them all the same
    found = examined.findings()
    assert not {"transient-messages", "persistent-in-transient-queue", "persistent-in-passing-queue"} & set(found)


def test_persistent_messages_in_queues_that_go(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("forgetful", durable=False)
        channel.queue_declare("mine", exclusive=True)
        channel.queue_declare("passing", durable=True, auto_delete=True)
        for name in ("forgetful", "mine", "passing"):
            publish(channel, name, 1, PERSISTENT)
        found = examined.findings()
    assert [each["name"] for each in found["persistent-in-transient-queue"]["places"]] == ["forgetful"]
    assert [each["name"] for each in found["persistent-in-passing-queue"]["places"]] == ["mine", "passing"]
    assert [each["name"] for each in found["transient-queue"]["places"]] == ["forgetful"]


def test_transient_messages_in_queues_that_go(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("forgetful", durable=False)
        channel.queue_declare("mine", exclusive=True)
        for name in ("forgetful", "mine"):
            publish(channel, name, 1, TRANSIENT)
        found = examined.findings()
    assert not {"persistent-in-transient-queue", "persistent-in-passing-queue"} & set(found)


def test_queues_that_are_one_connections_or_durable_are_no_transient_queues(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("", exclusive=True)
        channel.queue_declare("passing", auto_delete=True)
        channel.queue_declare("orders", durable=True)
        assert examined.places("transient-queue") == []


@pytest.mark.parametrize("retention", [{}, {"x-max-age": "7D"}, {"x-max-length-bytes": 10_000_000}])
def test_streams(examined: Examined, retention: dict[str, object]) -> None:
    with examined.channel() as channel:
        channel.queue_declare("events", durable=True, arguments={"x-queue-type": "stream", **retention})
        publish(channel, "events", 3)
    found = examined.findings()
    assert ("unbounded-stream" in found) is not bool(retention)
    assert "unread-queue" not in found
