"""Rows of publishes and of acknowledgements that look alike: taken in one go, they lead where they lead one by one.

What interrupts a row (another key, size, property list, channel, a damaged octet, a tag that isn't there) is put at any
place of it, and the same bytes are sent at once, and in pieces that hold one frame group each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import NO_PROPERTIES, PERSISTENT, Event, publish_frames
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.frame_loop import missing_bytes
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties

HEADERS = encode_properties(headers={"a": 1}, delivery_mode=2).raw
COPIED = encode_properties(headers={"CC": ["b"]}).raw
DELIVERED = 140
"""More than two blocks of acknowledgements (consecutive_acks.py)."""

KEYS = st.sampled_from(["a", "a", "a", "b"])
BODIES = st.sampled_from([b"12345678", b"87654321", b"\0" * 8, b"", b"\xce" * 9])
PROPERTIES = st.sampled_from([NO_PROPERTIES, PERSISTENT, PERSISTENT, HEADERS, COPIED])
PUBLISHES = st.builds(
    lambda key, body, properties, channel, count: [
        publish_frames(key, body, properties=properties, channel=channel) for _ in range(count)
    ],
    KEYS,
    BODIES,
    PROPERTIES,
    st.sampled_from([1, 1, 1, 2]),
    st.integers(1, 5),
)
ACKS = st.lists(
    st.builds(
        lambda tag, multiple, channel: methods.encode_frame(channel, methods.BasicAck(tag, multiple=multiple)),
        st.one_of(st.integers(1, 9), st.integers(1, DELIVERED + 1)),
        st.sampled_from([False, False, False, False, True]),
        st.sampled_from([2, 2, 2, 1]),
    ),
    min_size=1,
    max_size=6,
)
ACKS_IN_ORDER = st.builds(
    lambda first, count: [methods.encode_frame(2, methods.BasicAck(tag)) for tag in range(first, first + count)],
    st.sampled_from([1, 1, 1, 5, 60, 64]),
    st.integers(2, DELIVERED),
)

Outcome = tuple[list[Event], list[list[tuple[bytes, bytes]]], int]
"""What was said, what the queues held, and how much was unacknowledged, at the end."""


def prepared(broker: SimulatedBroker) -> None:
    """Durable queues a and b; p holds the messages that are unacknowledged later."""
    client = broker.connect()
    for name in ("a", "b", "p"):
        client.declare(name, durable=True)
    client.send_bytes(b"".join([publish_frames("p", b"%d" % number) for number in range(DELIVERED)]))
    client.settle()


def outcome(pieces: Sequence[bytes], *, durable: bool) -> Outcome:
    """Channel 1 confirms, 2 has been delivered messages."""
    with TemporaryDirectory() as directory:
        broker = SimulatedBroker(Path(directory) if durable else None)
        prepared(broker)
        client = broker.connect()
        client.send(2, methods.ChannelOpen())
        client.send(1, methods.ConfirmSelect())
        client.send(2, methods.BasicConsume(queue="p", consumer_tag="c"))
        client.settle()
        client.take()
        for piece in pieces:
            client.send_bytes(piece)
        broker.settle()
        events = client.take()
        unacked = broker.queue("p").unacked_count
        held: list[list[tuple[bytes, bytes]]] = []
        for name in ("a", "b"):
            held.append([])
            while (found := broker.queue(name).poll(no_ack=True)) is not None:
                held[-1].append((found[0].body, found[0].properties.raw))
        broker.settle()
        broker.check()
        broker.close()
    return events, held, unacked


def by_channel(events: list[Event]) -> dict[int, list[Event | int]]:
    """The events of each channel; confirms, which are joined as it comes, as the last tag of those in a row."""
    said: dict[int, list[Event | int]] = {}
    for event in events:
        channel = said.setdefault(event.channel, [])
        if event.channel == 1 and isinstance(event.method, methods.BasicAck):
            if channel and isinstance(channel[-1], int):
                channel.pop()
            channel.append(event.method.delivery_tag)
        else:
            channel.append(event)
    return said


@given(
    st.lists(st.one_of(PUBLISHES, PUBLISHES, ACKS, ACKS_IN_ORDER), min_size=1, max_size=8),
    st.booleans(),
    st.one_of(st.none(), st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255))),
)
@settings(max_examples=100, deadline=None)
def test_at_once_as_one_by_one(rows: list[list[bytes]], durable: bool, damage: tuple[float, int] | None) -> None:
    pieces = [piece for row in rows for piece in row]
    if damage is not None:
        place = int(damage[0] * sum(map(len, pieces)))
        for number, piece in enumerate(pieces):
            if place < len(piece):
                pieces[number] = piece[:place] + bytes([piece[place] ^ damage[1]]) + piece[place + 1 :]
                break
            place -= len(piece)
    at_once, held_at_once, unacked_at_once = outcome([b"".join(pieces)], durable=durable)
    one_by_one, held, unacked = outcome(pieces, durable=durable)
    said, expected = by_channel(at_once), by_channel(one_by_one)
    if any(isinstance(event.method, methods.ChannelClose | methods.ConnectionClose) for event in one_by_one):
        # What ends takes with it the confirms that would have come at the end of the read.
        for channels in (said, expected):
            channels[1] = [event for event in channels.get(1, []) if not isinstance(event, int)]
    assert said == expected
    assert held_at_once == held
    assert unacked_at_once == unacked


@pytest.mark.parametrize("count", [1, 2, 3, 4, 50])
def test_every_message_of_a_row_is_its_own(count: int) -> None:
    """Bodies, order, confirms and counts of a row."""
    row = [publish_frames("a", b"%08d" % number, properties=PERSISTENT) for number in range(count)]
    events, (held, _), _ = outcome([b"".join(row)], durable=True)
    assert [body for body, _ in held] == [b"%08d" % number for number in range(count)]
    assert by_channel(events) == {1: [count]}


def test_a_row_may_be_cut_anywhere() -> None:
    row = b"".join(publish_frames("a", b"%08d" % number, properties=PERSISTENT) for number in range(4))
    for place in range(1, len(row)):
        _, (held, _), _ = outcome([row[:place], row[place:]], durable=False)
        assert [body for body, _ in held] == [b"%08d" % number for number in range(4)], place


ROWS = {
    "publishes": [publish_frames("a", b"12345678", properties=PERSISTENT)] * 5,
    "acknowledgements": [methods.encode_frame(2, methods.BasicAck(tag)) for tag in range(1, 6)],
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
@pytest.mark.parametrize("number", range(5))
def test_an_end_octet_is_asked_for_wherever_in_the_row(row: list[bytes], number: int) -> None:
    damaged = row[number][:-1] + b"\0"
    events, _, _ = outcome([b"".join([*row[:number], damaged, *row[number + 1 :]])], durable=True)
    (end,) = [event.method for event in events if isinstance(event.method, methods.ConnectionClose)]
    assert end.reply_code == 501
    assert "invalid_frame_end_marker" in end.reply_text


@pytest.mark.parametrize("number", range(5))
def test_one_of_a_row_may_acknowledge_more(number: int) -> None:
    row = list(ROWS["acknowledgements"])
    row[number] = methods.encode_frame(2, methods.BasicAck(DELIVERED, multiple=True))
    assert outcome([b"".join(row[: number + 1])], durable=True) == ([], [[], []], 0)


@pytest.mark.parametrize("first", [1, 2, 60, 63, 64, 65])
def test_acknowledgements_in_a_row_end_where_it_ends(first: int) -> None:
    """Whatever comes behind them, they settle what they say, and no more."""
    tags = range(first, first + 70)
    row = [methods.encode_frame(2, methods.BasicAck(tag)) for tag in tags]
    unknown = methods.encode_frame(2, methods.BasicAck(first + 1))
    assert outcome([b"".join(row)], durable=True) == ([], [[], []], DELIVERED - 70)
    events, _, unacked = outcome([b"".join([*row, unknown])], durable=True)
    (close,) = [event.method for event in events if isinstance(event.method, methods.ChannelClose)]
    assert "unknown delivery tag" in close.reply_text
    assert unacked == 0


def test_keys_that_take_turns_are_rows_each() -> None:
    """The memory of whole beginnings, with keys of unequal length, empty bodies and a change in between."""
    broker = SimulatedBroker()
    client = broker.connect()
    names = ["a", "bb", "ccc"]
    for name in names:
        client.declare(name)
    for round_ in range(5):
        for body in (b"", b"12345678", b"123456789"):
            client.send_bytes(b"".join([publish_frames(name, body) for name in names * 2]))
        if round_ == 2:
            assert len(client.connection.known.rows) == 9
            client.declare("another")
            client.send_bytes(publish_frames("a", b""))
            assert not client.connection.known.rows
    for name in names:
        bodies = [message.body for message in broker.queue(name).browse(0, 100)]
        expected = [body for _ in range(3) for body in (b"", b"", *[b"12345678"] * 2, *[b"123456789"] * 2)]
        expected += [b""] * (name == "a")
        expected += [body for _ in range(2) for body in (b"", b"", *[b"12345678"] * 2, *[b"123456789"] * 2)]
        assert bodies == expected
    counts = client.connection.client.vhost.counts if client.connection.client else None
    assert counts is not None
    assert counts.publish == 91
    broker.settle()
    broker.check()
    broker.close()


IN_TURN = st.lists(
    st.builds(
        lambda keys, sizes, times: [(key, sizes[number % len(sizes)]) for number, key in enumerate(keys * times)],
        st.lists(st.sampled_from("abcd"), min_size=1, max_size=5),
        st.lists(st.sampled_from([8, 8, 8, 0, 9]), min_size=1, max_size=2),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=4,
)


def published_in_turn(turns: list[list[tuple[str, int]]], *, at_once: bool) -> tuple[object, ...]:
    """What the queues hold and what was counted; `a` is persistent, `d` goes to two queues by another exchange."""
    broker = SimulatedBroker()
    client = broker.connect()
    for name in ("a", "b", "c"):
        client.declare(name)
    for name in ("a", "b"):
        client.send(1, methods.QueueBind(queue=name, exchange="amq.fanout", routing_key=""))
        client.expect(methods.QueueBindOk)
    number = 0
    for turn in turns:
        frames = []
        for key, size in turn:
            number += 1
            body = b"%08d " % number
            properties = PERSISTENT if key == "a" else NO_PROPERTIES
            exchange = "amq.fanout" if key == "d" else ""
            frames.append(publish_frames(key, body[:size], exchange=exchange, properties=properties))
        for piece in [b"".join(frames)] if at_once else frames:
            client.send_bytes(piece)
        broker.settle()
    held = [[message.body for message, _ in polled(broker, name)] for name in ("a", "b", "c")]
    counted = [broker.vhost.exchange_counts(name) for name in ("", "amq.fanout")]
    counts = [(each.publish_in, each.publish_out) for each in counted]
    broker.check()
    broker.close()
    return held, counts, broker.vhost.counts.publish


def polled(broker: SimulatedBroker, name: str) -> list[tuple[Message, bool]]:
    """All that a queue holds."""
    found = []
    while (each := broker.queue(name).poll(no_ack=True)) is not None:
        found.append(each)
    return found


@given(IN_TURN)
@settings(max_examples=60, deadline=None)
def test_what_takes_turns_goes_where_it_goes_one_by_one(turns: list[list[tuple[str, int]]]) -> None:
    assert published_in_turn(turns, at_once=True) == published_in_turn(turns, at_once=False)


def test_rows_that_are_forgotten_lead_to_no_others() -> None:
    broker = SimulatedBroker()
    client = broker.connect()
    for name in ("a", "b"):
        client.declare(name)
    client.send_bytes(b"".join([publish_frames(name, b"12345678") for name in "aabbababab"]))
    rows = list(client.connection.known.rows.values())
    assert [row.follower for row in rows] == rows[::-1]
    client.declare("c")
    client.send_bytes(publish_frames("a", b"12345678"))
    assert [row.follower for row in rows] == [None, None]
    broker.close()


@pytest.mark.parametrize("pieces", [2, 5, 40])
def test_a_known_publish_waits_for_the_end_of_its_body(pieces: int) -> None:
    """It isn't taken apart for that, nor looked at with each piece."""
    broker = SimulatedBroker()
    client = broker.connect()
    client.declare("a")
    publish = publish_frames("a", b"x" * 3000)
    client.send_bytes(publish * 3)
    size = 3000 // pieces + 1
    start = len(publish) - 3001
    end = start + size
    client.send_bytes(publish * 2 + publish[:end])
    assert missing_bytes(client.connection, publish[:end], 0) == len(publish) - end
    assert client.connection.channels.by_number[1].content is None
    for place in range(end, len(publish), size):
        assert broker.queue("a").ready_count == 5
        client.send_bytes(publish[place : place + size])
    assert broker.queue("a").ready_count == 6
    assert {message.body for message, _ in polled(broker, "a")} == {b"x" * 3000}
    broker.close()
