"""From bytes, cut anywhere, to what WebSocket frames say (RFC 6455).

Theory of operation
-------------------
A message is part of a stream of bytes to whoever gets it; where it ends means nothing.  So `read` takes runs of common
frames apart by itself (frames.py) and hands on all their payloads at once.  Every other frame (control frames,
fragments, compressed, wrong, or too long to wait for its end) goes to a wsproto connection, one frame at a time.  That
is made when it is needed and dropped when no message is half done, so that an idle connection has none.

A message that states, or inflates to, more bytes than are allowed is refused before it is taken.  A read that brings
more than `TURN_FRAMES_MAX` such frames, or `TURN_COMMON_FRAMES_MAX` of the usual kind, or inflates to more than
`TURN_BYTES_MAX`, stops in between: `unfinished` asks for another `read`, when others have had their turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from warren.adapters.session.pieces import Pieces
from warren.adapters.websocket import close_codes
from warren.adapters.websocket.frames import BINARY, TEXT, alike_frames, common_frames, is_utf8, parse_head

if TYPE_CHECKING:
    from wsproto.events import Event

    from warren.adapters.websocket.deflate import Inflater

WAITED_FOR_BYTES_MAX: Final = 64 * 1024
"""A frame up to this size waits until it is whole; a longer one is passed on in pieces as they come."""

TURN_BYTES_MAX: Final = 1024 * 1024
"""What one read may inflate to before other connections get their turn: a few times what comes without compression."""

LENGTH_MAX: Final = 2**63
"""No payload is as long as this (RFC 6455, 5.2)."""

TURN_FRAMES_MAX: Final = 1000
"""Frames that one read may have wsproto look at, which takes it about 10 µs each."""

TURN_COMMON_FRAMES_MAX: Final = 8_000
"""Frames of the usual kind that one read may bring, 0.7 µs each."""

_LEAST: Final = {6: 0, 8: 126, 14: 65536}
"""The least payload for each size of a masked frame's head: lengths are to be written as short as possible."""

_OPCODE: Final = 0x0F
_DATA: Final = (0, 1, 2)
"""Continuation, text, binary."""


class Receiver(Protocol):
    """Who gets what was read."""

    @property
    def message_bytes_max(self) -> int:
        """The largest message, now."""

    def payload(self, data: bytes, is_text: bool) -> None:
        """More of the stream."""

    def ping(self, data: bytes) -> None:
        """A ping, to be answered with the same data."""

    def peer_closes(self, code: int, reason: str) -> None:
        """A valid Close frame; the code is 1005 if it has none."""

    def failed(self, code: int, reason: str) -> None:
        """What came breaks the rules: the code to close with, and why."""


