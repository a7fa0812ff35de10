"""The AMQP 1.0 client half against the broker's own: login, messages however cut, credit, outcomes, silence, ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.amqp10_pair import LOGIN, Amqp10Pair
from tests.support.simulated_amqp10 import data
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.client.connection import Amqp10Client, stream_filters
from warren.adapters.amqp10.client.login import Amqp10Login, ClientSasl
from warren.adapters.amqp10.client.receiving import Receiving
from warren.adapters.amqp10.client.sending import SILENT_MS
from warren.adapters.amqp10.client.uri import parse_amqp10_uri
from warren.adapters.amqp10.codec import sasl
from warren.adapters.peers.errors import PeerError
from warren.core.declaring.queues import declare_queue, delete_queue
from warren.core.errors import PreconditionFailed


@pytest.fixture
def broker() -> SimulatedBroker:
    made = SimulatedBroker()
    made.connect().declare("q")
    return made


def opened(broker: SimulatedBroker, cut: int | None = None) -> Amqp10Pair:
    return Amqp10Pair(broker, cut=cut).opened()


def bodies(receiving: Receiving) -> list[bytes]:
    return [each.data.rpartition(b"\xb0")[2][4:] for each in receiving.arrived]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
@pytest.mark.parametrize("cut", [1, 7, None])
def test_a_login_however_its_bytes_come(broker: SimulatedBroker, mechanism: str, cut: int | None) -> None:
    pair = Amqp10Pair(broker, replace(LOGIN, mechanism=mechanism), cut).opened()
    row = pair.peer.connection_row()
    assert (row.user, row.vhost, row.protocol) == ("guest", "/", "AMQP 1-0")
    pair.client.close()
    pair.exchange()
    assert pair.client.closed is not None
    assert pair.client.closed.text == "the connection was closed here"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password": "wr0ng"}, "the peer refused the login"),
        ({"password": "wr0ng", "mechanism": "SCRAM-SHA-256"}, "the peer refused the login"),
        ({"mechanism": "EXTERNAL"}, "doesn't offer the SASL mechanism EXTERNAL, but PLAIN, SCRAM-SHA-256"),
        ({"hostname": "vhost:none"}, "the peer refused the connection: amqp:"),
    ],
)
def test_a_login_that_is_refused(broker: SimulatedBroker, changes: dict[str, str], said: str) -> None:
    pair = Amqp10Pair(broker, replace(LOGIN, **changes))  # type: ignore[arg-type]
    pair.exchange()
    pair.advance(10_000)
    assert pair.client.closed is not None
    assert said in pair.client.closed.text
    assert "wr0ng" not in pair.client.closed.text


@given(st.lists(st.integers(0, 300_000), min_size=1, max_size=5), st.sampled_from([None, 1000, 4096]))
def test_messages_of_every_size_come_whole(sizes: list[int], cut: int | None) -> None:
    broker = SimulatedBroker()
    broker.connect().declare("q")
    there, back = opened(broker, cut), opened(broker, cut)
    sending = there.sending("/queues/q")
    numbers = [there.client.sending.send(data(b"x" * size), 0, settled=False) for size in sizes]  # type: ignore[union-attr]
    there.exchange()
    assert [(each.number, each.refused) for each in sending.settled] == [(number, None) for number in numbers]
    receiving = back.receiving("/queues/q")
    back.exchange()
    assert [len(each) for each in bodies(receiving)] == sizes


def test_credit_bounds_what_comes_and_acknowledging_gives_it_back(broker: SimulatedBroker) -> None:
    there, back = opened(broker), opened(broker)
    there.sending("/queues/q")
    for number in range(30):
        assert there.client.sending is not None
        there.client.sending.send(data(b"%d" % number), 0, settled=False)
    there.exchange()
    receiving = back.receiving("/queues/q", 10)
    back.exchange()
    assert bodies(receiving) == [b"%d" % number for number in range(10)]
    first = receiving.arrived[0].delivery_id
    receiving.arrived.clear()
    receiving.accept(first, first + 3, 4)
    back.exchange()
    assert not receiving.arrived, "new credit is given by halves"
    receiving.accept(first + 4, first + 9, 6)
    back.exchange()
    assert bodies(receiving) == [b"%d" % number for number in range(10, 20)]
    assert broker.queue("q").unacked_count == 10
    receiving.reject(receiving.arrived[0].delivery_id)
    back.exchange()
    assert broker.queue("q").unacked_count == 9


def test_what_comes_settled_makes_room_when_it_was_taken(broker: SimulatedBroker) -> None:
    there, back = opened(broker), opened(broker)
    sending = there.sending("/queues/q", settled=True)
    for number in range(30):
        sending.send(data(b"%d" % number), 0, settled=True)
    assert len(sending.settled) == 30
    there.exchange()
    receiving = back.receiving("/queues/q", 10, settled=True)
    back.exchange()
    got = bodies(receiving)
    assert len(got) == 10
    assert all(each.settled for each in receiving.arrived)
    receiving.arrived.clear()
    receiving.settled_by_peer(10)
    back.exchange()
    assert bodies(receiving) == [b"%d" % number for number in range(10, 20)]


def test_what_there_is_no_credit_for_waits_in_order(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    sending = pair.sending("/queues/q")
    numbers = [sending.send(data(b"%d" % number), 0, settled=False) for number in range(2500)]
    assert sending.waiting
    pair.exchange()
    assert [each.number for each in sending.settled] == numbers
    assert not sending.waiting
    assert [message.body for message in broker.queue("q").browse(0, 3000)] == [b"%d" % n for n in range(2500)]


def test_refusals_have_their_reasons(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    declare_queue(pair.peer.logged_in, "full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    sending = pair.sending("/queues/full")
    for _ in range(2):
        sending.send(data(b"1"), 0, settled=False)
    pair.exchange()
    taken, refused = sorted(sending.settled)
    assert taken.refused is None
    assert str(refused.refused).startswith("the destination rejected a message: amqp:resource-limit-exceeded")
    other = opened(broker)
    nowhere = other.sending("/exchanges/amq.direct/nobody")
    nowhere.send(data(b"1"), 0, settled=False)
    other.exchange()
    assert nowhere.settled[0].refused == "the destination has no queue for a message (released)"


def test_a_link_that_the_peer_ends_is_the_end(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    pair.receiving("/queues/q")
    delete_queue(pair.peer.logged_in, "q")
    pair.exchange()
    assert pair.client.closed is not None
    assert pair.client.closed.text == "the peer detached the link: amqp:resource-deleted: queue 'q' was deleted"


def test_an_address_that_isnt_there_is_never_attached(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    pair.client.receive_from("/queues/none", 10, name="in", settled=False)
    pair.exchange()
    assert not pair.client.attached
    assert pair.client.closed is not None
    assert "amqp:not-found: no queue 'none'" in pair.client.closed.text


def test_an_operators_end_is_told_in_his_words(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    pair.peer.force_close("go home")
    pair.exchange()
    assert pair.client.closed is not None
    assert pair.client.closed.text == "the peer closed the connection: amqp:connection:forced: go home"


def test_a_peer_that_gives_no_credit_is_stalled_until_it_does(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    sending = pair.sending("/queues/q")
    broker.broker.alarms.set("memory", True)
    for number in range(1500):
        sending.send(data(b"%d" % number), pair.client.now_ms, settled=False)
    pair.exchange()
    assert (len(sending.settled), sending.waiting, sending.stalled) == (1000, 500, False)
    pair.advance(SILENT_MS)
    assert sending.stalled
    broker.broker.alarms.set("memory", False)
    pair.exchange()
    assert (len(sending.settled), sending.stalled) == (1500, False)


def test_heart_beats_go_both_ways_and_silence_ends_the_connection(broker: SimulatedBroker) -> None:
    pair = Amqp10Pair(broker, replace(LOGIN, heartbeat_ms=1000)).opened()
    for _ in range(200):
        pair.advance(500)
    assert pair.client.closed is None
    assert not pair.peer.closed
    pair.client.advance(pair.client.now_ms + 2000)
    assert pair.client.closed is not None
    assert "heartbeats missed" in pair.client.closed.text


@pytest.mark.parametrize(
    ("challenge", "said"),
    [
        (",s=c2FsdA==,i=²", "can't be answered"),
        (",s=c2FsdA==,i=1000001", "can't be answered"),
        (",s=c2FsdA==,i=" + "9" * 5000, "can't be answered"),
        (",s=é,i=4096", "has no salt"),
        (",s=*,i=4096", "has no salt"),
    ],
)
def test_a_challenge_of_scram_that_is_none(challenge: str, said: str) -> None:
    exchange = ClientSasl(Amqp10Login("here", "SCRAM-SHA-256", "fuzz", user="ada", password="secret"))
    offered = sasl.SaslMechanisms()
    offered.sasl_server_mechanisms = ["SCRAM-SHA-256"]
    first = exchange.init(offered).initial_response or b""
    nonce = first.decode().partition("r=")[2]
    with pytest.raises(PeerError, match=said):
        exchange.answer(f"r={nonce}more{challenge}".encode())


def test_a_lost_link_says_why(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    pair.lose()
    assert pair.client.closed is not None
    assert pair.client.closed.text == "the connection was lost: the peer closed the socket"
    early = Amqp10Client(LOGIN, 0)
    early.lost("reset")
    assert isinstance(early.closed, PeerError)
    assert early.closed.text == "the peer ended the connection instead of letting the client in (reset)"


def test_what_a_stream_is_asked() -> None:
    found = stream_filters({"x-stream-offset": 7, "x-stream-filter": "a", "x-priority": 3})
    assert sorted(found) == ["rabbitmq:stream-filter", "rabbitmq:stream-offset-spec"]
    assert found["rabbitmq:stream-offset-spec"].value == 7


# URIs


@pytest.mark.parametrize(
    ("text", "hostname", "sasl", "shown"),
    [
        ("amqp://h", "h", "ANONYMOUS", "amqp://h"),
        ("amqp://a:b@h/", "h", "PLAIN", "amqp://h"),
        ("amqps://a:b@h:1/v%2Fw", "vhost:v/w", "PLAIN", "amqps://h:1/v%2Fw"),
        ("amqp://a:b@h/%2F?hostname=vhost:x&sasl=scram-sha-256", "vhost:x", "SCRAM-SHA-256", "amqp://h"),
        ("amqps://h?sasl=external&verify=verify_none", "h", "EXTERNAL", "amqps://h"),
    ],
)
def test_what_a_uri_says(text: str, hostname: str, sasl: str, shown: str) -> None:
    found = parse_amqp10_uri(text)
    assert (found.opened_as, found.sasl, found.shown) == (hostname, sasl, shown)


def test_how_often_a_uri_wants_to_hear_something() -> None:
    assert parse_amqp10_uri("amqp://h").heartbeat_s == 10
    assert parse_amqp10_uri("amqp://h?heartbeat=3").heartbeat_s == 3
    assert parse_amqp10_uri("amqp://h?idle_time_out=2500").heartbeat_s == 3
    assert parse_amqp10_uri("amqp://h?max_frame_size=512&container_id=x").heartbeat_s == 10


@pytest.mark.parametrize("text", ["amqp://", "mqtt://h", "amqp://h?sasl=none", "amqp://h?nonsense=1", "amqp://h/a/b"])
def test_what_is_no_uri(text: str) -> None:
    with pytest.raises(PreconditionFailed):
        parse_amqp10_uri(text)
