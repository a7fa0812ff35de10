"""Tickets: what is kept in memory of a delayed message whose content is on disk, and a million of them in order.

A ticket is one int that packs, from its highest bits down, the due time, the order of publishing, the log position and
the body size: 48 bytes, and its natural order is the order of delivery.  (due time, order) alone is its *key*.

`SortedTickets` keeps tickets in sorted runs: what comes in together is sorted into a new run, and runs of like sizes
are merged, so that a ticket is merged a logarithmic number of times, by the sort of the interpreter, which is made for
runs.  A run has at most `RUN_TICKETS_MAX`, so that no merge takes long.  Runs hold negated tickets in ascending order:
the earliest is then at the end, where a list gives it up in constant time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from heapq import merge
from typing import Final

_SIZE_BITS: Final = 32
_POSITION_BITS: Final = 60
_ORDER_BITS: Final = 46
_KEY_SHIFT: Final = _POSITION_BITS + _SIZE_BITS
_DUE_SHIFT: Final = _ORDER_BITS + _KEY_SHIFT

_SIZE_MASK: Final = (1 << _SIZE_BITS) - 1
_POSITION_MASK: Final = (1 << _POSITION_BITS) - 1
_ORDER_MASK: Final = (1 << _ORDER_BITS) - 1

RUN_TICKETS_MAX: Final = 1 << 17
"""Merging two runs of half this size takes some ten milliseconds."""

SPARE_RUNS: Final = 24
"""Runs beyond those that are needed before all small ones are put together: those of unlike sizes on their way up."""


def make_key(due_at_ms: int, order: int) -> int:
    """What delayed messages are sorted by."""
    return due_at_ms << _ORDER_BITS | order


def key_due_at_ms(key: int) -> int:
    """The due time of a key."""
    return key >> _ORDER_BITS


def key_order(key: int) -> int:
    """The order of publishing of a key."""
    return key & _ORDER_MASK


def make_ticket(key: int, position: int, body_size: int) -> int:
    """The ticket of the message with this key whose record is at `position` of the log."""
    return key << _KEY_SHIFT | position << _SIZE_BITS | body_size


def ticket_key(ticket: int) -> int:
    """The key of a ticket."""
    return ticket >> _KEY_SHIFT


def ticket_due_at_ms(ticket: int) -> int:
    """The due time of a ticket."""
    return ticket >> _DUE_SHIFT


def ticket_position(ticket: int) -> int:
    """The log position of a ticket."""
    return ticket >> _SIZE_BITS & _POSITION_MASK


def ticket_body_size(ticket: int) -> int:
    """The body size of a ticket, in bytes."""
    return ticket & _SIZE_MASK


class SortedTickets:
    """See the head of this file, also for `run_tickets_max` and `spare_runs`."""

    __slots__ = ("_count", "_run_tickets_max", "_runs", "_spare_runs")

    def __init__(self, *, run_tickets_max: int = RUN_TICKETS_MAX, spare_runs: int = SPARE_RUNS) -> None:
        self._run_tickets_max = run_tickets_max
        self._spare_runs = spare_runs
        self._runs: list[list[int]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __bool__(self) -> bool:
        return len(self) > 0

    def __iter__(self) -> Iterator[int]:
        """All tickets, the earliest first; nothing may be added or taken meanwhile."""
        for negated in merge(*(reversed(run) for run in self._runs), reverse=True):
            yield -negated

    @property
    def first(self) -> int | None:
        """The earliest ticket."""
        return -max(run[-1] for run in self._runs) if self._runs else None

    def add(self, tickets: Iterable[int]) -> None:
        """Put tickets in, in any order."""
        negated = sorted(-ticket for ticket in tickets)
        if not negated:
            return
        self._count += len(negated)
        self._append(negated)
        runs = self._runs
        longest = self._run_tickets_max
        while len(runs) > 1 and len(runs[-2]) <= 2 * len(runs[-1]) and len(runs[-2]) + len(runs[-1]) <= longest:
            last = runs.pop()
            runs[-1] += last
            runs[-1].sort()
        if len(runs) > self._spare_runs + 2 * self._count // longest:
            self._put_together()

    def take(self, below: int, count_max: int, bytes_max: int) -> list[int]:
        """Remove and return the earliest tickets smaller than `below`, the earliest first.

        count_max, bytes_max: how many at most, and how many bytes their bodies may have; one is always given.
        """
        candidates: list[int] = []
        for run in self._runs:
            start = max(bisect_right(run, -below), len(run) - count_max)
            candidates += run[start:]
        candidates.sort(reverse=True)
        taken: list[int] = []
        size = 0
        for negated in candidates[:count_max]:
            size += ticket_body_size(-negated)
            if taken and size > bytes_max:
                break
            taken.append(-negated)
        if taken:
            last = -taken[-1]
            for run in self._runs:
                del run[bisect_left(run, last) :]
            self._runs = [run for run in self._runs if run]
            self._count -= len(taken)
        return taken

    def remove(self, due_at_ms: int, position: int) -> int | None:
        """Remove and return the ticket of the message at `position`, which is due then; None when there is none."""
        latest = -(due_at_ms << _DUE_SHIFT)
        earliest = -((due_at_ms + 1) << _DUE_SHIFT)
        for run in self._runs:
            for index in range(bisect_right(run, earliest), bisect_right(run, latest)):
                ticket = -run[index]
                if ticket_position(ticket) == position:
                    del run[index]
                    self._count -= 1
                    self._runs = [left for left in self._runs if left]
                    return ticket
        return None

    def clear(self) -> None:
        """Forget all of them."""
        self._runs = []
        self._count = 0

    def _append(self, negated: list[int]) -> None:
        """New runs of sorted, negated tickets."""
        for start in range(0, len(negated), self._run_tickets_max):
            self._runs.append(negated[start : start + self._run_tickets_max])

    def _put_together(self) -> None:
        """Make as few runs as possible of all that are less than half full."""
        small = [run for run in self._runs if 2 * len(run) < self._run_tickets_max]
        self._runs = [run for run in self._runs if 2 * len(run) >= self._run_tickets_max]
        together: list[int] = []
        for run in small:
            together += run
        together.sort()
        self._append(together)
