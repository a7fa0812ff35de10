"""Sets of characters: sorted ranges of code points, which don't touch.

Everything that stands for one character in an expression is one: a literal, a class, a dot.  Letters of both cases are
told apart by ASCII alone, and so are digits, white space and what words are made of, as PCRE does over bytes (spec G).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final, TypeAlias

Characters: TypeAlias = tuple[tuple[int, int], ...]
"""First and last code point of each range."""

LAST: Final = 0x10FFFF

EVERY: Final[Characters] = ((0, LAST),)
NONE: Final[Characters] = ()

DIGITS: Final[Characters] = ((0x30, 0x39),)
WORD: Final[Characters] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
SPACE: Final[Characters] = ((0x09, 0x0D), (0x20, 0x20))

_UPPER: Final = range(0x41, 0x5B)
_LOWER: Final = range(0x61, 0x7B)
_CASE: Final = 0x20
"""Between a letter of ASCII and the same of the other case."""


def union(ranges: Iterable[tuple[int, int]]) -> Characters:
    """The set of all that is in any of these ranges."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def complement(characters: Characters) -> Characters:
    """Every character that isn't in the set."""
    missing = []
    after = 0
    for first, last in characters:
        if first > after:
            missing.append((after, first - 1))
        after = last + 1
    if after <= LAST:
        missing.append((after, LAST))
    return tuple(missing)


def of_both_cases(characters: Characters) -> Characters:
    """The set, with each letter of ASCII in the other case too."""
    added = list(characters)
    for first, last in characters:
        for letters, step in ((_UPPER, _CASE), (_LOWER, -_CASE)):
            low, high = max(first, letters[0]), min(last, letters[-1])
            if low <= high:
                added.append((low + step, high + step))
    return union(added)


def holds(characters: Characters, code: int) -> bool:
    """Whether a code point is in the set."""
    at = bisect_right(characters, (code, LAST)) - 1
    return at >= 0 and code <= characters[at][1]
