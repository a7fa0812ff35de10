"""A connection of a crash test: everything without waiting, so that one loop can drive many of them.

The handshake is a blocking one; after it the socket is non-blocking, `send` collects, `write` and `read` do what the
socket allows.  Content arrives whole.  When the broker is killed, what it sent before is still read to the end:
a confirm counts as soon as it was sent.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import Address, Close, Frame, WireClient

CHANNEL = 1
"""Every connection uses one channel."""

READ_BYTES_MAX = 1 << 18
UNSENT_BYTES_MAX = 1 << 18
"""More than this waiting for the socket, and its user should hold back."""

WAIT_S = 30.0
"""For answers outside the load; a loaded machine must not fail a test."""

_PERSISTENT = b"\x10\x80\x02"
_TRANSIENT = b"\x10\x80\x01"
# Property flags for delivery-mode and message-id (A.1), and the delivery mode.

_ENVELOPE = struct.Struct(">BHI")

_CONTENT = ("basic.deliver", "basic.get-ok", "basic.return")

_PATTERN = bytes((index * 167 + (index >> 8) * 31) & 0xFF for index in range(300_000))
"""What bodies are cut from."""


@dataclass(frozen=True, slots=True)
class Event:
    """A method that came, with its content if it carries one."""

    name: str
    arguments: wire.ByteReader
    properties: bytes = b""
    body: bytes = b""

    @property
    def message_id(self) -> str:
        """The message id of content that `publish_frames` made."""
        return self.properties[4:].decode()

    @property
    def intact(self) -> bool:
        """Whether properties and body are still as `publish_frames` made them."""
        return self.properties[:3] in (_PERSISTENT, _TRANSIENT) and self.body == body_of(self.message_id)


class BrokerSaysNoError(AssertionError):
    """The broker closed a channel or a connection that had done nothing wrong."""


class CrashLink:
    """One connection with one channel.  `name` is unique in a run of the broker."""

    def __init__(self, address: Address, name: str) -> None:
        client = WireClient(address)
        client.handshake()
        client.open_channel(CHANNEL)
        self.name = name
        self.socket: socket.socket = client.socket
        self.socket.setblocking(False)
        self.ended = False
        self._unsent = bytearray()
        self._received = bytearray()
        self._content: tuple[str, bytes] | None = None
        self._size = 0
        self._properties = b""
        self._body: list[bytes] = []

    def close(self) -> None:
        """Close the socket."""
        self.ended = True
        self.socket.close()

    @property
    def may_send(self) -> bool:
        """False while much of what was sent still waits."""
        return len(self._unsent) < UNSENT_BYTES_MAX

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def send(self, *chunks: bytes) -> None:
        """Have these bytes sent, in this order."""
        for chunk in chunks:
            self._unsent += chunk

    def method(self, name: str, *arguments: bytes) -> None:
        """Have a method sent."""
        self.send(wire.method(CHANNEL, name, *arguments))

    def write(self) -> None:
        """Give the socket what it takes."""
        try:
            while self._unsent and not self.ended:
                count = self.socket.send(memoryview(self._unsent)[:READ_BYTES_MAX])
                del self._unsent[:count]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()

    def read(self) -> Iterator[Event]:
        """What has arrived; `ended` is set when nothing more can come."""
        try:
            data = self.socket.recv(READ_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return
        self._received += data
        yield from self._events()

    def drain(self) -> Iterator[Event]:
        """Everything that the broker sent before it ended; it must be dead already."""
        while not self.ended and select.select([self.socket], [], [], WAIT_S)[0]:
            yield from self.read()
        if not self.ended:
            raise AssertionError(f"{self.name}: the socket of a dead broker stays open")

    def wait(self, handle: Callable[[Event], None], until: Callable[[], bool], what: str) -> None:
        """Send and receive until a condition holds."""
        give_up_at = time.monotonic() + WAIT_S
        while not until():
            writable = [self.socket] if self._unsent else []
            select.select([self.socket], writable, [], 0.1)
            self.write()
            for event in self.read():
                handle(event)
            if self.ended and not until():
                raise AssertionError(f"{self.name}: the broker ended the connection instead of {what}")
            if time.monotonic() > give_up_at:
                raise AssertionError(f"{self.name}: {what}: not within {WAIT_S:g} s")

    def _events(self) -> Iterator[Event]:
        data = bytes(self._received)
        position = 0
        while len(data) - position >= wire.FRAME_OVERHEAD_BYTES:
            kind, _, size = _ENVELOPE.unpack_from(data, position)
            stop = position + 7 + size
            if stop >= len(data):
                break
            if data[stop] != wire.FRAME_END:
                raise wire.NotAMQPError(f"{self.name}: frame end {data[stop]:#x}")
            event = self._frame(kind, data[position + 7 : stop])
            position = stop + 1
            if event is not None:
                yield event
        self._received = bytearray(data[position:])

    def _frame(self, kind: int, payload: bytes) -> Event | None:
        if kind == wire.METHOD:
            return self._method(Frame(kind, CHANNEL, payload))
        if kind == wire.HEADER:
            self._size = int.from_bytes(payload[4:12])
            self._properties, self._body = payload[12:], []
        elif kind == wire.BODY:
            self._body.append(payload)
            self._size -= len(payload)
        else:
            return None
        if self._size or self._content is None:
            return None
        (name, arguments), self._content = self._content, None
        return Event(name, wire.ByteReader(arguments), self._properties, b"".join(self._body))

    def _method(self, frame: Frame) -> Event | None:
        if frame.name == "connection.close" and Close.of(frame).code == 320:
            self.send(wire.method(0, "connection.close-ok"))
            self.write()
            return None
        if frame.name.endswith(".close") or frame.name == "basic.nack":
            raise BrokerSaysNoError(f"{self.name}: {frame.name}: {frame.payload!r}")
        if frame.name in _CONTENT:
            self._content = frame.name, frame.payload[4:]
            return None
        return Event(frame.name, frame.arguments)


def body_of(message_id: str) -> bytes:
    """The body of a message, which follows from its id: `PUBLISHER~NUMBER~SIZE`."""
    _, number, size = message_id.rsplit("~", 2)
    start = int(number) % 4099
    return _PATTERN[start : start + int(size)]


def publish_frames(
    exchange: str, routing_key: str, message_id: str, *, persistent: bool = True, mandatory: bool = False
) -> bytes:
    """A whole message with the id and the body that belongs to it."""
    body = body_of(message_id)
    properties = (_PERSISTENT if persistent else _TRANSIENT) + wire.shortstr(message_id)
    limit = 131072 - wire.FRAME_OVERHEAD_BYTES
    return b"".join(
        [
            wire.method(
                CHANNEL,
                "basic.publish",
                wire.short(0),
                wire.shortstr(exchange),
                wire.shortstr(routing_key),
                wire.bits(mandatory, False),
            ),
            wire.header(CHANNEL, len(body), properties),
            *(wire.body(CHANNEL, body[start : start + limit]) for start in range(0, len(body), limit)),
        ]
    )


def declare_queue(name: str) -> bytes:
    """queue.declare of a durable queue."""
    flags = wire.bits(False, True, False, False, False)
    return wire.method(CHANNEL, "queue.declare", wire.short(0), wire.shortstr(name), flags, wire.table())


def declare_exchange(name: str, exchange_type: str) -> bytes:
    """exchange.declare of a durable exchange."""
    names = wire.shortstr(name), wire.shortstr(exchange_type)
    flags = wire.bits(False, True, False, False, False)
    return wire.method(CHANNEL, "exchange.declare", wire.short(0), *names, flags, wire.table())


def bind_queue(queue: str, exchange: str, routing_key: str) -> bytes:
    """queue.bind."""
    names = wire.shortstr(queue), wire.shortstr(exchange), wire.shortstr(routing_key)
    return wire.method(CHANNEL, "queue.bind", wire.short(0), *names, wire.bits(False), wire.table())


def consume(queue: str) -> bytes:
    """basic.consume with acknowledgements; the consumer's tag is the queue's name."""
    names = wire.shortstr(queue), wire.shortstr(queue)
    return wire.method(CHANNEL, "basic.consume", wire.short(0), *names, wire.bits(False, False, False), wire.table())


def acknowledge(tag: int, *, multiple: bool = False) -> bytes:
    """basic.ack."""
    return wire.method(CHANNEL, "basic.ack", wire.longlong(tag), wire.bits(multiple))


def requeue(tag: int) -> bytes:
    """basic.nack of one delivery with requeue."""
    return wire.method(CHANNEL, "basic.nack", wire.longlong(tag), wire.bits(False, True))
