"""Consumers without limits or acknowledgements, and what they hold."""

from __future__ import annotations

import stomp

from tests.gateway.doctor.examined import Examined, publish, take


def test_no_prefetch(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("orders", durable=True)
        publish(channel, "orders", 7)
        take(channel, "orders", 7, ack=False, consumer_tag="greedy")
        assert examined.places("no-prefetch") == [("queue", "orders")]
        said = examined.details("no-prefetch")
        assert "'greedy' of guest" in said
        assert "7 unacknowledged messages" in said


def test_a_prefetch_of_any_sort_will_do(examined: Examined) -> None:
    with examined.channel() as channel, examined.channel() as other:
        for name in ("orders", "mine"):
            channel.queue_declare(name, durable=name == "orders", exclusive=name == "mine")
            publish(channel, name, 3)
        channel.basic_qos(prefetch_count=10)
        take(channel, "orders", 3, ack=True)
        other.basic_qos(prefetch_count=10, global_qos=True)
        publish(channel, "orders", 3)
        channel.basic_cancel(next(iter(channel.consumer_tags)))
        take(other, "orders", 1, ack=True)
        take(channel, "mine", 3, ack=True)  # a queue of its own is its own affair
        assert examined.places("no-prefetch") == []


def test_no_prefetch_over_stomp(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("work", durable=True)
        connection = stomp.Connection12([examined.broker.addresses["stomp"]], vhost=examined.vhost)
        connection.connect("guest", "guest", wait=True)
        connection.subscribe("/queue/work", "1", ack="client-individual")
        wait_for_consumer(examined, "work")
        assert examined.places("no-prefetch") == [("queue", "work")]
        assert examined.places("automatic-ack") == []
        connection.disconnect()


def test_a_prefetch_over_stomp(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("work", durable=True)
        connection = stomp.Connection12([examined.broker.addresses["stomp"]], vhost=examined.vhost)
        connection.connect("guest", "guest", wait=True)
        connection.subscribe("/queue/work", "1", ack="client-individual", headers={"prefetch-count": "10"})
        wait_for_consumer(examined, "work")
        assert examined.places("no-prefetch") == []
        connection.disconnect()


def wait_for_consumer(examined: Examined, queue: str) -> None:
    for _ in range(1000):
        rows = examined.formatted("list_queues", "-p", examined.vhost, "name", "consumers")
        if {"name": queue, "consumers": 1} in rows:
            return
    raise AssertionError(f"nobody consumes from {queue}")


def test_automatic_acknowledgements(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("orders", durable=True)
        publish(channel, "orders", 1)
        take(channel, "orders", 1, ack=False, auto_ack=True)
        assert examined.places("automatic-ack") == [("queue", "orders")]


def test_acknowledgements_by_hand_and_queues_that_lose_messages_anyway(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("orders", durable=True)
        channel.queue_declare("passing", durable=False, auto_delete=True)
        channel.basic_qos(prefetch_count=10)
        publish(channel, "orders", 1)
        take(channel, "orders", 1, ack=True)
        publish(channel, "passing", 1)
        take(channel, "passing", 1, ack=False, auto_ack=True)
        assert examined.places("automatic-ack") == []


def test_messages_that_are_never_acknowledged(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("orders", durable=True)
        channel.basic_qos(prefetch_count=10)
        publish(channel, "orders", 3)
        take(channel, "orders", 3, ack=False, consumer_tag="forgetful")
        said = examined.details("old-unacked")
        assert "3 messages" in said
        assert "queue 'orders' by consumer 'forgetful'" in said


def test_a_poll_that_is_never_acknowledged(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("orders", durable=True)
        publish(channel, "orders", 1)
        assert channel.basic_get("orders")[0] is not None
        assert "a poll (basic.get)" in examined.details("old-unacked")


def test_messages_that_are_acknowledged_or_under_way(examined: Examined) -> None:
    with examined.channel() as channel, examined.channel() as slow:
        for name in ("orders", "long work"):
            channel.queue_declare(name, durable=True)
            publish(channel, name, 3)
        channel.basic_qos(prefetch_count=10)
        take(channel, "orders", 3, ack=True)
        assert examined.places("old-unacked") == []
        slow.basic_qos(prefetch_count=10)
        take(slow, "long work", 3, ack=False)
        assert examined.places("old-unacked", patience=600) == []
        assert [kind for kind, _ in examined.places("old-unacked", patience=0)] == ["channel"]


def test_very_many_unacknowledged_messages(examined: Examined) -> None:
    with examined.connection() as connection:
        channel = connection.channel()
        channel.queue_declare("orders", durable=True)
        publish(channel, "orders", 10_001)
        channel.basic_qos(prefetch_count=20_000)
        take(channel, "orders", 10_001, ack=False)
        assert [kind for kind, _ in examined.places("many-unacked", patience=600)] == ["channel"]


def test_some_unacknowledged_messages(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("orders", durable=True)
        publish(channel, "orders", 300)
        channel.basic_qos(prefetch_count=20_000)
        take(channel, "orders", 300, ack=False)
        assert examined.places("many-unacked") == []
