"""Sessions of other protocols inside a WebSocket: which one it is, what they get, and what they send."""

from __future__ import annotations

import pytest
from wsproto.events import BytesMessage, TextMessage

from tests.adapters.websocket.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_websocket import AMQP_HEADER, MQTT_CONNECT, STOMP_CONNECT, frame
from warren.core.clients.outbox import HIGH_WATER_BYTES

SEND = b"SEND\ndestination:/queue/q\n\nh\xc3\xa9llo\0"
SUBSCRIBE = b"SUBSCRIBE\nid:1\ndestination:/queue/q\n\n\0"


@pytest.mark.parametrize("first", [0x81, 0x82], ids=["text", "binary"])
def test_stomp_goes_both_ways(connect: Connect, first: int, cut: str) -> None:
    client = connect()
    client.upgrade(subprotocols=["v12.stomp"])
    assert client.subprotocol == "v12.stomp"
    client.send(frame(first, STOMP_CONNECT), cut)
    assert client.text().startswith("CONNECTED\n")
    client.send(frame(first, SUBSCRIBE) + frame(first, SEND), cut)
    answer = client.text()
    assert answer.startswith("MESSAGE\n")
    assert "\n\nhéllo\0" in answer


def test_mqtt_goes_both_ways(connect: Connect, cut: str) -> None:
    client = connect()
    client.upgrade("/mqtt", ["mqtt"])
    client.send(frame(0x82, MQTT_CONNECT), cut)
    assert client.binary() == b"\x20\2\0\0"
    client.send(frame(0x82, b"\x82\6\0\1\0\1t\0") + frame(0x82, b"\x30\5\0\1thi"), cut)
    assert b"".join(bytes(event.data) for event in client.events() if isinstance(event, BytesMessage)) == (
        b"\x90\3\0\1\0" + b"\x30\5\0\1thi"
    )


def test_amqp_is_offered_as_a_subprotocol(connect: Connect) -> None:
    client = connect()
    client.upgrade(subprotocols=["amqp"])
    assert client.subprotocol == "amqp"
    client.send(frame(0x82, AMQP_HEADER))
    assert client.binary()[:3] == b"\1\0\0"


@pytest.mark.parametrize("path", ["/", "/ws", "/ws/", "/ws?token=x"])
@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (AMQP_HEADER, b"\1\0\0"),
        (MQTT_CONNECT, b"\x20\2\0\0"),
        (STOMP_CONNECT, b"CONNECTED\n"),
        (b"\n\n" + STOMP_CONNECT, b"CONNECTED\n"),
    ],
    ids=["amqp", "mqtt", "stomp", "stomp after line feeds"],
)
def test_without_a_subprotocol_the_first_bytes_tell(
    connect: Connect, path: str, sent: bytes, answer: bytes, cut: str
) -> None:
    client = connect()
    accepted = client.upgrade(path)
    assert accepted.subprotocol is None
    client.send(frame(0x82, sent), cut)
    (event,) = client.events()
    assert isinstance(event, BytesMessage | TextMessage)
    data = event.data.encode() if isinstance(event, TextMessage) else bytes(event.data)
    assert data.startswith(answer)


def test_first_bytes_may_come_in_several_messages(connect: Connect) -> None:
    client = connect()
    client.upgrade()
    for byte in AMQP_HEADER:
        assert not client.events()
        client.send(frame(0x82, bytes((byte,))))
    assert client.binary()[:3] == b"\1\0\0"


def test_a_text_message_is_stomp_whatever_it_begins_with(connect: Connect) -> None:
    client = connect()
    client.upgrade()
    client.send(frame(0x81, b"AMQP\n\n\0"))
    assert client.text().startswith("ERROR\n")


@pytest.mark.parametrize(("path", "sent"), [("/stomp", STOMP_CONNECT), ("/ws/amqp", AMQP_HEADER)])
def test_paths_that_stand_for_a_protocol(connect: Connect, path: str, sent: bytes) -> None:
    client = connect()
    client.upgrade(path)
    client.send(frame(0x82, sent))
    assert client.events()


def test_what_is_sent_with_the_upgrade_is_not_lost(connect: Connect, cut: str) -> None:
    client = connect()
    client.upgrade(subprotocols=["v12.stomp"], then=frame(0x81, STOMP_CONNECT), cut=cut)
    assert client.text().startswith("CONNECTED\n")


def test_one_batch_is_one_message(connect: Connect) -> None:
    client = connect().stomp()
    client.send(b"".join(frame(0x81, each) for each in (SUBSCRIBE, SEND, SEND, SEND)))
    assert client.text().count("MESSAGE\n") == 3


