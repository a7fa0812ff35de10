"""The client half against the broker's own: handshake, messages however they are cut, confirms, every end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.amqp_pair import LOGIN, Pair, opened
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.client.connection import ClientConnection
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.framing import HEARTBEAT_FRAME
from warren.adapters.peers.errors import PeerError
from warren.core.messages.properties import EMPTY, encode_properties

RICH = encode_properties(
    delivery_mode=2,
    content_type="text/plain",
    headers={"a": 1, "b": [True, None, {"c": b"\0"}]},
    priority=3,
    message_id="m",
    timestamp=1,
)


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


# The handshake


@pytest.mark.parametrize("mechanism", ["PLAIN", "AMQPLAIN"])
def test_it_logs_in_and_knows_what_the_peer_can_do(broker: SimulatedBroker, mechanism: str) -> None:
    pair = opened(broker, replace(LOGIN, mechanism=mechanism, heartbeat_s=7, channel_max=5), cut=1)
    assert {"basic.nack", "publisher_confirms", "consumer_priorities"} <= pair.client.capabilities
    row = pair.peer.connection.connection_row()
    assert row.user == "guest"
    assert row.timeout == 7
    assert row.channel_max == 5
    assert row.client_properties["connection_name"] == "a test's connection"


def test_a_wrong_password_is_told_with_the_peers_words(broker: SimulatedBroker) -> None:
    pair = Pair(broker, replace(LOGIN, password="wr0ng"))
    pair.exchange()
    pair.advance(5_000)
    pair.exchange()
    assert pair.client.closed is not None
    assert pair.client.closed.code == 403
    assert "ACCESS_REFUSED" in pair.client.closed.text
    assert "wr0ng" not in pair.client.closed.text


def test_an_unknown_virtual_host_is_told(broker: SimulatedBroker) -> None:
    pair = Pair(broker, replace(LOGIN, vhost="nowhere"))
    pair.exchange()
    assert pair.client.closed is not None
    assert pair.client.closed.code == 530
    assert "nowhere" in pair.client.closed.text


def test_a_mechanism_that_isnt_offered_is_told(broker: SimulatedBroker) -> None:
    pair = Pair(broker, replace(LOGIN, mechanism="EXTERNAL"))
    pair.exchange()
    assert pair.client.closed is not None
    assert "doesn't let anybody log in by EXTERNAL" in pair.client.closed.text
    assert "PLAIN" in pair.client.closed.text


def test_a_peer_of_another_protocol_is_told() -> None:
    client = ClientConnection(LOGIN, 0)
    client.receive(b"AMQP\0\1\0\0", 0)
    assert client.closed is not None
    assert "speaks another protocol" in client.closed.text


def test_who_hangs_up_at_the_login_is_told_so(broker: SimulatedBroker) -> None:
    pair = Pair(broker)
    pair.peer.transport.receive(pair.client.take())
    broker.settle()
    pair.client.receive(pair.peer.transport.take(), 0)
    pair.client.lost("the peer closed the socket")
    assert pair.client.closed is not None
    assert "are user and password right?" in pair.client.closed.text


# Messages


@pytest.mark.parametrize("cut", [1, 7, 1000, None])
@pytest.mark.parametrize("size", [0, 1, 4088, 4089, 20_000])
def test_messages_come_back_as_they_were_sent(broker: SimulatedBroker, cut: int | None, size: int) -> None:
    pair = opened(broker, replace(LOGIN, frame_max=4096), cut)
    channel = pair.channel()
    pair.ask(channel, methods.QueueDeclare(queue="q", durable=True), methods.QueueDeclareOk)
    pair.ask(channel, methods.BasicConsume(queue="q", consumer_tag="c"), methods.BasicConsumeOk)
    bodies = [bytes([number]) * size for number in range(3)]
    for body in bodies:
        channel.publish("", "q", RICH, body)
    channel.publish("", "q", EMPTY, b"last")
    pair.exchange()
    arrived = list(channel.arrived)
    assert [each.body for each in arrived] == [*bodies, b"last"]
    assert [each.tag for each in arrived] == [1, 2, 3, 4]
    assert arrived[0].properties == RICH
    assert arrived[0].properties.headers == RICH.headers
    assert arrived[3].properties == EMPTY
    assert {(each.exchange, each.routing_key, each.redelivered) for each in arrived} == {("", "q", False)}
    channel.ack(3, multiple=True)
    channel.tell(methods.BasicNack(4))
    pair.exchange()
    assert [each.redelivered for each in channel.arrived] == [False, False, False, False, True]
    assert broker.queue("q").unacked_count == 1


def test_confirms_returns_and_refusals(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    channel = pair.channel()
    pair.ask(
        channel,
        methods.QueueDeclare(queue="full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"}),
        methods.QueueDeclareOk,
    )
    pair.ask(channel, methods.QueueDeclare(queue="q"), methods.QueueDeclareOk)
    pair.ask(channel, methods.ConfirmSelect(), methods.ConfirmSelectOk)
    assert channel.publish("", "q", RICH, b"1") == 1
    assert channel.publish("", "nowhere", RICH, b"2", mandatory=True) == 2
    assert channel.publish("", "full", EMPTY, b"3") == 3
    pair.exchange()
    outcome: dict[int, bool] = {}
    for number, multiple, taken in channel.confirmed:
        for each in range(1, number + 1) if multiple else (number,):
            outcome.setdefault(each, taken)
    assert outcome == {1: True, 2: True, 3: False}
    ((method, back),) = channel.returned
    assert (method.reply_code, method.reply_text, back.routing_key, back.body) == (312, "NO_ROUTE", "nowhere", b"2")
    assert back.properties == RICH


def test_properties_above_the_peers_frame_are_refused_here(broker: SimulatedBroker) -> None:
    pair = opened(broker, replace(LOGIN, frame_max=4096))
    channel = pair.channel()
    with pytest.raises(ValueError, match=r"don't fit a frame of the peer's \(4096 bytes\)"):
        channel.publish("", "q", encode_properties(headers={"a": "x" * 4100}), b"")
    with pytest.raises(ValueError, match="routing_key"):
        channel.publish("", "x" * 256, EMPTY, b"")
    assert pair.client.closed is None
    assert channel.published == 0


# Ends


def test_a_channels_error_ends_it_alone(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    first, second = pair.channel(), pair.channel()
    with pytest.raises(PeerError) as caught:
        pair.ask(first, methods.QueueDeclare(queue="none", passive=True), methods.QueueDeclareOk)
    assert caught.value.code == 404
    assert first.closed is caught.value
    with pytest.raises(PeerError, match="NOT_FOUND"):
        first.publish("", "q", EMPTY, b"")
    pair.ask(second, methods.QueueDeclare(queue="q"), methods.QueueDeclareOk)
    third = pair.channel()
    assert third.number == first.number, "the number is free again"


def test_a_channel_that_is_closed_here_takes_no_notice_of_what_was_under_way(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    channel = pair.channel()
    pair.ask(channel, methods.QueueDeclare(queue="q"), methods.QueueDeclareOk)
    pair.ask(channel, methods.BasicConsume(queue="q"), methods.BasicConsumeOk)
    for _ in range(3):
        channel.publish("", "q", EMPTY, b"x" * 200_000)
    pair.peer.transport.receive(pair.client.take())
    broker.settle()
    channel.close()
    pair.exchange()
    assert pair.client.closed is None
    assert pair.channel().number == channel.number


def test_a_consumer_that_the_peer_ends(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    channel, other = pair.channel(), pair.channel()
    pair.ask(channel, methods.QueueDeclare(queue="q"), methods.QueueDeclareOk)
    pair.ask(channel, methods.BasicConsume(queue="q"), methods.BasicConsumeOk)
    pair.ask(other, methods.QueueDelete(queue="q"), methods.QueueDeleteOk)
    assert channel.cancelled
    assert channel.closed is None


def test_blocked_and_unblocked(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    channel = pair.channel()
    pair.ask(channel, methods.QueueDeclare(queue="q"), methods.QueueDeclareOk)
    broker.broker.alarms.set("memory", True)
    channel.publish("", "q", EMPTY, b"")
    pair.exchange()
    assert pair.client.blocked is not None
    assert "memory" in pair.client.blocked
    assert broker.queue("q").ready_count == 0
    broker.broker.alarms.set("memory", False)
    pair.exchange()
    assert pair.client.blocked is None
    assert broker.queue("q").ready_count == 1


def test_the_peers_close_ends_everything_with_its_words(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    channel = pair.channel()
    asked: list[object] = []
    pair.peer.connection.force_close("maintenance")
    channel.ask(methods.QueueDeclare(queue="q"), methods.QueueDeclareOk, asked.append)
    pair.exchange()
    closed = pair.client.closed
    assert closed is not None
    assert closed.code == 320
    assert "maintenance" in closed.text
    assert channel.closed is closed
    assert asked == [closed]
    assert pair.peer.transport.closed
    assert not pair.peer.transport.aborted


def test_leaving_in_good_order(broker: SimulatedBroker) -> None:
    pair = opened(broker)
    pair.client.close()
    pair.exchange()
    assert pair.client.closed is not None
    assert pair.peer.transport.closed
    assert not pair.peer.transport.aborted


def test_heartbeats_go_out_at_half_the_interval_and_silence_is_noticed_after_two(broker: SimulatedBroker) -> None:
    pair = opened(broker, replace(LOGIN, heartbeat_s=4))
    client = pair.client
    client.take()
    began_ms = client.now_ms
    assert client.next_at_ms() == began_ms + 2_000
    client.advance(began_ms + 1_999)
    assert client.take() == b""
    client.advance(began_ms + 2_000)
    assert client.take() == HEARTBEAT_FRAME
    client.receive(HEARTBEAT_FRAME, began_ms + 3_000)
    client.advance(began_ms + 10_999)
    assert client.closed is None
    client.advance(began_ms + 11_000)
    assert client.closed is not None
    assert "silent for 8 s" in client.closed.text
    assert client.next_at_ms() is None


def test_no_heartbeats_if_either_wants_none(broker: SimulatedBroker) -> None:
    pair = opened(broker, replace(LOGIN, heartbeat_s=0))
    assert pair.client.next_at_ms() is None
    pair.client.advance(pair.client.now_ms + 10**9)
    assert pair.client.closed is None


# What no peer should send


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b"\x01\0\1\0\0\0\4\0\x3c\0\x50\0", "ends with octet"),
        (b"\x07\0\1\0\0\0\5xxxxx\xce", "unknown type 7"),
        (b"\x02\0\1\0\0\0\5xxxxx\xce", "without a message"),
        (b"\x01\0\1\0\0\0\5\xff\xff\xff\xff\0\xce", "can't be read"),
        (methods.encode_frame(1, methods.QueueDeclareOk("q", 0, 0)), "queue.declare-ok, which nobody had asked for"),
        (methods.encode_frame(0, methods.ConnectionTune()), "connection.tune, which nobody had asked for"),
        (b"\x01\0\1\x7f\xff\xff\xff", "above the frame_max"),
        (
            methods.encode_frame(1, methods.BasicDeliver("c", 1))
            + methods.encode_frame(1, methods.BasicCancel("c", True)),
            "basic.cancel within a message",
        ),
    ],
)
@pytest.mark.parametrize("cut", [1, None])
def test_a_peer_that_breaks_the_rules_is_given_up(
    broker: SimulatedBroker, frame: bytes, said: str, cut: int | None
) -> None:
    pair = opened(broker)
    pair.channel()
    for start in range(0, len(frame), cut or len(frame)):
        pair.client.receive(frame[start : start + (cut or len(frame))], 0)
    assert pair.client.closed is not None, said
    assert said in pair.client.closed.text
