"""What is long and comes in small pieces is put together once, in every protocol (linear in its bytes)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.copied_bytes import Copies
from tests.support.recording_session import Recorder, accepted
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from tests.support.simulated_transport import SimulatedTransport
from tests.support.simulated_websocket import WebSocketClient, frame
from warren.adapters.amqp091.codec.methods_basic import BasicPublish
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Publish, Subscribe, Subscription
from warren.adapters.proxy_protocol.stage import expect_proxy_header

LONG_BYTES = 200_000
FRAME_BYTES = 100_000
"""A body in one frame of AMQP, which are no longer than agreed."""

PIECE_BYTES = 100

COPIED_MOST = 3
"""Times that a byte may be copied before it is handled; at random cuts it was a thousand times before."""


def feed(transport: SimulatedTransport, data: bytes, size: int = PIECE_BYTES) -> int:
    """Give `data` in pieces of `size` bytes; how many bytes were copied."""
    copies = Copies()
    for piece in copies.pieces(data, size):
        transport.receive(piece)
    return copies.count


Peer = tuple[SimulatedTransport, bytes, Callable[[], int]]
"""Whose pieces they are, what is in them, and how many messages or subscriptions have come of it."""


def mqtt_publish(level: int) -> Callable[[SimulatedBroker], Peer]:
    def made(simulated: SimulatedBroker) -> Peer:
        client = MqttClient(simulated, level)
        client.connect("c")
        client.subscribe("t")
        return (
            client.transport,
            encode(Publish("t", b"x" * LONG_BYTES, 0), level),
            lambda: len(client.messages()),
        )

    return made


def mqtt_subscribe(simulated: SimulatedBroker) -> Peer:
    client = MqttClient(simulated)
    client.connect("c")
    subscriptions = tuple(Subscription(f"{number}/" + "x" * 1000) for number in range(LONG_BYTES // 1000))
    return (
        client.transport,
        encode(Subscribe(1, subscriptions), versions.V5),
        lambda: len(client.session.subscriptions) // len(subscriptions),
    )


def amqp_frame(simulated: SimulatedBroker) -> Peer:
    client = simulated.accept()
    client.handshake(frame_max=FRAME_BYTES + 8)
    client.open(1)
    client.declare("q")
    publish = client.connection.encode_frame(1, BasicPublish(routing_key="q"))
    header = b"\x02\0\x01\0\0\0\x0e" + b"\0\x3c\0\0" + FRAME_BYTES.to_bytes(8, "big") + b"\0\0" + b"\xce"
    body = b"\x03\0\x01" + FRAME_BYTES.to_bytes(4, "big") + b"x" * FRAME_BYTES + b"\xce"
    return client.transport, publish + header + body, lambda: simulated.queue("q").ready_count


def stomp_body(simulated: SimulatedBroker) -> Peer:
    client = StompClient(simulated)
    client.connect()
    head = f"SEND\ndestination:/queue/q\ncontent-length:{LONG_BYTES}\n\n".encode()
    return (
        client.transport,
        head + b"x" * LONG_BYTES + b"\0",
        lambda: sum(queue.ready_count for queue in simulated.vhost.queues.values()),
    )


def websocket_frame(payload_bytes: int) -> Callable[[SimulatedBroker], Peer]:
    def made(simulated: SimulatedBroker) -> Peer:
        reader = MqttClient(simulated)
        reader.connect("reader")
        reader.subscribe("t")
        client = WebSocketClient(simulated)
        client.mqtt()
        packet = encode(Publish("t", b"x" * payload_bytes, 0), versions.V3_1_1)
        return client.transport, frame(0x82, packet), lambda: len(reader.messages())

    return made


PEERS = {
    "MQTT 3 PUBLISH": mqtt_publish(versions.V3_1_1),
    "MQTT 5 PUBLISH": mqtt_publish(versions.V5),
    "MQTT 5 SUBSCRIBE": mqtt_subscribe,
    "AMQP frame": amqp_frame,
    "STOMP body": stomp_body,
    "WebSocket frame that waits for its end": websocket_frame(60_000),
    "WebSocket frame that doesn't": websocket_frame(LONG_BYTES),
}


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("size", [7, PIECE_BYTES, 1460], ids=str)
def test_a_byte_is_copied_a_few_times_however_small_the_pieces_are(name: str, size: int) -> None:
    simulated = SimulatedBroker()
    transport, data, arrived = PEERS[name](simulated)
    copied = feed(transport, data, size)
    assert copied <= COPIED_MOST * len(data), f"{copied / len(data):.0f} copies of each byte"
    simulated.settle()
    assert not transport.closing
    assert arrived() == 1


@pytest.mark.parametrize("name", PEERS)
def test_the_end_may_come_byte_by_byte_and_with_what_follows(name: str) -> None:
    """The whole is handled with its last byte, no sooner and no later."""
    simulated = SimulatedBroker()
    transport, data, arrived = PEERS[name](simulated)
    feed(transport, data[:40], 1)
    feed(transport, data[40:-3])
    feed(transport, data[-3:-1], 1)
    simulated.settle()
    assert not arrived()
    transport.receive(data[-1:])
    simulated.settle()
    assert arrived() == 1


def test_a_proxy_header_is_put_together_once() -> None:
    simulated, recorder = SimulatedBroker(), Recorder()
    transport = accepted(simulated, expect_proxy_header(recorder.accept, 10_000), "10.0.0.1", 40_000)
    tlv = b"\xe0" + (8000).to_bytes(2, "big") + b"x" * 8000
    addresses = bytes.fromhex("C6336407 C0000201 DC04 1628")
    size = (len(addresses) + len(tlv)).to_bytes(2, "big")
    header = bytes.fromhex("0D0A0D0A000D0A515549540A 21 11") + size + addresses + tlv
    copied = feed(transport, header + b"AMQP", 10)
    assert copied <= COPIED_MOST * len(header)
    assert recorder.session.received == b"AMQP"
    assert recorder.session.transport.peer_host == "198.51.100.7"
