"""What a session says only once something is on disk: answers, in the order in which they were due.

The broker tells of flushes by `mark` and `flushed` (core.broker.Committed): a flush covers what was asked for before it
began.  Where answers must keep their order (MQTT-4.6.0-2 to -4), one that needs no disk waits behind one that does,
which is what `send` is for; where each says by itself what it answers (STOMP's receipts), it is written to the outbox
at once.

An answer to a publish that a queue of a slow type has not answered itself (core.routing.receipt) waits for both, in its
turn: `send_late`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.routing.receipt import Receipt


class _Late:
    """An answer that depends on a receipt.  taken: what is sent if the publish is taken; refused: makes it if not."""

    __slots__ = ("receipt", "refused", "taken")

    def __init__(self, receipt: Receipt, taken: bytes, refused: Callable[[], bytes | None]) -> None:
        self.receipt = receipt
        self.taken = taken
        self.refused = refused


class AfterFlush:
    """The waiting answers of one session, or what makes them."""

    __slots__ = ("_asked", "_broker", "_on_disk", "_outbox", "_released", "_waiting")

    def __init__(self, broker: Broker, outbox: Outbox) -> None:
        self._broker = broker
        self._outbox = outbox
        self._asked = 0
        self._on_disk = 0
        self._released = 0
        self._waiting: deque[tuple[int, bytes | Callable[[], None] | _Late]] | None = None

    @property
    def count(self) -> int:
        """How many wait."""
        return self._asked - self._released if self._waiting else 0

    def count_of(self, is_counted: Callable[[bytes], bool]) -> int:
        """How many of those that are bytes, or will be, are such ones; looked at one by one."""
        answers = (what.taken if isinstance(what, _Late) else what for _, what in self._waiting or ())
        return sum(1 for answer in answers if isinstance(answer, bytes) and is_counted(answer))

    def send(self, answer: bytes, *, stored: bool, count: int = 1) -> None:
        """Send an answer: at once, or after the next flush if what it answers is `stored`, or others wait before it.

        count: so many answers are in it.
        """
        if stored or self._waiting:
            self._wait(answer, count)
        else:
            self._outbox.write(answer)

    def send_late(self, receipt: Receipt, taken: bytes, refused: Callable[[], bytes | None]) -> None:
        """Send an answer when the receipt has its own and what is stored is on disk, in its turn.

        taken: what is sent if the publish is taken; may be nothing.  refused: makes what is sent if it isn't, or None.
        """
        self._wait(_Late(receipt, taken, refused))
        receipt.then(lambda was_taken: self._release())

    def call(self, call: Callable[[], None]) -> None:
        """Call `call` after the next flush, in its turn."""
        self._wait(call)

    def clear(self) -> None:
        """The connection ends: nobody is there to be told."""
        self._waiting = None
        self._broker.awaiting_flush.pop(self, None)

    def _wait(self, what: bytes | Callable[[], None] | _Late, count: int = 1) -> None:
        if self._waiting is None:
            self._waiting = deque()
        if not self._waiting:
            self._released = self._asked
        self._asked += count
        self._waiting.append((self._asked, what))
        self._broker.awaiting_flush[self] = None

    # warren.core.broker.Committed

    def mark(self) -> int:
        """What a flush that begins now covers."""
        return self._asked

    def flushed(self, mark: int) -> None:
        """That flush is on disk."""
        self._on_disk = mark
        self._release()

    def _release(self) -> None:
        """Send what waits for nothing any more, up to the first that does."""
        waiting = self._waiting
        mark = self._on_disk
        while waiting and waiting[0][0] <= mark:
            entry = waiting.popleft()
            what = entry[1]
            before, self._released = self._released, entry[0]
            if isinstance(what, bytes):
                self._outbox.write(what)
            elif not isinstance(what, _Late):
                what()
            elif what.receipt.pending:
                waiting.appendleft(entry)
                self._released = before
                return
            else:
                answer = what.refused() if what.receipt.refused else what.taken
                if answer:
                    self._outbox.write(answer)
        if not waiting and self._waiting is waiting:
            self._waiting = None  # an empty one is 600 bytes, and most connections are quiet
