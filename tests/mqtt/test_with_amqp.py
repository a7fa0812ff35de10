"""MQTT and AMQP clients on the same messages: paho-mqtt and pika, property by property (spec C.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pika
import pytest
from paho.mqtt.packettypes import PacketTypes
from pika.adapters.blocking_connection import BlockingChannel

from tests.mqtt.paho_client import Properties, paho, paho_client
from tests.support.until import until
from tests.support.warren_process import WarrenProcess


@pytest.fixture
def channel(process: WarrenProcess) -> Iterator[BlockingChannel]:
    """A pika channel that confirms."""
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", process.amqp_port)) as connection:
        opened = connection.channel()
        opened.confirm_delivery()
        yield opened


@pytest.fixture
def bound(channel: BlockingChannel) -> str:
    """A queue of pika's that gets what is published below `m/`."""
    name = str(channel.queue_declare("", exclusive=True).method.queue)
    channel.queue_bind(name, "amq.topic", "m.#")
    return name


def next_of(channel: BlockingChannel, queue: str) -> tuple[str, pika.BasicProperties, bytes]:
    """The next message of a queue: routing key, properties, body."""
    for method, properties, body in channel.consume(queue, auto_ack=True, inactivity_timeout=20):
        assert method is not None, "nothing came"
        channel.cancel()
        return method.routing_key, properties, body
    raise AssertionError("the consumer was cancelled")


def publish_properties(**values: Any) -> Properties:
    """paho's properties of a PUBLISH."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


def fields_of(properties: pika.BasicProperties) -> dict[str, Any]:
    """Those that are set."""
    return {name: value for name, value in vars(properties).items() if value is not None}


def seen(properties: Any) -> dict[str, Any]:
    """paho's properties by their names without blanks."""
    names = [name.replace(" ", "") for name in properties.names]
    return {name: getattr(properties, name) for name in names if hasattr(properties, name)}


FROM_MQTT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"ContentType": "text/plain"}, {"content_type": "text/plain"}),
    ({"ContentType": "größe"}, {}),
    ({"CorrelationData": b"request-1"}, {"correlation_id": "request-1"}),
    ({"CorrelationData": b"\xff\x00\x01"}, {"headers": {"x-correlation-id": b"\xff\x00\x01"}}),
    ({"CorrelationData": b"x" * 256}, {"headers": {"x-correlation-id": b"x" * 256}}),
    ({"ResponseTopic": "answers/a.b"}, {"headers": {"x-reply-to-topic": "answers.a%2Eb"}}),
    ({"ResponseTopic": "$queue/answers"}, {"reply_to": "answers"}),
    ({"UserProperty": [("k", "v"), ("l", "é")]}, {"headers": {"k": "v", "l": "é"}}),
    ({"UserProperty": [("k", "1"), ("k", "2")]}, {"headers": {"k": "2"}}),
    ({"MessageExpiryInterval": 3600}, {"expiration": "3600000"}),
    ({"PayloadFormatIndicator": 1}, {}),
]


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize(("mqtt", "amqp"), FROM_MQTT, ids=lambda value: "-".join(value) or "none")
def test_from_mqtt_5_to_amqp(
    port: int, channel: BlockingChannel, bound: str, mqtt: dict[str, Any], amqp: dict[str, Any], qos: int
) -> None:
    with paho_client(port, "p") as publisher:
        publisher.publish("m/x.y/1", b"body", qos, properties=publish_properties(**mqtt))
    key, properties, body = next_of(channel, bound)
    assert (key, body) == ("m.x%2Ey.1", b"body")
    expected = dict(amqp)
    if qos:
        expected["delivery_mode"] = 2
    assert fields_of(properties) == expected


FROM_AMQP: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"content_type": "text/plain"}, {"ContentType": "text/plain"}),
    ({"correlation_id": "request-1"}, {"CorrelationData": b"request-1"}),
    ({"headers": {"x-correlation-id": b"\xff\x00"}}, {"CorrelationData": b"\xff\x00"}),
    ({"reply_to": "answers"}, {"ResponseTopic": "$queue/answers"}),
    ({"headers": {"x-reply-to-topic": "answers.a%2Eb"}}, {"ResponseTopic": "answers/a.b"}),
    ({"headers": {"k": "v", "n": 1, "t": True}}, {"UserProperty": [("k", "v"), ("n", "1"), ("t", "true")]}),
    ({"expiration": "3600000"}, {"MessageExpiryInterval": 3600}),
    ({"message_id": "m", "type": "t", "app_id": "a", "priority": 3, "timestamp": 1, "content_encoding": "gzip"}, {}),
]


