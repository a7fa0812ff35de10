"""Create, Delete, Metadata, StreamStats, ResolveOffsetSpec (spec H.2)."""

from __future__ import annotations

import pytest

from tests.adapters.stream.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stream import StreamClient, publish, published
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.commands import StreamMetadata
from warren.adapters.stream.codec.keys import Code, OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec
from warren.core.declaring.queues import create_queue

ARGUMENTS = {
    "max-length-bytes": "1000000",
    "max-age": "7D",
    "stream-max-segment-size-bytes": "100000",
    "stream-filter-size-bytes": "32",
    "initial-cluster-size": "1",
    "queue-leader-locator": "least-leaders",
}


def test_arguments_are_those_of_a_declaration(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    assert client.code(commands.Create, "log", {**ARGUMENTS, "unknown": "x"}) is Code.OK
    queue = simulated.vhost.queues["log"]
    assert queue.arguments == {
        "x-queue-type": "stream",
        "x-max-length-bytes": 1_000_000,
        "x-max-age": "7D",
        "x-stream-max-segment-size-bytes": 100_000,
        "x-stream-filter-size-bytes": 32,
        "x-initial-cluster-size": 1,
        "x-queue-leader-locator": "least-leaders",
    }
    assert client.code(commands.Create, "log", ARGUMENTS) is Code.STREAM_EXISTS
    assert client.code(commands.Create, "log", {}) is Code.PRECONDITION_FAILED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max-length-bytes", "many"),
        ("max-length-bytes", "-1"),
        ("max-length-bytes", "9" * 20),
        ("max-age", "0D"),
        ("max-age", "soon"),
        ("stream-filter-size-bytes", "15"),
        ("stream-max-segment-size-bytes", "3000000001"),
        ("queue-leader-locator", "here"),
    ],
)
def test_what_arguments_cannot_be(connect: Connect, simulated: SimulatedBroker, name: str, value: str) -> None:
    assert connect().code(commands.Create, "log", {name: value}) is Code.PRECONDITION_FAILED
    assert "log" not in simulated.vhost.queues


def test_names(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    assert client.code(commands.Create, "", {}) is Code.PRECONDITION_FAILED
    assert client.code(commands.Create, " ", {}) is Code.PRECONDITION_FAILED
    assert client.code(commands.Create, "amq.log", {}) is Code.ACCESS_REFUSED
    create_queue(simulated.vhost, "classic")
    assert client.code(commands.Create, "classic", {}) is Code.PRECONDITION_FAILED
    assert client.code(commands.Delete, "classic") is Code.NO_STREAM
    assert client.code(commands.Delete, "nothing") is Code.NO_STREAM


def test_rights(accept: Connect, simulated: SimulatedBroker) -> None:
    simulated.broker.users.add_user("alice", "secret")
    simulated.broker.users.set_permissions("alice", "/", "mine", "", "")
    client = accept().connect("alice", "secret")
    assert client.code(commands.Create, "mine", {}) is Code.OK
    assert client.code(commands.Create, "other", {}) is Code.ACCESS_REFUSED
    assert client.code(commands.Delete, "other") is Code.ACCESS_REFUSED
    assert client.code(commands.StreamStats, "mine") is Code.ACCESS_REFUSED
    assert client.code(commands.Delete, "mine") is Code.OK


def test_an_answer_waits_until_the_stream_is_kept(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    assert client.code(commands.Create, "log", {}) is Code.OK
    assert client.code(commands.Delete, "log") is Code.OK
    assert not simulated.broker.unkept


def test_where_streams_are(client: StreamClient, simulated: SimulatedBroker) -> None:
    create_queue(simulated.vhost, "classic")
    answer = client.ask(commands.Metadata, ["log", "nothing", "classic", "log"])
    assert answer.brokers == [commands.BrokerAddress(0, "127.0.0.1", 5672)]
    assert answer.streams == [
        StreamMetadata("log", Code.OK, 0, []),
        StreamMetadata("nothing", Code.NO_STREAM, 0xFFFF, []),
        StreamMetadata("classic", Code.NO_STREAM, 0xFFFF, []),
    ]


def test_what_is_in_a_stream(client: StreamClient) -> None:
    empty = client.ask(commands.StreamStats, "log").stats
    assert set(empty.values()) == {-1}
    for _ in range(3):
        client.send(publish(1, published(1, b"a"), published(2, b"b")))
    stats = client.ask(commands.StreamStats, "log").stats
    assert stats == {"first_chunk_id": 0, "last_chunk_id": 4, "committed_chunk_id": 4, "committed_offset": 5}
    assert client.code(commands.StreamStats, "nothing") is Code.NO_STREAM


@pytest.mark.parametrize(
    ("offset", "found"),
    [
        (OffsetSpec(OffsetType.FIRST), 0),
        (OffsetSpec(OffsetType.LAST), 4),
        (OffsetSpec(OffsetType.NEXT), 6),
        (OffsetSpec(OffsetType.OFFSET, 3), 2),
        (OffsetSpec(OffsetType.OFFSET, 100), 6),
        (OffsetSpec(OffsetType.TIMESTAMP, 0), 0),
    ],
)
def test_offsets_are_resolved(client: StreamClient, offset: OffsetSpec, found: int) -> None:
    for _ in range(3):
        client.send(publish(1, published(1, b"a"), published(2, b"b")))
    answer = client.ask(commands.ResolveOffsetSpec, "log", offset)
    assert (answer.code, answer.offset_type, answer.offset) == (Code.OK, OffsetType.OFFSET, found)
    assert client.code(commands.ResolveOffsetSpec, "nothing", offset) is Code.NO_STREAM
