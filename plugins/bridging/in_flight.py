"""Which messages are under way between source and destination.

The destination numbers what it is sent and settles numbers in any order; the source is told of whole runs from the
oldest on, as one acknowledgement settles everything up to a delivery.  What the destination refuses keeps its place:
it is sent again later, under a new number, and holds back only the acknowledgements behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import takewhile
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _Entry(Generic[Item]):
    __slots__ = ("done", "item")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.done = False


class InFlight(Generic[Item]):
    """refused: what has to be sent again, in the order of sending."""

    __slots__ = ("_by_number", "_order", "refused")

    def __init__(self) -> None:
        self._by_number: dict[int, _Entry[Item]] = {}
        self._order: deque[_Entry[Item]] = deque()
        self.refused: deque[_Entry[Item]] = deque()

    def __len__(self) -> int:
        """Messages that the source hasn't been told of."""
        return len(self._order)

    @property
    def unanswered(self) -> int:
        """Messages of which it isn't known what the destination does with them."""
        return len(self._by_number)

    def sent(self, number: int, item: Item) -> None:
        """An item went out; numbers only grow."""
        entry = self._by_number[number] = _Entry(item)
        self._order.append(entry)

    def sent_again(self, number: int) -> Item:
        """The first refused item goes out once more; it."""
        entry = self.refused.popleft()
        self._by_number[number] = entry
        return entry.item

    def taken(self, number: int, *, multiple: bool) -> None:
        """The destination has a message, or all up to it."""
        for entry in self._settled(number, multiple):
            entry.done = True

    def turned_away(self, number: int, *, multiple: bool) -> None:
        """The destination doesn't take a message, or none up to it."""
        self.refused.extend(self._settled(number, multiple))

    def take_done(self) -> tuple[Item | None, int]:
        """The last item of the run, from the oldest on, that is done, and how many that are; None and 0 for no run."""
        order = self._order
        last: Item | None = None
        count = 0
        while order and order[0].done:
            last = order.popleft().item
            count += 1
        return last, count

    def take_scattered(self) -> list[Item]:
        """Nothing more is moved: the items that are done behind one that isn't, which are forgotten here."""
        scattered = [entry.item for entry in self._order if entry.done]
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
