"""The engine for what RE2 doesn't take, and for where it isn't installed: steps are counted, and come to an end.

Theory of operation
-------------------
A program (program.py) is tried depth first, as Python's engine does it, with a stack of what is to be tried where a way
leads nowhere.  But no instruction is tried twice at the same position of the text: the second time it would lead
nowhere again.  So the steps are at most the instructions times the positions, where a backtracking engine may need a
number that is exponential in them; looking around and atomic groups are programs of their own, whose answers are kept
by position, too.

References to groups are what this can't help: there the way matters, as it says what a group has matched, so
instruction, position and groups together are not tried twice.  Those may be many; like everything else they end at
`steps_max`, and who asked is told that there was no answer.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from warren.core.patterns import characters as sets
from warren.core.patterns.characters import Characters
from warren.core.patterns.program import (
    AGAIN,
    CHARACTER,
    IF,
    JUMP,
    LOOK,
    MATCH,
    PLACE,
    SAVE,
    SPLIT,
    Program,
)
from warren.core.patterns.syntax import Place

STEPS_MAX: Final = 30_000
"""Of one match: about 15 ms, which is what one question of one client may take of everybody's time."""

COMPARED_PER_STEP: Final = 64
"""Characters of a group that are compared in the time of a step."""

Groups: TypeAlias = tuple[tuple[int, int], ...]
"""(slot, position), sorted: where groups begin and end; empty where nobody asks."""


class TooManySteps(Exception):
    """The match isn't found, nor is it sure that there is none."""


def search(program: Program, text: str, steps_max: int = STEPS_MAX) -> bool:
    """Whether the expression is found anywhere in the text; raises TooManySteps."""
    run = _Run(text, steps_max)
    visited: set[object] = set()
    for start in range(1 if program.anchored else len(text) + 1):
        if run.ends(program, start, (), visited) is not None:
            return True
        run.count()
    return False


class _Run:
    """One search in one text."""

    __slots__ = ("_failed", "_left", "_looked", "_members", "_text")

    def __init__(self, text: str, steps_max: int) -> None:
        self._text = text
        self._left = steps_max
        self._members: dict[tuple[Characters, str], bool] = {}
        self._looked: dict[tuple[int, int], tuple[int, Groups] | None] = {}
        self._failed: dict[int, set[object]] = {}

    def count(self) -> None:
        """One step more."""
        self._left -= 1
        if self._left < 0:
            raise TooManySteps

    def ends(self, program: Program, start: int, groups: Groups, visited: set[object]) -> tuple[int, Groups] | None:
        """Where the first match of the program from `start` on ends, and what its groups are then; None without one."""
        instructions, text, end = program.instructions, self._text, len(self._text)
        remembers = program.remembers
        stack: list[tuple[int, int, Groups]] = [(0, start, groups)]
        while stack:
            at, position, groups = stack.pop()
            while True:
                self._left -= 1
                if self._left < 0:
                    raise TooManySteps
                here = (at, position, groups) if remembers else (at, position)
                if here in visited:
                    break
                visited.add(here)
                op, characters, first, second, place, inner, flag = instructions[at]
                at += 1
                if op == CHARACTER:
                    if position >= end or not self._is_member(characters, text[position]):
                        break
                    position += 1
                elif op == SPLIT:
                    stack.append((second, position, groups))
                    at = first
                elif op == JUMP:
                    at = first
                elif op == PLACE:
                    if not self._is_place(place, position):
                        break
                elif op == SAVE:
                    groups = tuple(sorted({**dict(groups), first: position}.items()))
                elif op == AGAIN:
                    again = self._again(groups, first, position, any_case=flag)
                    if again is None:
                        break
                    position = again
                elif op == IF:
                    if 2 * first + 1 not in dict(groups):
                        at = second
                elif op == MATCH:
                    return position, groups
                else:
                    back = first if op == LOOK else 0
                    found = self._inner(inner, position - back, groups)
                    if op == LOOK:
                        if (found is not None) != flag:
                            break
                        groups = found[1] if found is not None and flag else groups
                    elif found is None:
                        break
                    else:
                        position, groups = found
        return None

    def _inner(self, program: Program | None, start: int, groups: Groups) -> tuple[int, Groups] | None:
        if program is None or start < 0:
            return None
        if program.remembers:
            return self.ends(program, start, groups, set())
        key = (id(program), start)
        if key not in self._looked:
            # Where a run found nothing, none of what it tried leads anywhere, so the next one needn't try that again.
            failed = self._failed.setdefault(id(program), set())
            found = self._looked[key] = self.ends(program, start, groups, failed)
            if found is not None:
                del self._failed[id(program)]
        return self._looked[key]

    def _is_member(self, characters: Characters, character: str) -> bool:
        key = (characters, character)
        member = self._members.get(key)
        if member is None:
            member = self._members[key] = sets.holds(characters, ord(character))
        return member

    def _is_place(self, place: Place, position: int) -> bool:
        text, end = self._text, len(self._text)
        match place:
            case "start":
                return position == 0
            case "line start":
                return position == 0 or text[position - 1] == "\n"
            case "end":
                return position == end or (position == end - 1 and text[position] == "\n")
            case "line end":
                return position == end or text[position] == "\n"
            case "last":
                return position == end
        before = position > 0 and sets.holds(sets.WORD, ord(text[position - 1]))
        behind = position < end and sets.holds(sets.WORD, ord(text[position]))
        return (before != behind) == (place == "boundary")

    def _again(self, groups: Groups, number: int, position: int, *, any_case: bool) -> int | None:
        """Where the text of the group ends if it stands at the position once more; None if it doesn't."""
        slots = dict(groups)
        begins, ends = slots.get(2 * number), slots.get(2 * number + 1)
        if begins is None or ends is None or ends < begins:
            return None
        wanted, found = self._text[begins:ends], self._text[position : position + ends - begins]
        self._left -= len(wanted) // COMPARED_PER_STEP
        if any_case:
            wanted, found = _lowered(wanted), _lowered(found)
        return position + ends - begins if wanted == found else None


def _lowered(text: str) -> str:
    """In lower case as far as it is ASCII."""
    return "".join(each.lower() if each.isascii() else each for each in text)
