"""WebSocket between a socket and a session that knows nothing of it (RFC 6455).

Theory of operation
-------------------
In: frame_reader.py makes a stream of bytes of what comes, which the session gets.  Which session that is was said by
the subprotocol, or is seen from the first bytes; until then there is none.  Out: what the session has to send at the
end of a batch is one message, of text for STOMP and binary for the others.  Batches are bounded by the outbox, which
stops deliveries at 1 MiB.

The end: whoever starts it, each side sends one Close frame, and nothing after it.  The link below then closes the
socket in good order; a peer that doesn't take that is cut off after `CLOSE_MS`.  A peer that is silent for half of the
idle timeout is sent a ping, which every browser answers; if nothing comes in the other half either, it is gone.
"""

from __future__ import annotations

import logging
import struct
from typing import TYPE_CHECKING, Final

from warren.adapters.session.read_gate import NOT_ITS_TURN, SESSION
from warren.adapters.stage import Stage
from warren.adapters.websocket import close_codes
from warren.adapters.websocket.deflate import COMPRESSED_BYTES_MIN, Inflater, deflate
from warren.adapters.websocket.frame_reader import FrameReader
from warren.adapters.websocket.frames import BINARY, COMPRESSED, TEXT, head, is_utf8
from warren.adapters.websocket.settings import MESSAGE_BYTES_MAX_BEFORE_LOGIN
from warren.adapters.websocket.subprotocols import UNDECIDED

if TYPE_CHECKING:
    from warren.adapters.websocket.settings import WebSocketSettings
    from warren.adapters.websocket.subprotocols import Endpoints
    from warren.core.broker import Broker
    from warren.core.clients.transport import Carrier
    from warren.core.deadlines import Deadline

_log = logging.getLogger("warren.websocket")

_CLOSE: Final = 0x88
_PING: Final = 0x89
_PONG: Final = 0x8A
"""First bytes of control frames."""

REASON_BYTES_MAX: Final = 123
"""A control frame holds 125 bytes, two of which are the close code."""

CLOSE_MS: Final = 5_000
"""What a peer has to take what was sent and the Close frame behind it."""


