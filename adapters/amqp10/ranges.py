"""Which unsettled deliveries a range of delivery ids means (part 2, 2.6.12).

A range may name two thousand million deliveries and mean none of them.  So it is cut to what can be unsettled, and
looked through by whichever is shorter, the range or what is unsettled; what is too much for a turn is looked through in
slices, as is what is then settled (adapters.session.deliveries).
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from warren.adapters.session.deliveries import SETTLED_PER_SLICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.adapters.session.deliveries import Deliveries

LOOKED_AT_PER_COMMAND: Final = 64
"""Deliveries that are looked at and count as one command of a turn's ration (adapters.session.ration)."""


class TagRange:
    """Of the unsettled deliveries, those whose tags are from `first` to `last`."""

    __slots__ = ("_deliveries", "_first", "_last")

    def __init__(self, deliveries: Deliveries, first: int, last: int) -> None:
        oldest = next(iter(deliveries.unacked), deliveries.delivery_tag + 1)
        self._deliveries = deliveries
        self._first = max(first, oldest)
        self._last = min(last, deliveries.delivery_tag)

    @property
    def work(self) -> int:
        """How many have to be looked at."""
        return max(min(self._last - self._first + 1, len(self._deliveries.unacked)), 0)

    @property
    def is_long(self) -> bool:
        """Whether that is too much for one turn."""
        return self.work > SETTLED_PER_SLICE

    def tags(self) -> list[int]:
        """All of them."""
        return [tag for tags in self.lists() for tag in tags]

    def lists(self) -> Iterator[list[int]]:
        """The same in lists, for each of which no more is looked at than a turn may settle."""
        unacked = self._deliveries.unacked
        first, last = self._first, self._last
        if last - first < len(unacked):
            for at in range(first, last + 1, SETTLED_PER_SLICE):
                yield [tag for tag in range(at, min(at + SETTLED_PER_SLICE, last + 1)) if tag in unacked]
            return
        every = iter(list(unacked))
        while some := list(islice(every, SETTLED_PER_SLICE)):
            yield [tag for tag in some if first <= tag <= last and tag in unacked]
            if some[-1] >= last:
                return


def runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of each run of numbers that follow each other."""
    if not numbers:
        return
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last
