"""Publishes to one queue that are answered only when their messages have got further than this broker.

Whoever empties the queue and brings its messages elsewhere (a shovel with `confirm-upstream`) says of each that it is
there: `confirm`, before the message is acknowledged here.  A message that leaves the queue in any other way, because
somebody else consumes it, it expires, is dropped, dead-lettered or purged, or the queue is deleted, is not where its
publisher wants it: he is told no.  So every departure is a refusal, unless it was confirmed before.

A message is known by its sequence, which it keeps for as long as it is in the queue.  What was in the queue before, or
was restored after a restart, has nobody who waits for an answer; but a duplicate of it that is dropped must not be
answered before it.  Which message a duplicate repeats isn't known, only that it came before: so its answer is that of
the last message there was, and `mark_last` says which that is where nobody waits for its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.chores import Slice
    from warren.core.routing.receipt import Receipt

ANSWERED_AT_ONCE: Final = 1000
"""Publishes that are refused in one slice when all are: each is a frame to somebody, some 3 µs."""

REFUSAL: Final = "it has left its queue, and the upstream hasn't confirmed it (confirm-upstream)"
"""For publishers who can be told."""


class Withheld:
    """The answers that one queue owes."""

    __slots__ = ("_receipts", "_repeats", "_waiting")

    def __init__(self) -> None:
        # By sequence, in the order of coming in; None for the last message where nobody waits for its answer.
        self._receipts: dict[int, Receipt | None] = {}
        # Of duplicates that were dropped, by the sequence of the last message before them.
        self._repeats: dict[int, list[Receipt]] = {}
        self._waiting = 0

    def __len__(self) -> int:
        """How many messages somebody waits for."""
        return self._waiting

    def __bool__(self) -> bool:
        return len(self) > 0

    def keep(self, sequence: int, receipt: Receipt) -> None:
        """A message comes in."""
        receipt.expect()
        self._receipts[sequence] = receipt
        self._waiting += 1

    def keep_duplicate(self, receipt: Receipt) -> None:
        """A message that is dropped repeats one that came before: it fares as the last of those does."""
        if self._receipts:
            receipt.expect()
            self._repeats.setdefault(next(reversed(self._receipts)), []).append(receipt)

    def mark_last(self, sequence: int) -> None:
        """The last message in the queue is this one, for whose answer nobody waits."""
        self._receipts.setdefault(sequence, None)

    def confirm(self, sequence: int) -> None:
        """The message has got where it is to go."""
        self._answer(sequence, taken=True)

    def gone(self, sequence: int) -> None:
        """The message has left the queue."""
        self._answer(sequence, taken=False)

    def _answer(self, sequence: int, *, taken: bool) -> None:
        receipt = self._receipts.pop(sequence, None)
        if receipt is not None:
            self._waiting -= 1
            receipt.answer(taken=taken)
        if self._repeats:
            for repeat in self._repeats.pop(sequence, ()):
                repeat.answer(taken=taken)

    def give_up(self, have_done: Callable[[Slice], None]) -> None:
        """Nobody will confirm anything of what is there now: all of it is refused.

        have_done: takes what is too much for one turn, slice by slice (core.chores).
        """
        left = [receipt for receipt in self._receipts.values() if receipt is not None]
        left += [receipt for repeats in self._repeats.values() for receipt in repeats]
        left.reverse()
        self._receipts, self._repeats, self._waiting = {}, {}, 0

        def refuse_some() -> bool:
            for _ in range(min(len(left), ANSWERED_AT_ONCE)):
                left.pop().answer(taken=False)
            return bool(left)

        if refuse_some():
            have_done(refuse_some)