class WebSocketStage(Stage):
    """A WebSocket and the session in it; also the Receiver of its FrameReader.

    endpoints: the protocols that it can carry.  protocol: of the session, UNDECIDED while that is open.
    window_bits: of the compression of what is sent, None for none.
    """

    def __init__(
        self,
        broker: Broker,
        below: Carrier,
        settings: WebSocketSettings,
        endpoints: Endpoints,
        protocol: str,
        window_bits: int | None,
    ) -> None:
        super().__init__(broker, below)
        self.is_websocket = True
        self.settings = settings
        self._endpoints = endpoints
        self._protocol = protocol
        self._takes_text = False
        self._window_bits = window_bits
        self._reader = FrameReader(self, Inflater(lambda: self.message_bytes_max) if window_bits is not None else None)
        self._message = BINARY
        self._first = b""
        self._turn: Deadline | None = None
        self._close_code = close_codes.NORMAL
        self._close_sent = False
        self._why = ""
        self._received_at_ms = broker.now_ms
        self._asked = False
        self._timer: Deadline | None = None

    def begin(self) -> None:
        """The upgrade is answered: make the session, unless only its first bytes can say which."""
        if self._protocol == UNDECIDED:
            self._schedule(self.broker.now_ms + self.settings.request_timeout_ms)
        else:
            self._make_session(self._protocol)

    def _make_session(self, protocol: str) -> None:
        self._protocol = protocol
        endpoint = self._endpoints[protocol]
        self._takes_text = endpoint.takes_text
        if endpoint.sends_text:
            self._message = TEXT
        if self.settings.use_http_auth and self.credentials is None:
            self.credentials = endpoint.login
        self._schedule_idle()
        self.carry(self._endpoints.accept(protocol))

    # In

    def receive(self, data: bytes) -> None:
        """Take frames apart, and hand on what they say; the rest of a long read waits for its turn."""
        self._received_at_ms = self.broker.now_ms
        self._asked = False
        if self.closing:
            return
        try:
            self._reader.read(data)
        except Exception:
            _log.exception("connection %s: internal error; closing it", self.name)
            self._end(close_codes.INTERNAL_ERROR, "internal error; the broker's log has the details")
            return
        if self._reader.unfinished and not self.closing:
            self.read_gate.close(NOT_ITS_TURN)
            self._continue_later()

    def _continue_later(self) -> None:
        if self._turn is None:
            self._turn = self.broker.deadlines.schedule(self.broker.now_ms, self._next_turn)

    def _next_turn(self, now_ms: int) -> None:
        self._turn = None
        if not self.read_gate.is_closed_for(SESSION) and not self.closing:
            self.read_gate.open(NOT_ITS_TURN)
            self.receive(b"")

    # warren.adapters.websocket.frame_reader.Receiver

    @property
    def message_bytes_max(self) -> int:
        """Sessions keep the core.clients.client.Client that has logged in as `client`."""
        if getattr(self.session, "client", None) is None:
            return MESSAGE_BYTES_MAX_BEFORE_LOGIN
        return self._endpoints.message_bytes_max

    def payload(self, data: bytes, is_text: bool) -> None:
        """Give it to the session, which is made for the first bytes if nothing else has said which."""
        if self.closing:
            return
        if self.session is None:
            data = self._first + data
            protocol = self._endpoints.recognise(data, is_text=is_text)
            if protocol is None:
                self._first = data
                return
            self._first = b""
            self._make_session(protocol)
        if is_text and not self._takes_text:
            self.failed(
                close_codes.UNSUPPORTED_DATA,
                f"{self._protocol.upper()} comes in binary messages; this is a text message",
            )
            return
        self.pass_on(data)
        if self.closing:
            self._reader.stopped = True

    def ping(self, data: bytes) -> None:
        """Answer, unless the peer doesn't read what it is sent."""
        if not self.closing and not self.outbox.overfull:
            self.outbox.write(head(_PONG, len(data)) + data)

    def peer_closes(self, code: int, reason: str) -> None:
        """The session hears that the connection is gone."""
        self._why = f"the peer closed the WebSocket ({code}{f', {reason!r}' if reason else ''})"
        self._end(code if code != close_codes.NONE_GIVEN else None, "")

    def failed(self, code: int, reason: str) -> None:
        """Say so, and close."""
        if code == close_codes.TOO_BIG:
            is_early = self.message_bytes_max == MESSAGE_BYTES_MAX_BEFORE_LOGIN
            self.broker.limit_hits.count("bytes before login" if is_early else "bytes of a WebSocket message")
        _log.warning("connection %s: %s; closing it (%d)", self.name, reason, code)
        self._end(code, reason)

    # Out

    def encode(self, chunks: list[bytes]) -> list[bytes]:
        """One message."""
        size = sum(map(len, chunks))
        if self._close_sent or not size:
            return []
        first = self._message
        if first == TEXT:
            chunks = [b"".join(chunks)]
            if not chunks[0].isascii() and not is_utf8(chunks[0]):
                first = BINARY
        if self._window_bits is not None and size >= COMPRESSED_BYTES_MIN:
            chunks = [deflate(chunks, self._window_bits)]
            size = len(chunks[0])
            first |= COMPRESSED
        return [head(first, size), *chunks]

    def farewell(self) -> list[bytes]:
        """The session is done."""
        self._cut_off_later()
        return self._close_frame(self._close_code, "")

    # The end

    def _end(self, code: int | None, reason: str) -> None:
        """Close without the session's doing."""
        if self.closing:
            return
        self._reader.stopped = True
        self._why = self._why or reason
        carried = self.outbox.carried
        if carried is not None and (chunks := self.broker.unkept.pass_on(carried, self.outbox)):
            self.outbox.chunks += self.encode(chunks)
        self.outbox.chunks += self._close_frame(code, reason)
        self._said_farewell = True
        self.close_early()
        self._cut_off_later()

    def _fell_silent(self, reason: str) -> None:
        """The peer is taken for gone: say why all the same, and reset."""
        self.failed(close_codes.GOING_AWAY, reason)
        self.below.reset()

    def _close_frame(self, code: int | None, reason: str) -> list[bytes]:
        if self._close_sent:
            return []
        self._close_sent = True
        payload = b"" if code is None else struct.pack(">H", code) + _cut(reason)
        return [head(_CLOSE, len(payload)) + payload]

    def connection_lost(self, reason: str) -> None:
        """The connection is gone; the session hears why, when a Close frame said it."""
        self._reader.stopped = True
        for deadline in (self._timer, self._turn):
            if deadline is not None:
                deadline.cancel()
        super().connection_lost(self._why or reason)

    def shut_down(self, reason: str) -> None:
        """The session says goodbye in its own way, if there is one."""
        self._close_code = close_codes.GOING_AWAY
        if self.session is None:
            self._end(close_codes.GOING_AWAY, reason)
        else:
            super().shut_down(reason)

    def resume(self) -> None:
        """Read again."""
        self._received_at_ms = self.broker.now_ms
        if self._reader.unfinished:
            self._continue_later()
        super().resume()

    # Time

    def _schedule(self, at_ms: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.broker.deadlines.schedule(at_ms, self._time_is_up)

    def _schedule_idle(self) -> None:
        timeout_ms = self.settings.idle_timeout_ms
        if timeout_ms:
            self._schedule(self._received_at_ms + (timeout_ms if self._asked else timeout_ms // 2))
        elif self._timer is not None:
            self._timer.cancel()

    def _cut_off_later(self) -> None:
        self._schedule(self.broker.now_ms + CLOSE_MS)

    def _time_is_up(self, now_ms: int) -> None:
        if self.closing:
            self.broker.limit_hits.count("goodbyes")
            self.below.abort()
        elif self.session is None:
            self.broker.limit_hits.count("handshake_timeout_s")
            self.failed(close_codes.POLICY, "nothing was sent after the upgrade; log in at once")
        elif not self.read_gate.is_open:
            self._received_at_ms = now_ms
            self._schedule_idle()
        else:
            self._check_idle(now_ms)

    def _check_idle(self, now_ms: int) -> None:
        silent_ms = now_ms - self._received_at_ms
        timeout_ms = self.settings.idle_timeout_ms
        if silent_ms >= timeout_ms and self._asked:
            self.broker.limit_hits.count("websocket_idle_timeout_s")
            self._fell_silent(f"nothing came for {timeout_ms / 1000:g} s, not even an answer to a ping")
            return
        if silent_ms >= timeout_ms // 2 and not self._asked:
            self._asked = True
            self.outbox.write(head(_PING, 0))
        self._schedule_idle()


def _cut(reason: str) -> bytes:
    """As much as fits into a Close frame, in whole characters."""
    return reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore").encode()
