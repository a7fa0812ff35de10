"""Receipts: RECEIPT frames, and when they may be sent (spec B.5).

A receipt of SEND is a publisher confirm: for a message that is stored it waits until that is on disk, which the
broker tells by `mark` and `flushed` (core.broker.Committed).  So is a receipt of COMMIT, and that of DISCONNECT, which
covers everything sent before it.  All others are sent at once.  Receipts carry their own name, so one that needs no
disk may overtake one that does.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.adapters.stomp.session import StompSession


class Receipts:
    """The receipts of one session that wait for the disk, in the order they were asked for."""

    __slots__ = ("_asked", "_closes_at", "_session", "_waiting")

    def __init__(self, session: StompSession) -> None:
        self._session = session
        self._asked = 0
        self._closes_at = 0
        self._waiting: deque[tuple[int, str]] = deque()

    @property
    def waiting(self) -> int:
        """How many there are."""
        return len(self._waiting)

    def send(self, receipt: str | None) -> None:
        """Send a receipt, if one was asked for."""
        if receipt is not None:
            self._session.send("RECEIPT", [("receipt-id", receipt)])

    def after_flush(self, receipt: str | None) -> None:
        """Send it once everything up to now is on disk."""
        if receipt is not None:
            self._asked += 1
            self._waiting.append((self._asked, receipt))
            self._session.broker.awaiting_flush[self] = None

    def close(self, receipt: str | None) -> None:
        """DISCONNECT: send its receipt when all that came before it is safe, then close the connection."""
        if self._waiting or (receipt is not None and self._session.broker.store.durable):
            self.after_flush(receipt)
            self._closes_at = self._asked
        else:
            self.send(receipt)
            self._session.finish()

    def clear(self) -> None:
        """The session ends: nobody is there to be told."""
        self._waiting.clear()
        self._session.broker.awaiting_flush.pop(self, None)

    # warren.core.broker.Committed

    def mark(self) -> int:
        """What a flush that begins now covers."""
        return self._asked

    def flushed(self, mark: int) -> None:
        """That flush is on disk."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= mark:
            self.send(waiting.popleft()[1])
        if 0 < self._closes_at <= mark:
            self._closes_at = 0
            self._session.finish()
