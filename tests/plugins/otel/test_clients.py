"""Traces of messages that real clients of every protocol publish and consume, as a collector gets them."""

from __future__ import annotations

import pika
import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from proton import Message, symbol

from tests.plugins.otel.clients import (
    TIME_LIMIT_S,
    Mqtt,
    Parent,
    Stomp,
    got,
    pika_channel,
    proton_connection,
    published,
)
from tests.support.otlp_collector import CONSUMER, INTERNAL, PRODUCER, Collector
from tests.support.warren_process import WarrenProcess


def test_a_message_of_amqp(broker: WarrenProcess, spans: Collector) -> None:
    parent = Parent()
    headers = {"traceparent": parent.text, "tracestate": "vendor=value", "baggage": "user=1"}
    with pika_channel(broker) as channel:
        published(channel, "otel-amqp", headers, message_id="m-1", correlation_id="c-1", delivery_mode=2)
        method, properties, _ = got(channel, "otel-amqp")
        channel.basic_ack(method.delivery_tag)
    assert properties.headers == headers  # as the publisher has set them, baggage too
    found = spans.trace(parent.trace, "publish otel-amqp", "route otel-amqp", "deliver otel-amqp", "ack otel-amqp")
    assert len(found) == 4
    publish, route, deliver, ack = found.values()
    assert [each.name.split()[0] for each in found.values()] == ["publish", "route", "deliver", "ack"]
    assert [publish.parent, route.parent, deliver.parent, ack.parent] == [
        parent.span,
        publish.id,
        publish.id,
        deliver.id,
    ]
    assert [each.kind for each in found.values()] == [CONSUMER, INTERNAL, PRODUCER, INTERNAL]
    assert {each.state for each in found.values()} == {"vendor=value"}
    assert all(each.start_ns <= each.end_ns for each in found.values())
    assert publish.resource["service.name"] == "warren"
    assert publish.scope == "warren"
    common = {
        "messaging.system": "warren",
        "messaging.destination.name": "otel-amqp",
        "messaging.message.body.size": 4,
        "messaging.message.id": "m-1",
        "messaging.message.conversation_id": "c-1",
        "messaging.rabbitmq.destination.routing_key": "otel-amqp",
        "warren.vhost": "/",
    }
    for span in found.values():
        assert common.items() <= span.attributes.items()
    client = {"user.name": "guest", "network.protocol.name": "amqp", "network.protocol.version": "0-9-1"}
    publishing = {"messaging.operation.name": "publish", "messaging.operation.type": "receive"}
    assert (client | publishing).items() <= publish.attributes.items()
    delivering: dict[str, object] = {"messaging.operation.name": "deliver", "messaging.operation.type": "send"}
    delivering |= {"messaging.destination.subscription.name": "otel-amqp", "warren.redelivered": False}
    assert (client | delivering | {"warren.no_ack": False}).items() <= deliver.attributes.items()
    routed = {"warren.route.queues": ["otel-amqp"], "warren.route.queue_count": 1, "warren.route.outcome": "taken"}
    assert routed.items() <= route.attributes.items()
    settling = {"messaging.operation.type": "settle", "warren.settle.outcome": "ack"}
    assert settling.items() <= ack.attributes.items()
    assert ack.attributes["warren.unsettled_ms"] >= 0


