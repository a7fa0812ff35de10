"""Streams of a broker that is killed: what was confirmed is there once, in order, and offsets are its numbers.

One publisher with many confirms outstanding and a stream on each of its channels: one stream keeps everything, the
other is made of small segments of which the oldest go, so that kills come while files are made and removed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.crash.test_kill import SEED
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import DisconnectedError, WireClient
from tests.support.warren_process import WarrenProcess, start_warren

ROUNDS: Final = 6

WINDOW: Final = 300
"""Unconfirmed messages of a stream: several group commits are never far away."""

ROW: Final = 50
"""Messages that are sent together."""

BODY_BYTES_MIN: Final = 8

STREAMS: Final[dict[str, dict[str, wire.Value]]] = {
    "all": {"x-queue-type": "stream"},
    "some": {"x-queue-type": "stream", "x-stream-max-segment-size-bytes": 50_000, "x-max-length-bytes": 500_000},
}


class Published:
    """One stream as its publisher knows it: the messages that it had before the kill, and those since.

    begun: how many there were when the broker started, which is the offset of the next one.
    """

    def __init__(self, name: str, channel: int) -> None:
        self.name = name
        self.channel = channel
        self.begun = 0
        self.sent = 0
        self.confirmed = 0
        self.first = 0

    @property
    def unconfirmed(self) -> int:
        return self.sent - self.confirmed


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert "Traceback" not in (tmp_path / "warren.log").read_text()


def test_nothing_confirmed_is_lost_of_streams(pytestconfig: pytest.Config, directory: Path) -> None:
    choice = random.Random(pytestconfig.getoption("crash_seed", None) or SEED)
    streams = [Published(name, number) for number, name in enumerate(STREAMS, 1)]
    confirmed = 0
    for _ in range(ROUNDS):
        broker = start_warren(directory, data_directory=directory / "data")
        try:
            with connect(broker) as client:
                check(client, streams)
                publish_until_killed(broker, client, streams, choice.randint(500, 3000), choice.randint(8, 400))
        finally:
            broker.kill()
        confirmed += sum(each.confirmed for each in streams)
    broker = start_warren(directory, data_directory=directory / "data")
    with connect(broker) as client:
        check(client, streams)
    assert broker.stop() == 0
    assert confirmed > ROUNDS * 1000
    assert [each.first > 0 for each in streams] == [False, True]


def connect(broker: WarrenProcess) -> WireClient:
    client = WireClient(("127.0.0.1", broker.amqp_port))
    client.handshake()
    return client


def publish_until_killed(
    broker: WarrenProcess, client: WireClient, streams: list[Published], enough: int, size: int
) -> None:
    """Publish to both, and kill the broker as soon as so much of each was confirmed; read what it still said."""
    for stream in streams:
        client.send(wire.method(stream.channel, "confirm.select", wire.bits(False)))
        client.expect("confirm.select-ok", stream.channel)
    while any(stream.confirmed < enough for stream in streams):
        for stream in streams:
            while stream.unconfirmed <= WINDOW - ROW:
                send_row(client, stream, size)
        take_confirm(client, streams)
    broker.kill()
    try:
        while True:
            take_confirm(client, streams)
    except DisconnectedError:
        pass


def send_row(client: WireClient, stream: Published, size: int) -> None:
    numbers = range(stream.begun + stream.sent, stream.begun + stream.sent + ROW)
    bodies = [number.to_bytes(BODY_BYTES_MIN, "big").ljust(size, b".") for number in numbers]
    client.send_if_open(*(wire.publish(stream.channel, "", stream.name, body) for body in bodies))
    stream.sent += ROW


def take_confirm(client: WireClient, streams: list[Published]) -> None:
    frame = client.read_frame()
    assert frame.name == "basic.ack", frame
    tag = frame.arguments.longlong()
    stream = streams[frame.channel - 1]
    stream.confirmed = max(stream.confirmed, tag)


def check(client: WireClient, streams: list[Published]) -> None:
    """Read each stream from its first message: every one has the number of its offset, and none that was confirmed is
    missing; what had been sent and not confirmed may be there, up to a point."""
    for stream in streams:
        client.open_channel(stream.channel)
        declare(client, stream)
        count = ready_count(client, stream)
        read = read_all(client, stream, count) if count else []
        assert read == list(range(read[0], read[0] + count) if read else [])
        end = read[-1] + 1 if read else 0
        assert stream.begun + stream.confirmed <= end <= stream.begun + stream.sent
        stream.first = read[0] if read else 0
        stream.begun = end
        stream.sent = stream.confirmed = 0


def declare(client: WireClient, stream: Published) -> None:
    flags = wire.bits(False, True, False, False, False)
    name = wire.shortstr(stream.name)
    arguments = wire.table(STREAMS[stream.name])
    client.send(wire.method(stream.channel, "queue.declare", wire.short(0), name, flags, arguments))
    client.expect("queue.declare-ok", stream.channel)


def ready_count(client: WireClient, stream: Published) -> int:
    flags = wire.bits(True, True, False, False, False)
    name = wire.shortstr(stream.name)
    client.send(wire.method(stream.channel, "queue.declare", wire.short(0), name, flags, wire.table()))
    answer = client.expect("queue.declare-ok", stream.channel)
    answer.shortstr()
    return answer.long()


def read_all(client: WireClient, stream: Published, count: int) -> list[int]:
    """The numbers of so many messages from the first on."""
    channel = stream.channel
    client.send(wire.method(channel, "basic.qos", wire.long(0), wire.short(0xFFFF), wire.bits(False)))
    client.expect("basic.qos-ok", channel)
    names = wire.short(0), wire.shortstr(stream.name), wire.shortstr("reader")
    arguments = wire.table({"x-stream-offset": "first"})
    client.send(wire.method(channel, "basic.consume", *names, wire.bits(False, False, False, False), arguments))
    client.expect("basic.consume-ok", channel)
    numbers = []
    for _ in range(count):
        client.expect("basic.deliver", channel)
        content = client.expect_content(channel)
        numbers.append(int.from_bytes(content.body[:BODY_BYTES_MIN], "big"))
    client.send(wire.method(channel, "basic.cancel", wire.shortstr("reader"), wire.bits(False)))
    client.expect("basic.cancel-ok", channel)
    client.send(wire.method(channel, "basic.ack", wire.longlong(0), wire.bits(True)))
    return numbers
