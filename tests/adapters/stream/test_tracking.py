"""StoreOffset, QueryOffset, QueryPublisherSequence (spec H.2)."""

from __future__ import annotations

import pytest

from tests.adapters.stream.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stream import StreamClient, publish, published
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.keys import Code


def test_an_offset_is_kept_for_a_reader(client: StreamClient, connect: Connect) -> None:
    answer = client.ask(commands.QueryOffset, "me", "log")
    assert (answer.code, answer.offset) == (Code.NO_OFFSET, 0)
    assert client.send(commands.StoreOffset("me", "log", 7), commands.StoreOffset("you", "log", 8)) == []
    other = connect()
    assert [other.ask(commands.QueryOffset, who, "log").offset for who in ("me", "you")] == [7, 8]
    client.send(commands.StoreOffset("me", "log", 3))
    assert other.ask(commands.QueryOffset, "me", "log").offset == 3


def test_the_last_publishing_id_of_a_reference(client: StreamClient) -> None:
    client.code(commands.DeclarePublisher, 2, "me", "log")
    answer = client.ask(commands.QueryPublisherSequence, "me", "log")
    assert (answer.code, answer.sequence) == (Code.OK, 0)
    client.send(publish(2, published(41, b"a"), published(42, b"b")))
    assert client.ask(commands.QueryPublisherSequence, "me", "log").sequence == 42


@pytest.mark.parametrize("reference", ["", "x" * 256])
def test_what_is_no_reference(client: StreamClient, reference: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert client.code(commands.QueryOffset, reference, "log") is Code.PRECONDITION_FAILED
    assert client.code(commands.QueryPublisherSequence, reference, "log") is Code.PRECONDITION_FAILED
    assert client.send(commands.StoreOffset(reference, "log", 1)) == []
    assert "StoreOffset refused: PRECONDITION_FAILED" in caplog.text


def test_streams_that_are_not_there_or_not_theirs(
    client: StreamClient, accept: Connect, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert client.code(commands.QueryOffset, "me", "nothing") is Code.NO_STREAM
    assert client.code(commands.QueryPublisherSequence, "me", "nothing") is Code.NO_STREAM
    simulated.broker.users.add_user("alice", "secret")
    simulated.broker.users.set_permissions("alice", "/", "", "", "")
    alice = accept().connect("alice", "secret")
    assert alice.code(commands.QueryOffset, "me", "log") is Code.ACCESS_REFUSED
    assert alice.code(commands.QueryPublisherSequence, "me", "log") is Code.ACCESS_REFUSED
    assert alice.send(commands.StoreOffset("me", "log", 1)) == []
    assert "StoreOffset refused: ACCESS_REFUSED" in caplog.text
    assert client.code(commands.QueryOffset, "me", "log") is Code.NO_OFFSET
