"""A blocking AMQP 0-9-1 client over a bare socket: sends any bytes, and reads back whole frames.

Theory of operation: nothing is sent that the test did not ask for (no heartbeats, no close-ok), and nothing
that arrives is skipped except heartbeats.  Every read is bounded by a deadline kept with `select`, so a
broker that says nothing fails the test instead of hanging it.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.support import amqp_bytes as wire
from tests.support.amqp_bytes import ByteReader

TIME_LIMIT_S = 60.0
"""How long a broker may take over anything.  Generous, since a loaded machine must not fail a test."""

Address = tuple[str, int]


class SilenceError(AssertionError):
    """The broker did not say what it should have said within the time limit."""


class DisconnectedError(AssertionError):
    """The broker closed the socket where an answer was expected."""


@dataclass(frozen=True)
class Frame:
    """One frame as it arrived."""

    kind: int
    channel: int
    payload: bytes

    @property
    def name(self) -> str:
        """The method's name such as `queue.declare-ok`; `header`, `body` or `heartbeat` for other frames."""
        if self.kind == wire.METHOD:
            ids = int.from_bytes(self.payload[:2]), int.from_bytes(self.payload[2:4])
            return wire.METHOD_NAMES.get(ids, f"{ids[0]}.{ids[1]}")
        return {wire.HEADER: "header", wire.BODY: "body", wire.HEARTBEAT: "heartbeat"}.get(self.kind, str(self.kind))

    @property
    def arguments(self) -> ByteReader:
        """A method's arguments, or a header's payload behind class and weight."""
        return ByteReader(self.payload[4:])


@dataclass(frozen=True)
class Close:
    """What a connection.close or channel.close said."""

    code: int
    text: str
    class_id: int
    method_id: int

    @classmethod
    def of(cls, frame: Frame) -> Close:
        arguments = frame.arguments
        return cls(arguments.short(), arguments.shortstr(), arguments.short(), arguments.short())


@dataclass(frozen=True)
class Content:
    """A message as delivered: properties as raw bytes (flags and list), and the body put together."""

    properties: bytes
    body: bytes


