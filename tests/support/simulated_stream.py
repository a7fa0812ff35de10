"""Clients of the stream protocol of a simulated broker: frames are sent as any bytes, cut anywhere, and what comes back
is parsed."""

from __future__ import annotations

import random
from typing import Any, TypeVar

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import decode, encode
from warren.adapters.stream.codec.keys import Code
from warren.adapters.stream.session import StreamSession
from warren.adapters.stream.settings import StreamProtocolSettings
from warren.core.streams.chunk import decode_head, entries_of

T = TypeVar("T")


def frames(data: bytes) -> list[bytes]:
    """The frames in what a broker sent, without their sizes."""
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        assert len(data) >= 4 + size, data
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


class StreamClient:
    """One connection to a simulated broker."""

    def __init__(
        self, simulated: SimulatedBroker, settings: StreamProtocolSettings | None = None, peer_host: str = "127.0.0.1"
    ) -> None:
        self.simulated = simulated
        self.transport = SimulatedTransport(peer_host, 40_000)
        self.transport.unkept = simulated.broker.unkept
        self.session = StreamSession(simulated.broker, self.transport, settings or StreamProtocolSettings())
        self.transport.session = self.session
        self.transport.outbox = self.session.outbox
        self._correlation = 0

    @property
    def closed(self) -> bool:
        """Whether the broker has closed the connection, or is about to."""
        return self.transport.closing or self.transport.closed

    def send_bytes(self, data: bytes, cut: str = "whole") -> list[Any]:
        """Send bytes, whole, "byte by byte", or cut as the seed in `cut` says; what is answered."""
        if cut == "whole":
            pieces = [data]
        elif cut == "byte by byte":
            pieces = [data[at : at + 1] for at in range(len(data))]
        else:
            chance = random.Random(cut)
            cuts = sorted(chance.randrange(len(data) + 1) for _ in range(1 + len(data) // 7))
            pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        for piece in pieces:
            self.transport.receive(piece)
        self.simulated.settle()
        refused = self.simulated.broker.refused_logins
        if len(refused) and not self.closed:
            # A refused login is answered late.
            self.simulated.advance(refused.delay_ms)
        return self.answers()

    def answers(self) -> list[Any]:
        """What has come since the last call."""
        return [decode(frame) for frame in frames(self.transport.take())]

    def send(self, *many: commands.Command) -> list[Any]:
        """Send commands; what is answered."""
        return self.send_bytes(b"".join(map(encode, many)))

    @property
    def next_correlation(self) -> int:
        """Another one each time."""
        self._correlation += 1
        return self._correlation

    def ask(self, make: type[T], *values: object) -> Any:
        """Send a command with a correlation id; the one answer, with the same one."""
        correlation = self.next_correlation
        (answer,) = self.send(make(correlation, *values))  # type: ignore[arg-type, call-arg]
        assert answer.correlation_id == correlation
        return answer

    def code(self, make: type[T], *values: object) -> Code:
        """The code of the answer to such a command."""
        return Code(self.ask(make, *values).code)

    def log_in(self, user: str = "guest", password: str = "guest") -> Any:
        """Log in by PLAIN; the answers, with what comes behind them."""
        assert self.ask(commands.PeerProperties, {"product": "test"}).code == Code.OK
        assert "PLAIN" in self.ask(commands.SaslHandshake).mechanisms
        data = b"\0" + user.encode() + b"\0" + password.encode()
        return self.send(commands.SaslAuthenticate(self.next_correlation, "PLAIN", data))

    def connect(
        self, user: str = "guest", password: str = "guest", vhost: str = "/", *, frame_max: int = 0, heartbeat: int = 0
    ) -> StreamClient:
        """Log in, and enter the virtual host."""
        answer, tuned = self.log_in(user, password)
        assert answer.code == Code.OK
        assert isinstance(tuned, commands.Tune)
        assert self.send(commands.Tune(frame_max, heartbeat)) == []
        opened = self.ask(commands.Open, vhost)
        assert opened.code == Code.OK, opened
        return self


def published(id: int, body: bytes) -> bytes:
    """A message of Publish."""
    return id.to_bytes(8, "big") + len(body).to_bytes(4, "big") + body


def published_v2(id: int, value: bytes | None, body: bytes) -> bytes:
    """A message of Publish of version 2."""
    length = (-1 if value is None else len(value)).to_bytes(2, "big", signed=True)
    return id.to_bytes(8, "big") + length + (value or b"") + len(body).to_bytes(4, "big") + body


def batch(id: int, compression: int, records: int, unpacked_size: int, data: bytes) -> bytes:
    """A batch in Publish."""
    head = bytes([0x80 | compression << 4]) + records.to_bytes(2, "big")
    return id.to_bytes(8, "big") + head + unpacked_size.to_bytes(4, "big") + len(data).to_bytes(4, "big") + data


def packed(*bodies: bytes) -> bytes:
    """The messages in a batch, unpacked."""
    return b"".join(len(body).to_bytes(4, "big") + body for body in bodies)


def publish(publisher_id: int, *messages: bytes) -> commands.Publish:
    """The command."""
    return commands.Publish(publisher_id, len(messages), b"".join(messages))


def bodies_of(chunk: bytes) -> list[tuple[int, bytes]]:
    """The records of a chunk that has no batches, with their offsets."""
    head = decode_head(chunk)
    return [(offset, record) for offset, record in entries_of(head, chunk[48:]) if isinstance(record, bytes)]