def test_from_mqtt_to_amqp(broker: WarrenProcess, spans: Collector) -> None:
    parent = Parent()
    with pika_channel(broker) as channel, Mqtt(broker, "otel-device") as device:
        channel.queue_declare("otel-from-mqtt")
        channel.queue_bind("otel-from-mqtt", "amq.topic", "otel.from.mqtt")
        device.publish("otel/from/mqtt", b"1", 1, ("traceparent", parent.text), ("baggage", "a=b"))
        method, properties, body = got(channel, "otel-from-mqtt")
        channel.basic_ack(method.delivery_tag)
    assert body == b"1"
    assert properties.headers == {"traceparent": parent.text, "baggage": "a=b"}
    found = spans.trace(
        parent.trace, "publish amq.topic", "route amq.topic", "deliver otel-from-mqtt", "ack otel-from-mqtt"
    )
    attributes = found["publish amq.topic"].attributes
    assert attributes["messaging.client.id"] == "otel-device"
    assert (attributes["network.protocol.name"], attributes["network.protocol.version"]) == ("mqtt", "5.0")
    assert attributes["messaging.destination.name"] == "amq.topic:otel.from.mqtt"
    delivered = found["deliver otel-from-mqtt"]
    assert delivered.attributes["messaging.destination.name"] == "amq.topic:otel.from.mqtt:otel-from-mqtt"
    assert delivered.attributes["network.protocol.name"] == "amqp"
    assert found["publish amq.topic"].parent == parent.span


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_from_amqp_to_mqtt(broker: WarrenProcess, spans: Collector, qos: int) -> None:
    parent = Parent()
    with pika_channel(broker) as channel, Mqtt(broker, f"otel-reader-{qos}") as reader:
        reader.subscribe(f"otel/to/mqtt/{qos}", qos)
        properties = pika.BasicProperties(headers={"traceparent": parent.text}, delivery_mode=2)
        channel.basic_publish("amq.topic", f"otel.to.mqtt.{qos}", b"x", properties)
        assert reader.get() == (b"x", {"traceparent": parent.text})
        spans.wait(lambda all_: [each for each in all_ if each.trace == parent.trace and each.kind == PRODUCER])
        delivered = [each for each in spans.spans if each.trace == parent.trace and each.kind == PRODUCER]
        queue_name = delivered[0].name.removeprefix("deliver ")
        assert f"otel-reader-{qos}" in queue_name
        assert delivered[0].attributes["messaging.client.id"] == f"otel-reader-{qos}"
        if qos:
            spans.trace(parent.trace, f"ack {queue_name}")


def test_from_stomp_to_mqtt_and_back(broker: WarrenProcess, spans: Collector) -> None:
    parent = Parent()
    with Stomp(broker) as client, Mqtt(broker, "otel-of-stomp") as reader:
        reader.subscribe("otel/stomp", 1)
        client.connection.send("/topic/otel.stomp", "x", headers={"traceparent": parent.text, "baggage": "b=1"})
        assert {"traceparent": parent.text, "baggage": "b=1"}.items() <= reader.get()[1].items()
        back = Parent()
        client.subscribe("/topic/otel.back")
        reader.publish("otel/back", b"y", 1, ("traceparent", back.text), ("tracestate", "x=y"))
        frame = client.get()
        assert (frame.headers["traceparent"], frame.headers["tracestate"]) == (back.text, "x=y")
        client.connection.ack(frame.headers["ack"])
        published = spans.trace(parent.trace, "publish amq.topic")["publish amq.topic"]
        assert published.parent == parent.span
        assert published.attributes["network.protocol.name"] == "stomp"
        assert published.attributes["network.protocol.version"] == "1.2"
        found = spans.wait(lambda all_: any(each.trace == back.trace and each.name[:4] == "ack " for each in all_))
        assert {each.state for each in found if each.trace == back.trace} == {"x=y"}


def test_from_amqp_1_0_by_application_properties(broker: WarrenProcess, spans: Collector) -> None:
    parent = Parent()
    with proton_connection(broker) as connection, pika_channel(broker) as channel:
        channel.queue_declare("otel-proton")
        sender = connection.create_sender("/queues/otel-proton")
        sender.send(Message(body=b"x", id="p-1", properties={"traceparent": parent.text, "tracestate": "a=1"}))
        method, properties, _ = got(channel, "otel-proton")
        channel.basic_ack(method.delivery_tag)
    assert properties.headers["traceparent"] == parent.text
    found = spans.trace(parent.trace, "publish otel-proton", "deliver otel-proton", "ack otel-proton")
    assert found["publish otel-proton"].parent == parent.span
    assert found["publish otel-proton"].state == "a=1"
    assert found["publish otel-proton"].attributes["messaging.message.id"] == "p-1"
    assert found["publish otel-proton"].attributes["network.protocol.version"] == "1.0"


