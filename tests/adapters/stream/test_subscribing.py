"""Subscribe, Credit, Deliver, Unsubscribe (spec H.2; I, "Streams")."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.adapters.stream.conftest import Connect
from tests.support.simulated_broker import START_MS, SimulatedBroker
from tests.support.simulated_stream import StreamClient, bodies_of, publish, published, published_v2
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import encode
from warren.adapters.stream.codec.keys import Code, Key, OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec
from warren.core.queues.stream.queue import StreamQueue
from warren.core.streams.chunk import decode_head

FIRST = OffsetSpec(OffsetType.FIRST)
LAST = OffsetSpec(OffsetType.LAST)
NEXT = OffsetSpec(OffsetType.NEXT)


def at(offset: int) -> OffsetSpec:
    return OffsetSpec(OffsetType.OFFSET, offset)


def since(time_ms: int) -> OffsetSpec:
    return OffsetSpec(OffsetType.TIMESTAMP, time_ms)


@pytest.fixture
def filled(client: StreamClient, simulated: SimulatedBroker) -> StreamClient:
    """The stream has 10 chunks of 10 messages, a second apart; body n has offset n."""
    for chunk in range(10):
        numbers = range(chunk * 10, chunk * 10 + 10)
        client.send(publish(1, *[published(n, b"%d" % n) for n in numbers]))
        simulated.advance(1_000)
    return client


def delivered(answers: list[Any]) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    for answer in answers:
        assert isinstance(answer, commands.Deliver | commands.DeliverV2), answer
        found += bodies_of(answer.chunk)
    return found


def subscribe(client: StreamClient, offset: OffsetSpec, credit: int = 100, **properties: str) -> list[Any]:
    """What comes behind the answer."""
    named = {name.replace("_", "-").replace("filter-", "filter."): value for name, value in properties.items()}
    answer, *chunks = client.send(commands.Subscribe(77, 5, "log", offset, credit, named or None))
    assert answer == commands.Answer(Key.SUBSCRIBE, 77, Code.OK)
    return chunks


@pytest.mark.parametrize(
    ("offset", "first"),
    [
        (FIRST, 0),
        (LAST, 90),
        (at(0), 0),
        (at(44), 40),
        (at(40), 40),
        (at(99), 90),
        (since(0), 0),
        (since(-1), 0),
        (since(START_MS + 2_500), 30),
        (since(START_MS + 3_000), 30),
        (since(START_MS + 8_001), 90),
    ],
)
def test_where_a_subscription_begins(filled: StreamClient, offset: OffsetSpec, first: int) -> None:
    found = delivered(subscribe(filled, offset))
    assert found == [(n, b"%d" % n) for n in range(first, 100)]


@pytest.mark.parametrize("offset", [NEXT, at(100), at(2**64 - 1), since(START_MS + 10**9)])
def test_what_is_to_come(filled: StreamClient, offset: OffsetSpec) -> None:
    assert subscribe(filled, offset) == []
    answers = filled.send(publish(1, published(100, b"new")))
    chunks = [answer for answer in answers if isinstance(answer, commands.Deliver)]
    assert delivered(chunks) == [(100, b"new")]


def test_credit_is_counted_in_chunks(filled: StreamClient) -> None:
    assert delivered(subscribe(filled, FIRST, credit=2)) == [(n, b"%d" % n) for n in range(20)]
    assert filled.send(commands.Heartbeat()) == []
    assert len(filled.send(commands.Credit(5, 3))) == 3
    assert filled.send(commands.Credit(5, 0)) == []
    assert len(filled.send(commands.Credit(5, 100))) == 5
    assert len(filled.send(publish(1, published(100, b"new")))) == 2


def test_no_credit_at_first(filled: StreamClient) -> None:
    assert subscribe(filled, FIRST, credit=0) == []
    assert len(filled.send(commands.Credit(5, 1))) == 1


def test_credit_for_nobody_is_answered(client: StreamClient) -> None:
    assert client.send(commands.Credit(9, 1)) == [commands.CreditAnswer(Code.NO_SUBSCRIPTION, 9)]


def test_more_credit_than_there_can_be(client: StreamClient) -> None:
    subscribe(client, FIRST)
    assert client.send(commands.Credit(5, 0x8000)) == [commands.CreditAnswer(Code.PRECONDITION_FAILED, 5)]


def test_chunks_are_sent_as_they_are_stored_without_their_filters(client: StreamClient) -> None:
    client.send(commands.PublishV2(1, 1, published_v2(1, b"red", b"a")))
    (chunk,) = subscribe(client, FIRST)
    head = decode_head(chunk.chunk)
    assert (head.filter_size, head.entries, head.records, head.first_offset) == (0, 1, 1, 0)
    assert chunk.chunk[48:] == b"\0\0\0\1a"


def test_version_2_says_how_far_the_stream_goes(filled: StreamClient) -> None:
    filled.ask(commands.ExchangeCommandVersions, [commands.CommandVersion(Key.DELIVER, 1, 2)])
    (chunk,) = subscribe(filled, FIRST, credit=1)
    assert isinstance(chunk, commands.DeliverV2)
    assert chunk.committed_chunk_id == 90


def test_filters_leave_out_chunks(client: StreamClient) -> None:
    for value, body in [(b"red", b"r"), (None, b"n"), (b"green", b"g"), (b"red", b"R")]:
        client.send(commands.PublishV2(1, 1, published_v2(1, value, body)))
    assert [body for _, body in delivered(subscribe(client, FIRST, filter_0="red"))] == [b"r", b"R"]
    client.code(commands.Unsubscribe, 5)
    chunks = subscribe(client, FIRST, filter_0="red", match_unfiltered="true")
    assert [body for _, body in delivered(chunks)] == [b"r", b"n", b"R"]
    client.code(commands.Unsubscribe, 5)
    chunks = subscribe(client, FIRST, filter_0="red", filter_1="green", match_unfiltered="false")
    assert delivered(chunks) == [(0, b"r"), (2, b"g"), (3, b"R")]


def test_a_number_is_one_subscription_s(client: StreamClient) -> None:
    subscribe(client, FIRST)
    assert client.code(commands.Subscribe, 5, "log", FIRST, 1) is Code.SUBSCRIPTION_EXISTS
    assert client.code(commands.Subscribe, 6, "log", FIRST, 1) is Code.OK
    assert client.code(commands.Unsubscribe, 5) is Code.OK
    assert client.code(commands.Unsubscribe, 5) is Code.NO_SUBSCRIPTION
    assert client.code(commands.Subscribe, 5, "log", FIRST, 1) is Code.OK
    assert client.code(commands.Subscribe, 7, "nothing", FIRST, 1) is Code.NO_STREAM
    assert client.code(commands.Subscribe, 7, "log", OffsetSpec(OffsetType.NONE), 1) is Code.PRECONDITION_FAILED


def test_nothing_comes_after_unsubscribing(filled: StreamClient) -> None:
    subscribe(filled, NEXT)
    filled.code(commands.Unsubscribe, 5)
    assert all(
        isinstance(answer, commands.PublishConfirm) for answer in filled.send(publish(1, published(100, b"new")))
    )


def test_a_stream_that_is_deleted_takes_its_subscriptions_along(filled: StreamClient, connect: Connect) -> None:
    other = connect()
    subscribe(other, NEXT)
    other.code(commands.Subscribe, 6, "log", NEXT, 1)
    other.code(commands.DeclarePublisher, 1, None, "log")
    filled.send(commands.Delete(9, "log"))
    assert other.answers() == [commands.MetadataUpdate(Code.NOT_AVAILABLE, "log")]
    assert other.code(commands.Unsubscribe, 5) is Code.NO_SUBSCRIPTION
    assert not other.closed


def test_the_right_to_read_is_asked_for_and_taken_away(
    filled: StreamClient, accept: Connect, simulated: SimulatedBroker
) -> None:
    users = simulated.broker.users
    users.add_user("alice", "secret")
    users.set_permissions("alice", "/", "", "", "log")
    alice = accept().connect("alice", "secret")
    assert alice.code(commands.Subscribe, 4, "other", FIRST, 1) is Code.ACCESS_REFUSED
    assert len(subscribe(alice, FIRST)) == 10
    users.set_permissions("alice", "/", "", "", "")
    simulated.settle()
    assert alice.answers() == [commands.MetadataUpdate(Code.NOT_AVAILABLE, "log")]
    assert alice.code(commands.Subscribe, 5, "log", FIRST, 1) is Code.ACCESS_REFUSED


def test_who_reads_slowly_is_sent_no_more_than_it_takes(client: StreamClient) -> None:
    for _ in range(8):
        client.send(publish(1, published(1, bytes(900_000))))
    client.transport.socket_room = 0
    client.transport.receive(encode(commands.Subscribe(1, 5, "log", FIRST, 100)))
    client.simulated.settle()
    assert client.transport.unsent_bytes < 3_000_000
    client.transport.read_by_peer(None)
    client.simulated.settle()
    client.transport.session.drained()
    client.simulated.settle()
    assert len(client.answers()) == 9


def test_listings_show_subscriptions(filled: StreamClient, simulated: SimulatedBroker) -> None:
    subscribe(filled, FIRST)
    (consumer,) = simulated.vhost.queues["log"].consumers
    assert (consumer.tag, consumer.session_name()) == ("5", "127.0.0.1:40000 -> 127.0.0.1:5672 (1)")
    (row,) = filled.session.channel_rows()
    assert row.consumer_count == 1
    counts = simulated.vhost.queues["log"].message_counts
    assert (counts["deliver_no_ack"], counts["publish"]) == (100, 100)


@pytest.mark.parametrize("seed", range(5))
def test_whoever_reads_gets_everything_once_and_in_order(client: StreamClient, seed: int) -> None:
    chance = random.Random(seed)
    subscribe(client, FIRST, credit=1)
    sent, found = 0, []
    for _ in range(60):
        count = chance.randrange(5)
        messages = [published(sent + n, b"%d" % (sent + n)) for n in range(count)]
        sent += count
        answers = client.send(publish(1, *messages), commands.Credit(5, chance.randrange(3)))
        found += delivered([each for each in answers if isinstance(each, commands.Deliver)])
    found += delivered(client.send(commands.Credit(5, 100)))
    assert found == [(n, b"%d" % n) for n in range(sent)]


def test_the_last_reader_that_leaves_takes_it_along(
    client: StreamClient, connect: Connect, simulated: SimulatedBroker
) -> None:
    queue = simulated.vhost.queues["log"]
    assert isinstance(queue, StreamQueue)
    for number in range(3):
        client.send(publish(1, published(number, b"x")))
    two = [connect(), connect()]
    for each in two:
        assert each.send(commands.Subscribe(1, 0, "log", OffsetSpec(OffsetType.FIRST), 1))[0].code == Code.OK
    assert queue.log.recent.size > 0
    assert two[0].code(commands.Unsubscribe, 0) is Code.OK
    assert queue.log.recent.size > 0
    assert two[1].code(commands.Unsubscribe, 0) is Code.OK
    assert queue.log.recent.size == 0
