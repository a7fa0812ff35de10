"""What is published arrives unchanged: sizes, properties, extra keys; and returns for what can't be routed
(A.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import UnroutableError

from tests.conformance.scenario import (
    Inbox,
    Refusal,
    Workbench,
    assert_refused,
    channel_refusal,
    drain,
    get,
    process_until,
    refusal_of,
    send,
    synchronise,
)
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import WireClient, wire_client

FRAME_MAX_BYTES = 131072
BODY_FRAME_BYTES = FRAME_MAX_BYTES - wire.FRAME_OVERHEAD_BYTES

SIZES = [0, 1, BODY_FRAME_BYTES - 1, BODY_FRAME_BYTES, BODY_FRAME_BYTES + 1, 3 * BODY_FRAME_BYTES, 3_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_bodies_of_all_sizes(bench: Workbench, channel: BlockingChannel, size: int) -> None:
    queue = bench.queue(channel)
    body = bytes(number % 251 for number in range(min(size, 100_000)))
    body = (body * (size // max(1, len(body)) + 1))[:size]
    inbox = Inbox(channel, queue)
    send(channel, "", queue, body, b"after it")
    assert inbox.bodies(2) == [body, b"after it"]


@pytest.mark.parametrize("frame_max", [4096, 8192, 131072])
def test_frames_fit_the_consumers_frame_max(bench: Workbench, channel: BlockingChannel, frame_max: int) -> None:
    queue = bench.queue(channel)
    body = bytes(range(256)) * 200
    send(channel, "", queue, body)
    with wire_client(bench.address, frame_max=frame_max) as client:
        client.consume(1, queue)
        client.expect("basic.deliver", 1)
        assert client.expect_content(1).body == body


def test_body_cut_into_many_frames(bench: Workbench, channel: BlockingChannel) -> None:
    """Empty body frames among them are allowed."""
    queue = bench.queue(channel)
    with wire_client(bench.address) as client:
        names = wire.short(0) + wire.shortstr("") + wire.shortstr(queue) + wire.bits(False)
        client.send(wire.method(1, "basic.publish", names), wire.header(1, 6))
        client.send(*(wire.body(1, piece) for piece in (b"a", b"", b"bc", b"def")))
        client.round_trip(1)
    assert drain(channel, queue) == [b"abcdef"]


def test_contents_of_several_channels_interleave(bench: Workbench, channel: BlockingChannel) -> None:
    queues = [bench.queue(channel) for _ in range(2)]
    with wire_client(bench.address) as client:
        client.open_channel(2)
        for number, queue in enumerate(queues, start=1):
            names = wire.short(0) + wire.shortstr("") + wire.shortstr(queue) + wire.bits(False)
            client.send(wire.method(number, "basic.publish", names))
        for frame in (wire.header(1, 2), wire.header(2, 2), wire.body(2, b"x"), wire.body(1, b"a")):
            client.send(frame)
        client.send(wire.body(2, b"y"), wire.body(1, b"b"))
        client.round_trip(1)
        client.round_trip(2)
    assert [drain(channel, queue) for queue in queues] == [[b"ab"], [b"xy"]]


PROPERTIES: dict[str, Any] = {
    "content_type": "text/plain",
    "content_encoding": "gzip",
    "headers": {"text": "ä", "number": -5, "big": 2**40, "flag": True, "nothing": None, "list": [1, {"a": 2}]},
    "delivery_mode": 2,
    "priority": 7,
    "correlation_id": "correlation",
    "reply_to": "reply.to",
    "message_id": "id",
    "timestamp": 1_700_000_000,
    "type": "type",
    "app_id": "app",
    "cluster_id": "cluster",
}


def test_all_properties_arrive(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, durable=True)
    send(channel, "", queue, b"message", **PROPERTIES)
    delivery = get(channel, queue)
    assert delivery is not None
    assert {name: getattr(delivery.properties, name) for name in PROPERTIES} == PROPERTIES


@pytest.mark.parametrize("name", PROPERTIES)
def test_each_property_alone(bench: Workbench, channel: BlockingChannel, name: str) -> None:
    queue = bench.queue(channel)
    send(channel, "", queue, b"message", **{name: PROPERTIES[name]})
    delivery = get(channel, queue)
    assert delivery is not None
    present = {each for each in PROPERTIES if getattr(delivery.properties, each) is not None}
    assert present == {name}


def test_property_bytes_are_not_rewritten(bench: Workbench, channel: BlockingChannel) -> None:
    """Field types that the broker never writes itself come out as they went in."""
    queue = bench.queue(channel)
    fields = {
        "byte": wire.Tagged("b", b"\xff"),
        "ubyte": wire.Tagged("B", b"\xff"),
        "short": wire.Tagged("s", b"\xff\xfe"),
        "ushort": wire.Tagged("u", b"\xff\xfe"),
        "uint": wire.Tagged("i", b"\xff\xff\xff\xff"),
        "float": wire.Tagged("f", b"\x3f\x80\0\0"),
        "decimal": wire.Tagged("D", b"\x02\0\0\x01\0"),
        "time": wire.Tagged("T", b"\0\0\0\0\x60\0\0\0"),
        "binary": b"\xff\0\xfe",
        "text": wire.Tagged("S", wire.longstr(b"not \xff UTF-8")),
    }
    properties = wire.short(1 << 13) + wire.table(fields)
    with wire_client(bench.address) as client:
        client.send(wire.publish(1, "", queue, b"message", properties=properties))
        client.consume(1, queue)
        client.expect("basic.deliver", 1)
        assert client.expect_content(1).properties == properties


def test_publishing_to_a_missing_exchange(bench: Workbench, channel: BlockingChannel) -> None:
    name = bench.name("missing")
    with channel_refusal(404, f"NOT_FOUND - no exchange '{name}' in vhost '/'"):
        send(channel, name, "key", b"message")
        synchronise(channel)


def test_unroutable_messages_are_dropped(bench: Workbench, channel: BlockingChannel) -> None:
    send(channel, bench.exchange(channel), "nowhere", b"message")
    send(channel, "", bench.name("missing"), b"message")
    synchronise(channel)


def test_mandatory_messages_return_whole(bench: Workbench, channel: BlockingChannel) -> None:
    returned: list[tuple[Any, ...]] = []
    channel.add_on_return_callback(lambda *each: returned.append(each))
    exchange = bench.exchange(channel)
    properties = pika.BasicProperties(message_id="id", headers={"a": "b"})
    body = b"x" * 200_000
    channel.basic_publish(exchange, "nowhere", body, properties, mandatory=True)
    process_until(channel, lambda: bool(returned))
    [(_, method, back, content)] = returned
    assert (method.reply_code, method.reply_text) == (312, "NO_ROUTE")
    assert (method.exchange, method.routing_key, content) == (exchange, "nowhere", body)
    assert (back.message_id, back.headers) == ("id", {"a": "b"})


@pytest.mark.parametrize("mandatory", [True, False])
def test_routed_messages_do_not_return(bench: Workbench, channel: BlockingChannel, mandatory: bool) -> None:
    queue = bench.queue(channel)
    channel.confirm_delivery()
    channel.basic_publish("", queue, b"message", mandatory=mandatory)
    assert drain(channel, queue) == [b"message"]


def test_mandatory_is_content_with_an_alternate_exchange(bench: Workbench, channel: BlockingChannel) -> None:
    alternate = bench.exchange(channel, "fanout")
    exchange = bench.exchange(channel, arguments={"alternate-exchange": alternate})
    channel.confirm_delivery()
    with pytest.raises(UnroutableError):
        channel.basic_publish(exchange, "nowhere", b"message", mandatory=True)
    queue = bench.bound_queue(channel, alternate, "")
    channel.basic_publish(exchange, "nowhere", b"message", mandatory=True)
    assert drain(channel, queue) == [b"message"]


def test_immediate_is_not_implemented(bench: Workbench) -> None:
    with wire_client(bench.address) as client:
        queue = client.declare_queue(1, "")
        names = wire.short(0) + wire.shortstr("") + wire.shortstr(queue) + wire.bits(False, True)
        client.send(wire.method(1, "basic.publish", names), wire.header(1, 1), wire.body(1, b"x"))
        close = client.expect_connection_close()
    assert close.code == 540
    assert close.text.startswith("NOT_IMPLEMENTED - immediate=true")
    assert (close.class_id, close.method_id) == (60, 40)


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_extra_routing_keys(bench: Workbench, channel: BlockingChannel, header: str) -> None:
    exchange = bench.exchange(channel, "direct")
    queues = [bench.bound_queue(channel, exchange, key) for key in ("first", "second", "third")]
    send(channel, exchange, "first", b"message", headers={header: ["second", "third", "first"], "note": 1})
    for queue in queues:
        delivery = get(channel, queue)
        assert delivery is not None
        assert delivery.routing_key == "first"
        kept = {"CC": ["second", "third", "first"]} if header == "CC" else {}
        assert delivery.properties.headers == {**kept, "note": 1}
        assert get(channel, queue) is None


def test_extra_routing_keys_through_the_default_exchange(bench: Workbench, channel: BlockingChannel) -> None:
    queues = [bench.queue(channel) for _ in range(3)]
    send(channel, "", queues[0], b"message", headers={"CC": [queues[1]], "BCC": [queues[2]]})
    assert [drain(channel, queue) for queue in queues] == [[b"message"]] * 3


def test_extra_routing_keys_alone_may_route(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    channel.confirm_delivery()
    properties = pika.BasicProperties(headers={"BCC": [queue]})
    channel.basic_publish("", bench.name("missing"), b"message", properties, mandatory=True)
    assert drain(channel, queue) == [b"message"]


@pytest.mark.parametrize("header", ["CC", "BCC"])
@pytest.mark.parametrize("value", ["text", 5, {"a": 1}], ids=["text", "number", "table"])
def test_extra_routing_keys_must_be_an_array(
    bench: Workbench,
    channel: BlockingChannel,
    expected: Callable[[Refusal], Refusal],
    header: str,
    value: object,
) -> None:
    queue = bench.queue(channel)
    refusal = refusal_of(lambda: send(channel, "", queue, b"message", headers={header: value}), channel)
    assert_refused(refusal, expected(Refusal("channel", 406, "PRECONDITION_FAILED - invalid message")))


def test_user_id_must_be_the_login(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    send(channel, "", queue, b"message", user_id="guest")
    assert drain(channel, queue) == [b"message"]
    words = "user_id property set to 'somebody' but authenticated user was 'guest'"
    with channel_refusal(406, f"PRECONDITION_FAILED - {words}"):
        send(channel, "", queue, b"message", user_id="somebody")
        synchronise(channel)


@pytest.mark.parametrize(
    ("expiration", "reason"),
    [("abc", "no_integer"), ("", "no_integer"), ("5s", "leftover_string"), ("-1", "value_negative")],
)
def test_invalid_expiration(bench: Workbench, channel: BlockingChannel, expiration: str, reason: str) -> None:
    queue = bench.queue(channel)
    with channel_refusal(406, f"PRECONDITION_FAILED - invalid expiration '{expiration}'"):
        send(channel, "", queue, b"message", expiration=expiration)
        synchronise(channel)


def test_expiration_beyond_ten_years(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    with channel_refusal(406, "PRECONDITION_FAILED - invalid expiration '315360000001'"):
        send(channel, "", queue, b"message", expiration="315360000001")
        synchronise(channel)


def test_messages_above_the_maximum_size(
    bench: Workbench, channel: BlockingChannel, expected: Callable[[Refusal | None], Refusal | None]
) -> None:
    """Refused by the declared size, before any of the body has come (A.5: 16 MiB by default)."""
    queue = bench.queue(channel)
    size = 16 * 1024 * 1024 + 1
    with WireClient(bench.address) as client:
        client.handshake()
        client.open_channel()
        names = wire.short(0) + wire.shortstr("") + wire.shortstr(queue) + wire.bits(False)
        client.send(wire.method(1, "basic.publish", names), wire.header(1, size))
        piece = wire.body(1, b"x" * BODY_FRAME_BYTES)
        client.send(*[piece] * (size // BODY_FRAME_BYTES), wire.body(1, b"x" * (size % BODY_FRAME_BYTES)))
        client.send(wire.method(1, "channel.flow", wire.bits(True)))
        frame = client.read_frame()
        words = f"PRECONDITION_FAILED - message size {size} is larger than configured max size {size - 1}"
        refusal: Refusal | None = None
        if frame.name == "channel.close":
            refusal = Refusal("channel", frame.arguments.short(), frame.payload[7:].decode(errors="replace"))
        assert_refused(refusal, expected(Refusal("channel", 406, words)))
        client.open_channel(2)


@pytest.mark.parametrize("name", ["CC", "BCC"])
def test_what_is_no_string_among_further_keys_is_passed_over(
    bench: Workbench, channel: BlockingChannel, name: str
) -> None:
    queue, copied = bench.queue(channel), bench.queue(channel)
    send(channel, "", queue, b"m", headers={name: [5, copied, None, True]})
    synchronise(channel)
    assert [drain(channel, each) for each in (queue, copied)] == [[b"m"], [b"m"]]


@pytest.mark.parametrize("name", ["CC", "BCC"])
def test_further_keys_are_an_array(bench: Workbench, channel: BlockingChannel, name: str) -> None:
    queue = bench.queue(channel)

    def publish() -> None:
        send(channel, "", queue, b"m", headers={name: queue})
        synchronise(channel)

    assert_refused(refusal_of(publish, channel), Refusal("channel", 406, "PRECONDITION_FAILED - invalid message"))