@pytest.mark.parametrize("mode", [1, 2])
@pytest.mark.parametrize(("amqp", "mqtt"), FROM_AMQP, ids=lambda value: "-".join(value) or "none")
def test_from_amqp_to_mqtt_5(
    port: int, channel: BlockingChannel, amqp: dict[str, Any], mqtt: dict[str, Any], mode: int
) -> None:
    with paho_client(port, "s") as subscriber:
        subscriber.subscribe("m/#", 2)
        channel.basic_publish("amq.topic", "m.a%2Eb.c/d", b"body", pika.BasicProperties(delivery_mode=mode, **amqp))
        message = subscriber.next()
    assert (message.topic, bytes(message.payload), message.qos) == ("m/a.b/c%2Fd", b"body", mode - 1)
    assert seen(message.properties) == mqtt


@pytest.mark.parametrize("protocol", [paho.MQTTv31, paho.MQTTv311, paho.MQTTv5])
def test_there_and_back(port: int, channel: BlockingChannel, bound: str, protocol: Any) -> None:
    with paho_client(port, "both", protocol) as both:
        both.subscribe("back/#", 1)
        both.publish("m/sensor/1", b"21.5", 1)
        key, properties, body = next_of(channel, bound)
        channel.basic_publish("amq.topic", key.replace("m.", "back.", 1), body, properties)
        message = both.next()
    assert (message.topic, bytes(message.payload), message.qos) == ("back/sensor/1", b"21.5", 1)


def test_a_request_of_amqp_answered_by_a_device(port: int, channel: BlockingChannel) -> None:
    answers = str(channel.queue_declare("", exclusive=True).method.queue)
    with paho_client(port, "device") as device:
        device.subscribe("m/commands", 1)
        asked = pika.BasicProperties(reply_to=answers, correlation_id="7")
        channel.basic_publish("amq.topic", "m.commands", b"status?", asked)
        request: Any = device.next()
        answered = publish_properties(CorrelationData=request.properties.CorrelationData)
        device.publish(request.properties.ResponseTopic, b"fine", 1, properties=answered)
        _, properties, body = next_of(channel, answers)
    assert (properties.correlation_id, body) == ("7", b"fine")


def test_a_request_of_a_device_answered_over_amqp(port: int, channel: BlockingChannel, bound: str) -> None:
    with paho_client(port, "device") as device:
        device.subscribe("answers/device", 1)
        asked = publish_properties(ResponseTopic="answers/device", CorrelationData=b"7")
        device.publish("m/questions", b"time?", 1, properties=asked)
        _, properties, _ = next_of(channel, bound)
        headers: Any = properties.headers
        answer = pika.BasicProperties(correlation_id=properties.correlation_id)
        channel.basic_publish("amq.topic", headers["x-reply-to-topic"], b"noon", answer)
        message: Any = device.next()
    assert (bytes(message.payload), message.properties.CorrelationData) == (b"noon", b"7")


def test_a_device_and_a_worker_share_a_queue(port: int, channel: BlockingChannel) -> None:
    channel.queue_declare("jobs", durable=True)
    try:
        with paho_client(port, "device", paho.MQTTv311) as device:
            device.subscribe("$queue/jobs", 1)
            taken: list[bytes] = []
            channel.basic_qos(prefetch_count=1)
            channel.basic_consume("jobs", lambda ch, method, _, body: _take(ch, method, body, taken))
            for number in range(20):
                channel.basic_publish("", "jobs", b"%d" % number, pika.BasicProperties(delivery_mode=2))
            until(
                lambda: len(taken) + device.messages.qsize() == 20,
                lambda _: channel.connection.process_data_events(0.05),
            )
            devices = [bytes(device.next().payload) for _ in range(20 - len(taken))]
        assert sorted([*taken, *devices], key=int) == [b"%d" % number for number in range(20)]
        assert taken
        assert devices
    finally:
        channel.queue_delete("jobs")


def _take(channel: Any, method: Any, body: bytes, taken: list[bytes]) -> None:
    taken.append(body)
    channel.basic_ack(method.delivery_tag)
