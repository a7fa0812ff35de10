"""The stream protocol (spec H.2), against RabbitMQ's plugin rabbitmq_stream.

That nothing more comes is shown by an answer that comes next, to a command that was sent behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any, TypeVar

import pytest

from tests.conformance.scenario import Workbench
from tests.conformance.stream_talk import CLOSED, StreamPeer, ended
from tests.support.brokers import Broker
from tests.support.simulated_stream import publish, published
from tests.support.until import until
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.commands import PublishError, PublishingError
from warren.adapters.stream.codec.keys import Code, OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec

T = TypeVar("T")
Expected = Callable[[T], T]
Connect = Callable[[], StreamPeer]

FIRST = OffsetSpec(OffsetType.FIRST)
LAST = OffsetSpec(OffsetType.LAST)
NEXT = OffsetSpec(OffsetType.NEXT)
LONG_AGO_MS = 1_000
FAR_AHEAD_MS = 4_000_000_000_000


def at(offset: int) -> OffsetSpec:
    return OffsetSpec(OffsetType.OFFSET, offset)


def since(time_ms: int) -> OffsetSpec:
    return OffsetSpec(OffsetType.TIMESTAMP, time_ms)


@pytest.fixture
def accept(broker: Broker) -> Iterator[Connect]:
    """Opens connections that have said nothing."""
    with ExitStack() as stack:

        def accept() -> StreamPeer:
            peer = StreamPeer(broker.stream_port)
            stack.callback(peer.close)
            return peer

        yield accept


@pytest.fixture
def connect(accept: Connect) -> Connect:
    """Opens connections that have entered the virtual host."""
    return lambda: accept().connect()


@pytest.fixture
def peer(broker: Broker) -> Iterator[StreamPeer]:
    """A connection that deletes what it made."""
    with closing(StreamPeer(broker.stream_port)) as peer:
        yield peer.connect()
        peer.clean_up()


@pytest.fixture
def stream(peer: StreamPeer, connect: Connect) -> str:
    """Three chunks of two messages; body n has offset n."""
    name = peer.stream()
    publisher = connect()
    assert publisher.code(commands.DeclarePublisher, 0, "", name) is Code.OK
    for first in (0, 2, 4):
        publisher.publish(0, (first, b"%d" % first), (first + 1, b"%d" % (first + 1)))
    publisher.close()
    return name


def messages(*numbers: int) -> list[tuple[int, bytes]]:
    return [(number, b"%d" % number) for number in numbers]


# The handshake


def test_the_handshake(accept: Connect) -> None:
    peer = accept()
    assert peer.log_in() is Code.OK
    said = {"product", "version", "platform", "copyright", "information", "cluster_name"}
    assert said <= set(peer.properties)
    assert peer.next() == commands.Tune(1_048_576, 60)
    peer.send(commands.TuneAnswer(0, 0))
    opened = peer.ask(commands.Open, "/")
    assert opened.code == Code.OK
    assert set(opened.properties) == {"advertised_host", "advertised_port"}


def test_an_unknown_mechanism(accept: Connect) -> None:
    assert accept().log_in(mechanism="NOTHING") is Code.NO_MECHANISM


def test_a_wrong_password(accept: Connect) -> None:
    peer = accept()
    assert peer.log_in(password="wrong") is Code.AUTHENTICATION_FAILED
    assert peer.next() == CLOSED


def test_an_unknown_virtual_host(accept: Connect) -> None:
    peer = accept()
    assert peer.log_in() is Code.OK
    peer.next()
    peer.send(commands.TuneAnswer(0, 0))
    assert peer.code(commands.Open, "nothing") is Code.VHOST_REFUSED
    assert peer.next() == CLOSED


def test_close_is_answered(connect: Connect) -> None:
    peer = connect()
    assert peer.code(commands.Close, Code.OK, "bye") is Code.OK
    assert peer.next() == CLOSED


def test_versions_of_commands(peer: StreamPeer) -> None:
    answer = peer.ask(commands.ExchangeCommandVersions, [])
    assert answer.code == Code.OK
    assert {each.key for each in answer.commands} >= set(range(1, 32))


# What is wrong on the wire


def test_an_unknown_command(connect: Connect, expected: Expected[list[Any]]) -> None:
    peer = connect()
    peer.send_bytes(b"\0\0\0\x08\0\x63\0\1\0\0\0\7")
    assert ended(peer) == expected([("close", Code.UNKNOWN_FRAME), CLOSED])


def test_a_version_that_there_is_not(connect: Connect, expected: Expected[list[Any]]) -> None:
    peer = connect()
    peer.send_bytes(b"\0\0\0\x0d\0\x0d\0\x09\0\0\0\7\0\1x\0\0")
    assert ended(peer) == expected([("close", Code.UNKNOWN_FRAME), CLOSED])


def test_a_frame_that_is_too_large(connect: Connect, expected: Expected[list[Any]]) -> None:
    peer = connect()
    peer.send_bytes((1_048_577).to_bytes(4, "big") + bytes(1_048_577))
    assert ended(peer) == expected([("close", Code.FRAME_TOO_LARGE), CLOSED])


def test_a_command_before_its_time(accept: Connect, expected: Expected[list[Any]]) -> None:
    peer = accept()
    peer.send(commands.Create(1, "stream", {}))
    assert ended(peer) == expected([CLOSED])


# Streams


def test_creating_and_deleting(peer: StreamPeer) -> None:
    name = peer.stream(max_length_bytes="1000000", stream_max_segment_size_bytes="100000", max_age="1h")
    assert peer.code(commands.Create, name, {}) is Code.PRECONDITION_FAILED
    other = peer.stream()
    assert peer.code(commands.Create, other, {}) is Code.STREAM_EXISTS
    assert peer.code(commands.Delete, name) is Code.OK
    assert peer.code(commands.Delete, name) is Code.NO_STREAM


@pytest.mark.parametrize(
    "arguments",
    [{"max-age": "7"}, {"queue-leader-locator": "nobody"}],
    ids=["age", "locator"],
)
def test_an_argument_that_is_none(peer: StreamPeer, arguments: dict[str, str], expected: Expected[Code | str]) -> None:
    assert peer.code(commands.Create, peer.name(), arguments) == expected(Code.PRECONDITION_FAILED)


def test_an_argument_that_nobody_knows(peer: StreamPeer) -> None:
    peer.stream(whatever="1")


def test_a_stream_without_a_name(peer: StreamPeer) -> None:
    assert peer.code(commands.Create, "", {}) is Code.PRECONDITION_FAILED


def test_a_queue_of_another_type_is_no_stream(
    bench: Workbench, peer: StreamPeer, expected: Expected[list[Code | str]]
) -> None:
    name = bench.queue(bench.channel(), durable=True)
    found = [
        peer.code(commands.DeclarePublisher, 0, "", name),
        peer.code(commands.Subscribe, 0, name, FIRST, 1),
        peer.code(commands.Delete, name),
        peer.ask(commands.Metadata, [name]).streams[0].code,
    ]
    assert found == expected([Code.NO_STREAM] * 4)


def test_metadata(peer: StreamPeer, stream: str) -> None:
    answer = peer.ask(commands.Metadata, [stream, "nothing"])
    assert [each.host for each in answer.brokers] != []
    here, nothing = sorted(answer.streams, key=lambda each: each.code)
    assert (here.stream, here.code, here.leader) == (stream, Code.OK, answer.brokers[0].reference)
    assert (nothing.stream, nothing.code, nothing.leader) == ("nothing", Code.NO_STREAM, 0xFFFF)


def test_a_stream_that_is_deleted_takes_all_along(peer: StreamPeer, connect: Connect, stream: str) -> None:
    other = connect()
    assert other.code(commands.DeclarePublisher, 1, "", stream) is Code.OK
    assert other.code(commands.Subscribe, 1, stream, NEXT, 10) is Code.OK
    assert peer.code(commands.Delete, stream) is Code.OK
    assert other.next() == commands.MetadataUpdate(Code.NOT_AVAILABLE, stream)
    other.send(publish(1, published(9, b"x")))
    assert other.next() == PublishError(1, [PublishingError(9, Code.NO_PUBLISHER)])
    assert other.code(commands.Unsubscribe, 1) is Code.NO_SUBSCRIPTION


def test_numbers_of_a_stream(peer: StreamPeer, stream: str) -> None:
    answer = peer.ask(commands.StreamStats, stream)
    assert answer.code == Code.OK
    assert answer.stats["first_chunk_id"] == 0
    assert answer.stats["committed_chunk_id"] == 4


# Publishing


def test_publishers(peer: StreamPeer, stream: str, expected: Expected[list[Code | str]]) -> None:
    found = [
        peer.code(commands.DeclarePublisher, 1, "me", stream),
        peer.code(commands.DeclarePublisher, 1, "", stream),
        peer.code(commands.DeclarePublisher, 2, "me", stream),
        peer.code(commands.DeclarePublisher, 3, "", "nothing"),
        peer.code(commands.DeletePublisher, 1),
        peer.code(commands.DeletePublisher, 1),
    ]
    refused = Code.PRECONDITION_FAILED
    assert found == expected([Code.OK, refused, refused, Code.NO_STREAM, Code.OK, Code.NO_PUBLISHER])


def test_a_reference_that_is_too_long(peer: StreamPeer, stream: str, expected: Expected[Code | str]) -> None:
    found = peer.code(commands.DeclarePublisher, 1, "x" * 256, stream)
    assert found is expected(Code.PRECONDITION_FAILED)


def test_each_message_is_confirmed(peer: StreamPeer, stream: str) -> None:
    assert peer.code(commands.DeclarePublisher, 7, "", stream) is Code.OK
    assert peer.publish(7, (5, b"a"), (5, b"b"), (1, b"c")) == [1, 5, 5]
    assert peer.code(commands.Subscribe, 0, stream, at(6), 10) is Code.OK
    assert peer.read(3) == [(6, b"a"), (7, b"b"), (8, b"c")]


def test_no_reference_at_all(peer: StreamPeer, stream: str) -> None:
    """A string may be null, says the protocol."""
    assert peer.code(commands.DeclarePublisher, 1, None, stream) is Code.OK


def test_an_unknown_publisher(peer: StreamPeer) -> None:
    peer.send(publish(9, published(4, b"a"), published(5, b"b")))
    assert peer.next() == PublishError(9, [PublishingError(id, Code.NO_PUBLISHER) for id in (4, 5)])


def test_what_was_published_before_is_confirmed_and_left_out(peer: StreamPeer, connect: Connect) -> None:
    name = peer.stream()
    assert peer.code(commands.DeclarePublisher, 0, "me", name) is Code.OK
    assert peer.publish(0, (1, b"a"), (2, b"b"), (5, b"c")) == [1, 2, 5]
    assert peer.ask(commands.QueryPublisherSequence, "me", name).sequence == 5
    other = connect()
    assert peer.code(commands.DeletePublisher, 0) is Code.OK
    assert other.code(commands.DeclarePublisher, 3, "me", name) is Code.OK
    assert other.publish(3, (2, b"b"), (4, b"x"), (5, b"c"), (6, b"d")) == [2, 4, 5, 6]
    assert other.ask(commands.QueryPublisherSequence, "me", name).sequence == 6
    assert other.code(commands.Subscribe, 0, name, FIRST, 10) is Code.OK
    assert other.read(4) == list(enumerate([b"a", b"b", b"c", b"d"]))


def test_a_sequence_that_nobody_knows(peer: StreamPeer, stream: str) -> None:
    answer = peer.ask(commands.QueryPublisherSequence, "nobody", stream)
    assert (answer.code, answer.sequence) == (Code.OK, 0)
    assert peer.code(commands.QueryPublisherSequence, "me", "nothing") is Code.NO_STREAM


# Reading


@pytest.mark.parametrize(
    ("offset", "found"),
    [
        (FIRST, messages(0, 1, 2, 3, 4, 5)),
        (at(0), messages(0, 1, 2, 3, 4, 5)),
        (at(2), messages(2, 3, 4, 5)),
        (at(3), messages(2, 3, 4, 5)),
        (LAST, messages(4, 5)),
        (since(LONG_AGO_MS), messages(0, 1, 2, 3, 4, 5)),
    ],
    ids=["first", "offset 0", "offset of a chunk", "offset in a chunk", "last", "long ago"],
)
def test_where_reading_begins(
    peer: StreamPeer, stream: str, offset: OffsetSpec, found: list[tuple[int, bytes]]
) -> None:
    assert peer.code(commands.Subscribe, 3, stream, offset, 100) is Code.OK
    assert peer.read(len(found)) == found


@pytest.mark.parametrize("offset", [NEXT, at(6), at(100), since(FAR_AHEAD_MS)], ids=["next", "end", "beyond", "ahead"])
def test_what_is_to_come_is_waited_for(peer: StreamPeer, connect: Connect, stream: str, offset: OffsetSpec) -> None:
    assert peer.code(commands.Subscribe, 3, stream, offset, 100) is Code.OK
    other = connect()
    assert other.code(commands.DeclarePublisher, 0, "", stream) is Code.OK
    other.publish(0, (6, b"6"))
    assert peer.read(1) == messages(6)


def test_an_empty_stream_has_a_beginning(peer: StreamPeer, connect: Connect) -> None:
    name = peer.stream()
    for id, offset in enumerate([FIRST, LAST, at(0)]):
        assert peer.code(commands.Subscribe, id, name, offset, 1) is Code.OK
    other = connect()
    assert other.code(commands.DeclarePublisher, 0, "", name) is Code.OK
    other.publish(0, (0, b"0"))
    assert peer.read(3) == messages(0) * 3


def test_credit_is_chunks(peer: StreamPeer, stream: str) -> None:
    assert peer.code(commands.Subscribe, 0, stream, FIRST, 1) is Code.OK
    assert peer.read(1) == messages(0, 1)
    assert peer.code(commands.QueryPublisherSequence, "me", stream) is Code.OK
    peer.send(commands.Credit(0, 2))
    assert peer.read(4) == messages(2, 3, 4, 5)


def test_subscriptions(peer: StreamPeer, stream: str) -> None:
    assert peer.code(commands.Subscribe, 0, stream, NEXT, 1) is Code.OK
    assert peer.code(commands.Subscribe, 0, stream, NEXT, 1) is Code.SUBSCRIPTION_EXISTS
    assert peer.code(commands.Subscribe, 1, "nothing", NEXT, 1) is Code.NO_STREAM
    assert peer.code(commands.Unsubscribe, 0) is Code.OK
    assert peer.code(commands.Unsubscribe, 0) is Code.NO_SUBSCRIPTION


def test_credit_for_nothing(peer: StreamPeer) -> None:
    peer.send(commands.Credit(9, 1))
    assert peer.next() == commands.CreditAnswer(Code.NO_SUBSCRIPTION, 9)


def test_who_has_ended_it_is_sent_nothing_more(peer: StreamPeer, connect: Connect, stream: str) -> None:
    assert peer.code(commands.Subscribe, 0, stream, NEXT, 100) is Code.OK
    assert peer.code(commands.Unsubscribe, 0) is Code.OK
    other = connect()
    assert other.code(commands.DeclarePublisher, 0, "", stream) is Code.OK
    other.publish(0, (6, b"6"))
    assert peer.code(commands.QueryPublisherSequence, "me", stream) is Code.OK


# Offsets that are stored


def test_an_offset_is_stored_for_a_reader(peer: StreamPeer, connect: Connect, stream: str) -> None:
    answer = peer.ask(commands.QueryOffset, "reader", stream)
    assert answer.code == Code.NO_OFFSET
    peer.send(commands.StoreOffset("reader", stream, 3))
    other = connect()
    # StoreOffset has no answer: it is there when the same connection has been answered, or a moment later.
    answers: list[Any] = [answer]
    until(
        lambda: answers[-1].code != Code.NO_OFFSET,
        lambda _: answers.append(peer.ask(commands.QueryOffset, "reader", stream)),
    )
    assert (answers[-1].code, answers[-1].offset) == (Code.OK, 3)
    assert other.ask(commands.QueryOffset, "reader", stream).offset == 3
    assert other.code(commands.QueryOffset, "another", stream) is Code.NO_OFFSET
    assert other.code(commands.QueryOffset, "reader", "nothing") is Code.NO_STREAM


def test_an_offset_for_a_stream_that_is_not(peer: StreamPeer, stream: str) -> None:
    """It has no answer, and the connection goes on."""
    peer.send(commands.StoreOffset("reader", "nothing", 3))
    assert peer.code(commands.QueryOffset, "reader", stream) is Code.NO_OFFSET


# Super streams


def test_partitions_of_what_is_not(peer: StreamPeer) -> None:
    assert peer.code(commands.Partitions, "nothing") is Code.NO_STREAM


def test_a_route_to_what_is_not(peer: StreamPeer) -> None:
    assert peer.code(commands.Route, "key", "nothing") is Code.NO_STREAM
