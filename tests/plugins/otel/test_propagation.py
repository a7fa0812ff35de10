"""What consumers get as `traceparent` where it is rewritten, or kept."""

from __future__ import annotations

from proton import Message

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
from tests.support.otlp_collector import PRODUCER, Collector
from tests.support.warren_process import WarrenProcess


def test_what_is_polled_has_a_rewritten_context(rewriting: WarrenProcess, spans: Collector) -> None:
    parent = Parent()
    with pika_channel(rewriting) as channel:
        published(channel, "otel-get-rewritten", {"traceparent": parent.text})
        _, properties, _ = channel.basic_get("otel-get-rewritten", auto_ack=True)
    found = spans.trace(parent.trace, "get otel-get-rewritten")
    assert properties.headers["traceparent"] == found["get otel-get-rewritten"].traceparent


def test_a_rewritten_context_is_that_of_the_delivery(rewriting: WarrenProcess, spans: Collector) -> None:
    parent = Parent()
    with (
        pika_channel(rewriting) as channel,
        Mqtt(rewriting, "otel-rewritten") as reader,
        Stomp(rewriting) as stomp_reader,
        proton_connection(rewriting) as connection,
    ):
        for name in ("otel-rewritten", "otel-rewritten-10"):
            channel.queue_declare(name)
            channel.queue_bind(name, "amq.topic", "otel.rewritten")
        reader.subscribe("otel/rewritten", 1)
        stomp_reader.subscribe("/topic/otel.rewritten")
        device = reader
        properties = (("traceparent", parent.text), ("tracestate", "a=1"), ("baggage", "b=2"))
        device.publish("otel/rewritten", b"x", 1, *properties)
        method, amqp, _ = got(channel, "otel-rewritten")
        channel.basic_nack(method.delivery_tag, requeue=True)
        method, again, _ = got(channel, "otel-rewritten")
        channel.basic_ack(method.delivery_tag)
        mqtt = reader.get()[1]
        text = stomp_reader.get().headers
        receiver = connection.create_receiver("/queues/otel-rewritten-10", credit=1)
        proton = receiver.receive(TIME_LIMIT_S)
        receiver.accept()
    seen = [amqp.headers, again.headers, mqtt, text, proton.properties]
    contexts = [each["traceparent"] for each in seen]
    assert len(set(contexts)) == 5
    assert {each["tracestate"] for each in seen} == {"a=1"}
    assert {each["baggage"] for each in seen} == {"b=2"}
    spans.wait(lambda all_: set(contexts) <= {each.traceparent for each in all_ if each.kind == PRODUCER})


def test_a_rewritten_message_of_amqp_1_0_has_it_as_annotation(rewriting: WarrenProcess, spans: Collector) -> None:
    parent = Parent()
    with proton_connection(rewriting) as connection:
        with pika_channel(rewriting) as channel:
            channel.queue_declare("otel-rewritten-bare")
        sender = connection.create_sender("/queues/otel-rewritten-bare")
        sender.send(Message(body=b"x", properties={"traceparent": parent.text}))
        receiver = connection.create_receiver("/queues/otel-rewritten-bare", credit=1)
        received = receiver.receive(TIME_LIMIT_S)
        receiver.accept()
    assert received.properties is not None
    assert received.annotations is not None
    assert received.properties["traceparent"] == parent.text
    deliver = spans.trace(parent.trace, "deliver otel-rewritten-bare")["deliver otel-rewritten-bare"]
    assert received.annotations["traceparent"] == deliver.traceparent


def test_what_is_kept_as_it_was(keeping: WarrenProcess, spans: Collector) -> None:
    with pika_channel(keeping) as channel:
        published(channel, "otel-kept")
        method, properties, _ = got(channel, "otel-kept")
        channel.basic_ack(method.delivery_tag)
    assert properties.headers is None
    spans.wait(lambda all_: any(each.name == "ack otel-kept" for each in all_))
