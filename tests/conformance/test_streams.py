"""Streams over AMQP 0-9-1: what they refuse, and from where they are read (spec H.2).

RabbitMQ answers a consumer before it has read anything, and is told what to read by offsets alone, so each case waits
for the messages that it knows to come.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import Delivery, Refusal, Workbench, assert_refused, numbered, process_until, refusal_of

STREAM = {"x-queue-type": "stream"}

COUNT = 10


@pytest.fixture
def stream(bench: Workbench, channel: BlockingChannel) -> str:
    """Ten messages, all of them confirmed."""
    name = bench.queue(channel, "stream", durable=True, arguments=STREAM)
    publish(bench, name, numbered(COUNT))
    return name


def publish(bench: Workbench, name: str, bodies: list[bytes], **properties: Any) -> None:
    publisher = bench.channel()
    publisher.confirm_delivery()
    for body in bodies:
        publisher.basic_publish("", name, body, pika.BasicProperties(**properties))


def read(bench: Workbench, name: str, count: int, prefetch: int = 100, **arguments: Any) -> list[Delivery]:
    """So many messages that a new reader gets first."""
    channel = bench.channel()
    channel.basic_qos(prefetch_count=prefetch)
    taken: list[Delivery] = []

    def take(_channel: object, method: Any, properties: Any, body: bytes) -> None:
        taken.append(
            Delivery(body, method.delivery_tag, method.redelivered, method.exchange, method.routing_key, properties)
        )
        channel.basic_ack(method.delivery_tag)

    named = {name.replace("_", "-"): value for name, value in arguments.items()}
    channel.basic_consume(name, take, arguments=named)
    process_until(channel, lambda: len(taken) >= count)
    channel.connection.close()
    return taken[:count]


def bodies(deliveries: list[Delivery]) -> list[bytes]:
    return [each.body for each in deliveries]


def test_it_is_read_again_and_again(bench: Workbench, stream: str) -> None:
    for _ in range(2):
        found = read(bench, stream, COUNT, x_stream_offset="first")
        assert bodies(found) == numbered(COUNT)
        assert [each.properties.headers["x-stream-offset"] for each in found] == list(range(COUNT))
        assert not any(each.redelivered for each in found)
        assert {(each.exchange, each.routing_key) for each in found} == {("", stream)}


def test_a_small_prefetch_reads_all(bench: Workbench, stream: str) -> None:
    assert bodies(read(bench, stream, COUNT, 1, x_stream_offset="first")) == numbered(COUNT)


def test_an_offset_begins_there(bench: Workbench, stream: str) -> None:
    assert bodies(read(bench, stream, 6, x_stream_offset=4)) == numbered(COUNT)[4:]


def test_what_is_to_come_is_waited_for(bench: Workbench, stream: str) -> None:
    channel = bench.channel()
    channel.basic_qos(prefetch_count=10)
    taken: list[bytes] = []
    channel.basic_consume(stream, lambda _channel, _method, _properties, body: taken.append(body))
    publish(bench, stream, [b"new"])
    process_until(channel, lambda: bool(taken))
    assert taken == [b"new"]


def test_a_time_in_the_past_gives_everything(bench: Workbench, stream: str) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    assert bodies(read(bench, stream, COUNT, x_stream_offset=past)) == numbered(COUNT)
    assert bodies(read(bench, stream, COUNT, x_stream_offset="1h")) == numbered(COUNT)


def test_properties_come_back(bench: Workbench, channel: BlockingChannel) -> None:
    name = bench.queue(channel, "stream", durable=True, arguments=STREAM)
    fields: dict[str, Any] = {
        "content_type": "text/plain",
        "correlation_id": "c",
        "message_id": "m",
        "app_id": "a",
        "timestamp": 1_700_000_000,
    }
    publish(bench, name, [b"body"], headers={"word": "text", "x-number": 7}, **fields)
    (found,) = read(bench, name, 1, x_stream_offset="first")
    assert {field: getattr(found.properties, field) for field in fields} == fields
    assert {each: found.properties.headers[each] for each in ("word", "x-number")} == {"word": "text", "x-number": 7}


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ({"durable": False}, "invalid property 'non-durable' for queue"),
        ({"exclusive": True}, "invalid property 'exclusive-owner' for queue"),
        ({"auto_delete": True}, "invalid property 'auto-delete' for queue"),
    ],
    ids=["transient", "exclusive", "auto-delete"],
)
def test_what_a_stream_cannot_be(bench: Workbench, channel: BlockingChannel, flags: dict[str, bool], text: str) -> None:
    name = bench.name("stream")
    asked = {"durable": True, **flags}
    assert_refused(
        refusal_of(lambda: channel.queue_declare(name, arguments=STREAM, **asked), channel),
        Refusal("channel", 406, text),
    )


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("x-max-age", "7"),
        ("x-max-age", "7d"),
        ("x-max-length-bytes", -1),
        ("x-stream-max-segment-size-bytes", 3_000_000_001),
        ("x-message-ttl", 1000),
        ("x-max-length", 10),
        ("x-dead-letter-exchange", "x"),
        ("x-single-active-consumer", True),
    ],
)
def test_what_a_stream_cannot_have(bench: Workbench, channel: BlockingChannel, argument: str, value: object) -> None:
    name = bench.name("stream")
    arguments = {**STREAM, argument: value}
    found = refusal_of(lambda: channel.queue_declare(name, durable=True, arguments=arguments), channel)
    assert_refused(found, Refusal("channel", 406, argument))


def test_a_consumer_without_prefetch(bench: Workbench, stream: str) -> None:
    channel = bench.channel()
    found = refusal_of(lambda: channel.basic_consume(stream, print), channel)
    assert_refused(found, Refusal("channel", 406, "consumer prefetch count is not set for"))


def test_a_consumer_that_does_not_acknowledge(bench: Workbench, stream: str) -> None:
    channel = bench.channel()
    channel.basic_qos(prefetch_count=10)
    found = refusal_of(lambda: channel.basic_consume(stream, print, auto_ack=True), channel)
    assert_refused(found, Refusal("connection", 540, "automatic acknowledgement not supported by"))


def test_an_offset_that_is_none(
    bench: Workbench, stream: str, expected: Callable[[Refusal | None], Refusal | None]
) -> None:
    channel = bench.channel()
    channel.basic_qos(prefetch_count=10)
    found = refusal_of(lambda: channel.basic_consume(stream, print, arguments={"x-stream-offset": "sometime"}), channel)
    assert_refused(found, expected(Refusal("channel", 406, "x-stream-offset")))


def test_polling(bench: Workbench, stream: str) -> None:
    channel = bench.channel()
    found = refusal_of(lambda: channel.basic_get(stream), channel)
    assert_refused(found, Refusal("connection", 540, "basic.get not supported by stream"))


def test_purging(bench: Workbench, stream: str) -> None:
    channel = bench.channel()
    found = refusal_of(lambda: channel.queue_purge(stream), channel)
    assert_refused(found, Refusal("connection", 540, "not supported by stream queues"))


def test_deleting(bench: Workbench, channel: BlockingChannel, stream: str) -> None:
    channel.queue_delete(stream)
    channel.queue_declare(stream, durable=True, arguments=STREAM)
    publish(bench, stream, [b"new"])
    assert bodies(read(bench, stream, 1, x_stream_offset="first")) == [b"new"]
