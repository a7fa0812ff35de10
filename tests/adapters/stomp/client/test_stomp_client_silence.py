"""The STOMP client half and peers that are silent, slow or wrong: heart-beats, unanswered messages, bad frames."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.stomp_pair import LOGIN, StompPair
from warren.adapters.peers.settled import Settled
from warren.adapters.stomp.client.connection import StompClient
from warren.adapters.stomp.client.sending import SILENT_MS, UNSAID
from warren.adapters.stomp.codec.frames import HEARTBEAT, encode_frame


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


# A peer that says nothing of a message


def connected(heart_beat: str = "0,0", **login: object) -> StompClient:
    """A client whose peer is the test."""
    client = StompClient(replace(LOGIN, **login), 0)  # type: ignore[arg-type]
    client.take()
    client.receive(encode_frame("CONNECTED", [("version", "1.2"), ("heart-beat", heart_beat)]), 0)
    assert client.opened
    return client


def sent(client: StompClient, body: bytes) -> int:
    return client.send(client.prepare([("destination", "/queue/q")]), body, receipt=True)


def receipt(client: StompClient, name: object, now_ms: int) -> None:
    client.receive(encode_frame("RECEIPT", [("receipt-id", str(name))]), now_ms)


def test_what_a_peer_that_answers_is_silent_of_counts_as_refused() -> None:
    client = connected()
    first, second = sent(client, b"1"), sent(client, b"2")
    client.take()
    receipt(client, second, 100)
    assert client.sending.settled == [Settled(second, None)], "receipts come in any order"
    client.sending.settled.clear()
    assert client.next_at_ms() == SILENT_MS
    client.advance(SILENT_MS - 1)
    assert client.take() == b""
    client.advance(SILENT_MS)
    question = client.take()
    assert question == (b"BEGIN\ntransaction:question-2\n\n\0ABORT\ntransaction:question-2\nreceipt:question-2\n\n\0")
    assert client.sending.stalled
    third = sent(client, b"3")
    receipt(client, "question-2", SILENT_MS + 50)
    assert not client.sending.stalled
    client.advance(2 * SILENT_MS + 49)
    assert not client.sending.settled
    client.advance(2 * SILENT_MS + 50)
    assert client.sending.settled == [Settled(first, UNSAID)]
    receipt(client, first, 2 * SILENT_MS + 60)
    receipt(client, third, 2 * SILENT_MS + 60)
    assert client.sending.settled == [Settled(first, UNSAID), Settled(third, None)], "late is never"
    assert client.next_at_ms() is None


def test_a_peer_that_takes_nothing_is_waited_for() -> None:
    client = connected()
    number = sent(client, b"1")
    client.advance(SILENT_MS)
    assert client.sending.stalled
    for minutes in range(1, 100):
        client.advance(minutes * 60_000)
    assert client.sending.stalled
    assert client.closed is None
    receipt(client, number, 6_000_000)
    receipt(client, "question-1", 6_000_000)
    assert client.sending.settled == [Settled(number, None)]
    assert not client.sending.stalled


def test_warren_is_asked_so_while_it_is_under_an_alarm(broker: SimulatedBroker) -> None:
    pair = StompPair(broker, LOGIN).opened()
    broker.broker.alarms.set("memory", True)
    pair.send("/queue/q", b"1")
    pair.exchange()
    pair.advance(SILENT_MS)
    assert pair.client.sending.stalled
    broker.broker.alarms.set("memory", False)
    pair.exchange()
    assert not pair.client.sending.stalled
    assert pair.client.sending.settled == [Settled(1, None)]
    assert not pair.peer.transactions


def test_a_careful_beginning_is_one_message_and_one_more_for_each_answered() -> None:
    client = connected()
    client.sending.begin_carefully()
    numbers = [sent(client, b"%d" % number) for number in range(10)]
    assert (client.take().count(b"SEND\n"), client.sending.unanswered, client.sending.waiting) == (1, 1, 9)
    under_way = []
    for number in numbers:
        receipt(client, number, 0)
        client.take()
        under_way.append(client.sending.unanswered)
    assert under_way == [2, 3, 4, 5, 5, 4, 3, 2, 1, 0]
    assert client.sending.settled == [Settled(number, None) for number in numbers]


def test_what_waits_goes_out_when_what_is_under_way_counts_as_refused() -> None:
    client = connected()
    client.sending.begin_carefully()
    first, second = sent(client, b"1"), sent(client, b"2")
    client.advance(SILENT_MS)
    client.take()
    receipt(client, f"question-{first}", SILENT_MS)
    client.advance(2 * SILENT_MS)
    assert client.sending.settled == [Settled(first, UNSAID)]
    assert client.take() == b"SEND\nreceipt:%d\ndestination:/queue/q\ncontent-length:1\n\n2\0" % second
    client.advance(3 * SILENT_MS - 1)
    assert client.take() == b"", "its own time begins when it is sent"


def test_a_peer_that_hangs_up_on_messages_is_told_so() -> None:
    client = connected()
    sent(client, b"1")
    client.lost("the peer closed the socket")
    assert client.closed is not None
    assert client.closed.text == (
        "the connection was lost: the peer closed the socket, and had answered nothing of what it was sent last: "
        "is a queue full there?"
    )


# Heart-beats


@pytest.mark.parametrize(
    ("own_ms", "said", "beats_ms", "silence_ms"),
    [
        (10_000, "10000,10000", 10_000, 10_000),
        (10_000, "20000,5000", 10_000, 20_000),
        (4_000, "1000,6000", 6_000, 4_000),
        (10_000, "0,0", 0, 0),
        (10_000, "0,10000", 10_000, 0),
        (0, "10000,10000", 0, 0),
    ],
)
def test_intervals_are_the_longer_of_two_wishes(own_ms: int, said: str, beats_ms: int, silence_ms: int) -> None:
    client = connected(said, heartbeat_ms=own_ms)
    due = [each for each in (beats_ms // 2, 2 * silence_ms) if each]
    assert client.next_at_ms() == min(due, default=None)
    if beats_ms:
        client.advance(beats_ms // 2 - 1)
        assert client.take() == b""
        client.advance(beats_ms // 2)
        assert client.take() == HEARTBEAT
    if silence_ms:
        client.advance(2 * silence_ms - 1)
        assert client.closed is None
        client.advance(2 * silence_ms)
        assert client.closed is not None
        assert f"silent for {2 * silence_ms / 1000:g} s" in client.closed.text
        assert client.next_at_ms() is None


def test_both_sides_hear_each_other_for_hours(broker: SimulatedBroker) -> None:
    pair = StompPair(broker, replace(LOGIN, heartbeat_ms=10_000)).opened()
    for _ in range(2_000):
        pair.advance(5_000)
    assert pair.client.closed is None
    assert not pair.transport.closed


def test_a_peer_that_is_gone_is_noticed(broker: SimulatedBroker) -> None:
    pair = StompPair(broker, replace(LOGIN, heartbeat_ms=10_000)).opened()
    now_ms = pair.client.now_ms
    pair.client.advance(now_ms + 20_000)
    assert pair.client.closed is not None


# What no peer should send


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"RECEIPT\nreceipt-id:1\n\n\0", "sent RECEIPT instead of CONNECTED"),
        (b"CONNECTED\nversion:1.3\n\n\0", "speaks STOMP 1.3, not 1.0, 1.1, 1.2"),
        (b"CONNECTED\nversion:1.2\nheart-beat:soon\n\n\0", "heart-beat is 'soon', which is no two numbers"),
        (b"CONNECTED\nversion:1.2\n\n\0CONNECTED\nversion:1.2\n\n\0", "sent CONNECTED, which"),
        (b"CONNECTED\nversion:1.2\n\n\0SEND\ndestination:a\n\n\0", "sent SEND, which is a client's to send"),
        (b"CONNECTED\nversion:1.2\n\n\0MESSAGE\na:\\x\n\n\0", "can't be read: unknown escape '\\x'"),
        (b"CONNECTED\nversion:1.2\n\n\0MESSAGE\ncontent-length:1\n\n12\0", "can't be read: content-length says 1"),
        (b"HTTP/1.1 400 Bad Request\r\nServer: x\r\nno colon\r\n\r\n", "can't be read: header line 'no colon'"),
        (
            b"ERROR\nmessage:Version mismatch\n\nSupported: 1.9\n\0",
            "refused the login: Version mismatch: Supported: 1.9",
        ),
        (b"CONNECTED\n\n\0ERROR\n\n" + b"x" * 5_000 + b"\0", "x" * 500 + "..."),
        (b"CONNECTED\n\n\0ERROR\n\n\0", "an ERROR without a word"),
    ],
)
@pytest.mark.parametrize("cut", [1, None])
def test_a_peer_that_breaks_the_rules_is_given_up(data: bytes, said: str, cut: int | None) -> None:
    client = StompClient(LOGIN, 0)
    for start in range(0, len(data), cut or len(data)):
        client.receive(data[start : start + (cut or len(data))], 0)
    assert client.closed is not None
    assert said in client.closed.text
