"""What breaks RFC 6455, and what is too much: the close code, the log line, and nothing left behind."""

from __future__ import annotations

import zlib

import pytest
from wsproto.events import BytesMessage, CloseConnection, Pong, TextMessage

from tests.adapters.websocket.conftest import Connect, deadlines_of_adapters
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_websocket import STOMP_CONNECT, WebSocketClient, frame
from warren.adapters.websocket.frame_reader import TURN_BYTES_MAX, TURN_FRAMES_MAX
from warren.adapters.websocket.settings import MESSAGE_BYTES_MAX_BEFORE_LOGIN, MESSAGE_SLACK_BYTES
from warren.adapters.websocket.stage import WebSocketStage

TOO_LONG_FOR_CONTROL = frame(0x89, bytes(126))

BAD = {
    "unmasked": (frame(0x82, b"\xc0\0", masked=False), 1002),
    "unmasked text": (frame(0x81, b"\xc0\0", masked=False), 1002),
    "unmasked ping": (frame(0x89, masked=False), 1002),
    "reserved bit 1": (frame(0xC2, b"\xc0\0"), 1002),
    "reserved bit 2": (frame(0xA2, b"\xc0\0"), 1002),
    "reserved bit 3": (frame(0x92, b"\xc0\0"), 1002),
    "reserved bit on a ping": (frame(0xC9), 1002),
    "data opcode 3": (frame(0x83, b"x"), 1002),
    "data opcode 7": (frame(0x87, b"x"), 1002),
    "control opcode 11": (frame(0x8B), 1002),
    "control opcode 15": (frame(0x8F), 1002),
    "fragmented ping": (frame(0x09), 1002),
    "fragmented close": (frame(0x08, b"\x03\xe8"), 1002),
    "long ping": (TOO_LONG_FOR_CONTROL, 1002),
    "continuation of nothing": (frame(0x80, b"x"), 1002),
    "message within a message": (frame(0x02, b"\xc0") + frame(0x82, b"\0"), 1002),
    "length in too many bytes": (frame(0x82, b"\xc0\0", size=2), 1002),
    "length in far too many bytes": (frame(0x82, b"\xc0\0", size=8), 1002),
    "length beyond all bounds": (b"\x82\xff" + b"\xff" * 8 + bytes(4), 1002),
    "text": (frame(0x81, b"\0\0"), 1003),
    "text in fragments": (frame(0x01, b"\0") + frame(0x80, b"\0"), 1003),
    "close of one byte": (frame(0x88, b"\x03"), 1002),
    "close code 0": (frame(0x88, b"\0\0"), 1002),
    "close code 999": (frame(0x88, b"\x03\xe7"), 1002),
    "close code 1004": (frame(0x88, b"\x03\xec"), 1002),
    "close code 1005": (frame(0x88, b"\x03\xed"), 1002),
    "close code 1006": (frame(0x88, b"\x03\xee"), 1002),
    "close code 1015": (frame(0x88, b"\x03\xf7"), 1002),
    "close code 2000": (frame(0x88, b"\x07\xd0"), 1002),
    "close code 5000": (frame(0x88, b"\x13\x88"), 1002),
    "close reason that is no text": (frame(0x88, b"\x03\xe8\xff"), 1007),
}