def test_annotations_of_amqp_1_0_go_before_application_properties(broker: WarrenProcess, spans: Collector) -> None:
    """W3C Trace Context: AMQP protocol: a reader takes the message annotations first."""
    first, second = Parent(), Parent()
    with proton_connection(broker) as connection:
        with pika_channel(broker) as channel:
            channel.queue_declare("otel-annotated")
        sender = connection.create_sender("/queues/otel-annotated")
        message = Message(body=b"x", properties={"traceparent": first.text})
        message.annotations = {symbol("traceparent"): second.text}
        sender.send(message)
        receiver = connection.create_receiver("/queues/otel-annotated", credit=1)
        received = receiver.receive(TIME_LIMIT_S)
        receiver.accept()
    assert received.properties is not None
    assert received.annotations is not None
    assert received.properties["traceparent"] == first.text
    assert received.annotations["traceparent"] == second.text
    found = spans.trace(second.trace, "publish otel-annotated", "ack otel-annotated")
    assert found["publish otel-annotated"].parent == second.span
    assert not [each for each in spans.spans if each.trace == first.trace]


def test_a_context_that_is_only_annotated_is_there_for_other_protocols(broker: WarrenProcess, spans: Collector) -> None:
    parent = Parent()
    with proton_connection(broker) as connection, pika_channel(broker) as channel:
        channel.queue_declare("otel-only-annotated")
        message = Message(body=b"x")
        message.annotations = {symbol("traceparent"): parent.text, symbol("tracestate"): "k=v"}
        connection.create_sender("/queues/otel-only-annotated").send(message)
        _, properties, _ = got(channel, "otel-only-annotated")
    assert (properties.headers["traceparent"], properties.headers["tracestate"]) == (parent.text, "k=v")


def test_what_has_no_context_gets_the_span_of_its_publish(broker: WarrenProcess, spans: Collector) -> None:
    with pika_channel(broker) as channel, Mqtt(broker, "otel-old", MQTTProtocolVersion.MQTTv311) as device:
        channel.queue_declare("otel-filled")
        channel.queue_bind("otel-filled", "amq.topic", "otel.filled")
        device.client.publish("otel/filled", b"old", 1).wait_for_publish(TIME_LIMIT_S)
        method, properties, _ = got(channel, "otel-filled")
        channel.basic_ack(method.delivery_tag)
    _, trace, span, flags = properties.headers["traceparent"].split("-")
    assert set(properties.headers) == {"traceparent"}
    found = spans.trace(trace, "publish amq.topic", "ack otel-filled")
    assert (found["publish amq.topic"].id, found["publish amq.topic"].parent, flags) == (span, "", "01")
    assert found["publish amq.topic"].attributes["network.protocol.version"] == "3.1.1"


def test_between_two_clients_of_mqtt_5(broker: WarrenProcess, spans: Collector) -> None:
    """A publisher that sets user properties of its own, and no context."""
    with Mqtt(broker, "otel-5-a") as one, Mqtt(broker, "otel-5-b") as other:
        other.subscribe("otel/five", 1)
        one.publish("otel/five", b"x", 1, ("a", "1"), ("a", "2"))
        message = other.messages.get(timeout=TIME_LIMIT_S)
    pairs = getattr(message.properties, "UserProperty")  # noqa: B009  # the type has none
    assert pairs[:2] == [("a", "1"), ("a", "2")]
    [(name, traceparent)] = pairs[2:]
    assert name == "traceparent"
    assert spans.trace(traceparent.split("-")[1], "publish amq.topic")["publish amq.topic"].traceparent == traceparent
