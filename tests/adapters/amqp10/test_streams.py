"""Streams over AMQP 1.0: read by links with filters of RabbitMQ's names, whole and as it was (spec H.1, H.2)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.adapters.amqp10.test_receiving import fill
from tests.support.simulated_amqp10 import Amqp10Client, Frame, annotations_of, body_of, data, messages, of, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.encoding import described, encode, list_of, map_of
from warren.adapters.amqp10.codec.performatives import SETTLED, Attach, Detach, Transfer
from warren.adapters.amqp10.codec.termini import Modified, Rejected, Released, Source
from warren.adapters.amqp10.codec.values import Described, Milliseconds, Symbol, ULong, Value
from warren.core.declaring.queues import declare_queue


@pytest.fixture
def client(connect: Connect, simulated: SimulatedBroker) -> Amqp10Client:
    """A connection, and a stream of ten messages that it has published."""
    made: Amqp10Client = connect()
    declare_queue(made.connection.logged_in, "s", durable=True, arguments={"x-queue-type": "stream"})
    fill(made, 10, "s")
    return made


def attach(client: Amqp10Client, filters: dict[str, Value] | None = None, **fields: Any) -> Any:
    source = Source()
    source.address = "/queues/s"
    source.filter = {Symbol(name): Described(Symbol(name), value) for name, value in (filters or {}).items()}
    return only(Attach, client.attach_receiver(None, source=source, **fields)).source


def bodies(frames: list[Frame]) -> list[bytes]:
    return [body_of(each) for each in messages(frames)]


def test_it_is_read_from_an_offset_by_credit_and_nothing_is_taken(
    client: Amqp10Client, simulated: SimulatedBroker
) -> None:
    source = attach(client, {"rabbitmq:stream-offset-spec": 4})
    assert list(source.filter) == ["rabbitmq:stream-offset-spec"]
    assert source.distribution_mode == "copy"
    got = client.credit(3)
    assert bodies(got) == [b"4", b"5", b"6"]
    assert [annotations_of(each)["x-stream-offset"] for each in messages(got)] == [4, 5, 6]
    assert client.settle(0, 2) == []
    assert bodies(client.credit(100, delivery_count=3)) == [b"7", b"8", b"9"]
    assert client.settle(3, 5) == []
    assert simulated.vhost.queue("s").ready_count == 10
    assert simulated.vhost.queue("s").unacked_count == 0


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("first", [b"%d" % number for number in range(10)]),
        ("next", []),
        (Milliseconds(0), [b"%d" % number for number in range(10)]),
        ("1h", [b"%d" % number for number in range(10)]),
    ],
)
def test_it_begins_where_the_filter_says(client: Amqp10Client, offset: Value, expected: list[bytes]) -> None:
    attach(client, {"rabbitmq:stream-offset-spec": offset}, snd_settle_mode=SETTLED)
    assert bodies(client.credit(100)) == expected


def test_without_a_filter_what_comes_next_is_read(client: Amqp10Client) -> None:
    attach(client, snd_settle_mode=SETTLED)
    assert bodies(client.credit(100)) == []
    client.attach_sender("/queues/s", handle=100, name="more")
    assert bodies(client.publish(data(b"new"), handle=100, settled=True)) == [b"new"]


@pytest.mark.parametrize("outcome", [Released(), Rejected(), Modified()])
def test_whatever_becomes_of_a_delivery_it_does_not_come_again(
    client: Amqp10Client, simulated: SimulatedBroker, outcome: object
) -> None:
    attach(client, {"rabbitmq:stream-offset-spec": "first"})
    assert len(messages(client.credit(10))) == 10
    assert messages(client.settle(0, 9, outcome)) == []
    assert messages(client.credit(10, delivery_count=10)) == []
    assert simulated.vhost.queue("s").ready_count == 10


def test_values_are_filtered_by(client: Amqp10Client) -> None:
    client.attach_sender("/queues/s", handle=100, name="colours")
    for colour in ("red", "blue"):
        annotations = described(0x72, map_of([encode(Symbol("x-stream-filter-value")), encode(colour)]))
        client.publish(annotations + data(colour.encode()), handle=100, settled=True)
    filters: dict[str, Value] = {"rabbitmq:stream-offset-spec": "first", "rabbitmq:stream-filter": ["red"]}
    attach(client, filters, snd_settle_mode=SETTLED)
    assert bodies(client.credit(100)) == [b"red"]
    client.detach(1)
    attach(client, {**filters, "rabbitmq:stream-match-unfiltered": True}, snd_settle_mode=SETTLED)
    assert bodies(client.credit(100)) == [*(b"%d" % number for number in range(10)), b"red"]


def test_an_offset_that_is_none_detaches_the_link(client: Amqp10Client) -> None:
    source = Source()
    source.address = "/queues/s"
    name = Symbol("rabbitmq:stream-offset-spec")
    source.filter = {name: Described(name, "sometime")}
    (detach,) = of(Detach, client.attach_receiver(None, source=source))
    assert "x-stream-offset" in detach.error.description


def test_the_bare_message_comes_back_byte_for_byte(client: Amqp10Client) -> None:
    """Value bodies, ids of every type, and keys that AMQP 0-9-1 can't hold."""
    properties = described(0x73, list_of([encode(ULong(9)), encode(b"guest")]))
    applications = described(0x74, map_of([encode("key"), encode(ULong(7))]))
    bare = properties + applications + described(0x77, encode([1, "two", None]))
    client.attach_sender("/queues/s", handle=100, name="values")
    client.publish(bare, handle=100, settled=True)
    attach(client, {"rabbitmq:stream-offset-spec": 10}, snd_settle_mode=SETTLED)
    (transfer,) = [frame for frame in client.credit(1) if isinstance(frame.body, Transfer)]
    assert transfer.payload.endswith(bare)


