"""Rights that other back-ends have given are asked for again from time to time (docs/authentication.md).

Nobody tells the broker that a back-end would answer differently now.  So while somebody is connected whose rights come
from one, all that rests on its answers is looked at again every `Answers.ttl_ms`: routes that sessions remember are
checked anew when they are used next, and what goes on by itself is looked at as after any withdrawal
(core.withdrawals).  An answer may be as old as that when it is relied on, and be relied on as long again.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.broker import Broker

INTERVAL_LEAST_MS: Final = 1000
"""However short answers are kept: looking has a cost."""

USERS_PER_SLICE: Final = 2000
"""Noted in one turn: a microsecond each."""


class Rechecks:
    """Of one broker."""

    __slots__ = ("_broker", "_is_due", "_present", "_running")

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._present: dict[tuple[str, str], int] = {}
        self._running: Iterator[tuple[str, str]] | None = None
        self._is_due = False

    def entered(self, user: str, vhost: str) -> None:
        """A client of a user whom another back-end knows has come."""
        self._present[user, vhost] = self._present.get((user, vhost), 0) + 1
        self._schedule()

    def left(self, user: str, vhost: str) -> None:
        """It has gone."""
        count = self._present[user, vhost] - 1
        if count:
            self._present[user, vhost] = count
        else:
            del self._present[user, vhost]

    def _schedule(self) -> None:
        if not self._is_due and self._present:
            self._is_due = True
            broker = self._broker
            broker.deadlines.schedule(
                broker.now_ms + max(broker.users.answers.ttl_ms, INTERVAL_LEAST_MS), self._interval_over
            )

    def _interval_over(self, now_ms: int) -> None:
        self._is_due = False
        if self._present:
            self._broker.users.rely_on_routes_no_more()
            self.begin()
            self._schedule()

    def begin(self) -> None:
        """Look at everything that goes on by rights of other back-ends, in slices."""
        if self._running is None:
            self._broker.chores.add(self._note_some)
        self._running = iter(list(self._present))

    def _note_some(self) -> bool:
        running = self._running
        if running is None:
            return False
        noted = 0
        for user, vhost in islice(running, USERS_PER_SLICE):
            noted += 1
            self._broker.withdrawals.note(user, vhost)
        if noted < USERS_PER_SLICE:
            self._running = None
        return self._running is not None
