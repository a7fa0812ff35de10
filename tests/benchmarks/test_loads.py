"""MQTT's ends, WebSocket frames and times against hand-written peers."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from tests.benchmarks import wire
from tests.benchmarks.client import LoadError
from tests.benchmarks.consumer import Consumer
from tests.benchmarks.lone import publish_one_by_one
from tests.benchmarks.mqtt import PACKET_IDS, MqttConsumer, MqttPublisher, topics
from tests.benchmarks.paced import PacedLoad
from tests.benchmarks.percentiles import percentiles
from tests.benchmarks.websocket import KEY, frames

PUBLICATION = wire.publication("", "queue", 16, persistent=True)
DELIVERY = wire.delivery("", "queue", 16, persistent=True)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """(the end's socket, the peer's socket), connected."""
    near, far = socket.socketpair()
    far.settimeout(10)
    with near, far:
        yield near, far


def mqtt_publish(name: bytes, number: int, packet_id: int | None = None) -> bytes:
    """A PUBLISH as the specification has it (MQTT 3.1.1 3.3)."""
    identifier = b"" if packet_id is None else struct.pack(">H", packet_id)
    rest = struct.pack(">H", len(name)) + name + identifier + struct.pack(">Q", number) + b"x" * 8
    return bytes((0x30 if packet_id is None else 0x32, len(rest))) + rest


def sent(end: MqttPublisher, peer: socket.socket) -> bytes:
    """What an end sends while nothing is answered."""
    while end.pump():
        pass
    peer.setblocking(False)
    return peer.recv(1 << 20)


def test_mqtt_messages_are_numbered_and_topics_take_turns(pair: Pair) -> None:
    names = topics(3)
    end = MqttPublisher(pair[0], 5, qos=0, window=0, first=7, names=names)
    assert sent(end, pair[1]) == b"".join(mqtt_publish(names[at % 3], 7 + at) for at in range(5))
    assert end.done


def test_mqtt_packet_identifiers_begin_again(pair: Pair) -> None:
    window = 3
    end = MqttPublisher(pair[0], PACKET_IDS + 2, qos=1, window=window)
    for first in range(0, PACKET_IDS + 2, window):
        count = min(window, PACKET_IDS + 2 - first)
        expected = [
            mqtt_publish(b"benchmark", number, number % PACKET_IDS + 1) for number in range(first, first + count)
        ]
        assert sent(end, pair[1]) == b"".join(expected)
        pair[1].sendall(
            b"".join(b"\x40\2" + struct.pack(">H", at % PACKET_IDS + 1) for at in range(first, first + count))
        )
        end.read()
    assert end.done


def test_mqtt_deliveries_are_acknowledged(pair: Pair) -> None:
    end = MqttConsumer(pair[0], 2, qos=1)
    pair[1].sendall(mqtt_publish(b"benchmark", 0, 513) + mqtt_publish(b"benchmark", 1, 9))
    end.read()
    end.pump()
    assert pair[1].recv(100) == b"\x40\2\2\1\x40\2\0\x09"
    assert end.done


@pytest.mark.parametrize(
    "data",
    [
        mqtt_publish(b"benchmark", 1),
        mqtt_publish(b"benchmark", 0) + mqtt_publish(b"benchmark", 0),
        mqtt_publish(b"benchmarX", 0),
        mqtt_publish(b"benchmark", 0).replace(b"xxx", b"xyx"),
    ],
    ids=["lost", "repeated", "topic", "altered"],
)
def test_mqtt_finds_wrong_deliveries(pair: Pair, data: bytes) -> None:
    end = MqttConsumer(pair[0], 3, qos=0)
    pair[1].sendall(data)
    with pytest.raises(LoadError, match="not the next messages"):
        end.read()


def test_mqtt_of_many_publishers_must_not_come_twice(pair: Pair) -> None:
    end = MqttConsumer(pair[0], 3, qos=0, ordered=False)
    pair[1].sendall(mqtt_publish(b"benchmark", 2) + mqtt_publish(b"benchmark", 0) + mqtt_publish(b"benchmark", 2))
    with pytest.raises(LoadError, match="came twice"):
        end.read()


@pytest.mark.parametrize(("per_frame", "lengths"), [(1, [5] * 5), (2, [10, 10, 5]), (5, [25]), (9, [25])])
def test_websocket_frames_hold_the_packets(per_frame: int, lengths: list[int]) -> None:
    packets = bytes(range(25))
    data, taken, found = frames(packets, 5, per_frame), b"", []
    while data:
        assert data[:1] == b"\x82"
        assert data[2:6] == KEY
        length = data[1] & 0x7F
        found.append(length)
        taken += bytes(byte ^ KEY[at % 4] for at, byte in enumerate(data[6 : 6 + length]))
        data = data[6 + length :]
    assert (taken, found) == (packets, lengths)


def test_a_long_websocket_frame_says_its_length() -> None:
    data = frames(bytes(70_000), 7, 10_000)
    assert data[:10] == b"\x82\xff" + (70_000).to_bytes(8, "big")
    assert frames(bytes(700), 7, 100)[:4] == b"\x82\xfe" + (700).to_bytes(2, "big")


def test_percentiles() -> None:
    seconds = [number / 1000 for number in range(1000)]
    assert percentiles(seconds) == pytest.approx({"p50 ms": 500, "p99 ms": 990, "p99.9 ms": 999})
    assert percentiles([0.25]) == {"p50 ms": 250, "p99 ms": 250, "p99.9 ms": 250}


def test_topic_keys_take_turns() -> None:
    keys = wire.publication("x", ["a1", "b2"], 16, persistent=False)
    assert [keys.of(number).find(b"b2") > 0 for number in range(3)] == [False, True, False]


def test_a_consumer_looks_at_the_key(pair: Pair) -> None:
    frames_of = wire.delivery("x", ["a1", "b2"], 16, persistent=False)
    first = bytearray(frames_of.variants[1])
    wire.NUMBER.pack_into(first, frames_of.tag_at, 1)
    end = Consumer(pair[0], frames_of, 2, "automatic", prefetch=0)
    pair[1].sendall(first)
    with pytest.raises(LoadError):
        end.read()


def test_any_of_several_consumers_may_get_a_message(pair: Pair) -> None:
    frames_of = wire.delivery("", "queue", 16, persistent=False, tagged=True)
    end = Consumer(pair[0], frames_of, 1, "automatic", prefetch=0)
    frame = bytearray(frames_of.data.replace(wire.consumer_tag(0).encode(), wire.consumer_tag(12).encode()))
    wire.NUMBER.pack_into(frame, frames_of.tag_at, 1)
    pair[1].sendall(frame)
    end.read()
    assert end.done


def test_each_confirm_is_awaited(pair: Pair) -> None:
    pair[1].sendall(wire.ack(1, multiple=False) + wire.ack(2, multiple=True))
    assert len(publish_one_by_one(pair[0], PUBLICATION, 2)) == 2
    assert pair[1].recv(1 << 16).count(b"queue") == 2


@pytest.mark.parametrize(
    "answer", [wire.ack(2, multiple=False), wire.method(1, 60, 120, bytes(9))], ids=["tag", "nack"]
)
def test_a_wrong_confirm_is_found(pair: Pair, answer: bytes) -> None:
    pair[1].sendall(answer)
    with pytest.raises(LoadError, match="after 0 confirms"):
        publish_one_by_one(pair[0], PUBLICATION, 1)


def test_times_of_paced_messages(pair: Pair) -> None:
    """The peer gives back each message as a delivery, by itself."""
    messages = 200
    out, back = socket.socketpair()

    def echo() -> None:
        for number in range(messages):
            received = b""
            while len(received) < len(PUBLICATION.data):
                received += back.recv(len(PUBLICATION.data) - len(received))
            assert received[PUBLICATION.number_at :][:8] == wire.NUMBER.pack(number)
            frame = bytearray(DELIVERY.data)
            wire.NUMBER.pack_into(frame, DELIVERY.tag_at, number + 1)
            wire.NUMBER.pack_into(frame, DELIVERY.number_at, number)
            pair[1].sendall(frame)

    with out, back:
        thread = threading.Thread(target=echo)
        thread.start()
        consumer = Consumer(pair[0], DELIVERY, messages, "automatic", prefetch=0)
        seconds, times = PacedLoad(out, consumer, PUBLICATION, messages, 10_000.0).run(stall_timeout_s=60)
        thread.join()
    assert consumer.done
    assert seconds >= (messages - 1) / 10_000
    assert 0 < times["p50 ms"] <= times["p99 ms"] <= times["p99.9 ms"] <= seconds * 1000
    assert times["generator late p99 ms"] >= 0


def test_nothing_that_comes_fails_a_paced_load(pair: Pair) -> None:
    consumer = Consumer(pair[0], DELIVERY, 1, "automatic", prefetch=0)
    with pytest.raises(LoadError, match="nothing came for 0 s"):
        PacedLoad(pair[0], consumer, PUBLICATION, 1, 1000.0).run(stall_timeout_s=0.0)
