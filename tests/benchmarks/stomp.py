"""The STOMP ends of the load: numbered SENDs on one connection, MESSAGEs of an ack:auto subscription on another.

Bodies are 16 digits, so frames end at the first NUL, and content-length needn't be sent or looked at.  A MESSAGE varies
in length with its message id; what came is cut at the NULs, and each piece must end with the next number.
"""

from __future__ import annotations

import socket

from tests.benchmarks.client import CALL_TIMEOUT_S, LoadError
from tests.support.child import LOOPBACK

DESTINATION = b"/queue/benchmark-stomp"

BODY_DIGITS = 16

BLOCK_MESSAGES = 1000
"""SENDs encoded and sent at once."""

READ_BYTES = 256 * 1024

CHUNK_BYTES = 32 * 1024
"""Least worth waking up for (see consumer.py)."""

MESSAGE_BYTES_LEAST = 120
"""Smaller than any MESSAGE: with this many bytes missing per message, waiting for a chunk can't wait for ever."""


class StompClient:
    """A blocking client of a few calls, which lends its socket in between."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((LOOPBACK, port), timeout=CALL_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._call(b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n\0", b"CONNECTED\n")

    def subscribe(self) -> None:
        """Consume the queue with ack:auto."""
        self._call(b"SUBSCRIBE\nid:1\nack:auto\ndestination:%b\nreceipt:1\n\n\0" % DESTINATION, b"RECEIPT\n")

    def close(self) -> None:
        """Disconnect.  On return, the server has handled all that was sent."""
        self._call(b"DISCONNECT\nreceipt:2\n\n\0", b"RECEIPT\n")
        self.socket.close()

    def _call(self, frame: bytes, answer: bytes) -> None:
        self.socket.settimeout(CALL_TIMEOUT_S)
        self.socket.sendall(frame)
        received = b""
        while not received.rstrip(b"\n").endswith(b"\0"):
            part = self.socket.recv(READ_BYTES)
            if not part:
                raise LoadError("the server closed the socket")
            received += part
        if not received.lstrip(b"\n").startswith(answer) or received.count(b"\0") != 1:
            raise LoadError(f"expected {answer!r} and nothing else, got {received[:300]!r}")


class StompPublisher:
    """Sends `messages` numbered SENDs.  An `End` of the load loop."""

    def __init__(self, connection: socket.socket, messages: int) -> None:
        self.socket = connection
        self._messages = messages
        self._encoded = 0
        self._unsent = memoryview(b"")

    def __str__(self) -> str:
        return f"publisher sent {self._encoded} of {self._messages}"

    @property
    def progress(self) -> int:
        """A number that grows whenever anything happens."""
        return self._encoded

    @property
    def done(self) -> bool:
        """Whether everything is sent."""
        return self._encoded == self._messages and not self._unsent

    def pump(self) -> bool:
        """Send what may be sent now, a block at most.  Returns whether to call again when writable."""
        if not self._unsent and self._encoded < self._messages:
            stop = min(self._encoded + BLOCK_MESSAGES, self._messages)
            head = b"SEND\ndestination:%b\n\n" % DESTINATION
            self._unsent = memoryview(
                b"".join([b"%b%016d\0" % (head, number) for number in range(self._encoded, stop)])
            )
            self._encoded = stop
        try:
            self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        return not self.done

    def read(self) -> None:
        """Nothing is to be read here but an ERROR."""
        raise LoadError(f"the server said {self.socket.recv(READ_BYTES)[:300]!r} to the publisher")


class StompConsumer:
    """Expects `messages` MESSAGEs with consecutive numbers.  An `End` of the load loop."""

    def __init__(self, connection: socket.socket, messages: int) -> None:
        self.socket = connection
        self._messages = messages
        self._delivered = 0
        self._rest = b""
        self._wake_at_bytes = 1

    def __str__(self) -> str:
        return f"consumer got {self._delivered} of {self._messages}"

    @property
    def progress(self) -> int:
        """A number that grows whenever anything happens."""
        return self._delivered

    @property
    def done(self) -> bool:
        """Whether everything was delivered."""
        return self._delivered == self._messages

    def pump(self) -> bool:
        """Nothing is sent; wake up for a chunk, or for what is still missing."""
        missing = (self._messages - self._delivered) * MESSAGE_BYTES_LEAST - len(self._rest)
        wake_at_bytes = max(1, min(CHUNK_BYTES, missing))
        if wake_at_bytes != self._wake_at_bytes:
            self._wake_at_bytes = wake_at_bytes
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wake_at_bytes)
        return False

    def read(self) -> None:
        """Take MESSAGEs from the readable socket.  Anything else than the next ones is a LoadError."""
        received = self.socket.recv(READ_BYTES)
        if not received:
            raise LoadError(f"the server closed the consumer's socket after {self._delivered} deliveries")
        *frames, self._rest = (self._rest + received).split(b"\0")
        numbers = [frame[-BODY_DIGITS:] for frame in frames]
        first = self._delivered
        if numbers != [b"%016d" % number for number in range(first, first + len(numbers))]:
            raise LoadError(f"after {first} deliveries: not the next messages in {received[:300]!r}")
        if any(not frame.lstrip(b"\n").startswith(b"MESSAGE\n") for frame in (frames[:1] + frames[-1:])):
            raise LoadError(f"after {first} deliveries: {frames[0][:300]!r}")
        self._delivered += len(numbers)