class WireClient:
    """One socket to a broker: `handshake` and `open_channel` are civil; `send` takes any bytes."""

    def __init__(self, address: Address, receive_buffer_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(TIME_LIMIT_S)
        self.socket.connect(address)
        self._received = b""
        self.frame_max = 131072
        self.channel_max = 2047

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, *chunks: bytes) -> None:
        self.socket.sendall(b"".join(chunks))

    def send_if_open(self, *chunks: bytes) -> None:
        """Sends, and takes it calmly when the broker has already closed."""
        try:
            self.send(*chunks)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def read_exactly(self, count: int, time_limit_s: float = TIME_LIMIT_S) -> bytes:
        """Exactly `count` octets; raises `DisconnectedError` or `SilenceError` when they don't come."""
        deadline = time.monotonic() + time_limit_s
        while len(self._received) < count:
            chunk = self._receive(deadline)
            if not chunk:
                raise DisconnectedError(f"closed after {self._received!r}")
            self._received += chunk
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def peek(self, count: int) -> bytes:
        """The next octets, which stay to be read; raises as `read_exactly`."""
        start = self.read_exactly(count)
        self._received = start + self._received
        return start

    def read_to_end(self, time_limit_s: float = TIME_LIMIT_S) -> bytes:
        """Whatever comes until the broker closes the socket."""
        deadline = time.monotonic() + time_limit_s
        while chunk := self._receive(deadline):
            self._received += chunk
        taken, self._received = self._received, b""
        return taken

    def read_any_frame(self, time_limit_s: float = TIME_LIMIT_S) -> Frame:
        """The next frame, heartbeats included."""
        head = ByteReader(self.read_exactly(7, time_limit_s))
        kind, channel, size = head.octet(), head.short(), head.long()
        payload = self.read_exactly(size, time_limit_s)
        if (end := self.read_exactly(1, time_limit_s)[0]) != wire.FRAME_END:
            raise wire.NotAMQPError(f"frame end {end:#x}")
        return Frame(kind, channel, payload)

    def read_frame(self, time_limit_s: float = TIME_LIMIT_S) -> Frame:
        """The next frame that is not a heartbeat."""
        while (frame := self.read_any_frame(time_limit_s)).kind == wire.HEARTBEAT:
            pass
        return frame

    def expect(self, name: str, channel: int | None = None) -> ByteReader:
        """The next frame must be this method; gives its arguments."""
        frame = self.read_frame()
        if frame.name != name or channel not in (None, frame.channel):
            said = Close.of(frame) if frame.name.endswith(".close") else frame
            raise AssertionError(f"expected {name} on channel {channel}, got {said}")
        return frame.arguments

    def expect_content(self, channel: int) -> Content:
        """The header and body frames behind a deliver, return or get-ok."""
        frame = self.read_frame()
        assert (frame.name, frame.channel) == ("header", channel), frame
        assert frame.payload[:4] == b"\0\x3c\0\0", "class basic, weight 0"
        size = frame.arguments.longlong()
        received = b""
        while len(received) < size:
            chunk = self.read_frame()
            assert (chunk.name, chunk.channel) == ("body", channel), chunk
            assert len(chunk.payload) <= self.frame_max - wire.FRAME_OVERHEAD_BYTES
            received += chunk.payload
        assert len(received) == size
        return Content(frame.payload[12:], received)

    def expect_connection_close(self) -> Close:
        """A connection.close (what comes before is skipped), answered with close-ok; then the end."""
        while (frame := self.read_frame()).name != "connection.close":
            pass
        assert frame.channel == 0, frame
        self.send_if_open(wire.method(0, "connection.close-ok"))
        self.expect_end()
        return Close.of(frame)

    def expect_channel_close(self, channel: int) -> Close:
        """A channel.close as the next frame, answered with close-ok."""
        close = self.expect("channel.close", channel)
        self.send(wire.method(channel, "channel.close-ok"))
        return Close(close.short(), close.shortstr(), close.short(), close.short())

    def expect_end(self) -> None:
        """The broker closes the socket without another word."""
        rest = self.read_to_end()
        assert rest == b"", f"more before the end: {rest!r}"

    def handshake(
        self,
        *,
        header: bytes = wire.PROTOCOL_HEADER,
        mechanism: str = "PLAIN",
        response: bytes = b"\0guest\0guest",
        client_properties: bytes | None = None,
        channel_max: int = 2047,
        frame_max: int = 131072,
        heartbeat_s: int = 0,
        virtual_host: str = "/",
    ) -> None:
        """From the protocol header to connection.open-ok."""
        self.start(header)
        self.send(start_ok(mechanism, response, client_properties))
        self.expect("connection.tune", 0)
        self.send(tune_ok(channel_max, frame_max, heartbeat_s), open_connection(virtual_host))
        self.expect("connection.open-ok", 0)
        self.frame_max, self.channel_max = frame_max, channel_max

    def start(self, header: bytes = wire.PROTOCOL_HEADER) -> ByteReader:
        """Sends the protocol header; gives the arguments of connection.start."""
        self.send(header)
        return self.expect("connection.start", 0)

    def open_channel(self, channel: int = 1) -> None:
        self.send(wire.method(channel, "channel.open", wire.shortstr("")))
        self.expect("channel.open-ok", channel)

    def declare_queue(self, channel: int, name: str, *, exclusive: bool = True) -> str:
        """Declares a queue, by default one that goes with this connection; gives its name."""
        flags = wire.bits(False, False, exclusive, False, False)
        self.send(wire.method(channel, "queue.declare", wire.short(0), wire.shortstr(name), flags, wire.table()))
        return self.expect("queue.declare-ok", channel).shortstr()

    def consume(self, channel: int, queue: str, *, no_ack: bool = True, tag: str = "") -> str:
        """Starts a consumer; gives its tag."""
        names = wire.short(0), wire.shortstr(queue), wire.shortstr(tag)
        flags = wire.bits(False, no_ack, False, False)
        self.send(wire.method(channel, "basic.consume", *names, flags, wire.table()))
        return self.expect("basic.consume-ok", channel).shortstr()

    def round_trip(self, channel: int) -> None:
        """Everything sent before on this channel has been dealt with when this returns."""
        self.send(wire.method(channel, "channel.flow", wire.bits(True)))
        self.expect("channel.flow-ok", channel)

    def wait_for_round_trip(self, channel: int) -> None:
        """As `round_trip`, when the question has been sent already."""
        self.expect("channel.flow-ok", channel)

    def close(self) -> None:
        """The civil way out: connection.close, close-ok, end of the socket."""
        self.send(close_connection())
        self.expect("connection.close-ok", 0)
        self.socket.shutdown(socket.SHUT_WR)
        self.expect_end()

    def _receive(self, deadline: float) -> bytes:
        remaining_s = max(0.0, deadline - time.monotonic())
        if not select.select([self.socket], [], [], remaining_s)[0]:
            raise SilenceError(f"nothing more within the time limit after {self._received!r}")
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""


def start_ok(
    mechanism: str = "PLAIN", response: bytes = b"\0guest\0guest", client_properties: bytes | None = None
) -> bytes:
    """connection.start-ok; by default the client's one capability is authentication_failure_close."""
    properties = client_properties or wire.table({"capabilities": {"authentication_failure_close": True}})
    texts = wire.shortstr(mechanism), wire.longstr(response), wire.shortstr("en_US")
    return wire.method(0, "connection.start-ok", properties, *texts)


def tune_ok(channel_max: int = 2047, frame_max: int = 131072, heartbeat_s: int = 0) -> bytes:
    numbers = wire.short(channel_max), wire.long(frame_max), wire.short(heartbeat_s)
    return wire.method(0, "connection.tune-ok", *numbers)


def open_connection(virtual_host: str = "/") -> bytes:
    return wire.method(0, "connection.open", wire.shortstr(virtual_host), wire.shortstr(""), wire.bits(False))


def close_connection() -> bytes:
    return wire.method(0, "connection.close", wire.short(200), wire.shortstr("bye"), wire.long(0))


def close_channel(channel: int) -> bytes:
    return wire.method(channel, "channel.close", wire.short(200), wire.shortstr("bye"), wire.long(0))


@contextmanager
def wire_client(address: Address, channel: int | None = 1, **handshake: int) -> Iterator[WireClient]:
    """A client past the handshake, with one channel open unless `channel` is None."""
    with WireClient(address) as client:
        client.handshake(**handshake)  # type: ignore[arg-type]  # only the numbers of tune-ok are passed this way
        if channel is not None:
            client.open_channel(channel)
        yield client