@pytest.mark.parametrize(("data", "code"), BAD.values(), ids=BAD.keys())
def test_wrong_frames(
    connect: Connect, simulated: SimulatedBroker, data: bytes, code: int, cut: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect().mqtt()
    client.send(frame(0x82, b"\xc0\0") + data + frame(0x82, b"\xc0\0"), cut)
    pong, close, *rest = client.events()
    assert isinstance(pong, BytesMessage)
    assert pong.data == b"\xd0\0"
    assert isinstance(close, CloseConnection)
    assert (close.code, rest) == (code, [])
    assert close.reason
    assert client.closed
    assert not simulated.broker.sessions
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("connection 127.0.0.1:40000 -> 127.0.0.1:15674: ")
    assert warning.endswith(f"closing it ({code})")


@pytest.mark.parametrize(
    "data",
    [
        frame(0x81, b"SEND\n\xff"),
        frame(0x81, b"\xc3") + frame(0x81, b"\xa9"),
        frame(0x01, b"\xff") + frame(0x80),
        frame(0x01, b"\xc3") + frame(0x80),
        frame(0x81, b"\xed\xa0\x80"),
    ],
    ids=["wrong byte", "cut between messages", "in a fragment", "cut at the end", "surrogate"],
)
def test_text_that_is_none(connect: Connect, data: bytes, cut: str, caplog: pytest.LogCaptureFixture) -> None:
    client = connect().stomp()
    client.send(data, cut)
    code, reason = client.close()
    assert code == 1007
    assert "UTF-8" in reason
    assert "UTF-8" in caplog.text


def test_text_may_be_cut_between_fragments(connect: Connect, cut: str) -> None:
    client = connect().stomp()
    client.send(frame(0x81, b"SUBSCRIBE\nid:1\ndestination:/queue/q\n\n\0"))
    client.send(
        frame(0x01, b"SEND\ndestination:/queue/q\n\n\xc3")
        + frame(0x89, b"still there?")
        + frame(0x00, b"\xa9")
        + frame(0x8A)
        + frame(0x80, b"\0"),
        cut,
    )
    events = client.events()
    assert [bytes(event.payload) for event in events if isinstance(event, Pong)] == [b"still there?"]
    assert "\n\né\0" in "".join(event.data for event in events if isinstance(event, TextMessage))


def test_pings_are_answered_with_their_payload(connect: Connect, cut: str) -> None:
    client = connect().mqtt()
    client.send(frame(0x89) + frame(0x89, bytes(range(125))) + frame(0x8A, b"unasked"), cut)
    events = client.events()
    assert [bytes(event.payload) for event in events if isinstance(event, Pong)] == [b"", bytes(range(125))]
    assert len(events) == 2


def test_pings_of_who_does_not_read_are_not_answered_for_ever(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect().mqtt()
    client.transport.socket_room = 0
    for _ in range(80):
        client.send(frame(0x89, bytes(125)) * TURN_FRAMES_MAX)
        simulated.advance(0)
    assert 7 * 1024 * 1024 < client.transport.unsent_bytes < 9 * 1024 * 1024


def test_many_control_frames_take_several_turns(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect().mqtt()
    client.transport.receive(frame(0x8A) * (3 * TURN_FRAMES_MAX) + frame(0x89, b"last"))
    turns = 1
    while client.transport.paused:
        turns += 1
        assert turns < 10
        simulated.advance(0)
    assert turns == 4
    (pong,) = client.events()
    assert isinstance(pong, Pong)
    assert pong.payload == b"last"


def test_frames_of_nothing(connect: Connect, cut: str) -> None:
    client = connect().mqtt()
    empty = frame(0x02) + frame(0x00) + frame(0x89, b"x") + frame(0x80) + frame(0x82)
    client.send(empty + frame(0x82, b"\xc0\0"), cut)
    pong, answer = client.events()
    assert isinstance(pong, Pong)
    assert isinstance(answer, BytesMessage)
    assert answer.data == b"\xd0\0"


def test_a_message_that_never_ends(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect().mqtt()
    client.transport.receive(frame(0x02) + frame(0x00) * (2 * TURN_FRAMES_MAX))
    for _ in range(4):
        simulated.advance(0)
    client.send(frame(0x82, b"\xc0\0"))
    assert client.close()[0] == 1002


# Too much


def test_a_message_before_login_is_bounded(
    connect: Connect, simulated: SimulatedBroker, cut: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect()
    client.upgrade(subprotocols=["v12.stomp"])
    client.send(frame(0x81, b"x" * (MESSAGE_BYTES_MAX_BEFORE_LOGIN + 1))[:100], cut)
    code, reason = client.close()
    assert (code, str(MESSAGE_BYTES_MAX_BEFORE_LOGIN) in reason) == (1009, True)
    assert not simulated.broker.sessions
    assert "closing it (1009)" in caplog.text


def test_so_is_one_before_its_protocol_is_known(connect: Connect) -> None:
    client = connect()
    client.upgrade()
    client.send(frame(0x82, bytes(MESSAGE_BYTES_MAX_BEFORE_LOGIN + 1))[:100])
    assert client.close()[0] == 1009


LIMIT = 100_000 + MESSAGE_SLACK_BYTES
"""With the following changes to the configuration."""

SMALL = {"max_message_bytes": 100_000, "stomp_max_frame_bytes": 100_000, "mqtt_max_packet_bytes": 100_000}


def logged_in(connect: Connect, *, compressed: bool = False) -> WebSocketClient:
    client = connect(**SMALL)
    client.upgrade(subprotocols=["v12.stomp"], compressed=compressed)
    client.send(frame(0x81, STOMP_CONNECT))
    assert client.text().startswith("CONNECTED\n")
    return client


def test_a_message_after_login_is_bounded(connect: Connect) -> None:
    client = logged_in(connect)
    client.send(frame(0x81, b"\n" * LIMIT))
    assert not client.closed
    client.send(frame(0x81, b"\n" * (LIMIT + 1))[:14])
    assert client.close()[0] == 1009


def test_fragments_count_together(connect: Connect, cut: str) -> None:
    client = logged_in(connect)
    client.send(frame(0x01, b"\n" * (LIMIT - 10)))
    client.send(frame(0x00, b"\n" * 10), cut)
    assert not client.closed
    client.send(frame(0x80, b"\n"), cut)
    assert client.close()[0] == 1009


def test_the_next_message_starts_anew(connect: Connect) -> None:
    client = logged_in(connect)
    for _ in range(3):
        client.send(frame(0x01, b"\n" * (LIMIT - 10)) + frame(0x80, b"\n" * 10))
    assert not client.closed


def test_login_and_a_large_message_may_come_together(connect: Connect) -> None:
    client = connect()
    client.upgrade(subprotocols=["v12.stomp"])
    client.send(frame(0x81, STOMP_CONNECT) + frame(0x81, b"\n" * (MESSAGE_BYTES_MAX_BEFORE_LOGIN + 1)))
    assert client.text().startswith("CONNECTED\n")
    assert not client.closed


def compressed(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_a_compression_bomb_is_not_inflated(connect: Connect, cut: str) -> None:
    client = logged_in(connect, compressed=True)
    bomb = compressed(b"\n" * 50_000_000)
    client.send(frame(0xC1, bomb), "whole" if cut == "byte by byte" else cut)
    assert client.close()[0] == 1009


def test_a_bomb_before_login(connect: Connect) -> None:
    client = connect()
    client.upgrade(subprotocols=["mqtt"], compressed=True)
    client.send(frame(0xC2, compressed(bytes(MESSAGE_BYTES_MAX_BEFORE_LOGIN + 1))))
    assert client.close()[0] == 1009


def test_a_bomb_in_fragments(connect: Connect) -> None:
    client = logged_in(connect, compressed=True)
    bomb = compressed(b"\n" * 50_000_000)
    client.send(frame(0x41, bomb[:50]))
    client.send(frame(0x00, bomb[50:100]))
    client.send(frame(0x80, bomb[100:]))
    assert client.close()[0] == 1009


def test_compressed_up_to_the_limit(connect: Connect) -> None:
    client = logged_in(connect, compressed=True)
    client.send(frame(0xC1, compressed(b"\n" * LIMIT)))
    assert not client.closed
    client.send(frame(0xC1, compressed(b"\n" * (LIMIT + 1))))
    assert client.close()[0] == 1009


def test_what_is_not_compressed_though_it_says_so(connect: Connect) -> None:
    client = logged_in(connect, compressed=True)
    client.send(frame(0xC1, b"\xff" * 20))
    assert client.close()[0] == 1007


def test_much_that_inflates_takes_several_turns(connect: Connect, simulated: SimulatedBroker) -> None:
    client = logged_in(connect, compressed=True)
    line_feeds = frame(0xC1, compressed(b"\n" * LIMIT))
    count = 3 * TURN_BYTES_MAX // LIMIT
    client.transport.receive(line_feeds * count + frame(0x81, b"SEND\ndestination:/queue/q\nreceipt:1\n\n\0"))
    assert client.transport.paused
    turns = 0
    while client.transport.paused:
        turns += 1
        assert turns < 10
        simulated.advance(0)
    assert turns == 2
    assert client.text().startswith("RECEIPT\n")


def test_a_session_that_pauses_in_the_middle_of_that(connect: Connect, simulated: SimulatedBroker) -> None:
    client = logged_in(connect, compressed=True)
    stage = client.transport.session
    assert isinstance(stage, WebSocketStage)
    line_feeds = frame(0xC1, compressed(b"\n" * LIMIT)) * (2 * TURN_BYTES_MAX // LIMIT)
    client.transport.receive(line_feeds + frame(0x81, b"SEND\ndestination:/queue/q\nreceipt:1\n\n\0"))
    stage.pause()
    for _ in range(10):
        simulated.advance(0)
    assert client.transport.paused
    assert not client.events()
    stage.resume()
    for _ in range(10):
        simulated.advance(0)
    assert not client.transport.paused
    assert client.text().startswith("RECEIPT\n")


def test_a_peer_that_goes_in_the_middle_of_that(connect: Connect, simulated: SimulatedBroker) -> None:
    client = logged_in(connect, compressed=True)
    client.transport.receive(frame(0xC1, compressed(b"\n" * LIMIT)) * (2 * TURN_BYTES_MAX // LIMIT))
    client.transport.lose()
    simulated.advance(0)
    assert deadlines_of_adapters(simulated) == []
