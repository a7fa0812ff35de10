"""A connection to a STOMP broker: bytes in, bytes out, and what has come for whoever drives it.

    connection = StompClient(login, now_ms)
    write the connection's `take()` to the peer, give what is read to `receive`, call `advance` at `next_at_ms`

until `opened`; then subscribe and send.  After each of these calls the driver looks at `closed`, `arrived` and
`sending.settled`.  Phases: CONNECT was sent -> opened -> closing (DISCONNECT was sent) -> closed, from every phase.

An ERROR that names a message's receipt is about that message alone, as Warren's are; the peer may close the connection
after it, and most do.  Any other ERROR ends the connection here, too, whatever the peer makes of it: what it was about
nobody can tell.  The last words of the peer are why the connection is over, should it hang up after them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Final

from warren.adapters.peers.client_half import ClientHalf
from warren.adapters.peers.errors import PeerError
from warren.adapters.stomp.client.sending import Sending
from warren.adapters.stomp.codec import frames
from warren.adapters.stomp.codec.errors import FramingError
from warren.adapters.stomp.codec.escaping import V1_0, V1_1, V1_2
from warren.adapters.stomp.codec.frames import END, HEARTBEAT, Frame, encode_frame, encode_headers
from warren.adapters.stomp.codec.limits import BODY_BYTES_MAX, HEADER_BYTES_MAX, HEADERS_MAX
from warren.adapters.stomp.codec.parser import FrameParser
from warren.core.frozen import frozen

VERSIONS: Final = (V1_0, V1_1, V1_2)

FRAME_BYTES_MAX: Final = BODY_BYTES_MAX + HEADERS_MAX * 2 * (HEADER_BYTES_MAX + 2)
"""More than any frame can have whose parts are within their limits: those name what is too large."""

OWN_HEADERS_MAX: Final = 2
"""Headers that SEND gets beside those that are prepared: receipt and content-length."""

ERROR_CHARACTERS_MAX: Final = 500
"""So much of the text of an ERROR is repeated: some brokers send stack traces."""

INTERVAL_DIGITS_MAX: Final = 10
"""An interval of heart-beats has no more digits: that would be more than three months."""

BYE: Final = "bye"
"""The receipt of DISCONNECT."""


@frozen
class StompLogin:
    """How this client introduces itself.

    vhost: the header host.  user, password: None for nobody's, so that the peer's default or the certificate counts.
    heartbeat_ms: how often each side is to be heard, 0 for never.  versions: those that are offered.
    """

    vhost: str = "/"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    heartbeat_ms: int = 10_000
    versions: tuple[str, ...] = VERSIONS


class StompClient(ClientHalf):
    """version: what is spoken, once it is opened.

    arrived: MESSAGE frames, oldest first, for whoever subscribes to take out.
    """

    def __init__(self, login: StompLogin, now_ms: int) -> None:
        super().__init__(now_ms, HEARTBEAT)
        self.version = V1_0
        self.arrived: deque[Frame] = deque()
        self.sending = Sending(self.write)
        self._login = login
        self._parser = FrameParser()
        self._awaited: set[str] = set()
        self._asked = 0
        self._closing = False
        self._last_words = ""
        self.write(encode_frame("CONNECT", _connect_headers(login), version=V1_0, end=END))

    # What the driver calls

    def advance(self, now_ms: int) -> None:
        """Heart-beats, and messages that the peer doesn't answer."""
        super().advance(now_ms)
        if self.closed is None:
            self.sending.look(now_ms)

    def next_at_ms(self) -> int | None:
        """See ClientHalf.next_at_ms."""
        if self.closed is not None:
            return None
        due_ms = [each for each in (super().next_at_ms(), self.sending.next_at_ms()) if each is not None]
        return min(due_ms, default=None)

    def close(self) -> None:
        """Take leave: the receipt of DISCONNECT says that the peer has read everything before it."""
        if self.closed is not None or self._closing:
            return
        self._closing = True
        if self.opened:
            self._tell(frames.DISCONNECT, [("receipt", BYE)])
        else:
            self.end(PeerError("the connection was closed here"))

    def lost(self, reason: str) -> None:
        """The bytes have come to an end, for this reason, or for that of which the peer's last words tell."""
        if self._closing:
            self.end(PeerError("the connection was closed here"))
        elif self._last_words:
            self.end(PeerError(f"the peer ended the connection: {self._last_words}"))
        elif self.sending.unanswered:
            # RabbitMQ up to 3.10 at least hangs up when a queue refuses a message.
            super().lost(f"{reason}, and had answered nothing of what it was sent last: is a queue full there?")
        else:
            super().lost(reason)

    # What links call

    def subscribe(self, id: str, destination: str, ack: str, headers: Mapping[str, str]) -> str:
        """Subscribe; the receipt that `awaits` asks for.

        ack: auto, client or client-individual; 1.0 knows no more than the first two, and there each message is to be
        acknowledged in the order of arrival.
        """
        if self.version == V1_0 and ack == "client-individual":
            ack = "client"
        return self.ask(frames.SUBSCRIBE, [*headers.items(), ("id", id), ("destination", destination), ("ack", ack)])

    def unsubscribe(self, id: str, headers: Mapping[str, str]) -> str:
        """End a subscription; the receipt that `awaits` asks for.  What has come isn't given back by that."""
        return self.ask(frames.UNSUBSCRIBE, [*headers.items(), ("id", id)])

    def ask(self, command: str, headers: Iterable[tuple[str, str]]) -> str:
        """Send a frame with a receipt; that.  An ERROR about it ends the connection."""
        self._asked += 1
        receipt = f"{command.lower()}-{self._asked}"
        self._awaited.add(receipt)
        self._tell(command, [*headers, ("receipt", receipt)])
        return receipt

    def awaits(self, receipt: str) -> bool:
        """Whether a receipt is still to come."""
        return receipt in self._awaited

    def prepare(self, headers: Iterable[tuple[str, str]]) -> bytes:
        """The head of a SEND, for any number of messages with these headers; destination is one of them.

        Raises ValueError for headers that no peer would take.
        """
        lines = list(headers)
        if len(lines) + OWN_HEADERS_MAX > HEADERS_MAX:
            raise ValueError(f"{len(lines)} headers are more than STOMP's brokers take ({HEADERS_MAX})")
        for name, value in lines:
            if max(len(each.encode("utf-8", "surrogateescape")) for each in (name, value)) > HEADER_BYTES_MAX:
                raise ValueError(f"a header is longer than STOMP's brokers take ({HEADER_BYTES_MAX} bytes)")
        return encode_headers(lines, self.version)

    def send(self, head: bytes, body: bytes, *, receipt: bool) -> int:
        """Send a message with a prepared head; its number.  PeerError on a closed connection."""
        if self.closed is not None:
            raise self.closed
        return self.sending.send(head, body, self.now_ms, receipt=receipt)

    def acknowledge(self, message: Frame) -> None:
        """A message that has come is safe."""
        self._settle(frames.ACK, message)

    def reject(self, message: Frame) -> None:
        """A message that has come can't be used (1.1 and later; 1.0 has no word for it: ValueError).

        RabbitMQ and Warren would deliver it again, unless they are told not to.
        """
        if self.version == V1_0:
            raise ValueError("STOMP 1.0 has no NACK")
        self._settle(frames.NACK, message, [("requeue", "false")])

    # Below

    def _settle(self, command: str, message: Frame, more: Sequence[tuple[str, str]] = ()) -> None:
        headers = message.headers
        if self.version == V1_2:
            self._tell(command, [("id", headers.get("ack", "")), *more])
        else:
            names = ("message-id", "subscription")
            self._tell(command, [*((name, headers[name]) for name in names if name in headers), *more])

    def _tell(self, command: str, headers: Iterable[tuple[str, str]]) -> None:
        if self.closed is None:
            self.write(encode_frame(command, headers, version=self.version, end=END))

    def _parse(self, data: bytes) -> int:
        position = 0
        try:
            while self.closed is None:
                frame, position = self._parser.next(data, position)
                if frame is None:
                    break
                self._frame(frame)
        except FramingError as error:
            raise PeerError(f"the peer sent what can't be read: {error.detail}") from error
        return len(data)

    def _missing_bytes(self, rest: bytes) -> int:
        """The parser keeps what is unfinished itself, and scans nothing twice."""
        return 1

    def _lost_unopened(self, reason: str) -> str:
        return f"the peer ended the connection instead of answering CONNECT ({reason})"

    def _frame(self, frame: Frame) -> None:
        command = frame.command
        if command == "ERROR":
            self._error(frame)
            return
        if not self.opened:
            if command != "CONNECTED":
                raise PeerError(f"the peer sent {command} instead of CONNECTED")
            self._connected(frame)
        elif command == "MESSAGE":
            self.arrived.append(frame)
        elif command == "RECEIPT":
            self._receipt(frame.headers.get("receipt-id", ""))
        else:
            raise PeerError(f"the peer sent {command}, which is a client's to send, or nobody had asked for")
        self._last_words = ""

    def _connected(self, frame: Frame) -> None:
        headers = frame.headers
        version = headers.get("version", V1_0).strip()
        if version not in self._login.versions:
            raise PeerError(f"the peer speaks STOMP {version}, not {', '.join(self._login.versions)}")
        self.version = version
        self._parser.logged_in(version, FRAME_BYTES_MAX, BODY_BYTES_MAX)
        sends_ms, wants_ms = _intervals(headers.get("heart-beat", "0,0"))
        own_ms = self._login.heartbeat_ms
        self._beat_every_ms = max(own_ms, wants_ms) if own_ms and wants_ms else 0
        self._heard_every_ms = max(own_ms, sends_ms) if own_ms and sends_ms else 0
        self.opened = True

    def _receipt(self, receipt: str) -> None:
        if self._closing and receipt == BYE:
            self.end(PeerError("the connection was closed here"))
        elif receipt in self._awaited:
            self._awaited.remove(receipt)
        else:
            self.sending.answer(receipt, None, self.now_ms)

    def _error(self, frame: Frame) -> None:
        text = _text_of(frame)
        receipt = frame.headers.get("receipt-id", "")
        if not self.opened:
            self.end(PeerError(f"the peer refused the login: {text}"))
        elif self.sending.answer(receipt, f"the peer refused a message: {text}", self.now_ms):
            self._last_words = text
        else:
            self.end(PeerError(text))