def test_stomp_as_binary_when_configured(connect: Connect) -> None:
    client = connect(websocket_stomp_frame="binary")
    client.upgrade(subprotocols=["v12.stomp"])
    client.send(frame(0x81, STOMP_CONNECT))
    assert client.binary().startswith(b"CONNECTED\n")


def test_a_body_that_is_no_text_goes_out_in_a_binary_message(connect: Connect) -> None:
    client = connect().stomp()
    client.send(frame(0x81, SUBSCRIBE) + frame(0x82, b"SEND\ndestination:/queue/q\n\n\xff\xfe\0"))
    assert b"\n\n\xff\xfe\0" in client.binary()
    client.send(frame(0x82, SEND))
    assert "héllo" in client.text()


def test_who_does_not_read_gets_no_more_than_fits(connect: Connect, simulated: SimulatedBroker) -> None:
    reader, publisher = connect().stomp(), connect("127.0.0.2").stomp()
    reader.send(frame(0x81, SUBSCRIBE))
    reader.transport.socket_room = 0
    body = b"x" * 50_000
    for _ in range(100):
        publisher.send(frame(0x81, b"SEND\ndestination:/queue/q\n\n" + body + b"\0"))
    assert HIGH_WATER_BYTES // 2 < reader.transport.unsent_bytes < HIGH_WATER_BYTES + 2 * len(body)
    count = 0
    for _ in range(100):
        reader.transport.read_by_peer(100_000)
        simulated.settle()
        count += reader.transport.take().count(b"MESSAGE\n")
    assert count == 100


@pytest.mark.parametrize(
    ("subprotocol", "login", "name"),
    [
        ("v12.stomp", STOMP_CONNECT, "Web STOMP 1.2"),
        ("mqtt", MQTT_CONNECT, "Web MQTT 3-1-1"),
        ("amqp", AMQP_HEADER, "Web AMQP 0-9-1"),
    ],
)
def test_listings_tell(connect: Connect, simulated: SimulatedBroker, subprotocol: str, login: bytes, name: str) -> None:
    client = connect()
    client.upgrade(subprotocols=[subprotocol])
    client.send(frame(0x82, login))
    (session,) = simulated.broker.sessions
    assert session.connection_row().protocol == name


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 300_000])
def test_bodies_of_every_length_arrive(connect: Connect, size: int) -> None:
    client = connect().stomp()
    client.send(frame(0x81, SUBSCRIBE) + frame(0x81, b"SEND\ndestination:/queue/q\n\n" + b"x" * size + b"\0"))
    assert client.text().endswith("\n\n" + "x" * size + "\0\n")


def test_long_batches_are_compressed_and_short_ones_are_not(connect: Connect) -> None:
    client = connect()
    accepted = client.upgrade(subprotocols=["v12.stomp"], compressed=True)
    assert [extension.name for extension in accepted.extensions] == ["permessage-deflate"]
    client.send(frame(0x81, STOMP_CONNECT))
    assert client.transport.sent_bytes > 0
    assert client.text().startswith("CONNECTED\n")
    before = client.transport.sent_bytes
    client.send(frame(0x81, SUBSCRIBE) + frame(0x81, b"SEND\ndestination:/queue/q\n\n" + b"x" * 20_000 + b"\0"))
    assert client.transport.sent_bytes - before < 500
    assert "x" * 20_000 in client.text()


def test_what_a_client_compresses_arrives(connect: Connect, cut: str) -> None:
    client = connect()
    client.upgrade(subprotocols=["v12.stomp"], compressed=True)
    client.send(client.socket.send(TextMessage(data=STOMP_CONNECT.decode())), cut)
    assert client.text().startswith("CONNECTED\n")
    client.send(client.socket.send(TextMessage(data=(SUBSCRIBE + SEND).decode())), cut)
    assert "héllo" in client.text()


def test_compression_can_be_switched_off(connect: Connect) -> None:
    client = connect(websocket_compress=False)
    assert client.upgrade(compressed=True).extensions == []


def test_heart_beats_of_stomp_come_every_half_interval_whatever_is_in_between(
    connect: Connect, simulated: SimulatedBroker
) -> None:
    client = connect()
    client.upgrade(subprotocols=["v12.stomp"])
    client.send(frame(0x81, b"CONNECT\naccept-version:1.2\nhost:/\nheart-beat:0,1000\n\n\0"))
    assert "heart-beat:1000,0" in client.text()
    for _ in range(10):
        simulated.advance(499)
        assert client.events() == []
        simulated.advance(1)
        assert client.text() == "\n"
