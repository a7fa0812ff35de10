"""Kombu, the messaging library below Celery, over py-amqp."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import kombu
import pytest
from amqp.exceptions import NotFound, PreconditionFailed

from tests.interop.clients import TIME_LIMIT_S, url


@pytest.fixture
def connection(broker_address: tuple[str, int]) -> Iterator[Any]:
    """An open connection that waits for confirms."""
    options = {"confirm_publish": True}
    with kombu.Connection(url(broker_address), transport_options=options, heartbeat=10) as opened:
        opened.connect()
        yield opened


@pytest.fixture
def queue(connection: Any) -> Iterator[Any]:
    """A queue bound to a topic exchange."""
    name = f"interop-kombu-{uuid.uuid4().hex}"
    exchange = kombu.Exchange(name, type="topic", durable=False, auto_delete=True)
    made = kombu.Queue(name, exchange, routing_key="orders.#", durable=False)(connection.default_channel)
    made.declare()
    yield made
    made.delete()


def test_json_messages_are_confirmed_and_consumed(connection: Any, queue: Any) -> None:
    producer = connection.Producer()
    bodies = [{"number": number, "text": "h\u00e9llo", "list": [1, None]} for number in range(20)]
    for body in bodies:
        producer.publish(body, exchange=queue.exchange, routing_key="orders.new", headers={"kind": "order"})
    received: list[tuple[object, Any]] = []

    def take(body: object, message: Any) -> None:
        received.append((body, message))
        message.ack()

    with connection.Consumer([queue], callbacks=[take], prefetch_count=4):
        while len(received) < len(bodies):
            connection.drain_events(timeout=TIME_LIMIT_S)
    assert [body for body, _ in received] == bodies
    assert {message.headers["kind"] for _, message in received} == {"order"}
    assert {message.delivery_info["routing_key"] for _, message in received} == {"orders.new"}


def test_a_compressed_body(connection: Any, queue: Any) -> None:
    text = "again and again " * 1000
    connection.Producer().publish(text, exchange=queue.exchange, routing_key="orders", compression="zlib")
    message = queue.get(no_ack=True)
    assert message.headers["compression"] == "application/x-gzip"
    assert message.payload == text


def test_requeue_and_reject(connection: Any, queue: Any) -> None:
    connection.Producer().publish("once", exchange=queue.exchange, routing_key="orders")
    first = queue.get()
    first.requeue()
    second = queue.get()
    assert (first.delivery_info["redelivered"], second.delivery_info["redelivered"]) == (False, True)
    second.reject()
    assert queue.get() is None


def test_a_simple_queue(connection: Any) -> None:
    name = f"interop-kombu-{uuid.uuid4().hex}"
    with connection.SimpleQueue(name) as simple:
        simple.put({"one": 1})
        message = simple.get(timeout=TIME_LIMIT_S)
        message.ack()
        assert message.payload == {"one": 1}
        assert simple.qsize() == 0
    connection.default_channel.queue_delete(name)
    connection.default_channel.exchange_delete(name)


def test_refusals_are_exceptions_of_their_own(connection: Any, queue: Any) -> None:
    with pytest.raises(NotFound, match="no queue 'interop-missing'"):
        connection.channel().queue_declare("interop-missing", passive=True)
    with pytest.raises(PreconditionFailed, match="inequivalent arg 'durable'"):
        connection.channel().queue_declare(queue.name, durable=True, auto_delete=False)


def test_a_heartbeat_is_agreed_upon(connection: Any) -> None:
    assert connection.get_heartbeat_interval() == 10
    connection.heartbeat_check()
