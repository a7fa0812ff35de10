"""Connections and queues that ended almost as soon as they had begun, by whose they were: for who asks why it is slow.

A program that connects for each message, or makes a queue for each reply, costs the broker many times what its messages
cost, and a sum over all programs (core/churn.py) doesn't say which it is.  Counted is what ends within seconds and had
next to no messages, once when it ends.  Counts are of the period that is running and the one before, so that what was
so last week isn't told; who was quiet longest makes room.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

PERIOD_MS: Final = 300_000
"""Counts go back this far at least, and twice as far at most."""

LIFE_MAX_MS: Final = 10_000
"""What lived longer isn't brief: a minute of it is six at most."""

MESSAGES_MAX: Final = 10
"""What had more messages may have been worth its while."""

OWNERS_MAX: Final = 1000
"""Some two hundred bytes each."""


class Brief(NamedTuple):
    """Whose it was.

    kind: connection or queue.  user: empty where nobody knows.  where: the peer's address and the protocol, or how the
    queues' names begin.
    """

    kind: str
    vhost: str
    user: str
    where: str


class _Counted:
    __slots__ = ("before", "now", "period")

    def __init__(self, period: int) -> None:
        self.period = period
        self.now = 0
        self.before = 0

    def go_to(self, period: int) -> None:
        if period != self.period:
            self.before = self.now if period == self.period + 1 else 0
            self.now = 0
            self.period = period


class BriefLives:
    """Of one broker."""

    __slots__ = ("_counted",)

    def __init__(self) -> None:
        self._counted: dict[Brief, _Counted] = {}

    def ended(self, whose: Brief, life_ms: int, messages: int, now_ms: int) -> None:
        """Something has ended after so long, and had so many messages."""
        if life_ms > LIFE_MAX_MS or messages > MESSAGES_MAX:
            return
        period = now_ms // PERIOD_MS
        found = self._counted.pop(whose, None)
        if found is None:
            if len(self._counted) >= OWNERS_MAX:
                del self._counted[next(iter(self._counted))]
            found = _Counted(period)
        found.go_to(period)
        found.now += 1
        self._counted[whose] = found

    def counts(self, now_ms: int) -> Iterator[tuple[Brief, int]]:
        """How many, in this period and the one before."""
        period = now_ms // PERIOD_MS
        for whose, counted in list(self._counted.items()):
            counted.go_to(period)
            if counted.now + counted.before:
                yield whose, counted.now + counted.before


def stem(name: str) -> str:
    """How the names begin of which this is one, numbered or drawn by lot: `reply-` of `reply-17`."""
    if name.startswith("amq.gen-"):
        return "amq.gen-"
    cut = next((index for index, each in enumerate(name) if each.isdigit()), len(name))
    return name[:cut]
