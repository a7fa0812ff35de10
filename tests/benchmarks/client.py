"""A blocking AMQP client of a few calls: it logs in, declares and subscribes, then lends its socket.

It reads exactly one frame at a time, so that nothing of what follows is left in a buffer when the load loop
takes the socket over.  Whatever isn't the expected answer is a LoadError that quotes the server's close text,
if there is one.
"""

from __future__ import annotations

import socket
import struct

from tests.benchmarks import wire
from tests.benchmarks.tls import wrapped
from tests.support.child import LOOPBACK

CALL_TIMEOUT_S = 60.0
"""For one answer during setup and at the end: a broker that was just loaded may have much to clear away."""

FRAME_SIZE_MAX = 1 << 20
"""No server negotiates larger frames with this client; anything above is a stream out of step."""

CLOSE_METHODS = {(10, 50): "connection.close", (20, 40): "channel.close"}


class LoadError(Exception):
    """The broker did something else than was asked of it: the run is void."""


class Client:
    """One connection with one open channel.  `socket` is free to be used by others between calls."""

    def __init__(self, port: int, user: str = "guest", password: str = "guest", *, tls: bool = False) -> None:
        """Connect to a loopback port, log in to vhost "/" without heartbeats, and open the channel."""
        connection = socket.create_connection((LOOPBACK, port), timeout=CALL_TIMEOUT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = wrapped(connection) if tls else connection
        self.socket.sendall(wire.PROTOCOL_HEADER)
        self._expect(10, 10)
        response = f"\0{user}\0{password}".encode()
        start_ok = wire.longstr(b"") + wire.shortstr("PLAIN") + wire.longstr(response) + wire.shortstr("en_US")
        self.socket.sendall(wire.method(0, 10, 11, start_ok))
        channels, frame_size, _ = struct.unpack(">HIH", self._expect(10, 30))
        self.socket.sendall(wire.method(0, 10, 31, struct.pack(">HIH", channels, frame_size, 0)))
        self.call(10, 40, 41, wire.shortstr("/") + b"\x00\x00", channel=0)
        self.call(20, 10, 11, b"\x00")

    def call(self, class_id: int, method_id: int, answer: int, arguments: bytes, channel: int = wire.CHANNEL) -> bytes:
        """Send a method and return the encoded arguments of its answer, a method of the same class."""
        self.socket.settimeout(CALL_TIMEOUT_S)
        self.socket.sendall(wire.method(channel, class_id, method_id, arguments))
        return self._expect(class_id, answer)

    def declare_queue(self, name: str, durable: bool = False, passive: bool = False, kind: str = "") -> int:
        """Declare a queue, of this type if one is named.  Returns how many messages are ready in it."""
        flags = (1 if passive else 0) | (2 if durable else 0)
        arguments = b"\x00\x00" + wire.shortstr(name) + bytes((flags,))
        arguments += wire.longstr(wire.longstr_table("x-queue-type", kind) if kind else b"")
        answer = self.call(50, 10, 11, arguments)
        ready, _ = struct.unpack_from(">II", answer, 1 + answer[0])
        return int(ready)

    def declare_exchange(self, name: str, kind: str) -> None:
        """Declare an exchange that doesn't survive a restart."""
        arguments = b"\x00\x00" + wire.shortstr(name) + wire.shortstr(kind) + b"\x00" + wire.longstr(b"")
        self.call(40, 10, 11, arguments)

    def delete_exchange(self, name: str) -> None:
        """Delete an exchange."""
        self.call(40, 20, 21, b"\x00\x00" + wire.shortstr(name) + b"\x00")

    def bind(self, queue: str, exchange: str, key: str = "") -> None:
        """Bind a queue."""
        names = wire.shortstr(queue) + wire.shortstr(exchange) + wire.shortstr(key)
        self.call(50, 20, 21, b"\x00\x00" + names + b"\x00" + wire.longstr(b""))

    def purge_queue(self, name: str) -> int:
        """Drop what is ready in a queue.  Returns how many messages that were."""
        return int(struct.unpack(">I", self.call(50, 30, 31, b"\x00\x00" + wire.shortstr(name) + b"\x00"))[0])

    def delete_queue(self, name: str) -> int:
        """Delete a queue.  Returns how many messages were ready in it."""
        return int(struct.unpack(">I", self.call(50, 40, 41, b"\x00\x00" + wire.shortstr(name) + b"\x00"))[0])

    def select_confirms(self) -> None:
        """Put the channel into confirm mode."""
        self.call(85, 10, 11, b"\x00")

    def consume(
        self, queue: str, automatic_acks: bool, prefetch: int, tag: str = wire.CONSUMER_TAG, offset: str = ""
    ) -> None:
        """Subscribe, with `prefetch` unacknowledged messages at most (0: no limit); offset: where a stream is read."""
        self.call(60, 10, 11, struct.pack(">IHB", 0, prefetch, 0))
        names = wire.shortstr(queue) + wire.shortstr(tag)
        flags = b"\x02" if automatic_acks else b"\x00"
        arguments = wire.longstr(wire.longstr_table("x-stream-offset", offset) if offset else b"")
        self.call(60, 20, 21, b"\x00\x00" + names + flags + arguments)

    def close(self) -> None:
        """Close the channel and the connection.  On return, the server has handled all that was sent."""
        reason = struct.pack(">H", 200) + wire.shortstr("") + b"\x00\x00\x00\x00"
        self.call(20, 40, 41, reason)
        self.call(10, 50, 51, reason, channel=0)
        self.socket.close()

    def _expect(self, class_id: int, method_id: int) -> bytes:
        kind, _, size = wire.FRAME_HEAD.unpack(self._read(wire.FRAME_HEAD.size))
        if size > FRAME_SIZE_MAX:
            raise LoadError(f"a frame of {size} bytes")
        payload = self._read(size + 1)[:-1]
        if kind != wire.METHOD or struct.unpack_from(">HH", payload) != (class_id, method_id):
            raise LoadError(f"expected method {class_id}.{method_id}, got {describe(kind, payload)}")
        return payload[4:]

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            try:
                part = self.socket.recv(size)
            except TimeoutError:
                raise LoadError(f"no answer within {CALL_TIMEOUT_S:g} s") from None
            if not part:
                raise LoadError("the server closed the socket")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def describe(kind: int, payload: bytes) -> str:
    """A frame for people; closes with the server's code and text."""
    if kind != wire.METHOD or len(payload) < 4:
        return f"a frame of type {kind} with {len(payload)} bytes"
    class_id, method_id = struct.unpack_from(">HH", payload)
    if (name := CLOSE_METHODS.get((class_id, method_id))) is not None:
        code = struct.unpack_from(">H", payload, 4)[0]
        text = payload[7 : 7 + payload[6]].decode("utf-8", "replace")
        return f"{name} {code} {text!r}"
    return f"method {class_id}.{method_id}"


def describe_stream(data: bytes, usual_method: int) -> str:
    """What is wrong with a stream of `usual_method` (class basic) and content: its first other frame."""
    offset = 0
    while offset + wire.FRAME_OVERHEAD + 4 <= len(data):
        kind, _, size = wire.FRAME_HEAD.unpack_from(data, offset)
        payload = data[offset + wire.FRAME_HEAD.size : offset + wire.FRAME_HEAD.size + size]
        if kind not in (wire.METHOD, wire.HEADER, wire.BODY):
            return describe(kind, payload)
        if kind == wire.METHOD and payload[:4] != struct.pack(">HH", wire.BASIC, usual_method):
            return describe(kind, payload)
        offset += size + wire.FRAME_OVERHEAD
    return f"an unexpected sequence: a message lost, repeated, out of order or altered, near {data[:120].hex()}"
