"""Work that is too long for one turn: a slice of it is done in each, while everybody else goes on.

Whoever has such work gives a call that does one slice and says whether there is more.  `Broker.end_turn` does one slice
per turn, of each work in its turn, and says that there is more to do while there is: so however many clients ask for a
lot at once, a turn gets longer by one slice.  Core knows no clock: a slice is a number of things, chosen so that it
takes a few milliseconds.

Some of it may be left where it is when the broker stops, as the next start knows what is left to do.  Other work goes
to its end then (`finish`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, TypeAlias, TypeVar

Slice: TypeAlias = Callable[[], bool]
"""Does the next slice of some work; False when that was the last one."""


class Chores:
    """Of one broker; it is true while there are any.  failed: called with what a slice raises, which ends its work."""

    __slots__ = ("_failed", "_to_the_end", "_waiting")

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._waiting: deque[Slice] = deque()
        self._to_the_end: set[Slice] = set()

    def __len__(self) -> int:
        """How many works are under way."""
        return len(self._waiting)

    def __bool__(self) -> bool:
        return len(self) > 0

    def add(self, do_slice: Slice, *, to_the_end: bool = False) -> None:
        """Have `do_slice` called once per turn or less often, from this turn on, until it says False.

        to_the_end: a stop of the broker doesn't leave it where it is.
        """
        self._waiting.append(do_slice)
        if to_the_end:
            self._to_the_end.add(do_slice)

    def do_one_slice(self) -> None:
        """The next slice of the work that has waited longest, if there is any."""
        if not self._waiting:
            return
        do_slice = self._waiting.popleft()
        try:
            has_more = do_slice()
        except Exception as error:
            has_more = False
            self._failed(error)
        if has_more:
            self._waiting.append(do_slice)
        elif do_slice not in self._waiting:
            self._to_the_end.discard(do_slice)

    def finish(self) -> None:
        """No turns follow: do at once what must go to its end, and forget the rest."""
        while self._waiting:
            if self._waiting[0] in self._to_the_end:
                self.do_one_slice()
            else:
                self._waiting.popleft()


Item = TypeVar("Item")
Key = TypeVar("Key")


def emptied(items: list[Item]) -> Iterator[Item]:
    """All of a list, from the first on, which leave it as they come.

    Letting go of a million objects at once takes longer than any slice, so none is kept until the last is done.
    """
    items.reverse()
    while items:
        yield items.pop()


LET_GO_PER_SLICE: Final = 4000
"""Entries that a dict or a list lets go of in one turn: a microsecond each."""


def let_go(entries: dict[Key, Item] | list[Item], chores: Chores) -> None:
    """Empty a dict or a list that nobody uses any more, in later turns if it is large."""
    if len(entries) <= LET_GO_PER_SLICE:
        entries.clear()
    elif isinstance(entries, list):
        chores.add(partial(_let_go_last, entries))
    else:
        chores.add(partial(_let_go_some, entries))


def _let_go_some(entries: dict[Key, Item]) -> bool:
    for _ in range(min(len(entries), LET_GO_PER_SLICE)):
        entries.popitem()
    return bool(entries)


def _let_go_last(entries: list[Item]) -> bool:
    del entries[-LET_GO_PER_SLICE:]
    return bool(entries)


class Ration:
    """How much of one kind of work a turn may have, everybody who does it together.  per_turn: that much."""

    __slots__ = ("_left", "_per_turn", "_turn")

    def __init__(self, per_turn: int) -> None:
        self._per_turn = per_turn
        self._left = per_turn
        self._turn = -1

    def take(self, work: int, turn: int) -> bool:
        """True when so much may still be done in this turn, which counts as done then.  turn: the broker's number."""
        if self.left(turn) < work:
            return False
        self._left -= work
        return True

    def left(self, turn: int) -> int:
        """How much may still be done in this turn."""
        if turn != self._turn:
            self._turn = turn
            self._left = self._per_turn
        return max(self._left, 0)

    def spend(self, work: int) -> None:
        """So much was done in this turn, of which `left` has said that something may be."""
        self._left -= work
