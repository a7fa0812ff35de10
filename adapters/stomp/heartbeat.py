"""Heart-beats of one connection (STOMP 1.2, "Heart-beating"; spec B.2).

Both directions were agreed on with CONNECTED.  Sender: every half interval, a line feed goes out unless something else
did.  Receiver: checked every interval, two checks in a row without a byte received end the connection, so a dead peer
is noticed after two to three intervals.  While the broker itself doesn't read, the peer's silence isn't counted.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from warren.adapters.stomp.codec.errors import StompError
from warren.adapters.stomp.codec.frames import HEARTBEAT

if TYPE_CHECKING:
    from warren.adapters.stomp.session import StompSession
    from warren.core.deadlines import Deadline

_log = logging.getLogger("warren.stomp")

SILENT_CHECKS_MAX: Final = 2

DIGITS_MAX: Final = 10
"""An interval has no more digits: that would be more than three months."""


def negotiate(header: str) -> tuple[int, int]:
    """(receive, send) intervals in ms from the client's `cx,cy`, 0 for none; whole seconds, at least one if any.

    Raises StompError for anything but two numbers.
    """
    first, comma, second = (part.strip() for part in header.partition(","))
    if not comma or not all(
        part.isascii() and part.isdecimal() and len(part) <= DIGITS_MAX for part in (first, second)
    ):
        raise StompError(
            "Bad CONNECT",
            f"heart-beat is '{header[:40]}'; it has to be two numbers of milliseconds, such as 10000,10000",
            fatal=True,
        )
    return _rounded(int(first)), _rounded(int(second))


def _rounded(milliseconds: int) -> int:
    return max(milliseconds // 1000, 1) * 1000 if milliseconds else 0


class Heartbeat:
    """Runs from CONNECTED to the end of the connection, on the broker's deadlines."""

    __slots__ = (
        "_receive_ms",
        "_receiving",
        "_seen_received",
        "_seen_sent",
        "_send_ms",
        "_sending",
        "_session",
        "_silent",
    )

    def __init__(self, session: StompSession, receive_ms: int, send_ms: int) -> None:
        self._session = session
        self._receive_ms = receive_ms
        self._send_ms = send_ms
        self._silent = 0
        self._seen_sent = session.transport.sent_bytes
        self._seen_received = session.transport.received_bytes
        deadlines = session.broker.deadlines
        now_ms = session.broker.now_ms
        self._sending: Deadline | None = None
        self._receiving: Deadline | None = None
        if send_ms:
            self._sending = deadlines.schedule(now_ms + send_ms // 2, self._send)
        if receive_ms:
            self._receiving = deadlines.schedule(now_ms + receive_ms, self._check)

    def stop(self) -> None:
        """The connection ends."""
        for deadline in (self._sending, self._receiving):
            if deadline is not None:
                deadline.cancel()

    def _send(self, now_ms: int) -> None:
        session = self._session
        if session.transport.sent_bytes == self._seen_sent:
            session.outbox.write(HEARTBEAT)
        self._seen_sent = session.transport.sent_bytes
        self._sending = session.broker.deadlines.schedule(now_ms + self._send_ms // 2, self._send)

    def _check(self, now_ms: int) -> None:
        session = self._session
        if session.transport.received_bytes != self._seen_received or not session.read_gate.is_open:
            self._silent = 0
            self._seen_received = session.transport.received_bytes
        else:
            self._silent += 1
        if self._silent >= SILENT_CHECKS_MAX:
            _log.warning(
                "connection %s: missed heart-beats from client, timeout: %d ms", session.name, self._receive_ms
            )
            session.state = "closed"
            session.transport.abort()
            return
        self._receiving = session.broker.deadlines.schedule(now_ms + self._receive_ms, self._check)
