"""The generator's ends against a hand-written peer: what is right is counted, and what is wrong is found."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from tests.benchmarks import wire
from tests.benchmarks.client import LoadError
from tests.benchmarks.consumer import Acks, Consumer
from tests.benchmarks.echo import Echo
from tests.benchmarks.loop import run_ends
from tests.benchmarks.publisher import Publisher

BODY_BYTES = 16
PUBLICATION = wire.publication("", "queue", BODY_BYTES, persistent=True)
DELIVERY = wire.delivery("", "queue", BODY_BYTES, persistent=True)
CLOSE = wire.method(1, 20, 40, struct.pack(">H", 406) + wire.shortstr("PRECONDITION_FAILED - no") + b"\0\0\0\0")

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """(the end's socket, the peer's socket), connected."""
    listener = socket.create_server(("127.0.0.1", 0))
    near = socket.create_connection(listener.getsockname())
    far, _ = listener.accept()
    far.settimeout(10)
    with listener, near, far:
        yield near, far


def deliveries(*numbers: int, first_tag: int = 1) -> bytes:
    frames = []
    for tag, number in enumerate(numbers, first_tag):
        frame = bytearray(DELIVERY.data)
        wire.NUMBER.pack_into(frame, DELIVERY.tag_at, tag)
        wire.NUMBER.pack_into(frame, DELIVERY.number_at, number)
        frames.append(bytes(frame))
    return b"".join(frames)


def consumer(pair: Pair, messages: int, acks: Acks = "automatic") -> Consumer:
    return Consumer(pair[0], DELIVERY, messages, acks, prefetch=0)


def receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        assert part, f"closed after {len(received)} of {size} bytes"
        received += part
    return received


def test_consumer_counts_deliveries_cut_anywhere(pair: Pair) -> None:
    data = deliveries(0, 1, 2)
    for cut in range(1, len(data)):
        end = consumer(pair, 3)
        for part in (data[:cut], data[cut:]):
            pair[1].sendall(part)
            end.read()
        assert (end.delivered, end.done) == (3, True)


@pytest.mark.parametrize(
    "data",
    [
        deliveries(0, 2),
        deliveries(0, 0),
        deliveries(1, 0),
        deliveries(0, 1, first_tag=2),
        deliveries(0, 1, 2, 3),
        deliveries(0, 1).replace(b"xxx", b"xyx"),
        deliveries(0, 1)[: len(DELIVERY.data)] + b"\x08" + bytes(len(DELIVERY.data) - 1),
    ],
    ids=["lost", "repeated", "order", "tag", "too many", "altered", "heartbeat"],
)
def test_consumer_finds_wrong_deliveries(pair: Pair, data: bytes) -> None:
    end = consumer(pair, 3)
    pair[1].sendall(data)
    with pytest.raises(LoadError):
        end.read()


def test_consumer_quotes_the_servers_close(pair: Pair) -> None:
    end = consumer(pair, 3)
    pair[1].sendall(deliveries(0) + CLOSE)
    with pytest.raises(LoadError, match=r"channel.close 406 'PRECONDITION_FAILED - no'"):
        end.read()


def test_consumer_acknowledges_each_delivery_once(pair: Pair) -> None:
    end = consumer(pair, 3, "each")
    for part in (deliveries(0), deliveries(1, 2, first_tag=2)):
        pair[1].sendall(part)
        end.read()
        assert not end.pump()
    expected = b"".join(wire.ack(tag, multiple=False) for tag in (1, 2, 3))
    assert receive(pair[1], len(expected)) == expected
    assert end.done


def test_consumer_acknowledges_cumulatively(pair: Pair) -> None:
    end = consumer(pair, 3, "multiple")
    pair[1].sendall(deliveries(0, 1, 2))
    end.read()
    assert not end.done
    end.pump()
    assert receive(pair[1], 21) == wire.ack(3, multiple=True)
    assert end.done


def test_publisher_keeps_to_its_window(pair: Pair) -> None:
    end = Publisher(pair[0], PUBLICATION, messages=30, window=20)
    size = len(PUBLICATION.data)
    while end.pump():
        pass
    receive(pair[1], 20 * size)
    pair[1].sendall(wire.ack(1, multiple=False))
    end.read()
    assert not end.pump()  # one of twenty isn't worth a send
    pair[1].sendall(wire.ack(20, multiple=True))
    end.read()
    while end.pump():
        pass
    rest = receive(pair[1], 10 * size)
    numbers = [wire.NUMBER.unpack_from(rest, at + PUBLICATION.number_at)[0] for at in range(0, len(rest), size)]
    assert numbers == list(range(20, 30))
    assert not end.done
    pair[1].sendall(wire.ack(30, multiple=True))
    end.read()
    assert end.done


def test_publisher_takes_confirms_in_any_order(pair: Pair) -> None:
    end = Publisher(pair[0], PUBLICATION, messages=6, window=6)
    end.pump()
    for tag, multiple, confirmed in [
        (3, False, 1),
        (2, True, 3),
        (5, False, 4),
        (6, False, 5),
        (4, False, 6),
    ]:
        pair[1].sendall(wire.ack(tag, multiple))
        end.read()
        assert end.confirmed == confirmed
    assert end.done


@pytest.mark.parametrize(
    "data",
    [
        wire.ack(1, False) * 2,
        wire.ack(4, True),
        wire.ack(2, False) * 2,
        wire.method(1, 60, 120, struct.pack(">QB", 1, 0)),
    ],
    ids=["repeated", "not sent", "repeated ahead", "nack"],
)
def test_publisher_finds_wrong_confirms(pair: Pair, data: bytes) -> None:
    end = Publisher(pair[0], PUBLICATION, messages=3, window=3)
    end.pump()
    pair[1].sendall(data)
    with pytest.raises(LoadError):
        end.read()


def test_publisher_quotes_the_servers_close(pair: Pair) -> None:
    end = Publisher(pair[0], PUBLICATION, messages=3, window=0)
    pair[1].sendall(CLOSE)
    with pytest.raises(LoadError, match=r"channel.close 406"):
        end.read()


def test_echo_finds_another_message(pair: Pair) -> None:
    end = Echo(pair[0], PUBLICATION, DELIVERY, messages=2)
    end.pump()
    pair[1].sendall(deliveries(1))
    with pytest.raises(LoadError):
        end.read()


def test_loop_gives_up_when_nothing_moves(pair: Pair) -> None:
    with pytest.raises(LoadError, match=r"nothing moved.*consumer got 0 of 3"):
        run_ends([consumer(pair, 3)], stall_timeout_s=0.0, timeout_s=60)


def test_loop_reports_what_a_sleeping_socket_holds(pair: Pair) -> None:
    pair[1].sendall(CLOSE)  # less than the consumer wants to be woken for
    with pytest.raises(LoadError, match=r"channel.close 406"):
        run_ends([consumer(pair, 10_000)], stall_timeout_s=0.0, timeout_s=60)
