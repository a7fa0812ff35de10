"""Messages that are put back into their places in slices: too many, or too far behind the head, for one turn.

    one row          what comes back to one backlog, in order
    room             entries that are older than the last of the row are taken off the backlog's head
    back             both go back to the head, the newest first

Where consumers pass over messages (picking.py), each goes to its place among those instead.

Nobody is given anything of the queue meanwhile, as its head isn't what it looks like; that takes some tenths of a
microsecond a message.  What is in between counts as ready (`Returns.aside`), and a purge takes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Final

from warren.core.chores import emptied
from warren.core.queues.backlog import Entry, sequence_of
from warren.core.queues.classic.picking import put_back

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.backlog import Backlog
    from warren.core.queues.classic.queue import ClassicQueue

MOVED_PER_SLICE: Final = 10_000
"""Messages that go from one row to another in one turn: up to half a microsecond each."""

PUT_BACK_PER_SLICE: Final = 2000
"""The same where each goes to its own place among what consumers have passed over, of some microseconds each."""

Run = tuple["Backlog", list["Message"]]
"""Messages in order, and the backlog that they belong to."""


class Placing:
    """Of one queue, while there is anything to put back; see the head of this file."""

    __slots__ = ("_coming", "_older", "_queue", "_row", "_runs", "_slices")

    def __init__(self, queue: ClassicQueue) -> None:
        self._queue = queue
        self._runs: list[Run] = []
        self._coming: Iterator[Message] = iter(())
        self._row: list[Message] = []
        self._older: list[Entry] = []
        self._slices = self._place()

    def add(self, runs: Sequence[Run]) -> None:
        """These are to be put back, too; they count as aside already."""
        self._runs += runs

    def do_slice(self) -> bool:
        """A slice of it; False when everything is in its place."""
        for _ in self._slices:
            return True
        return False

    def drop(self) -> Iterator[Entry]:
        """A purge takes all that isn't in its place; nothing is left to do."""
        runs, coming, row, older = self._runs, self._coming, self._row, self._older
        self._runs, self._coming, self._row, self._older = [], iter(()), [], []
        left: Iterator[Message] = chain(emptied(row), coming, *(emptied(run) for _, run in runs))
        return chain(emptied(older), left)

    def _place(self) -> Iterator[None]:
        while self._runs:
            backlog = self._runs[0][0]
            runs = [run for each, run in self._runs if each is backlog]
            self._runs = [run for run in self._runs if run[0] is not backlog]
            self._coming = in_order(runs)
            del runs
            if self._queue.picking is not None:
                yield from self._put_among_passed(backlog)
                continue
            yield from self._line_up()
            yield from self._make_room(backlog)
            yield from self._put_back(backlog)

    def _put_among_passed(self, backlog: Backlog) -> Iterator[None]:
        """What is passed over is found by its sequence, so that there is no need to make room."""
        while part := list(islice(self._coming, PUT_BACK_PER_SLICE)):
            put_back(self._queue, backlog, part)
            self._queue.returned.aside -= len(part)
            yield

    def _line_up(self) -> Iterator[None]:
        while part := list(islice(self._coming, MOVED_PER_SLICE)):
            self._row += part
            yield

    def _make_room(self, backlog: Backlog) -> Iterator[None]:
        entries = backlog.entries
        while self._row and entries and sequence_of(entries[0]) < self._row[-1].sequence:
            last, older = self._row[-1].sequence, self._older
            before = len(older)
            while entries and len(older) - before < MOVED_PER_SLICE and sequence_of(entries[0]) < last:
                older.append(backlog.pop_first())
            self._queue.returned.aside += len(older) - before
            yield

    def _put_back(self, backlog: Backlog) -> Iterator[None]:
        entries = backlog.entries
        while self._row or self._older:
            row, older = self._row, self._older
            before = len(row) + len(older)
            if row and older:
                while row and older and before - len(row) - len(older) < MOVED_PER_SLICE:
                    entries.appendleft(row.pop() if row[-1].sequence > sequence_of(older[-1]) else older.pop())
            else:
                left: list[Message] | list[Entry] = row or older
                entries.extendleft(reversed(left[-MOVED_PER_SLICE:]))
                del left[-MOVED_PER_SLICE:]
            self._queue.returned.aside -= before - len(row) - len(older)
            yield


def in_order(runs: list[list[Message]]) -> Iterator[Message]:
    """The messages of all runs, each of which is in order."""
    runs.sort(key=_first_of)
    if all(run[-1].sequence < following[0].sequence for run, following in pairwise(runs)):
        return chain.from_iterable(map(emptied, runs))
    return merge(*map(emptied, runs), key=sequence_of)


def _first_of(run: list[Message]) -> int:
    return run[0].sequence
