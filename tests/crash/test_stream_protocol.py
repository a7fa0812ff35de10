"""Streams of a broker that is killed, by their own protocol: publishers that send again, and readers, lose nothing.

`tests/support/crash_streams.py` says what is promised.  One stream keeps everything, the other is made of small
segments of which the oldest go.  Beside them a fanout leads to a classic queue and to a third stream, by AMQP: what was
confirmed there is in both.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.crash.test_kill import SEED
from tests.durability.broker import CHANNEL, PERSISTENT, Client
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import DisconnectedError
from tests.support.crash_streams import FIRST, Stream
from tests.support.simulated_stream import bodies_of
from tests.support.stream_wire import StreamWireClient
from tests.support.warren_process import WarrenProcess, start_warren
from warren.adapters.stream.codec import commands

ROUNDS: Final = 6

LISTEN: Final = ("amqp=127.0.0.1:0", "stream=127.0.0.1:0")

FANOUT: Final = "amq.fanout"

QUEUE: Final = "both"

LOG: Final = "both-log"

BOTH: Final[Mapping[str, dict[str, wire.Value]]] = {QUEUE: {}, LOG: {"x-queue-type": "stream"}}

SUBSCRIPTION: Final = 99

NUMBER_BYTES: Final = 8


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert "Traceback" not in (tmp_path / "warren.log").read_text()


class Both:
    """What goes to a classic queue and to a stream by one exchange: numbers, one after the other.

    confirmed: those of which that is known.  unsure: those that were on their way when the broker was killed.
    """

    def __init__(self) -> None:
        self.confirmed: list[int] = []
        self.unsure: set[int] = set()
        self.next = 0

    def open(self, broker: WarrenProcess, reader: StreamWireClient) -> Client:
        """Behind a start: make both where they aren't there, and see that everything confirmed is in both."""
        other = Client(broker)
        for name, arguments in BOTH.items():
            flags = wire.bits(False, True, False, False, False)
            names = wire.short(0), wire.shortstr(name)
            other.wire.send(wire.method(CHANNEL, "queue.declare", *names, flags, wire.table(arguments)))
            other.wire.expect("queue.declare-ok", CHANNEL)
            ends = wire.shortstr(name), wire.shortstr(FANOUT), wire.shortstr("")
            other.wire.send(wire.method(CHANNEL, "queue.bind", wire.short(0), *ends, wire.bits(False), wire.table()))
            other.wire.expect("queue.bind-ok", CHANNEL)
        queued = []
        while (got := other.get(QUEUE)) is not None:
            queued.append(got.body)
        other.close()
        self.check(queued)
        self.check(stored(reader, LOG))
        return Client(broker)

    def check(self, bodies: list[bytes]) -> None:
        numbers = [int.from_bytes(body, "big") for body in bodies]
        assert numbers == sorted(set(numbers))
        assert [number for number in numbers if number not in self.unsure] == self.confirmed

    def publish(self, client: Client) -> None:
        """Publish the next one, and wait until it is confirmed."""
        self.send(client)
        client.wire.expect("basic.ack", CHANNEL)
        self.confirmed.append(self.next - 1)
        self.unsure.discard(self.next - 1)

    def send(self, client: Client) -> None:
        """Publish the next one."""
        self.unsure.add(self.next)
        payload = self.next.to_bytes(NUMBER_BYTES, "big")
        client.wire.send_if_open(wire.publish(CHANNEL, FANOUT, "", payload, properties=PERSISTENT))
        self.next += 1


def stored(client: StreamWireClient, stream: str) -> list[bytes]:
    """The bodies of a stream, of this size, up to the last chunk that it had when this began."""
    stats = client.ask(commands.StreamStats, stream).stats
    if stats["last_chunk_id"] < 0:
        return []
    client.ask(commands.Subscribe, SUBSCRIPTION, stream, FIRST, 0xFFFF)
    found: list[tuple[int, bytes]] = []
    while not found or found[-1][0] < stats["last_chunk_id"]:
        found += bodies_of(client.take().chunk)
    client.ask(commands.Unsubscribe, SUBSCRIPTION)
    return [record[-NUMBER_BYTES:] for _, record in found]


def test_nothing_confirmed_is_lost_by_the_stream_protocol(pytestconfig: pytest.Config, directory: Path) -> None:
    choice = random.Random(pytestconfig.getoption("crash_seed", None) or SEED)
    streams = [
        Stream(0, "all", {}),
        Stream(1, "some", {"stream-max-segment-size-bytes": "50000", "max-length-bytes": "500000"}),
    ]
    both = Both()
    for number in range(ROUNDS + 1):
        broker = start_warren(directory, data_directory=directory / "data", listen=LISTEN)
        try:
            with StreamWireClient(broker.addresses["stream"]) as client:
                client.log_in()
                for stream in streams:
                    stream.open(client, is_new=not number)
                    stream.check_numbers()
                other = both.open(broker, client)
                if number < ROUNDS:
                    enough, size = choice.randint(500, 2000), choice.randint(20, 400)
                    run_until_killed(broker, client, other, streams, both, enough, size)
                other.close()
        finally:
            broker.kill()
    assert [stream.first > 0 for stream in streams] == [False, True]
    assert all(each.confirmed > ROUNDS * 500 for stream in streams for each in stream.publishers)
    assert all(stream.kept_offset >= 0 for stream in streams)
    assert len(both.confirmed) > ROUNDS


def run_until_killed(
    broker: WarrenProcess,
    client: StreamWireClient,
    other: Client,
    streams: list[Stream],
    both: Both,
    enough: int,
    size: int,
) -> None:
    """Publish and read, and kill the broker as soon as each publisher has so many confirms; read what it still said."""
    publishers = {each.number: (stream, each) for stream in streams for each in stream.publishers}
    subscribed = {stream.number: stream for stream in streams}
    goals = {each.number: each.confirmed + enough for stream in streams for each in stream.publishers}

    def take() -> None:
        command = client.take()
        if isinstance(command, commands.Deliver):
            subscribed[command.subscription_id].take_chunk(client, command)
        else:
            assert isinstance(command, commands.PublishConfirm), command
            stream, publisher = publishers[command.publisher_id]
            stream.take_confirms(publisher, command.publishing_ids)

    while any(publisher.confirmed < goals[number] for number, (_, publisher) in publishers.items()):
        for stream in streams:
            stream.send(client, size)
        both.publish(other)
        take()
    both.send(other)
    broker.kill()
    try:
        while True:
            take()
    except DisconnectedError:
        pass
