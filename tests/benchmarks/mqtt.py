"""The MQTT ends of the load: numbered messages of one topic, MQTT 3.1.1, 16-byte bodies.

All packets of a scenario have the same length, so deliveries are cut by dividing, and each must hold the next number
(of its publisher, where there are many).
"""

from __future__ import annotations

import socket
import struct

from tests.benchmarks.client import CALL_TIMEOUT_S, LoadError
from tests.benchmarks.websocket import Unframed, frames, upgrade
from tests.support.child import LOOPBACK

TOPIC = b"benchmark"

BODY_DIGITS = 16

BLOCK_MESSAGES = 1000
"""QoS 0 messages encoded and sent at once."""

READ_BYTES = 256 * 1024

CHUNK_BYTES = 32 * 1024
"""Least worth waking up for (see consumer.py)."""


def _publish(qos: int, number: int, packet_id: int) -> bytes:
    body = b"%016d" % number
    identifier = struct.pack(">H", packet_id) if qos else b""
    rest = struct.pack(">H", len(TOPIC)) + TOPIC + identifier + body
    return bytes((0x30 | qos << 1, len(rest))) + rest


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

    def subscribe(self, qos: int) -> None:
        """Subscribe to the topic."""
        rest = b"\0\1" + struct.pack(">H", len(TOPIC)) + TOPIC + bytes((qos,))
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
        self.socket.sendall(packet if self._unframed is None else frames([packet], 1))


class MqttPublisher:
    """Sends `messages` numbered messages, with QoS 1 at most `window` unanswered.  An `End` of the load loop.

    per_frame: messages in each WebSocket frame, 0 without WebSocket; for QoS 0.
    """

    def __init__(
        self, connection: socket.socket, messages: int, qos: int, window: int, first: int = 0, per_frame: int = 0
    ) -> None:
        self.socket = connection
        self._messages = messages
        self._qos = qos
        self._window = window if qos else BLOCK_MESSAGES
        self._first = first
        self._per_frame = per_frame
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
            stop = min(limit, self._messages)
            numbers = range(self._encoded, stop)
            packets = [_publish(self._qos, self._first + number, number % 65_535 + 1) for number in numbers]
            self._unsent = memoryview(frames(packets, self._per_frame) if self._per_frame else b"".join(packets))
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
        expected = b"".join(
            [
                b"\x40\2" + struct.pack(">H", number % 65_535 + 1)
                for number in range(self._answered, self._answered + count)
            ]
        )
        if data[: count * 4] != expected:
            raise LoadError(f"not the next answers: {data[:40]!r}")
        self._answered += count


class MqttConsumer:
    """Expects `messages` messages, in order of their numbers if there is one publisher.  An `End` of the load loop."""

    def __init__(
        self, connection: socket.socket, messages: int, qos: int, *, ordered: bool = True, websocket: bool = False
    ) -> None:
        self.socket = connection
        self._messages = messages
        self._qos = qos
        self._ordered = ordered
        self._unframed = Unframed() if websocket else None
        self._seen: set[int] = set()
        self._size = len(_publish(qos, 0, 1))
        self._delivered = 0
        self._rest = b""
        self._unsent = b""
        self._wake_at_bytes = 1

    def __str__(self) -> str:
        return f"consumer got {self._delivered} of {self._messages}"

    @property
    def progress(self) -> int:
        """A number that grows whenever anything happens."""
        return self._delivered

    @property
    def done(self) -> bool:
        """Whether everything was delivered and acknowledged."""
        return self._delivered == self._messages and not self._unsent

    def pump(self) -> bool:
        """Acknowledge; wake up for a chunk where nobody waits for that."""
        if self._unsent:
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except BlockingIOError:
                pass
        if not self._qos:
            missing = (self._messages - self._delivered) * self._size - len(self._rest)
            wake_at_bytes = max(1, min(CHUNK_BYTES, missing))
            if wake_at_bytes != self._wake_at_bytes:
                self._wake_at_bytes = wake_at_bytes
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wake_at_bytes)
        return bool(self._unsent)

    def read(self) -> None:
        """Take messages.  Anything else than the next ones is a LoadError."""
        received = self.socket.recv(READ_BYTES)
        if not received:
            raise LoadError(f"the server closed the consumer's socket after {self._delivered} deliveries")
        if self._unframed is not None:
            received = self._unframed.feed(received)
        data = self._rest + received
        size = self._size
        count = len(data) // size
        self._rest = data[count * size :]
        numbers = [int(data[at - BODY_DIGITS : at]) for at in range(size, count * size + 1, size)]
        if self._ordered:
            if numbers != list(range(self._delivered, self._delivered + count)):
                raise LoadError(f"after {self._delivered} deliveries: not the next messages in {data[:200]!r}")
        else:
            self._seen.update(numbers)
            if len(self._seen) != self._delivered + count:
                raise LoadError(f"after {self._delivered} deliveries: a message came twice")
        if self._qos:
            identifier_at = size - BODY_DIGITS - 2
            self._unsent += b"".join(
                [b"\x40\2" + data[at + identifier_at : at + identifier_at + 2] for at in range(0, count * size, size)]
            )
        self._delivered += count
