"""What is traced, and what spans say of how messages ended, with real clients."""

from __future__ import annotations

import pika
import pytest

from tests.plugins.otel.clients import TIME_LIMIT_S, Parent, got, pika_channel, published
from tests.support.otlp_collector import Collector
from tests.support.warren_process import WarrenProcess


def test_what_a_publisher_does_not_trace_is_not_traced(broker: WarrenProcess, spans: Collector) -> None:
    silent, told = Parent(sampled=False), Parent()
    with pika_channel(broker) as channel:
        published(channel, "otel-unsampled", {"traceparent": silent.text})
        published(channel, "otel-unsampled", {"traceparent": told.text})
        for _ in range(2):
            method, properties, _ = got(channel, "otel-unsampled")
            assert properties.headers["traceparent"] in (silent.text, told.text)
            channel.basic_ack(method.delivery_tag)
    spans.trace(told.trace, "ack otel-unsampled")
    assert not [each for each in spans.spans if each.trace == silent.trace]


@pytest.mark.parametrize(
    "wrong", ["", "00-0-0-01", f"00-{'0' * 32}-{'1' * 16}-01", f"ff-{'1' * 32}-{'1' * 16}-01", "traceparent"]
)
def test_what_is_no_context_counts_as_none(broker: WarrenProcess, spans: Collector, wrong: str) -> None:
    with pika_channel(broker) as channel:
        published(channel, "otel-wrong", {"traceparent": wrong})
        method, properties, _ = got(channel, "otel-wrong")
        channel.basic_ack(method.delivery_tag)
    trace = properties.headers["traceparent"].split("-")[1]
    assert spans.trace(trace, "publish otel-wrong")["publish otel-wrong"].parent == ""


def test_outcomes(broker: WarrenProcess, spans: Collector) -> None:
    """basic.reject with and without requeue, and a dead letter that is taken."""
    parent = Parent()
    with pika_channel(broker) as channel:
        channel.queue_declare("otel-grave")
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "otel-grave"}
        channel.queue_declare("otel-dying", arguments=arguments)
        headers = {"traceparent": parent.text}
        channel.basic_publish("", "otel-dying", b"x", pika.BasicProperties(headers=headers))
        method, _, _ = got(channel, "otel-dying")
        channel.basic_reject(method.delivery_tag, requeue=True)
        method, _, _ = got(channel, "otel-dying")
        assert method.redelivered
        channel.basic_reject(method.delivery_tag, requeue=False)
        channel.cancel()
        method, properties, _ = got(channel, "otel-grave")
        channel.basic_ack(method.delivery_tag)
    assert properties.headers["traceparent"] == parent.text
    assert "x-hidden-context" not in properties.headers
    spans.trace(parent.trace, "rejected otel-dying", "ack otel-grave")
    all_ = [each for each in spans.spans if each.trace == parent.trace]
    by_id = {each.id: each for each in all_}
    deliveries = [each for each in all_ if each.name == "deliver otel-dying"]
    assert [each.attributes["warren.redelivered"] for each in deliveries] == [False, True]
    [requeued] = [each for each in all_ if each.name == "requeue otel-dying"]
    assert requeued.parent == deliveries[0].id
    [rejected] = [each for each in all_ if each.name == "rejected otel-dying"]
    assert rejected.parent == deliveries[1].id
    assert rejected.attributes["warren.dead_letter.taken"] is True
    [letter] = [each for each in all_ if each.name.startswith("dead_letter ")]
    assert letter.parent == rejected.id
    assert [by_id[each].name for each in letter.links] == ["publish otel-dying"]
    [again] = [each for each in all_ if each.name == "deliver otel-grave"]
    assert again.parent == letter.id


def test_a_message_that_expires(broker: WarrenProcess, spans: Collector) -> None:
    parent = Parent()
    with pika_channel(broker) as channel:
        channel.queue_declare("otel-expiring")
        properties = pika.BasicProperties(headers={"traceparent": parent.text}, expiration="1")
        channel.basic_publish("", "otel-expiring", b"x", properties)
    found = spans.trace(parent.trace, "publish otel-expiring", "expired otel-expiring")
    assert found["expired otel-expiring"].parent == found["publish otel-expiring"].id
    assert found["expired otel-expiring"].attributes["messaging.operation.type"] == "settle"


def test_what_is_polled_and_what_needs_no_acknowledgement(broker: WarrenProcess, spans: Collector) -> None:
    parent = Parent()
    with pika_channel(broker) as channel:
        published(channel, "otel-get", {"traceparent": parent.text})
        assert channel.basic_get("otel-get", auto_ack=True)[0] is not None
        published(channel, "otel-get", {"traceparent": parent.text})
        method, _, _ = channel.basic_get("otel-get")
        channel.basic_ack(method.delivery_tag)
    spans.trace(parent.trace, "ack otel-get")
    polled = [each for each in spans.spans if each.trace == parent.trace and each.name == "get otel-get"]
    assert [each.attributes["warren.no_ack"] for each in polled] == [True, False]
    [ack] = [each for each in spans.spans if each.trace == parent.trace and each.name == "ack otel-get"]
    assert ack.parent == polled[1].id


def test_a_transaction(broker: WarrenProcess, spans: Collector) -> None:
    parents = [Parent() for _ in range(300)]
    with pika_channel(broker) as channel:
        channel.queue_declare("otel-tx")
        channel.tx_select()
        for each in parents:
            channel.basic_publish("", "otel-tx", b"x", pika.BasicProperties(headers={"traceparent": each.text}))
        channel.tx_commit()
        for _ in parents:
            method, _, _ = channel.basic_get("otel-tx")
            channel.basic_ack(method.delivery_tag)
        channel.tx_commit()
    for each in parents:
        found = spans.trace(each.trace, "publish otel-tx", "route otel-tx", "get otel-tx", "ack otel-tx")
        assert found["publish otel-tx"].attributes["user.name"] == "guest"


def test_a_stream(broker: WarrenProcess, spans: Collector) -> None:
    parent = Parent()
    with pika_channel(broker) as channel:
        channel.queue_declare("otel-stream", durable=True, arguments={"x-queue-type": "stream"})
        channel.confirm_delivery()
        properties = pika.BasicProperties(headers={"traceparent": parent.text})
        channel.basic_publish("", "otel-stream", b"x", properties)
        channel.basic_qos(prefetch_count=10)
        arguments = {"x-stream-offset": "first"}
        for method, properties, _ in channel.consume(
            "otel-stream", arguments=arguments, inactivity_timeout=TIME_LIMIT_S
        ):
            assert method is not None
            assert properties.headers["traceparent"] == parent.text
            channel.basic_ack(method.delivery_tag)
            break
    found = spans.trace(parent.trace, "publish otel-stream", "deliver otel-stream")
    # What a stream keeps is the message as consumers see it, so the publisher's span is what there is to go by.
    assert found["deliver otel-stream"].parent == found["publish otel-stream"].parent == parent.span