class FrameReader:
    """Takes one connection's frames apart.

    receiver: who gets what they say.  inflater: None unless compression was agreed on.  stopped: nothing more is read.
    unfinished: the last read stopped in between, and wants to go on.
    """

    def __init__(self, receiver: Receiver, inflater: Inflater | None) -> None:
        self.stopped = False
        self.unfinished = False
        self._receiver = receiver
        self._inflater = inflater
        self._tail = Pieces()
        self._missing = 0
        self._odd: Connection | None = None
        self._odd_left = 0
        self._odd_frames = 0
        self._common_frames = 0
        self._in_message = False
        self._message_bytes = 0

    def read(self, data: bytes) -> None:
        """Take all frames that are whole, and of a long one what is there."""
        if self._tail:
            joined = self._tail.join(data)
            if joined is None:
                return
            data = joined
        if self._inflater is not None:
            self._inflater.inflated_bytes = 0
        self._odd_frames = self._common_frames = 0
        self.unfinished = False
        position = self._missing = 0
        while position < len(data) and not self.stopped and not self.unfinished:
            before = position
            if self._odd_left:
                position = self._take_odd(data, position)
            elif data[position] in (BINARY, TEXT) and not self._in_message:
                position = self._take_common(data, position)
            if position == before and not self.stopped and not self._begin_odd(data, position):
                break
        if not self._odd_left and not self._in_message:
            self._odd = None
        if not self.stopped and position < len(data):
            self._tail.keep(data[position:], self._missing)

    def _take_common(self, data: bytes, position: int) -> int:
        is_text = data[position] == TEXT
        alike, count, stop = alike_frames(data, position, self._receiver.message_bytes_max)
        if count and (not is_text or alike.isascii()):
            self._common_frames += count
            self.unfinished = self._common_frames >= TURN_COMMON_FRAMES_MAX
            self._receiver.payload(alike, is_text)
            return stop
        payloads, position = common_frames(data, position, self._receiver.message_bytes_max)
        self._common_frames += len(payloads)
        self.unfinished = self._common_frames >= TURN_COMMON_FRAMES_MAX
        joined = b"".join(payloads)
        if not is_text or joined.isascii() or all(map(is_utf8, payloads)):
            if joined:
                self._receiver.payload(joined, is_text)
            return position
        for payload in payloads:
            if not is_utf8(payload):
                self._fail(close_codes.INVALID_DATA, "a text message isn't UTF-8; send it as binary")
            if self.stopped:
                break
            self._receiver.payload(payload, is_text)
        return position

    def _begin_odd(self, data: bytes, position: int) -> bool:
        """False when more of the frame is to be waited for, `_missing` bytes at least."""
        found = parse_head(data, position)
        self._missing = 1
        if found is None:
            return False
        head_bytes, payload_bytes = found
        first = data[position]
        if payload_bytes >= _LEAST.get(head_bytes, LENGTH_MAX) and payload_bytes < LENGTH_MAX:
            if first & _OPCODE in _DATA and payload_bytes > self._receiver.message_bytes_max - self._message_bytes:
                self._too_big()
                return False
            if first in (BINARY, TEXT) and not self._in_message and payload_bytes <= WAITED_FOR_BYTES_MAX:
                self._missing = max(position + head_bytes + payload_bytes - len(data), 0)
                return False
        self._missing = 0
        self._odd_left = head_bytes + payload_bytes
        return True

    def _take_odd(self, data: bytes, position: int) -> int:
        piece = data[position : position + self._odd_left]
        self._odd_left -= len(piece)
        if self._odd is None:
            extensions = [] if self._inflater is None else [self._inflater]
            self._odd = Connection(ConnectionType.SERVER, list(extensions))
        self._odd.receive_data(piece)
        for event in self._odd.events():
            self._handle(self._odd, event)
            if self.stopped:
                return position
        self._odd_frames += not self._odd_left
        inflated_bytes = 0 if self._inflater is None else self._inflater.inflated_bytes
        self.unfinished = self._odd_frames >= TURN_FRAMES_MAX or inflated_bytes > TURN_BYTES_MAX
        return position + len(piece)

    def _handle(self, odd: Connection, event: Event) -> None:
        if isinstance(event, BytesMessage | TextMessage):
            self._in_message = not event.message_finished
            payload = event.data.encode() if isinstance(event, TextMessage) else bytes(event.data)
            self._message_bytes = self._message_bytes + len(payload) if self._in_message else 0
            if payload:
                self._receiver.payload(payload, isinstance(event, TextMessage))
        elif isinstance(event, Ping):
            self._receiver.ping(bytes(event.payload))
        elif isinstance(event, CloseConnection):
            if odd.state is ConnectionState.REMOTE_CLOSING:
                self.stopped = True
                self._receiver.peer_closes(event.code, event.reason or "")
            elif event.code == close_codes.TOO_BIG:
                self._too_big()
            elif event.code == close_codes.INVALID_DATA:
                self._fail(event.code, "a message isn't what it is sent as: text must be UTF-8, compression intact")
            else:
                self._fail(event.code, event.reason or "protocol error")

    def _too_big(self) -> None:
        limit = self._receiver.message_bytes_max
        self._fail(close_codes.TOO_BIG, f"a message is larger than {limit} bytes; send smaller ones")

    def _fail(self, code: int, reason: str) -> None:
        self.stopped = True
        self._receiver.failed(code, reason)