OFFSET_ENTRY = encode(Symbol("x-stream-offset")) + b"\x81" + b"\x11" * 8

BARE = (
    b"",
    described(0x73, list_of([encode("an id"), encode(b"guest")])),
    described(0x74, map_of([encode("key"), encode(7)])),
)
ANNOTATIONS = (
    b"",
    described(0x72, map_of([encode(Symbol("x-note")), encode("n")])),
    described(0x72, map_of([encode(Symbol("x-stream-offset")), encode(3), encode(Symbol("x-a")), encode(b"1")])),
    described(0x72, map_of([encode(Symbol("x-nested")), encode(OFFSET_ENTRY)])),
)
FOOTERS = (b"", b"", b"", described(0x78, map_of([encode(Symbol("x-end")), encode(1)])))


@pytest.mark.parametrize("settled", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_rows_come_out_as_they_went_in(client: Amqp10Client, connect: Connect, seed: int, settled: bool) -> None:
    draw = random.Random(seed)
    client.attach_sender("/queues/s", handle=100, name="rows")
    sent: list[tuple[bytes, bytes]] = []
    while len(sent) < 150:
        annotations, bare, footer = draw.choice(ANNOTATIONS), draw.choice(BARE), draw.choice(FOOTERS)
        size = draw.choice([0, 1, 300, 900])
        for _ in range(draw.choice([1, 2, 30])):
            sent.append((annotations, bare + data(draw.randbytes(size)) + footer))
            client.publish(annotations + sent[-1][1], handle=100, settled=True)
    reader = connect(max_frame_size=draw.choice([512, 1 << 16]))
    attach(reader, {"rabbitmq:stream-offset-spec": 10}, **({"snd_settle_mode": SETTLED} if settled else {}))
    frames: list[Frame] = []
    count = 0
    while count < len(sent):
        some = reader.credit(draw.choice([1, 7, 60]), delivery_count=count)
        frames += some
        count += len(messages(some))
    whole: list[bytes] = [b""]
    for each in frames:
        if isinstance(each.body, Transfer):
            whole[-1] += each.payload
            if not each.body.more:
                whole.append(b"")
    got = messages(frames)
    assert [annotations_of(each)["x-stream-offset"] for each in got] == list(range(10, 10 + len(sent)))
    for (annotations, bare), payload, message in zip(sent, whole, got, strict=False):
        assert payload.endswith(bare), (annotations, bare, payload)
        assert annotations_of(message)["x-routing-key"] == "s"
        for name, number in (("x-note", 1), ("x-a", 2), ("x-nested", 3)):
            assert (name in annotations_of(message)) == (annotations == ANNOTATIONS[number])
