"""Patterns of LIKE, `%` for any characters and `_` for one, matched without ever going back.

What stands between two `%` is found where it comes first, which is right: if the rest fits behind a later place, it
fits behind the first.  Plain text is looked for by `str.find`; where there is a `_` in it, all places are looked at
together, as bits of a number (Baeza-Yates and Gonnet's "shift and").  So the work grows with the length of the text,
and a budget says how much of it there may be.
"""

from __future__ import annotations

from typing import Final

from warren.core.selectors.selector import SelectorError

ANY: Final = ""
"""In a part: one character, whichever."""

COMPARED_AT_ONCE: Final = 50
"""So many characters are compared by `str.find` in the time of a step."""

NEEDLE_MAX: Final = 100
"""A longer text is looked for in linear time, a shorter one may take so many comparisons for each character."""


class TooMuchWorkError(Exception):
    """The budget is used up."""


class Budget:
    """left: so many steps may be taken, of some 0.1 µs each."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, steps: int) -> None:
        """Raises TooMuchWorkError when there aren't as many left."""
        self.left -= steps
        if self.left < 0:
            raise TooMuchWorkError


class Part:
    """What stands between two `%`: characters, some of which may be any."""

    __slots__ = ("_masks", "_wild", "size", "text")

    def __init__(self, characters: list[str]) -> None:
        self.size = len(characters)
        self.text = "" if ANY in characters else "".join(characters)
        self._wild = 0
        self._masks: dict[str, int] = {}
        for at, character in enumerate(characters):
            if character == ANY:
                self._wild |= 1 << at
        for at, character in enumerate(characters):
            if character != ANY:
                self._masks[character] = self._masks.get(character, self._wild) | 1 << at

    def is_at(self, text: str, at: int, budget: Budget) -> bool:
        """Whether it stands at this place."""
        budget.take(1 + self.size // COMPARED_AT_ONCE)
        if at < 0 or at + self.size > len(text):
            return False
        if self.text or not self.size:
            return text.startswith(self.text, at)
        return self.find(text[at : at + self.size], 0, self.size, budget) == 0

    def find(self, text: str, start: int, stop: int, budget: Budget) -> int:
        """Where it first stands between these places; -1 for nowhere."""
        if self.text or not self.size:
            budget.take(1 + (stop - start) * min(self.size, NEEDLE_MAX) // COMPARED_AT_ONCE)
            return text.find(self.text, start, stop)
        budget.take(1 + (stop - start) * (1 + self.size // COMPARED_AT_ONCE))
        masks, wild, last = self._masks, self._wild, 1 << (self.size - 1)
        found = 0
        for at in range(start, stop):
            found = (found << 1 | 1) & masks.get(text[at], wild)
            if found & last:
                return at - self.size + 1
        return -1


class Pattern:
    """A pattern with its escapes; SelectorError for one that ends with the escape character."""

    __slots__ = ("_parts",)

    def __init__(self, pattern: str, escape: str = "") -> None:
        parts: list[list[str]] = [[]]
        at = 0
        while at < len(pattern):
            character = pattern[at]
            at += 1
            if escape and character == escape:
                if at == len(pattern):
                    raise SelectorError("the pattern of a LIKE ends with its escape character")
                parts[-1].append(pattern[at])
                at += 1
            elif character == "%":
                parts.append([])
            else:
                parts[-1].append(ANY if character == "_" else character)
        self._parts = [Part(each) for each in parts]

    def matches(self, text: str, budget: Budget) -> bool:
        """Whether the whole text is like this.  Raises TooMuchWorkError."""
        parts = self._parts
        first = parts[0]
        if len(parts) == 1:
            return first.size == len(text) and first.is_at(text, 0, budget)
        last = parts[len(parts) - 1]
        stop = len(text) - last.size
        if first.size > stop or not first.is_at(text, 0, budget) or not last.is_at(text, stop, budget):
            return False
        at = first.size
        for part in parts[1 : len(parts) - 1]:
            found = part.find(text, at, stop, budget)
            if found < 0:
                return False
            at = found + part.size
        return True
