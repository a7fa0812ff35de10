"""A look at a connection's frames: in words, without secrets, whatever passes, and without a trace afterwards."""

from __future__ import annotations

import random

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.frame_words import AmqpFrameWords
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Connect, Publish
from warren.adapters.mqtt.frame_words import MqttFrameWords
from warren.adapters.session import tap as taps
from warren.adapters.session.ration import COMMANDS_PER_TURN
from warren.adapters.session.tap import Look, look_at
from warren.adapters.stomp.frame_words import StompFrameWords
from warren.adapters.stomp.session import StompSession
from warren.adapters.stomp.settings import StompSettings
from warren.core.errors import NotFound, PreconditionFailed


@pytest.fixture
def simulated() -> SimulatedBroker:
    return SimulatedBroker()


def texts(look: Look) -> list[tuple[str, str]]:
    return [(each.direction, each.text) for each in look.frames]


def frame(method: methods.Method, channel: int = 1) -> bytes:
    return methods.encode_frame(channel, method)


def test_amqp_in_words(simulated: SimulatedBroker) -> None:
    client = simulated.connect()
    name = client.connection.name
    assert look_at(simulated.broker, name).frames == []
    client.send(1, methods.QueueDeclare(queue="q"))
    client.publish("q", b"body")
    simulated.settle()
    found = texts(look_at(simulated.broker, name))
    assert found[0][0] == "received"
    assert found[0][1].startswith("channel 1: queue.declare queue='q' passive=False")
    assert ("sent", "channel 1: queue.declare-ok queue='q' message_count=0 consumer_count=0") in found
    assert any(text.startswith("channel 1: basic.publish") for _, text in found)
    assert ("received", "channel 1: content header, 4 bytes of body") in found
    assert ("received", "channel 1: content body, 4 bytes") in found


def is_untapped(client: SimulatedClient) -> bool:
    connection = client.connection
    return connection.tap is None and connection.outbox.tap is None and client.transport.session is connection


def test_the_session_has_its_place_back_when_nobody_looks(simulated: SimulatedBroker) -> None:
    client = simulated.connect()
    connection = client.connection
    look_at(simulated.broker, connection.name, 10)
    assert client.transport.session is connection.tap
    assert connection.outbox.tap is not None
    simulated.advance(9_000)
    assert look_at(simulated.broker, connection.name, 10).seconds_left == 10
    simulated.advance(9_999)
    assert connection.tap is not None
    simulated.advance(1)
    assert is_untapped(client)
    look_at(simulated.broker, connection.name, 10)
    assert look_at(simulated.broker, connection.name, 0).watching is False
    assert is_untapped(client)
    client.transport.lose()
    assert connection not in simulated.broker.sessions


@pytest.mark.parametrize("seed", range(5))
def test_it_sees_the_same_however_bytes_are_cut(simulated: SimulatedBroker, seed: int) -> None:
    chance = random.Random(seed)
    client = simulated.connect()
    data = frame(methods.QueueDeclare(queue="q")) + b"".join(
        frame(methods.QueueDeclare(queue="q", passive=True)) for _ in range(20)
    )
    first = chance.randrange(1, 20)
    client.transport.receive(data[:first])
    look_at(simulated.broker, client.connection.name)
    at = first
    while at < len(data):
        size = chance.randrange(1, 60)
        client.transport.receive(data[at : at + size])
        at += size
    simulated.settle()
    look = look_at(simulated.broker, client.connection.name)
    received = [each for each in look.frames if each.direction == "received"]
    assert len(received) == 21
    assert all("queue.declare queue='q'" in each.text for each in received)


