"""The MQTT ends of the load: numbered messages, MQTT 3.1.1, 16-byte bodies.

All packets of a scenario have the same length, so that numbers and packet identifiers are written and compared as in
numbers.py.  Topics, where there are several, have one length and take turns.  What comes from one publisher must hold
the next number; of many publishers each number must come once.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from tests.benchmarks.client import CALL_TIMEOUT_S, LoadError
from tests.benchmarks.numbers import RECORDS_MAX, numbers_match, write_numbers
from tests.benchmarks.websocket import Unframed, frames, upgrade
from tests.benchmarks.wire import NUMBER, NumberedFrames
from tests.support.child import LOOPBACK

TOPIC = b"benchmark"

BODY = NUMBER.pack(0) + b"x" * 8

BLOCK_MESSAGES = 1000
"""QoS 0 messages encoded and sent at once."""

READ_BYTES = 256 * 1024

CHUNK_BYTES = 32 * 1024
"""Least worth waking up for (see consumer.py)."""


PACKET_IDS = 65_535

_IDS = struct.pack(f">{PACKET_IDS}H", *range(1, PACKET_IDS + 1))
_IDS_HIGH, _IDS_LOW = ((_IDS[at::2] * 2) for at in (0, 1))
"""The bytes of all packet identifiers in order, twice: those of any row of messages are slices."""


def topic(number: int) -> bytes:
    """One of several topics, all of one length."""
    return b"benchmark/%06d" % number


def topics(count: int) -> Sequence[bytes]:
    """The topics that take turns; one alone has a short name."""
    return [topic(number) for number in range(count)] if count > 1 else [TOPIC]


def publication(name: bytes, qos: int = 0, *, retain: bool = False) -> bytes:
    """A PUBLISH with the number 0, and the packet identifier 1 where it has one."""
    rest = struct.pack(">H", len(name)) + name + (b"\0\1" if qos else b"") + BODY
    return bytes((0x30 | qos << 1 | retain, len(rest))) + rest


def numbered(name: bytes) -> NumberedFrames:
    """The same of QoS 0, as frames whose numbers can be written."""
    data = publication(name)
    return NumberedFrames(data, len(data) - len(BODY), -1, (data,))


def _write_ids(buffer: bytearray, at: int, record_size: int, count: int, first: int) -> None:
    """The packet identifiers of messages first, first+1, … at offset `at` of each of `count` records."""
    phase = first % PACKET_IDS
    buffer[at : count * record_size : record_size] = _IDS_HIGH[phase : phase + count]
    buffer[at + 1 : count * record_size : record_size] = _IDS_LOW[phase : phase + count]


def _pubacks(count: int, first: int) -> bytearray:
    acks = bytearray(b"\x40\2\0\0" * count)
    _write_ids(acks, 2, 4, count, first)
    return acks


class MqttClient:
    """A blocking client of a few calls, which lends its socket in between.  websocket: whether it speaks over one."""

    def __init__(self, port: int, client_id: str, *, websocket: bool = False) -> None:
        self.socket = socket.create_connection((LOOPBACK, port), timeout=CALL_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unframed = Unframed() if websocket else None
        if websocket:
            upgrade(self.socket)
        name = client_id.encode()
        rest = b"\0\4MQTT\4\xc2\0\0" + b"".join(
            struct.pack(">H", len(text)) + text for text in (name, b"guest", b"guest")
        )
        self._call(b"\x10" + bytes((len(rest),)) + rest, b"\x20\2\0\0")

    def subscribe(self, qos: int, name: bytes = TOPIC) -> None:
        """Subscribe to a topic or filter; there must be no retained messages for it."""
        rest = b"\0\1" + struct.pack(">H", len(name)) + name + bytes((qos,))
        self._call(b"\x82" + bytes((len(rest),)) + rest, b"\x90\3\0\1" + bytes((qos,)))

    def close(self) -> None:
        """Ping, so that the server has handled all that was sent, and disconnect."""
        self._call(b"\xc0\0", b"\xd0\0")
        self._send(b"\xe0\0")
        self.socket.close()

    def _call(self, packet: bytes, answer: bytes) -> None:
        self.socket.settimeout(CALL_TIMEOUT_S)
        self._send(packet)
        received = b""
        while len(received) < len(answer):
            part = self.socket.recv(len(answer) - len(received))
            if not part:
                raise LoadError("the server closed the socket")
            received += part if self._unframed is None else self._unframed.feed(part)
        if received != answer:
            raise LoadError(f"expected {answer!r}, got {received!r}")

    def _send(self, packet: bytes) -> None:
        self.socket.sendall(packet if self._unframed is None else frames(packet, len(packet), 1))


class MqttPublisher:
    """Sends `messages` numbered messages, with QoS 1 at most `window` unanswered.  An `End` of the load loop.

    per_frame: messages in each WebSocket frame, 0 without WebSocket; for QoS 0.
    """

    def __init__(
        self,
        connection: socket.socket,
        messages: int,
        qos: int,
        window: int,
        first: int = 0,
        per_frame: int = 0,
        names: Sequence[bytes] = (TOPIC,),
        *,
        retain: bool = False,
    ) -> None:
        self.socket = connection
        self._messages = messages
        self._qos = qos
        self._window = window if qos else BLOCK_MESSAGES
        self._first = first
        self._per_frame = per_frame
        self._records = [publication(name, qos, retain=retain) for name in names]
        self._size = len(self._records[0])
        self._encoded = 0
        self._answered = 0
        self._rest = b""
        self._unsent = memoryview(b"")

    def __str__(self) -> str:
        return f"publisher sent {self._encoded} of {self._messages}, answered {self._answered}"

    @property
    def progress(self) -> int:
        """A number that grows whenever anything happens."""
        return self._encoded + self._answered

    @property
    def done(self) -> bool:
        """Whether everything is sent, and answered where it is to be."""
        return (
            self._encoded == self._messages and not self._unsent and (not self._qos or self._answered >= self._messages)
        )

    def pump(self) -> bool:
        """Send what may be sent now.  Returns whether to call again when writable."""
        limit = self._answered + self._window if self._qos else self._encoded + BLOCK_MESSAGES
        if not self._unsent and self._encoded < min(limit, self._messages):
            stop = min(limit, self._messages, self._encoded + RECORDS_MAX)
            packets = self._packets(self._encoded, stop)
            self._unsent = memoryview(frames(packets, self._size, self._per_frame) if self._per_frame else packets)
            self._encoded = stop
        try:
            self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        return bool(self._unsent) or (not self._qos and not self.done)

    def read(self) -> None:
        """PUBACKs, in order."""
        received = self.socket.recv(READ_BYTES)
        if not received:
            raise LoadError("the server closed the publisher's socket")
        data = self._rest + received
        count = len(data) // 4
        self._rest = data[count * 4 :]
        if data[: count * 4] != _pubacks(count, self._answered):
            raise LoadError(f"not the next answers: {data[:40]!r}")
        self._answered += count

    def _packets(self, start: int, stop: int) -> bytearray:
        count = stop - start
        records = self._records
        if len(records) == 1:
            packets = bytearray(records[0] * count)
        else:
            packets = bytearray(b"".join([records[number % len(records)] for number in range(start, stop)]))
        number_at = self._size - len(BODY)
        write_numbers(packets, number_at, self._size, count, self._first + start)
        if self._qos:
            _write_ids(packets, number_at - 2, self._size, count, start)
        return packets


class MqttConsumer:
    """Expects `messages` messages, in order of their numbers if there is one publisher.  An `End` of the load loop."""

    def __init__(
        self,
        connection: socket.socket,
        messages: int,
        qos: int,
        *,
        ordered: bool = True,
        websocket: bool = False,
        names: Sequence[bytes] = (TOPIC,),
    ) -> None:
        self.socket = connection
        self._messages = messages
        self._qos = qos
        self._ordered = ordered
        self._unframed = Unframed() if websocket else None
        self._seen: set[int] = set()
        self._records = [publication(name, qos) for name in names]
        self._size = len(self._records[0])
        self.delivered = 0
        self._rest = b""
        self._unsent = b""
        self._wake_at_bytes = 1

    def __str__(self) -> str:
        return f"consumer got {self.delivered} of {self._messages}"

    @property
    def progress(self) -> int:
        """A number that grows whenever anything happens."""
        return self.delivered

    @property
    def done(self) -> bool:
        """Whether everything was delivered and acknowledged."""
        return self.delivered == self._messages and not self._unsent

    def pump(self) -> bool:
        """Acknowledge; wake up for a chunk where nobody waits for that."""
        if self._unsent:
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except BlockingIOError:
                pass
        if not self._qos:
            missing = (self._messages - self.delivered) * self._size - len(self._rest)
            wake_at_bytes = max(1, min(CHUNK_BYTES, missing))
            if wake_at_bytes != self._wake_at_bytes:
                self._wake_at_bytes = wake_at_bytes
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wake_at_bytes)
        return bool(self._unsent)

    def read(self) -> None:
        """Take messages.  Anything else than the next ones is a LoadError."""
        received = self.socket.recv(READ_BYTES)
        if not received:
            raise LoadError(f"the server closed the consumer's socket after {self.delivered} deliveries")
        if self._unframed is not None:
            received = self._unframed.feed(received)
        data = self._rest + received
        size = self._size
        count = len(data) // size
        self._rest = data[count * size :]
        self._check(bytearray(data), count)
        if self._qos:
            acks = bytearray(b"\x40\2\0\0" * count)
            for at in (2, 3):
                identifier_at = size - len(BODY) - 4 + at
                acks[at::4] = data[identifier_at : count * size : size]
            self._unsent += acks
        self.delivered += count

    def _check(self, data: bytearray, count: int) -> None:
        if not count:
            return
        size = self._size
        number_at = size - len(BODY)
        if not self._ordered:
            self._seen.update([NUMBER.unpack_from(data, at + number_at)[0] for at in range(0, count * size, size)])
            if len(self._seen) != self.delivered + count:
                raise LoadError(f"after {self.delivered} deliveries: a message came twice")
            return
        last = self._records[(self.delivered + count - 1) % len(self._records)]
        last_at = (count - 1) * size
        end = number_at - 2 if self._qos else number_at
        if (
            not numbers_match(data, number_at, size, count, self.delivered)
            or data[last_at : last_at + end] != last[:end]
            or data[last_at + number_at + 8 : last_at + size] != last[number_at + 8 :]
        ):
            raise LoadError(f"after {self.delivered} deliveries: not the next messages in {bytes(data[:200])!r}")
