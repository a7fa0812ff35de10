"""Messages on their way to the peer, and what became of each (STOMP 1.2, "RECEIPT").

A message is numbered by who sends it, and its number is the receipt that it asks for: RECEIPT says that the peer has
it, an ERROR with the number that it hasn't.  Receipts come in any order.

A peer may have taken a message and never say what became of it, where a full queue refuses one.  So where a message has
waited for long, the peer is asked something that it answers at once: an empty transaction, whose ABORT has a receipt.

    answered     the peer does what it is sent; what was sent before, and is silent for as long again, it has refused
    not answered the peer takes nothing for now, as an alarm is raised there: that may last, and is `stalled`

A receipt that comes after all is taken no notice of.  A message that was safe already is then there twice, which is
what a broken link does as well.

Or the peer hangs up instead, as RabbitMQ 3.10 does, and all that is unanswered has to be sent anew.  So after a
connection that ended like that, the next one may begin `carefully`: with one message, then one more under way for each
that is answered.  What there is no room for waits, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from warren.adapters.peers.settled import Settled

SILENT_MS: Final = 10_000
"""How long a message may wait before the peer is asked, and again before it counts as refused: confirms of a disk that
is slow take a second, of one that is very slow a few."""

WINDOW_MAX: Final = 65_535
"""Messages that may be under way: more than any shovel has."""

UNSAID: Final = "the peer has taken a message and says nothing of it: is its queue full?"

QUESTION: Final = "question-"
"""How receipts of questions begin, and the names of their transactions."""


class Sending:
    """settled: what became of messages, for who sent them to take out.  stalled: the peer doesn't even answer a
    question, and takes nothing for now.  waiting: messages that there is no room for yet.  unanswered: those under way.
    """

    __slots__ = (
        "_asked",
        "_last_number",
        "_last_written",
        "_said_at_ms",
        "_said_up_to",
        "_unanswered",
        "_waiting",
        "_window",
        "_write",
        "settled",
    )

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.settled: list[Settled] = []
        self._write = write
        self._last_number = 0
        self._last_written = 0
        self._window = WINDOW_MAX
        self._waiting: deque[tuple[int, bytes, bytes]] = deque()
        self._unanswered: dict[int, int] = {}
        self._asked: int | None = None
        self._said_up_to = 0
        self._said_at_ms: int | None = None

    @property
    def stalled(self) -> bool:
        return self._asked is not None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def unanswered(self) -> int:
        return len(self._unanswered)

    def begin_carefully(self) -> None:
        """One message at first, and one more for each that is answered."""
        self._window = 1

    def send(self, head: bytes, body: bytes, now_ms: int, *, receipt: bool) -> int:
        """Send a message; its number.  Without a receipt it is settled by being written.

        head: the header lines of SEND, but for receipt and content-length.
        """
        self._last_number = number = self._last_number + 1
        if not receipt:
            self._write(b"SEND\n%b%b\n%b\0" % (head, _length(body), body))
            self._last_written = number
            self.settled.append(Settled(number, None))
        elif len(self._unanswered) >= self._window:
            self._waiting.append((number, head, body))
        else:
            self._ask_receipt(number, head, body, now_ms)
        return number

    def answer(self, receipt: str, refused: str | None, now_ms: int) -> bool:
        """The peer's word about what has this receipt; False for what was neither a message nor a question.

        refused: what its ERROR says, None for a RECEIPT.
        """
        if receipt.startswith(QUESTION):
            if self._asked is not None:
                self._said_up_to, self._said_at_ms, self._asked = self._asked, now_ms, None
            return True
        if not (receipt.isascii() and receipt.isdecimal()):
            return False
        number = int(receipt)
        if self._unanswered.pop(number, None) is not None:
            self.settled.append(Settled(number, refused))
            self._window = min(self._window + 1, WINDOW_MAX)
            self._fill(now_ms)
        return number <= self._last_number

    def look(self, now_ms: int) -> None:
        """Ask the peer if something has been unanswered for long; count as refused what it stays silent of."""
        due_ms = self.next_at_ms()
        if due_ms is None or now_ms < due_ms:
            return
        if self._said_at_ms is not None:
            silent = [number for number in self._unanswered if number <= self._said_up_to]
            for number in silent:
                del self._unanswered[number]
                self.settled.append(Settled(number, UNSAID))
            self._said_at_ms = None
            self._fill(now_ms)
        else:
            self._asked = self._last_written
            name = b"%b%d" % (QUESTION.encode(), self._asked)
            self._write(b"BEGIN\ntransaction:%b\n\n\0ABORT\ntransaction:%b\nreceipt:%b\n\n\0" % (name, name, name))

    def next_at_ms(self) -> int | None:
        """When `look` has something to do; None for never."""
        if self._said_at_ms is not None:
            return self._said_at_ms + SILENT_MS
        oldest_ms = next(iter(self._unanswered.values()), None)
        return None if oldest_ms is None or self._asked is not None else oldest_ms + SILENT_MS

    # Below

    def _fill(self, now_ms: int) -> None:
        while self._waiting and len(self._unanswered) < self._window:
            self._ask_receipt(*self._waiting.popleft(), now_ms)

    def _ask_receipt(self, number: int, head: bytes, body: bytes, now_ms: int) -> None:
        self._write(b"SEND\nreceipt:%d\n%b%b\n%b\0" % (number, head, _length(body), body))
        self._last_written = number
        self._unanswered[number] = now_ms


def _length(body: bytes) -> bytes:
    return b"content-length:%d\n" % len(body) if body else b""
