"""Messages that are alike go onto a stream and from it without being looked into, and come out as any others do."""

from __future__ import annotations

import random

import pytest

from tests.adapters.amqp091.streams.talk import Talk, offset_of, properties_of
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import publish_frames
from warren.adapters.amqp091.codec import methods
from warren.core.messages.properties import Properties, encode_properties

PROPERTIES = (
    encode_properties(),
    encode_properties(delivery_mode=2),
    encode_properties(content_type="text/plain", delivery_mode=2, message_id="x-stream-offsetl" + "\0" * 8),
    encode_properties(headers={"x-stream-filter-value": "red", "n": 1}, type="t"),
    encode_properties(headers={"x-stream-filter-value": "blue"}, delivery_mode=2),
    encode_properties(headers={"x-stream-offset": 77, "table": {"a": [1, None]}}, app_id="a"),
    encode_properties(type="amqp-1.0"),
)
BODIES = (b"", b"a", b"b", b"x" * 255, b"y" * 256, b"z" * 256)


def expected_headers(properties: Properties, offset: int) -> dict[str, object]:
    return {**(properties.headers or {}), "x-stream-offset": offset}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_in_which_order_it_comes_out_as_it_was(talk: Talk, seed: int) -> None:
    draw = random.Random(seed)
    talk.declare()
    sent: list[tuple[Properties, bytes]] = []
    while len(sent) < 300:
        properties, body = draw.choice(PROPERTIES), draw.choice(BODIES)
        sent += [(properties, draw.choice([body, body[::-1]])) for _ in range(draw.choice([1, 2, 3, 20]))]
    frames = [publish_frames("s", body, properties=properties.raw) for properties, body in sent]
    at = 0
    while at < len(frames):
        some = draw.choice([1, 10, 100])
        talk.client.send_bytes(b"".join(frames[at : at + some]))
        at += some
    talk.reconnect()
    talk.consume(draw.choice([1, 7, 1000]), x_stream_offset="first")
    talk.began()
    got = []
    while events := talk.deliveries():
        got += events
        talk.client.ack(len(got), multiple=True)
    assert [event.body for event in got] == [body for _, body in sent]
    assert [offset_of(event) for event in got] == list(range(len(sent)))
    for number, ((properties, _), event) in enumerate(zip(sent, got, strict=True)):
        found = properties_of(event)
        assert found.headers == expected_headers(properties, number)
        assert found.with_changes(headers=None).raw == properties.with_changes(headers=None).raw
    assert talk.queue.unacked_count == 0


def test_only_what_a_filter_asks_for_comes_of_rows(talk: Talk) -> None:
    talk.declare()
    red, blue, none = (encode_properties(headers=each) for each in ({"x-stream-filter-value": "red"}, {
        "x-stream-filter-value": "blue"
    }, None))  # fmt: skip
    frames = [
        publish_frames("s", b"%d" % (number % 10), properties=(red, blue, none)[number // 10 % 3].raw)
        for number in range(90)
    ]
    talk.client.send_bytes(b"".join(frames))
    talk.consume(1000, x_stream_offset="first", x_stream_filter="blue")
    talk.began()
    assert [offset_of(event) for event in talk.deliveries()] == [*range(10, 20), *range(40, 50), *range(70, 80)]


def test_rows_begin_at_an_offset_within_them(talk: Talk) -> None:
    talk.declare()
    talk.client.send_bytes(b"".join([publish_frames("s", b"%02d" % number) for number in range(50)]))
    talk.broker.settle()
    assert talk.read(33) == [b"%02d" % number for number in range(33, 50)]


def test_confirms_of_rows_wait_for_the_disk_even_of_transient_messages(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare()
    talk.client.send(1, methods.ConfirmSelect())
    talk.client.expect(methods.ConfirmSelectOk)
    broker.commits_by_itself = False
    for properties in (encode_properties(), encode_properties(delivery_mode=2)):
        frames = publish_frames("s", b"a", properties=properties.raw)
        for sent in (frames, frames * 10, frames):
            talk.client.send_bytes(sent)
            assert talk.client.take_methods() == []
            broker.begin_commit()
            assert talk.client.take_methods() == []
            broker.finish_commit()
            (confirmed,) = talk.client.take_methods()
            assert isinstance(confirmed, methods.BasicAck)


def test_a_consumer_that_takes_small_frames_gets_rows_in_parts(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare()
    body = b"x" * 9000
    talk.publish(body, body, body)
    talk.client = broker.accept()
    talk.client.handshake(frame_max=4096)
    talk.client.open()
    talk.consume(x_stream_offset="first")
    talk.began()
    assert talk.bodies() == [body] * 3


def test_the_same_queue_gets_what_other_exchanges_bring(talk: Talk) -> None:
    talk.declare()
    talk.client.send(1, methods.QueueBind(queue="s", exchange="amq.fanout", routing_key=""))
    talk.client.expect(methods.QueueBindOk)
    frames = [publish_frames("a", b"1", exchange="amq.fanout"), publish_frames("b", b"1", exchange="amq.fanout"),
              publish_frames("s", b"1")]  # fmt: skip
    talk.client.send_bytes(b"".join([frames[number // 5 % 3] for number in range(30)]))
    talk.consume(x_stream_offset="first")
    talk.began()
    addresses = []
    for event in talk.deliveries():
        assert isinstance(event.method, methods.BasicDeliver)
        addresses.append((event.method.exchange, event.method.routing_key))
    assert addresses == [[("amq.fanout", "a"), ("amq.fanout", "b"), ("", "s")][number // 5 % 3] for number in range(30)]


def test_very_many_rows_are_given_out_in_turns_of_little_work(talk: Talk) -> None:
    talk.declare()
    talk.client.send_bytes(publish_frames("s", b"12345678") * 20_000)
    talk.consume(60_000, x_stream_offset="first")
    talk.began()
    assert [offset_of(event) for event in talk.deliveries()] == list(range(20_000))
