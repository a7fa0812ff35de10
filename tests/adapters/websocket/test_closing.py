"""The end of a WebSocket, from either side, and in time."""

from __future__ import annotations

import pytest
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from tests.adapters.websocket.conftest import Connect, deadlines_of_adapters
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_websocket import MQTT_CONNECT, WebSocketClient, frame
from warren.adapters.websocket.stage import CLOSE_MS, WebSocketStage
from warren.core.clients.transport import Session


@pytest.mark.parametrize(
    ("payload", "code"),
    [(b"", 1005), (b"\x03\xe8", 1000), (b"\x03\xe9bye", 1001), (b"\x0b\xb8", 3000), (b"\x13\x87", 4999)],
)
def test_the_peer_closes(
    connect: Connect,
    simulated: SimulatedBroker,
    payload: bytes,
    code: int,
    cut: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = connect().mqtt()
    client.send(frame(0x88, payload), cut)
    assert client.close()[0] == code
    assert client.closed
    assert not client.transport.aborted
    assert not simulated.broker.sessions
    assert f"lost: the peer closed the WebSocket ({code}" in caplog.text


def test_what_comes_after_a_close_is_ignored(connect: Connect) -> None:
    client = connect().mqtt()
    client.send(frame(0x88, b"\x03\xe8") + frame(0x82, b"\xc0\0") + frame(0x89))
    assert client.close()[0] == 1000


def test_answers_go_out_before_the_close_is_answered(connect: Connect) -> None:
    client = connect().stomp()
    client.send(frame(0x81, b"DISCONNECT\nreceipt:bye\n\n\0") + frame(0x88, b"\x03\xe8"))
    receipt, close = client.events()
    assert isinstance(receipt, TextMessage)
    assert receipt.data.startswith("RECEIPT\nreceipt-id:bye\n")
    assert isinstance(close, CloseConnection)
    assert close.code == 1000


def test_the_session_closes(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect().stomp()
    client.send(frame(0x81, b"DISCONNECT\nreceipt:bye\n\n\0"))
    receipt, close = client.events()
    assert isinstance(receipt, TextMessage)
    assert isinstance(close, CloseConnection)
    assert close.code == 1000
    assert client.closed
    assert not simulated.broker.sessions


def test_a_session_that_refuses_says_why_first(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.upgrade(subprotocols=["v12.stomp"])
    client.send(frame(0x81, b"CONNECT\naccept-version:1.2\nhost:/\nlogin:nobody\npasscode:x\n\n\0"))
    simulated.advance(simulated.broker.refused_logins.delay_ms)
    error, close = client.events()
    assert isinstance(error, TextMessage)
    assert error.data.startswith("ERROR\n")
    assert isinstance(close, CloseConnection)
    assert close.code == 1000


def test_the_broker_stops(connect: Connect, simulated: SimulatedBroker) -> None:
    stomp, mqtt, undecided = connect().stomp(), connect().mqtt(), connect()
    undecided.upgrade()
    for client in (stomp, mqtt, undecided):
        client.transport.session.shut_down("the broker stops")
    simulated.settle()
    for client in (stomp, mqtt, undecided):
        close = client.events()[-1]
        assert isinstance(close, CloseConnection)
        assert close.code == 1001
        assert client.closed


def test_a_lost_connection(connect: Connect, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    client = connect().mqtt()
    client.send(frame(0x02, b"\xc0")[:3])
    client.transport.lose()
    assert not simulated.broker.sessions
    assert "lost: the peer closed the socket" in caplog.text


def test_a_connection_lost_before_the_answers_went_out(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect().mqtt()
    client.transport.receive(frame(0x82, b"\xc0\0"))
    client.transport.lose()
    simulated.settle()
    assert deadlines_of_adapters(simulated) == []
    assert not client.transport.take()


class Broken:
    """A session with a bug."""

    def receive(self, data: bytes) -> None:
        raise RuntimeError("a bug")

    def drained(self) -> None: ...

    def connection_lost(self, reason: str) -> None: ...

    def shut_down(self, reason: str) -> None: ...


def test_a_bug_in_a_session(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    client = connect().mqtt()
    stage = client.transport.session
    assert isinstance(stage, WebSocketStage)
    broken: Session = Broken()
    session, stage.session = stage.session, broken
    client.send(frame(0x82, b"\xc0\0"))
    assert client.close()[0] == 1011
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        "connection 127.0.0.1:40000 -> 127.0.0.1:15674: internal error; closing it"
    ]
    caplog.clear()
    assert session is not None
    session.connection_lost("the test is over")


def test_who_does_not_take_the_close_is_cut_off(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect().mqtt()
    client.transport.socket_room = 0
    client.send(frame(0x83))
    simulated.advance(CLOSE_MS - 1)
    assert not client.transport.closed
    simulated.advance(1)
    assert client.transport.aborted


def test_nor_who_does_not_take_what_the_session_said_last(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect().stomp()
    client.transport.socket_room = 0
    client.send(frame(0x81, b"DISCONNECT\n\n\0"))
    simulated.advance(CLOSE_MS)
    assert client.transport.aborted


# Silence


def undecided(connect: Connect) -> WebSocketClient:
    client = connect()
    client.upgrade()
    return client


def test_who_says_nothing_after_the_upgrade(
    connect: Connect, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    client = undecided(connect)
    client.send(frame(0x82, b"AM"))
    simulated.advance(9_999)
    assert not client.closed
    simulated.advance(1)
    assert client.close()[0] == 1008
    assert "nothing was sent after the upgrade" in caplog.text


def test_a_peer_that_answers_pings_stays(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect().mqtt()
    for _ in range(10):
        simulated.advance(29_999)
        assert client.pings() == 0
        simulated.advance(1)
        assert client.pings() == 1
        client.send(frame(0x8A))
    assert not client.closed


def test_a_peer_that_talks_gets_no_ping(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect().mqtt()
    for _ in range(10):
        simulated.advance(20_000)
        client.send(frame(0x82, b"\xc0\0"))
        assert client.binary() == b"\xd0\0"


def test_a_silent_peer_is_gone(connect: Connect, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    client = connect().mqtt()
    simulated.advance(59_999)
    assert not client.closed
    simulated.advance(1)
    ping, close = client.events()
    assert isinstance(ping, Ping)
    assert isinstance(close, CloseConnection)
    assert close.code == 1001
    assert client.closed
    assert client.transport.aborted, "reset, so that what it sends next isn't lost without a word"
    assert not simulated.broker.sessions
    assert "nothing came for 60 s, not even an answer to a ping" in caplog.text


def test_half_a_frame_is_a_sign_of_life(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect().mqtt()
    for byte in frame(0x82, b"\xc0\0" * 3):
        simulated.advance(29_000)
        client.send(bytes((byte,)))
    assert client.binary() == b"\xd0\0" * 3


def test_the_time_can_be_set(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect(websocket_idle_timeout_s=5).mqtt()
    simulated.advance(2_500)
    assert client.pings() == 1
    simulated.advance(2_500)
    assert client.closed


def test_or_be_for_ever(connect: Connect, simulated: SimulatedBroker) -> None:
    decided, first = connect(websocket_idle_timeout_s=0).mqtt(), connect(websocket_idle_timeout_s=0)
    first.upgrade()
    first.send(frame(0x82, MQTT_CONNECT))
    assert first.binary()
    simulated.advance(59_000)
    simulated.advance(3_600_000 - 59_000)
    assert [event for event in decided.events() if isinstance(event, Ping)] == []
    assert [event for event in first.events() if isinstance(event, BytesMessage)] == []


def test_silence_does_not_count_while_nothing_is_read(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect().mqtt()
    stage = client.transport.session
    assert isinstance(stage, WebSocketStage)
    stage.pause()
    simulated.advance(600_000)
    assert (client.transport.paused, client.closed, client.pings()) == (True, False, 0)
    stage.resume()
    simulated.advance(30_000)
    assert (client.transport.paused, client.pings()) == (False, 1)
