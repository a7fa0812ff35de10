"""Which messages are under way between source and destination.

The destination numbers what it is sent and settles numbers in any order; the source is told of whole runs from the
oldest on, as one acknowledgement settles everything up to a delivery.  What the destination refuses keeps its place:
it is sent again later, under a new number, and holds back only the acknowledgements behind it.  What isn't sent at all
is done at once, and acknowledged in its turn; what is given up has left, as the source was told of it alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import takewhile
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _Entry(Generic[Item]):
    """sent: it goes to the destination.  done: the source may forget it.  given_up: the source has been told already.

    refusals: how often the destination has found something wrong with it.
    """

    __slots__ = ("done", "given_up", "item", "refusals", "sent")

    def __init__(self, item: Item, *, sent: bool) -> None:
        self.item = item
        self.sent = sent
        self.done = not sent
        self.given_up = False
        self.refusals = 0


class InFlight(Generic[Item]):
    """refused: what has to be sent again, in the order of sending.  passed: how many that weren't sent `take_done` has
    let go, until somebody sets it back.
    """

    __slots__ = ("_by_number", "_order", "passed", "refused")

    def __init__(self) -> None:
        self._by_number: dict[int, _Entry[Item]] = {}
        self._order: deque[_Entry[Item]] = deque()
        self.refused: deque[_Entry[Item]] = deque()
        self.passed = 0

    def __len__(self) -> int:
        """Messages that the source hasn't been told of."""
        return len(self._order)

    @property
    def unanswered(self) -> int:
        """Messages of which it isn't known what the destination does with them."""
        return len(self._by_number)

    def sent(self, number: int, item: Item) -> None:
        """An item went out; numbers only grow."""
        entry = self._by_number[number] = _Entry(item, sent=True)
        self._order.append(entry)

    def passed_over(self, item: Item) -> None:
        """An item that doesn't go out; the source is told of it behind those before it."""
        self._order.append(_Entry(item, sent=False))

    def sent_again(self, number: int) -> Item:
        """The first refused item goes out once more; it."""
        entry = self.refused.popleft()
        self._by_number[number] = entry
        return entry.item

    def taken(self, number: int, *, multiple: bool) -> None:
        """The destination has a message, or all up to it."""
        for entry in self._settled(number, multiple):
            entry.done = True

    def turned_away(self, number: int, *, multiple: bool, passing: bool = False) -> None:
        """The destination doesn't take a message, or none up to it.  passing: that says nothing of the message."""
        for entry in self._settled(number, multiple):
            entry.refusals += not passing
            self.refused.append(entry)

    def give_up(self, refusals: int) -> list[Item]:
        """The items that were refused so often, which aren't sent again; the source is to be told of each alone."""
        given_up = [entry for entry in self.refused if entry.refusals >= refusals]
        for entry in given_up:
            entry.done = entry.given_up = True
        if given_up:
            self.refused = deque(entry for entry in self.refused if not entry.given_up)
        return [entry.item for entry in given_up]

    def take_done(self) -> tuple[Item | None, int]:
        """The last item of the run, from the oldest on, that is done, and how many of that the destination has.

        None and 0 for no run; what was given up isn't told of.
        """
        order = self._order
        last: Item | None = None
        count = 0
        while order and order[0].done:
            entry = order.popleft()
            if entry.given_up:
                continue
            last = entry.item
            if entry.sent:
                count += 1
            else:
                self.passed += 1
        return last, count

    def take_scattered(self) -> list[tuple[Item, bool]]:
        """Nothing more is moved: the items that are done behind one that isn't, which are forgotten here.

        Each with whether the destination has it.
        """
        scattered = [(entry.item, entry.sent) for entry in self._order if entry.done and not entry.given_up]
        self._order = deque(entry for entry in self._order if not entry.done)
        return scattered

    def _settled(self, number: int, multiple: bool) -> Iterator[_Entry[Item]]:
        by_number = self._by_number
        if not multiple:
            entry = by_number.pop(number, None)
            if entry is not None:
                yield entry
            return
        for first in list(takewhile(lambda each: each <= number, by_number)):
            yield by_number.pop(first)