@pytest.mark.interpreted("makes a constant smaller, which the compiled form holds by value")
def test_too_much_at_once_is_passed_over(simulated: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taps, "CUT_AT_ONCE", 10)
    monkeypatch.setattr(taps, "UNCUT_BYTES_MAX", 100)
    client = simulated.connect()
    name = client.connection.name
    look_at(simulated.broker, name)
    many = frame(methods.BasicQos(prefetch_count=7)) * 50
    client.transport.receive(many + many[:7])
    client.transport.receive(many[7 : len(many) // 50])
    simulated.settle()
    look = look_at(simulated.broker, name)
    received = [each.text for each in look.frames if each.direction == "received"]
    assert len(received) == 11
    assert all("basic.qos" in each for each in received)


@pytest.mark.interpreted("makes a constant smaller, which the compiled form holds by value")
def test_what_waits_for_another_turn_is_passed_over_too(
    simulated: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taps, "CUT_AT_ONCE", 10)
    monkeypatch.setattr(taps, "UNCUT_BYTES_MAX", 100)
    client = simulated.connect()
    name = client.connection.name
    client.send(1, methods.QueueDeclare(queue="q"))
    simulated.settle()
    look_at(simulated.broker, name)
    # More than the ration of a turn: what is read next is passed over with it, and then a frame begins.
    client.transport.receive(frame(methods.QueueDeclare(queue="q", passive=True)) * (COMMANDS_PER_TURN // 2))
    simulated.settle()
    client.transport.receive(frame(methods.QueueDeclare(queue="q", passive=True)))
    client.transport.receive(frame(methods.BasicQos(prefetch_count=7)))
    simulated.settle()
    look = look_at(simulated.broker, name)
    received = [each.text for each in look.frames if each.direction == "received"]
    assert len(received) == 11
    assert "basic.qos" in received[-1]


def test_only_so_many_are_kept(simulated: SimulatedBroker) -> None:
    client = simulated.connect()
    client.send(1, methods.QueueDeclare(queue="q"))
    simulated.settle()
    look_at(simulated.broker, client.connection.name)
    for _ in range(taps.FRAMES_MAX):
        client.send(1, methods.QueueDeclare(queue="q", passive=True))
        simulated.settle()
    look = look_at(simulated.broker, client.connection.name)
    assert (len(look.frames), look.passed) == (taps.FRAMES_MAX, 2 * taps.FRAMES_MAX)


def test_mqtt_in_words(simulated: SimulatedBroker) -> None:
    client = MqttClient(simulated)
    client.connect("c")
    name = client.connection.name
    look_at(simulated.broker, name)
    client.subscribe("a/+", qos=1)
    client.send(Publish("a/b", b"payload", 1, packet_id=9))
    found = texts(look_at(simulated.broker, name))
    assert found[0][1].startswith("SUBSCRIBE ")
    assert any(direction == "sent" and text.startswith("SUBACK") for direction, text in found)
    (published,) = [text for direction, text in found if direction == "received" and text.startswith("PUBLISH")]
    assert "topic='a/b'" in published
    assert "payload_bytes=7" in published
    assert any(direction == "sent" and text.startswith("PUBLISH") for direction, text in found)


def test_a_long_message_is_told_by_its_beginning() -> None:
    packet = encode(Publish("a/b", b"x" * 100_000, 1, packet_id=9), versions.V5)
    words = MqttFrameWords(versions.V5)
    assert words.size(packet, 0) == len(packet)
    assert words.size(packet[:2], 0) is None
    text = words.describe(packet[: taps.HEAD_BYTES], len(packet), received=True)
    assert text == f"PUBLISH topic='a/b' qos=1 retain=False, {len(packet)} bytes"


def test_no_password_is_shown() -> None:
    start_ok = frame(methods.ConnectionStartOk({}, "PLAIN", b"\0guest\0secret", "en_US"), 0)
    text = AmqpFrameWords().describe(start_ok, len(start_ok), received=True)
    assert ("secret" in text, "PLAIN" in text) == (False, True)
    update = frame(methods.ConnectionUpdateSecret(b"secret", "renewed"), 0)
    assert "secret'" not in AmqpFrameWords().describe(update, len(update), received=True).replace("update-secret", "")
    connect = encode(Connect("c", versions.V5, True, 0, None, "guest", b"secret"), versions.V5)
    text = MqttFrameWords(versions.V5).describe(connect, len(connect), received=True)
    assert ("secret" in text, "guest" in text) == (False, True)
    stomp = b"CONNECT\nlogin:guest\npasscode:secret\n\n\0"
    text = StompFrameWords().describe(stomp, len(stomp), received=True)
    assert text == "CONNECT login:guest passcode:•••"


def test_stomp_in_words(simulated: SimulatedBroker) -> None:
    transport = SimulatedTransport()
    session = StompSession(simulated.broker, transport, StompSettings())
    transport.start(session, session.outbox)
    transport.receive(b"CONNECT\naccept-version:1.2\nlogin:guest\npasscode:guest\nhost:/\n\n\0")
    simulated.settle()
    look_at(simulated.broker, session.name)
    transport.receive(b"\nSEND\ndestination:/queue/q\ncontent-length:3\n\na\0b\0\nBEGIN\ntransaction:t\nreceipt:r\n\n")
    transport.receive(b"\0\n")
    simulated.settle()
    found = texts(look_at(simulated.broker, session.name))
    assert found == [
        ("received", "heart-beat"),
        ("received", "SEND destination:/queue/q content-length:3, 3 bytes of body"),
        ("received", "heart-beat"),
        ("received", "BEGIN transaction:t receipt:r"),
        ("received", "heart-beat"),
        ("sent", "RECEIPT receipt-id:r"),
        ("sent", "heart-beat"),
    ]
    transport.receive(b"NONSENSE\n\n\0")
    simulated.settle()
    (trouble,) = look_at(simulated.broker, session.name).troubles
    assert trouble.text
    assert trouble.by_peer is False


def test_what_went_wrong_is_known_when_the_connection_is_gone(simulated: SimulatedBroker) -> None:
    client = simulated.connect()
    name = client.connection.name
    client.send(1, methods.QueueDeclare(queue="none", passive=True))
    client.send(0, methods.ConnectionClose(541, "I give up", 0, 0))
    client.transport.lose()
    look = look_at(simulated.broker, name)
    assert (look.watching, look.frames) == (False, [])
    first, second = look.troubles
    assert first.text.startswith("channel 1 was closed: NOT_FOUND")
    assert (second.text, second.by_peer) == ("the client closed the connection: 541 I give up", True)
    with pytest.raises(NotFound):
        look_at(simulated.broker, "nobody")
    with pytest.raises(PreconditionFailed):
        look_at(simulated.broker, name, taps.WATCH_S_MAX + 1)


def test_a_client_that_falls_silent(simulated: SimulatedBroker) -> None:
    client = MqttClient(simulated)
    client.connect("c", keep_alive_s=10)
    for _ in range(3):
        simulated.advance(16_000)
    assert [each.text for each in simulated.broker.troubles.of(client.connection.name)] == [
        "nothing came for too long: keep-alive timeout"
    ]
