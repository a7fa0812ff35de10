"""Single active consumers: ConsumerUpdate, and who is sent chunks when (spec H.2; I, "Streams")."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.stream.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stream import StreamClient, bodies_of, publish, published
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.keys import Code, OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec
from warren.adapters.stream.single_active import ANSWER_TIMEOUT_MS
from warren.core.queues.stream.when_gone import TOLD_PER_SLICE

FIRST = OffsetSpec(OffsetType.FIRST)
NONE = OffsetSpec(OffsetType.NONE)


def subscribe(client: StreamClient, id: int, stream: str = "log", offset: OffsetSpec = FIRST, **more: str) -> list[Any]:
    """What comes behind the answer."""
    properties = {"single-active-consumer": "true", "name": "app"}
    properties.update({name.replace("_", "-"): value for name, value in more.items()})
    answer, *rest = client.send(commands.Subscribe(70 + id, id, stream, offset, 100, properties))
    assert answer.code == Code.OK
    return rest


def updates(answers: list[Any]) -> list[tuple[int, int]]:
    return [(each.subscription_id, each.active) for each in answers if isinstance(each, commands.ConsumerUpdate)]


def answer(client: StreamClient, asked: list[Any], offset: OffsetSpec = NONE) -> list[bytes]:
    """Answer what was asked, and say what comes."""
    questions = [each for each in asked if isinstance(each, commands.ConsumerUpdate)]
    came = client.send(*[commands.ConsumerUpdateAnswer(each.correlation_id, Code.OK, offset) for each in questions])
    return [body for each in came if isinstance(each, commands.Deliver) for _, body in bodies_of(each.chunk)]


@pytest.fixture
def filled(client: StreamClient) -> StreamClient:
    for number in range(3):
        client.send(publish(1, published(number, b"%d" % number)))
    return client


def test_the_first_is_asked_and_begins_where_it_says(filled: StreamClient) -> None:
    asked = subscribe(filled, 0)
    assert updates(asked) == [(0, 1)]
    assert asked[1:] == []
    assert answer(filled, asked, OffsetSpec(OffsetType.OFFSET, 2)) == [b"2"]


def test_where_the_answer_says_nothing_it_is_what_it_subscribed_with(filled: StreamClient) -> None:
    assert answer(filled, subscribe(filled, 0)) == [b"0", b"1", b"2"]


def test_others_wait_until_it_goes(filled: StreamClient, connect: Connect) -> None:
    other: StreamClient = connect()
    answer(filled, subscribe(filled, 0))
    assert subscribe(other, 0) == []
    assert filled.code(commands.Unsubscribe, 0) is Code.OK
    asked = other.answers()
    assert updates(asked) == [(0, 1)]
    assert answer(other, asked) == [b"0", b"1", b"2"]
    subscribe(filled, 1)
    other.session.connection_lost("test")
    assert updates(filled.send()) == [(1, 1)]


def test_partitions_are_spread_over_consumers(client: StreamClient, connect: Connect) -> None:
    """Four partitions, two consumers: two each."""
    names = [f"s-{number}" for number in range(4)]
    assert client.code(commands.CreateSuperStream, "s", names, names, {}) is Code.OK
    for number, name in enumerate(names):
        asked = subscribe(client, number, name, super_stream="s")
        assert updates(asked) == [(number, 1)]
        answer(client, asked)
    other: StreamClient = connect()
    for number, name in enumerate(names):
        assert subscribe(other, number, name, super_stream="s") == []
    asked = client.answers()
    assert updates(asked) == [(1, 0), (3, 0)]
    assert other.answers() == []
    answer(client, asked)
    asked = other.send()
    assert updates(asked) == [(1, 1), (3, 1)]
    client.send(commands.DeclarePublisher(90, 2, None, "s-1"))
    assert answer(other, asked) == []
    came = client.send(publish(2, published(0, b"for the other")))
    assert not [each for each in came if isinstance(each, commands.Deliver)]
    assert [each.subscription_id for each in other.send()] == [1]


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"single-active-consumer": "true"}, Code.PRECONDITION_FAILED),
        ({"single-active-consumer": "true", "name": ""}, Code.PRECONDITION_FAILED),
        ({"single-active-consumer": "true", "name": "app", "super-stream": "nowhere"}, Code.NO_STREAM),
    ],
    ids=["no name", "an empty name", "no such super stream"],
)
def test_what_cannot_be_in_a_group(client: StreamClient, properties: dict[str, str], code: Code) -> None:
    assert client.code(commands.Subscribe, 0, "log", FIRST, 1, properties) is code
    assert subscribe(client, 0) != []


def test_all_of_a_group_name_the_same_super_stream(client: StreamClient) -> None:
    assert client.code(commands.CreateSuperStream, "s", ["s-0"], ["0"], {}) is Code.OK
    subscribe(client, 0, "s-0", super_stream="s")
    properties = {"single-active-consumer": "true", "name": "app"}
    assert client.code(commands.Subscribe, 1, "s-0", FIRST, 1, properties) is Code.PRECONDITION_FAILED


def test_who_does_not_answer_is_closed(filled: StreamClient, connect: Connect, simulated: SimulatedBroker) -> None:
    other: StreamClient = connect()
    subscribe(filled, 0)
    subscribe(other, 0)
    simulated.advance(ANSWER_TIMEOUT_MS + 1)
    assert filled.closed
    assert updates(other.answers()) == [(0, 1)]


@pytest.mark.parametrize("publishers", [0, 2 * TOLD_PER_SLICE])
def test_all_are_told_when_the_stream_is_deleted(filled: StreamClient, connect: Connect, publishers: int) -> None:
    other: StreamClient = connect()
    busy: list[StreamClient] = [connect() for _ in range(publishers // 250)]
    for each in busy:
        each.send(*(commands.DeclarePublisher(100 + number, number, None, "log") for number in range(250)))
    answer(filled, subscribe(filled, 0))
    subscribe(other, 0)
    came = filled.send(commands.Delete(90, "log"))
    assert commands.MetadataUpdate(Code.NOT_AVAILABLE, "log") in came
    # The next one isn't asked where it begins in a stream that is gone.
    assert other.send() == [commands.MetadataUpdate(Code.NOT_AVAILABLE, "log")]
    assert not filled.simulated.broker.stream_groups


def test_an_answer_to_nothing_and_one_that_comes_late_change_nothing(filled: StreamClient) -> None:
    asked = subscribe(filled, 0)
    assert filled.code(commands.Unsubscribe, 0) is Code.OK
    assert answer(filled, asked) == []
    assert filled.send(commands.ConsumerUpdateAnswer(999, Code.OK, FIRST)) == []
    assert not filled.closed
