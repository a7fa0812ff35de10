"""The row of slots of an x-consistent-hash exchange: which target has which, and what a key falls into.

A target of weight w has w slots, the lowest that are free when it comes.  A target that goes leaves holes; only at the
end the row gets shorter.  A key's slot is the jump consistent hash of it over the row's length; one that falls into a
hole is hashed on until it falls into a slot that somebody has.  So where a key goes depends on nothing but who has
which slots now: whoever knows that can build the row again, in whatever order.

When a target comes, keys move to it alone.  When one goes, its own keys move, and those that had been hashed on from
the slots that the row loses at its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

from warren.core.exchanges.stable_hash import jump_bucket

Target = TypeVar("Target")

Runs = tuple[tuple[int, int], ...]
"""Slots as (first, how many), in order."""

TRIES_MAX: Final = 64
"""So often a key is hashed on from a hole.  In a row that is one half holes none needs more; in one that is nearly all
holes those that do are shared out by the targets' order."""

_MASK: Final = (1 << 64) - 1

_STEP: Final = 0x9E3779B97F4A7C15
_MULTIPLIER: Final = 0xBF58476D1CE4E5B9
"""Of SplitMix64, whose steps look random and never repeat."""


class HashSlots(Generic[Target]):
    """See the head of this file."""

    __slots__ = ("_holes", "_runs", "_slots")

    def __init__(self) -> None:
        self._slots: list[Target | None] = []
        self._holes: list[int] = []
        self._runs: dict[Target, Runs] = {}

    def __len__(self) -> int:
        """The length of the row, holes included."""
        return len(self._slots)

    def enter(self, target: Target, weight: int, wanted: Runs = ()) -> Runs:
        """Give a new target its slots, which are given back.

        wanted: those that it had before, which it has again unless one is taken or their number isn't its weight.
        """
        numbers = _numbers(wanted)
        if len(numbers) != weight or not self._are_free(numbers):
            numbers = self._take_holes(weight)
            length = len(self._slots)
            numbers += range(length, length + weight - len(numbers))
        self._extend(max(numbers) + 1)
        for number in numbers:
            self._slots[number] = target
        runs = self._runs[target] = _runs_of(numbers)
        return runs

    def leave(self, target: Target) -> None:
        """A target goes; its slots are holes."""
        slots = self._slots
        for number in _numbers(self._runs.pop(target)):
            slots[number] = None
            heappush(self._holes, number)
        while slots and slots[-1] is None:
            slots.pop()

    def find(self, key: int) -> Target | None:
        """The target of a 64-bit key; None when there is none at all."""
        slots = self._slots
        count = len(slots)
        if not count:
            return None
        for _ in range(TRIES_MAX):
            target = slots[jump_bucket(key, count)]
            if target is not None:
                return target
            key = _hash_on(key)
        ranked = sorted(self._runs, key=lambda each: self._runs[each])
        return ranked[key % len(ranked)]

    def _are_free(self, numbers: list[int]) -> bool:
        return all(number >= len(self._slots) or self._slots[number] is None for number in numbers)

    def _take_holes(self, count: int) -> list[int]:
        """The lowest holes, so many or as many as there are; they are none any more as far as this is concerned."""
        holes, slots = self._holes, self._slots
        numbers: list[int] = []
        while holes and len(numbers) < count:
            number = heappop(holes)
            if number < len(slots) and slots[number] is None and (not holes or holes[0] != number):
                numbers.append(number)
        return numbers

    def _extend(self, length: int) -> None:
        """Make the row as long; what is new in it are holes."""
        new = range(len(self._slots), length)
        if new:
            self._slots += [None] * len(new)
            self._holes += new
            heapify(self._holes)


def _hash_on(key: int) -> int:
    key = (key + _STEP) & _MASK
    key = ((key ^ (key >> 30)) * _MULTIPLIER) & _MASK
    return key ^ (key >> 31)


def _numbers(runs: Runs) -> list[int]:
    return [number for first, count in runs for number in range(first, first + count)]


def _runs_of(numbers: Iterable[int]) -> Runs:
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and sum(runs[-1]) == number:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((number, 1))
    return tuple(runs)
