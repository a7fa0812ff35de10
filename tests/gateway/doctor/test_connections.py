"""Connections, channels and queues that come and go, and connections that are used for too much."""

from __future__ import annotations

from tests.gateway.doctor.examined import Examined, publish, take
from tests.mqtt.paho_client import paho_client


def test_a_connection_that_publishes_and_consumes(examined: Examined) -> None:
    with examined.connection() as connection:
        publisher, consumer = connection.channel(), connection.channel()
        publisher.queue_declare("orders", durable=True)
        publish(publisher, "orders", 3)
        consumer.basic_qos(prefetch_count=10)
        take(consumer, "orders", 3, ack=True)
        assert [kind for kind, _ in examined.places("publishes-and-consumes")] == ["connection"]
        assert "3 published, 3 received" in examined.details("publishes-and-consumes")


def test_connections_of_their_own(examined: Examined) -> None:
    with examined.channel() as publisher, examined.channel() as consumer:
        publisher.queue_declare("orders", durable=True)
        publish(publisher, "orders", 3)
        consumer.basic_qos(prefetch_count=10)
        take(consumer, "orders", 3, ack=True)
        assert examined.places("publishes-and-consumes") == []


def test_a_client_of_requests_and_answers(examined: Examined) -> None:
    """Its answers come on the connection that owns the queue for them: it has no choice."""
    with examined.channel() as channel:
        channel.queue_declare("answers", exclusive=True)
        publish(channel, "answers", 2)
        take(channel, "answers", 2, ack=True)
        assert examined.places("publishes-and-consumes") == []


def test_a_connection_for_each_message(examined: Examined) -> None:
    with examined.channel() as channel:
        channel.queue_declare("orders", durable=True)
    for _ in range(60):
        with examined.channel() as channel:
            publish(channel, "orders", 1)
    assert examined.places("connection-churn") == [("user", "guest")]
    assert "connections from 127.0.0.1 (AMQP 0-9-1)" in examined.details("connection-churn")


def test_a_connection_for_many_messages(examined: Examined) -> None:
    for _ in range(5):
        with examined.channel() as channel:
            channel.queue_declare("orders", durable=True)
            publish(channel, "orders", 60)
    assert examined.places("connection-churn") == []


def test_a_channel_for_each_message(examined: Examined) -> None:
    with examined.connection() as connection:
        for _ in range(60):
            channel = connection.channel()
            channel.queue_declare("orders", durable=True)
            publish(channel, "orders", 1)
            channel.close()
        assert [kind for kind, _ in examined.places("channel-churn")] == ["connection"]
        assert "60 channels closed" in examined.details("channel-churn")


def test_a_channel_for_many_messages(examined: Examined) -> None:
    with examined.connection() as connection:
        for _ in range(60):
            channel = connection.channel()
            channel.queue_declare("orders", durable=True)
            publish(channel, "orders", 2)
            channel.close()
        assert examined.places("channel-churn") == []


def test_a_queue_for_each_answer(examined: Examined) -> None:
    with examined.channel() as channel:
        for _ in range(100):
            channel.queue_declare(f"answers-{_}", exclusive=True)
            channel.queue_delete(f"answers-{_}")
        assert examined.places("queue-churn") == [("queue", "answers-...")]
        assert "100 queues made and deleted" in examined.details("queue-churn")


def test_a_queue_for_each_program(examined: Examined) -> None:
    with examined.channel() as channel:
        for _ in range(20):
            channel.queue_declare("", exclusive=True)
    assert examined.places("queue-churn") == []


def test_no_heartbeats(examined: Examined) -> None:
    port = examined.broker.addresses["mqtt"][1]
    with examined.connection(heartbeat=0):
        with paho_client(port, "device", keepalive=0, login=examined.mqtt_login):
            assert [kind for kind, _ in examined.places("no-heartbeat")] == ["connection", "connection"]
        assert "AMQP 0-9-1 of guest" in examined.details("no-heartbeat")


def test_heartbeats(examined: Examined) -> None:
    port = examined.broker.addresses["mqtt"][1]
    with examined.connection(heartbeat=60), paho_client(port, "device", keepalive=60, login=examined.mqtt_login):
        assert examined.places("no-heartbeat") == []
