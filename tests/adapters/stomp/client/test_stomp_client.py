"""The STOMP client half against the broker's own: login, messages and receipts however cut, refusals, silence."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.simulated_broker import SimulatedBroker
from tests.support.stomp_pair import LOGIN, StompPair
from warren.adapters.peers.errors import PeerError
from warren.adapters.peers.settled import Settled
from warren.adapters.stomp.client.connection import VERSIONS, StompClient, StompLogin
from warren.adapters.stomp.codec.frames import Frame
from warren.adapters.stomp.codec.limits import HEADERS_MAX
from warren.core.declaring.queues import remove_queue


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


def opened(broker: SimulatedBroker, login: StompLogin = LOGIN, cut: int | None = None) -> StompPair:
    return StompPair(broker, login, cut).opened()


def subscribed(
    broker: SimulatedBroker, login: StompLogin = LOGIN, cut: int | None = None, /, **headers: str
) -> StompPair:
    """To /queue/q, with client-individual unless `ack` says otherwise.  Underscores in names stand for dashes."""
    pair = opened(broker, login, cut)
    ack = headers.pop("ack", "client-individual")
    receipt = pair.client.subscribe("one", "/queue/q", ack, {name.replace("_", "-"): v for name, v in headers.items()})
    assert pair.client.awaits(receipt)
    pair.exchange()
    assert not pair.client.awaits(receipt)
    return pair


def bodies(pair: StompPair) -> list[bytes]:
    return [frame.body for frame in pair.client.arrived]


# Connecting


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cut", [1, 7, None])
def test_the_best_version_of_those_offered_is_spoken(broker: SimulatedBroker, version: str, cut: int | None) -> None:
    offered = VERSIONS[: VERSIONS.index(version) + 1]
    pair = opened(broker, replace(LOGIN, versions=offered), cut)
    assert pair.client.version == version
    row = pair.peer.connection_row()
    assert (row.user, row.vhost, row.protocol) == ("guest", "/", f"STOMP {version}")


def test_the_virtual_host_is_the_logins(broker: SimulatedBroker) -> None:
    pair = StompPair(broker, replace(LOGIN, vhost="nowhere"))
    pair.exchange()
    broker.advance(broker.broker.refused_logins.delay_ms)
    pair.exchange()
    assert pair.client.closed is not None
    assert "refused the login: Bad CONNECT: Virtual host 'nowhere' access denied" in pair.client.closed.text


def test_without_a_user_the_peers_default_counts(broker: SimulatedBroker) -> None:
    assert opened(broker, replace(LOGIN, user=None, password=None)).peer.logged_in.user.name == "guest"


def test_a_wrong_password_is_told_with_the_peers_words(broker: SimulatedBroker) -> None:
    pair = StompPair(broker, replace(LOGIN, password="wr0ng"))
    pair.exchange()
    broker.advance(broker.broker.refused_logins.delay_ms)
    pair.exchange()
    assert pair.client.closed is not None
    assert "Access refused for user 'guest'" in pair.client.closed.text
    assert "wr0ng" not in pair.client.closed.text


def test_who_hangs_up_at_the_login_is_told_so() -> None:
    client = StompClient(LOGIN, 0)
    client.lost("the peer closed the socket")
    assert client.closed is not None
    assert (
        client.closed.text == "the peer ended the connection instead of answering CONNECT (the peer closed the socket)"
    )


def test_leaving_in_good_order(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    pair.send("/queue/q", b"last", persistent="true")
    pair.client.close()
    pair.exchange()
    assert pair.client.closed is not None
    assert pair.client.closed.text == "the connection was closed here"
    assert pair.client.sending.settled == [Settled(1, None)]
    assert pair.transport.closed
    assert not pair.transport.aborted
    assert broker.queue("q").ready_count == 1


# Messages


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cut", [1, 5, None])
def test_messages_come_and_are_acknowledged(broker: SimulatedBroker, version: str, cut: int | None) -> None:
    login = replace(LOGIN, versions=(version,))
    taker, giver = subscribed(broker, login, cut), opened(broker, login, cut)
    sent = [b"%d" % number for number in range(20)] + [b"x" * 20_000, b"", b"nul \0 within"]
    numbers = [giver.send("/queue/q", body, colour="a:b" if version != "1.0" else "a") for body in sent]
    giver.exchange()
    assert giver.client.sending.settled == [Settled(number, None) for number in numbers]
    taker.exchange()
    assert bodies(taker) == sent
    assert {frame.headers["colour"] for frame in taker.client.arrived} == {"a:b" if version != "1.0" else "a"}
    assert broker.queue("q").unacked_count == len(sent)
    for frame in taker.client.arrived:
        taker.client.acknowledge(frame)
    taker.exchange()
    assert broker.queue("q").unacked_count == 0
    assert taker.client.closed is None


def test_prefetch_is_kept(broker: SimulatedBroker) -> None:
    taker, giver = subscribed(broker, prefetch_count="3"), opened(broker)
    for number in range(5):
        giver.send("/queue/q", b"%d" % number)
    giver.exchange()
    taker.exchange()
    assert bodies(taker) == [b"0", b"1", b"2"]
    taker.client.acknowledge(taker.client.arrived[1])
    taker.exchange()
    assert bodies(taker) == [b"0", b"1", b"2", b"3"], "one acknowledgement is one message's"


def test_automatic_acknowledgement_needs_none(broker: SimulatedBroker) -> None:
    taker, giver = subscribed(broker, ack="auto"), opened(broker)
    giver.send("/queue/q", b"1")
    giver.exchange()
    taker.exchange()
    assert bodies(taker) == [b"1"]
    assert broker.queue("q").unacked_count == 0


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_what_is_rejected_does_not_come_again(broker: SimulatedBroker, version: str) -> None:
    """The broker would deliver it anew, unless it is told not to."""
    taker, giver = subscribed(broker, replace(LOGIN, versions=(version,))), opened(broker)
    giver.send("/queue/q", b"1")
    giver.exchange()
    taker.exchange()
    taker.client.reject(taker.client.arrived.popleft())
    taker.exchange()
    assert not taker.client.arrived
    queue = broker.queue("q")
    assert (queue.ready_count, queue.unacked_count) == (0, 0)


def test_1_0_has_no_word_to_reject(broker: SimulatedBroker) -> None:
    taker = subscribed(broker, replace(LOGIN, versions=("1.0",)))
    opened(broker).send("/queue/q", b"1")
    with pytest.raises(ValueError, match="no NACK"):
        taker.client.reject(encode_message())


def encode_message() -> Frame:
    return Frame("MESSAGE", {"message-id": "1"})


def test_what_isnt_acknowledged_comes_again(broker: SimulatedBroker) -> None:
    taker, giver = subscribed(broker), opened(broker)
    for number in range(3):
        giver.send("/queue/q", b"%d" % number)
    giver.exchange()
    taker.exchange()
    taker.client.acknowledge(taker.client.arrived[0])
    taker.exchange()
    taker.lose()
    assert bodies(subscribed(broker)) == [b"1", b"2"]


def test_no_more_comes_after_unsubscribing(broker: SimulatedBroker) -> None:
    taker, giver = subscribed(broker), opened(broker)
    receipt = taker.client.unsubscribe("one", {})
    taker.exchange()
    assert not taker.client.awaits(receipt)
    giver.send("/queue/q", b"1")
    giver.exchange()
    taker.exchange()
    assert not taker.client.arrived
    assert broker.queue("q").ready_count == 1


def test_without_a_receipt_a_message_is_settled_by_being_written(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    number = pair.send("/queue/q", b"1", receipt=False)
    assert pair.client.sending.settled == [Settled(number, None)]
    pair.exchange()
    assert broker.queue("q").ready_count == 1


header_text = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=30)


@given(
    version=st.sampled_from(["1.1", "1.2"]),
    headers=st.dictionaries(header_text.map("h-".__add__), header_text, max_size=5),
    body=st.binary(max_size=200),
    cut=st.integers(1, 40),
)
def test_any_headers_and_bodies_come_back_as_they_were_sent(
    version: str, headers: dict[str, str], body: bytes, cut: int
) -> None:
    broker = SimulatedBroker()
    login = replace(LOGIN, versions=(version,))
    taker, giver = subscribed(broker, login, cut), opened(broker, login, cut)
    head = giver.client.prepare([("destination", "/queue/q"), *headers.items()])
    giver.client.send(head, body, receipt=True)
    giver.exchange()
    assert giver.client.sending.settled == [Settled(1, None)]
    taker.exchange()
    (message,) = taker.client.arrived
    assert message.body == body
    assert {name: message.headers.get(name) for name in headers} == headers


# What the peer refuses


def test_a_refused_message_is_told_with_the_reason_and_the_rest_goes_on(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    full = {"x-max-length": "1", "x-overflow": "reject-publish"}
    lines = [("destination", "/queue/full"), *full.items()]
    for body in (b"1", b"2"):
        pair.client.send(pair.client.prepare(lines), body, receipt=True)
    pair.send("/queue/other", b"3")
    pair.exchange()
    settled = sorted(pair.client.sending.settled)
    assert [each.number for each in settled] == [1, 2, 3]
    assert settled[0].refused is settled[2].refused is None
    assert str(settled[1].refused).startswith("the peer refused a message: Message refused: on the way to 'full'")
    assert pair.client.closed is None


def test_an_error_that_ends_the_connection_is_told(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    pair.send("/exchange/none", b"1")
    pair.exchange()
    assert "no exchange 'none'" in str(pair.client.sending.settled[0].refused)
    pair.client.lost("the peer closed the socket")
    assert pair.client.closed is not None
    assert pair.client.closed.text.startswith(
        "the peer ended the connection: not_found: NOT_FOUND - no exchange 'none'"
    )


def test_a_refused_subscription_ends_the_connection(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    pair.client.subscribe("one", "/amq/queue/none", "auto", {})
    pair.exchange()
    assert pair.client.closed is not None
    assert "NOT_FOUND - no queue 'none'" in pair.client.closed.text


def test_a_subscription_that_the_peer_ends(broker: SimulatedBroker) -> None:
    pair = subscribed(broker)
    remove_queue(broker.vhost, broker.queue("q"))
    pair.exchange()
    assert pair.client.closed is not None
    assert pair.client.closed.text.startswith("Server cancelled subscription: the queue behind '/queue/q' was deleted")


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ([("destination", "/queue/q")] * (HEADERS_MAX - 1), "headers are more than STOMP's brokers take (100)"),
        ([("destination", "x" * 102_401)], "a header is longer than"),
        ([("destination", "\u00fc" * 60_000)], "a header is longer than"),
    ],
)
def test_what_no_peer_takes_is_refused_here(broker: SimulatedBroker, headers: list[tuple[str, str]], said: str) -> None:
    pair = opened(broker)
    with pytest.raises(ValueError, match=re.escape(said)):
        pair.client.prepare(headers)
    assert pair.client.take() == b""


def test_nothing_is_sent_on_a_closed_connection(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    pair.lose()
    with pytest.raises(PeerError, match="lost"):
        pair.send("/queue/q", b"")
