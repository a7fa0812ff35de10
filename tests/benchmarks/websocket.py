"""WebSocket around a load's connection: the client's side, as little of it as is needed (RFC 6455).

The masking key is the same for all frames, so that the generator can mask a whole block at once; the broker can't know
that, and unmasks frame by frame.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Sequence

from tests.benchmarks.client import LoadError

KEY = b"\x5a\xc3\x17\xe9"

_UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: d2FycmVuLWJlbmNobWFyaw==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: mqtt\r\n\r\n"
)


def upgrade(connection: socket.socket) -> None:
    """The opening handshake; the server must not have anything to say before it is spoken to."""
    connection.sendall(_UPGRADE)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        part = connection.recv(4096)
        if not part:
            raise LoadError(f"no WebSocket: {answer[:200]!r}")
        answer += part
    if not answer.startswith(b"HTTP/1.1 101 "):
        raise LoadError(f"no WebSocket: {answer[:200]!r}")


def frames(packets: bytes | bytearray, size: int, per_frame: int) -> bytes:
    """These packets of `size` bytes each in binary messages of `per_frame`; the last one may have fewer."""
    step = size * per_frame
    whole = len(packets) - len(packets) % step
    data = _masked([packets[at : at + step] for at in range(0, whole, step)])
    return data + _masked([packets[whole:]]) if whole < len(packets) else data


def _masked(payloads: Sequence[bytes | bytearray]) -> bytes:
    """Frames for payloads of one length."""
    if not payloads:
        return b""
    head, pattern = _head_and_pattern(len(payloads[0]), len(payloads))
    plain = head + head.join(payloads)
    return (int.from_bytes(plain, "little") ^ pattern).to_bytes(len(plain), "little")


@functools.lru_cache(maxsize=8)
def _head_and_pattern(length: int, count: int) -> tuple[bytes, int]:
    """What stands before each payload of this length; and what so many frames are masked with, as a number."""
    if length < 126:
        head = bytes((0x82, 0x80 | length))
    elif length < 65536:
        head = b"\x82\xfe" + length.to_bytes(2, "big")
    else:
        head = b"\x82\xff" + length.to_bytes(8, "big")
    head += KEY
    pattern = (bytes(len(head)) + (KEY * (length // 4 + 1))[:length]) * count
    return head, int.from_bytes(pattern, "little")


class Unframed:
    """Takes the payloads out of a server's data frames, cut anywhere."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        """The payload bytes in `data`.  A LoadError for anything but data frames."""
        parts = []
        position = 0
        while position < len(data):
            if not self._left:
                self._head += data[position : position + 1]
                position += 1
                self._left = self._length()
                continue
            parts.append(data[position : position + self._left])
            position += len(parts[-1])
            self._left -= len(parts[-1])
        return b"".join(parts)

    def _length(self) -> int:
        """Of the payload, once its head is whole; 0 before."""
        head = self._head
        if head[0] not in (0x82, 0x02, 0x80) or (len(head) > 1 and head[1] > 127):
            raise LoadError(f"not a data frame: {head!r}")
        size = {126: 4, 127: 10}.get(head[1], 2) if len(head) > 1 else 2
        if len(head) < size:
            return 0
        self._head = b""
        return head[1] if size == 2 else int.from_bytes(head[2:], "big")
