"""The ends of the load over the stream protocol: everything is counted, and what is wrong is found."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import cast
from zlib import crc32

import pytest

from tests.benchmarks import wire_stream as wire
from tests.benchmarks.client import LoadError
from tests.benchmarks.job import Job
from tests.benchmarks.load import run
from tests.benchmarks.stream import BATCH_MESSAGES, StreamClient, StreamConsumer, StreamPublisher
from tests.support.warren_process import WarrenProcess, warren_process


@pytest.fixture(scope="module")
def broker() -> Iterator[WarrenProcess]:
    with warren_process(in_memory=True, listen=["stream=127.0.0.1:0"]) as process:
        yield process


def job(broker: WarrenProcess, messages: int) -> Job:
    return Job(broker.addresses["stream"][1], broker.process.pid, messages, protocol="stream")


@pytest.mark.parametrize(("messages", "consumers"), [(1, 1), (100, 1), (5_050, 3), (40_000, 1), (500, 0)])
def test_a_load_runs_to_its_end(broker: WarrenProcess, messages: int, consumers: int) -> None:
    each = job(broker, messages)
    asked = Job(each.port, each.broker_pid, messages, protocol="stream", consumers=consumers)
    outcome = run(asked)
    assert outcome.deliveries == messages * max(1, consumers)
    assert ("MiB/s" in outcome.times) == (consumers > 0)


@pytest.mark.parametrize(("messages", "publishers", "consumers"), [(4, 4, 1), (40_003, 4, 2), (700, 3, 0)])
def test_several_publishers_share_the_messages(
    broker: WarrenProcess, messages: int, publishers: int, consumers: int
) -> None:
    each = job(broker, messages)
    outcome = run(
        Job(each.port, each.broker_pid, messages, protocol="stream", consumers=consumers, publishers=publishers)
    )
    assert outcome.deliveries == messages // publishers * publishers * max(1, consumers)


def test_what_lies_there_is_read_again(broker: WarrenProcess) -> None:
    each = job(broker, 2_000)
    run(Job(each.port, each.broker_pid, 2_000, protocol="stream", consumers=0, keep=True))
    reading = Job(each.port, each.broker_pid, 2_000, protocol="stream", publish=False)
    assert run(reading).deliveries == 2_000


def test_a_refused_command_is_quoted(broker: WarrenProcess) -> None:
    client = StreamClient(broker.addresses["stream"][1])
    with pytest.raises(LoadError, match="command 7 was answered with code 0x2"):
        client.subscribe("nothing")
    client.socket.close()


class _Client:
    """What stands for a client that is connected."""

    def __init__(self) -> None:
        self.socket, self.peer = socket.socketpair()
        self.frames = wire.Frames()

    def taken(self) -> list[bytes]:
        return []


@pytest.fixture
def client() -> Iterator[_Client]:
    made = _Client()
    yield made
    made.socket.close()
    made.peer.close()


def publisher(client: _Client, messages: int, window: int) -> StreamPublisher:
    made = StreamPublisher(cast("StreamClient", client), messages, window)
    while made.pump():
        pass
    return made


def consumer(client: _Client, messages: int, publishers: int = 1) -> StreamConsumer:
    return StreamConsumer(cast("StreamClient", client), messages, publishers)


def record(number: int) -> bytes:
    body = struct.pack(">Q", number) + b"x" * 8
    return struct.pack(">I", 21) + b"\x00\x53\x75\xa0\x10" + body


def publishes(numbers: range) -> bytes:
    """Publish frames as the protocol has them."""
    found = b""
    for first in range(numbers.start, numbers.stop, BATCH_MESSAGES):
        some = range(first, min(first + BATCH_MESSAGES, numbers.stop))
        fields = struct.pack(">BI", 0, len(some)) + b"".join(struct.pack(">Q", each) + record(each) for each in some)
        found += struct.pack(">IHH", 4 + len(fields), 2, 1) + fields
    return found


def confirm(*numbers: int, key: int = 3, publisher: int = 0) -> bytes:
    ids = b"".join(struct.pack(">Q", number) for number in numbers)
    return struct.pack(">IHHBI", 9 + len(ids), key, 1, publisher, len(numbers)) + ids


def chunk(*numbers: int, first: int = 0, kind: int = 0, checksum: int = 0, subscription: int = 0) -> bytes:
    data = b"".join(map(record, numbers))
    head = struct.pack(">BBHI", 0x50, kind, len(numbers), len(numbers)) + struct.pack(">qQQ", 1, 1, first)
    head += struct.pack(">IIIB3x", checksum or crc32(data), len(data), 0, 0)
    return struct.pack(">IHHB", 5 + len(head) + len(data), 8, 1, subscription) + head + data


def test_messages_are_numbered_in_frames_of_a_hundred(client: _Client) -> None:
    publisher(client, 250, 1_000)
    assert client.peer.recv(100_000) == publishes(range(250))


def test_the_publisher_keeps_to_its_window(client: _Client) -> None:
    end = publisher(client, 1_000, 200)
    assert client.peer.recv(100_000) == publishes(range(200))
    client.peer.sendall(confirm(*range(19)))
    end.read()
    assert not end.pump()  # less than a tenth of the window isn't worth a send
    client.peer.sendall(confirm(*range(19, 200)))
    end.read()
    end.pump()
    assert client.peer.recv(100_000) == publishes(range(200, 400))


@pytest.mark.parametrize("order", [range(6), range(5, -1, -1), (3, 0, 5, 1, 2, 4)])
def test_confirms_come_in_any_order_and_cut_anywhere(client: _Client, order: list[int]) -> None:
    end = publisher(client, 6, 10)
    data = confirm(*order[:2]) + confirm(*order[2:])
    for at in range(len(data)):
        assert not end.done
        client.peer.sendall(data[at : at + 1])
        end.read()
    assert end.done


@pytest.mark.parametrize(
    "data",
    [
        confirm(0, 1) + confirm(1, 2),
        confirm(2, 2),
        confirm(5, 6),
        confirm(6),
        confirm(1, key=4),
        confirm(1, publisher=1),
        confirm(0, 1)[:8] + b"\0\0\0\0\1" + confirm(0, 1)[13:],
        struct.pack(">IHH", 4, 23, 1),
    ],
    ids=["repeated", "repeated in one", "not sent", "not sent alone", "error", "publisher", "count", "heartbeat"],
)
def test_the_publisher_finds_wrong_confirms(client: _Client, data: bytes) -> None:
    end = publisher(client, 6, 10)
    client.peer.sendall(data)
    with pytest.raises(LoadError):
        end.read()


def test_the_consumer_gives_credit_back(client: _Client) -> None:
    end = consumer(client, 6)
    data = chunk(0, 1) + chunk(2, first=2)
    for at in range(len(data)):
        client.peer.sendall(data[at : at + 1])
        end.read()
    assert not end.pump()
    assert client.peer.recv(100) == struct.pack(">IHHBH", 7, 9, 1, 0, 2)
    client.peer.sendall(chunk(3, 4, 5, first=3))
    end.read()
    assert end.done
    assert end.bytes_read == 3 * 48 + 6 * len(record(0))


@pytest.mark.parametrize(
    "data",
    [
        chunk(0, 2),
        chunk(0, 0),
        chunk(1, 0),
        chunk(1, 2, first=1),
        chunk(0, 1) + chunk(1, first=1),
        chunk(0, 1, 2, 3),
        chunk(0, 1, kind=1),
        chunk(0, 1, checksum=7),
        chunk(0, 1, subscription=1),
        chunk(),
        chunk(0, 1).replace(b"xxx", b"xyx"),
        chunk(0, 1)[:60].replace(chunk(0, 1)[:4], struct.pack(">I", 56)),
        struct.pack(">IHH", 4, 23, 1),
        struct.pack(">IHHHH", 8, 16, 1, 6, 0),
    ],
    ids=[
        "lost",
        "repeated",
        "order",
        "offset",
        "again",
        "too many",
        "kind",
        "crc",
        "subscription",
        "empty",
        "altered",
        "cut off",
        "heartbeat",
        "gone",
    ],
)
def test_the_consumer_finds_wrong_chunks(client: _Client, data: bytes) -> None:
    end = consumer(client, 3)
    client.peer.sendall(data)
    with pytest.raises(LoadError):
        end.read()


def test_an_altered_message_with_a_right_checksum_is_found(client: _Client) -> None:
    end = consumer(client, 2)
    data = bytearray(chunk(0, 1))
    data[-1] ^= 1
    data[9 + 32 : 9 + 36] = struct.pack(">I", crc32(data[9 + 48 :]))
    client.peer.sendall(data)
    with pytest.raises(LoadError, match="not the next messages"):
        end.read()


def test_of_each_publisher_numbers_are_in_order_however_frames_are_cut(client: _Client) -> None:
    end = consumer(client, 900, 3)
    for numbers in ([*range(300, 402), *range(250)], [600], [*range(402, 600), *range(601, 900)], [*range(250, 300)]):
        client.peer.sendall(chunk(*numbers, first=end.progress))
        end.read()
    assert end.done


@pytest.mark.parametrize("numbers", [(0, 3, 2), (0, 3, 5), (0, 3, 3), (3, 4, 0, 2)])
def test_a_number_of_a_publisher_that_is_not_the_next_is_found(client: _Client, numbers: tuple[int, ...]) -> None:
    end = consumer(client, 6, 2)
    client.peer.sendall(chunk(*numbers))
    with pytest.raises(LoadError, match="not the next messages"):
        end.read()


def test_a_publisher_numbers_from_its_first_on(client: _Client) -> None:
    end = StreamPublisher(cast("StreamClient", client), 150, 1_000, 70_000)
    while end.pump():
        pass
    assert client.peer.recv(100_000) == publishes(range(70_000, 70_150))
    client.peer.sendall(confirm(*range(70_000, 70_150)))
    end.read()
    assert end.done
    client.peer.sendall(confirm(69_999))
    with pytest.raises(LoadError, match="before they were sent"):
        end.read()
