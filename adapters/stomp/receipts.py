"""Receipts: RECEIPT frames, and when they may be sent (spec B.5).

A receipt of SEND is a publisher confirm: for a message that is stored it waits until that is on disk
(adapters.session.after_flush).  So does a receipt of COMMIT, with those of its transaction's frames before it, and that
of DISCONNECT, which covers everything sent before it.  All others are sent once what is declared is kept
(core.clients.unkept): receipts carry their own name, so one that needs no disk may overtake one that does.

Where a queue of a slow type answers later, they wait for that, too; if it refuses the message, an ERROR frame is sent
instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.session.after_flush import AfterFlush
from warren.adapters.stomp.codec.frames import encode_frame

if TYPE_CHECKING:
    from warren.adapters.stomp.codec.errors import StompError
    from warren.adapters.stomp.session import StompSession
    from warren.core.routing.receipt import Receipt


class Receipts:
    """Those of one session."""

    __slots__ = ("_after_flush", "_session")

    def __init__(self, session: StompSession) -> None:
        self._session = session
        self._after_flush = AfterFlush(session.broker, session.outbox)

    @property
    def waiting(self) -> int:
        """How many wait for the disk."""
        return self._after_flush.count

    def send(self, *receipts: str | None) -> None:
        """Send receipts, as far as any were asked for."""
        for receipt in receipts:
            if receipt is not None:
                self._session.outbox.write(self._encoded(receipt))
                self._session.broker.unkept.hold(self._session.outbox)

    def after_flush(self, *receipts: str | None) -> None:
        """Send them once everything up to now is on disk."""
        for receipt in receipts:
            if receipt is not None:
                self._after_flush.send(self._encoded(receipt), stored=True)

    def after_answer(self, answer: Receipt, receipts: list[str], error: StompError) -> None:
        """Send them once the queues have taken what they are for, and that is on disk; else the last one's error."""

        def refused() -> None:
            if receipts:
                self._session.tell(error, receipts[-1])

        self._after_flush.send_late(answer, b"".join(map(self._encoded, receipts)), refused)

    def close(self, receipt: str | None) -> None:
        """DISCONNECT: send its receipt when all that came before it is safe, then close the connection."""
        if self.waiting or (receipt is not None and self._session.broker.store.durable):
            self.after_flush(receipt)
            self._after_flush.call(self._session.finish)
        else:
            self.send(receipt)
            self._session.finish()

    def clear(self) -> None:
        """The session ends: nobody is there to be told."""
        self._after_flush.clear()

    def _encoded(self, receipt: str) -> bytes:
        session = self._session
        return encode_frame("RECEIPT", [("receipt-id", receipt)], b"", session.version, session.end_of_frame)
