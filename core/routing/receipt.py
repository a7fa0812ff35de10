"""The receipt of a publish: whether all queues that it went to have taken it, some of which may say so later.

A confirm, a RECEIPT frame or a PUBACK has to wait for two things: that what is stored is on disk, which the next flush
tells of (`stored`, core.broker.Committed), and the answers of queues of a slow type (`Queue.answers_late`).  Who wants
to know gives a receipt to `VirtualHost.publish`; each such queue that takes the message calls `expect` at once and
`answer` when it knows.  A publish is taken when all of them have taken it, and refused as soon as one refuses.

Routes without queues of a slow type have no use for any of this, and publishes by them carry no receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Listener = Callable[[bool], None]
"""Told once whether the publish was taken."""


class Receipt:
    """See the head of this file.

    stored: a confirm has to wait for the next flush, too.  refused: a queue said no.
    """

    __slots__ = ("_expected", "_listeners", "refused", "stored")

    def __init__(self) -> None:
        self.stored = False
        self.refused = False
        self._expected = 0
        self._listeners: list[Listener] = []

    @property
    def pending(self) -> bool:
        """True while it isn't known whether all queues take the message."""
        return self._expected > 0 and not self.refused

    def expect(self) -> None:
        """A queue will answer."""
        self._expected += 1

    def answer(self, *, taken: bool) -> None:
        """A queue answers: it has the message safe, or it doesn't have it."""
        was_pending = self.pending
        self._expected -= 1
        self.refused = self.refused or not taken
        if was_pending and not self.pending:
            listeners, self._listeners = self._listeners, []
            for listener in listeners:
                listener(not self.refused)

    def then(self, listener: Listener) -> None:
        """Have `listener` told once the answer is known, which may be now; listeners are told in order."""
        if self.pending:
            self._listeners.append(listener)
        else:
            listener(not self.refused)


def joined(receipts: Iterable[Receipt]) -> Receipt:
    """One receipt for several publishes: taken when all are, refused as soon as one is."""
    together = Receipt()
    each: list[Receipt] = list(receipts)
    for receipt in each:
        together.expect()
        together.stored = together.stored or receipt.stored
    for receipt in each:
        receipt.then(lambda taken: together.answer(taken=taken))
    return together