def _connect_headers(login: StompLogin) -> list[tuple[str, str]]:
    headers = [("accept-version", ",".join(login.versions)), ("host", login.vhost)]
    if login.user is not None:
        headers += [("login", login.user), ("passcode", login.password or "")]
    headers.append(("heart-beat", f"{login.heartbeat_ms},{login.heartbeat_ms}"))
    return headers


def _intervals(header: str) -> tuple[int, int]:
    """How often the peer sends, and wants to hear something, in ms, 0 for never."""
    parts = [part.strip() for part in header.split(",")]
    if len(parts) != 2 or not all(
        part.isascii() and part.isdecimal() and len(part) <= INTERVAL_DIGITS_MAX for part in parts
    ):
        raise PeerError(f"the peer's heart-beat is '{header[:ERROR_CHARACTERS_MAX]}', which is no two numbers")
    return int(parts[0]), int(parts[1])


def _text_of(error: Frame) -> str:
    """What an ERROR says, in one line."""
    message = error.headers.get("message", "")
    body = " ".join(error.body.decode("utf-8", "replace").split())
    text = f"{message}: {body}" if message and body else message or body or "an ERROR without a word"
    return text if len(text) <= ERROR_CHARACTERS_MAX else f"{text[:ERROR_CHARACTERS_MAX]}..."
