"""The row of slots of an x-consistent-hash exchange: which target has which, and what a key falls into.

A target of weight w has w slots, the lowest that are free when it comes.  A target that goes leaves holes; only at the
end the row gets shorter.  A key's slot is the jump consistent hash of it over the row's length; one that falls into a
hole is hashed on until it falls into a slot that somebody has, or else, after a few tries, over those slots alone.  So
where a key goes depends on nothing but who has which slots now: whoever knows that can build the row again, in whatever
order.

When a target comes, keys move to it alone.  When one goes, its own keys move, and those that had been hashed on from
the slots that the row loses at its end.  In a row that is mostly holes, some others do.

What is kept are runs of neighbouring slots, so that a target costs the same whatever its weight: `_taken` has those of
targets, `_holes` those between them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import Final, Generic, TypeVar

from warren.core.exchanges.stable_hash import jump_bucket

Target = TypeVar("Target")

Runs = tuple[tuple[int, int], ...]
"""Slots as (first, how many), in order."""

TRIES_MAX: Final = 8
"""So often a key is hashed on from a hole, some 5 µs each.  In a row that is one half holes, one key of 256 needs more;
in one that is nearly all holes most do, and are shared out in proportion to the weights."""

HOLES_MAX: Final = 32
"""So many holes a target is given at most; what it has more goes to the end of the row.  Each is a pair of numbers in
its row of the definitions, and moves those behind it in the lists here."""

_MASK: Final = (1 << 64) - 1

_STEP: Final = 0x9E3779B97F4A7C15
_MULTIPLIER: Final = 0xBF58476D1CE4E5B9
"""Of SplitMix64, whose steps look random and never repeat."""


class _Row:
    """Runs of slots that don't overlap: their first slots in order, and how many each has."""

    __slots__ = ("counts", "firsts")

    def __init__(self) -> None:
        self.firsts: list[int] = []
        self.counts: list[int] = []

    def put(self, first: int, count: int) -> None:
        index = bisect_left(self.firsts, first)
        self.firsts.insert(index, first)
        self.counts.insert(index, count)

    def drop(self, index: int) -> tuple[int, int]:
        """Take a run out: its first slot, and how many it has."""
        return self.firsts.pop(index), self.counts.pop(index)

    def index_of(self, slot: int) -> int:
        """The run that this slot is in; -1 for none."""
        index = bisect_right(self.firsts, slot) - 1
        return index if index >= 0 and slot < self.firsts[index] + self.counts[index] else -1


class HashSlots(Generic[Target]):
    """See the head of this file."""

    __slots__ = ("_ends", "_holes", "_length", "_runs", "_taken", "_targets")

    def __init__(self) -> None:
        self._length = 0
        self._taken = _Row()
        self._targets: dict[int, Target] = {}
        self._holes = _Row()
        self._runs: dict[Target, Runs] = {}
        # How many slots are taken up to the end of each run; None where that isn't known.
        self._ends: list[int] | None = None

    def __len__(self) -> int:
        """The length of the row, holes included."""
        return self._length

    def __bool__(self) -> bool:
        return len(self) > 0

    def enter(self, target: Target, weight: int, wanted: Runs = ()) -> Runs:
        """Give a new target its slots, which are given back.

        wanted: those that it had before, which it has again unless one is taken or their number isn't its weight.
        """
        runs = wanted
        if sum(count for _, count in wanted) != weight or not self._are_free(wanted):
            runs = self._free_runs(weight)
        for first, count in runs:
            self._take(target, first, count)
        self._runs[target] = runs
        self._ends = None
        return runs

    def leave(self, target: Target) -> None:
        """A target goes; its slots are holes."""
        for first, count in self._runs.pop(target):
            self._taken.drop(self._taken.index_of(first))
            del self._targets[first]
            self._make_hole(first, first + count)
        self._ends = None

    def find(self, key: int) -> Target | None:
        """The target of a 64-bit key; None when there is none at all."""
        length = self._length
        if not length:
            return None
        taken = self._taken
        for _ in range(TRIES_MAX):
            index = taken.index_of(jump_bucket(key, length))
            if index >= 0:
                return self._targets[taken.firsts[index]]
            key = _hash_on(key)
        ends = self._ends
        if ends is None:
            ends = self._ends = list(accumulate(taken.counts))
        return self._targets[taken.firsts[bisect_right(ends, jump_bucket(key, ends[-1]))]]

    def _are_free(self, runs: Runs) -> bool:
        """Whether all of these are holes, or behind the end of the row."""
        holes = self._holes
        end = 0
        for first, count in runs:
            if first < end or count < 1:
                return False
            end = first + count
            if first >= self._length:
                continue
            index = holes.index_of(first)
            if index < 0 or end > holes.firsts[index] + holes.counts[index]:
                return False
        return True

    def _free_runs(self, count: int) -> Runs:
        """The lowest holes, and what is more at the end."""
        runs: list[tuple[int, int]] = []
        for first, room in zip(self._holes.firsts[:HOLES_MAX], self._holes.counts, strict=False):
            if not count:
                break
            runs.append((first, min(count, room)))
            count -= runs[-1][1]
        if count:
            runs.append((self._length, count))
        return tuple(runs)

    def _take(self, target: Target, first: int, count: int) -> None:
        end = first + count
        holes = self._holes
        if first >= self._length:
            if first > self._length:
                holes.put(self._length, first - self._length)
            self._length = end
        else:
            hole, room = holes.drop(holes.index_of(first))
            if hole < first:
                holes.put(hole, first - hole)
            if end < hole + room:
                holes.put(end, hole + room - end)
        self._taken.put(first, count)
        self._targets[first] = target

    def _make_hole(self, first: int, end: int) -> None:
        """Join it with the holes beside it; one at the end makes the row shorter."""
        holes = self._holes
        if first and (before := holes.index_of(first - 1)) >= 0:
            first, _ = holes.drop(before)
        if (after := holes.index_of(end)) >= 0:
            end += holes.drop(after)[1]
        if end == self._length:
            self._length = first
        else:
            holes.put(first, end - first)


def _hash_on(key: int) -> int:
    key = (key + _STEP) & _MASK
    key = ((key ^ (key >> 30)) * _MULTIPLIER) & _MASK
    return key ^ (key >> 31)
