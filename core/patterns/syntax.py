"""What an expression says, as a tree: made by Python's own parser, and made independent of it here.

Both engines are derived from this tree (re2_text.py, program.py), so they can't understand an expression differently,
whatever RE2's own syntax takes or lacks.  What is a valid expression is decided by `re.compile`, as it always was;
that parser isn't part of Python's documented interface, so nothing but this file knows it.
"""

from __future__ import annotations

import re
import re._parser
import warnings
from typing import Any, Final, Literal, TypeAlias

from warren.core.frozen import frozen
from warren.core.patterns import characters as sets
from warren.core.patterns.characters import Characters

_sre: Final[Any] = re._parser

Place = Literal["start", "line start", "end", "line end", "last", "boundary", "no boundary"]
"""Where a position is: `end` is before a line feed that ends the text, too; `last` is only at the very end."""


class InvalidExpression(ValueError):
    """This is no regular expression; the text says why."""


@frozen
class One:
    """One character of a set."""

    characters: Characters


@frozen
class Row:
    """One after the other; an empty one matches the empty text."""

    parts: tuple[Node, ...]


@frozen
class Choice:
    """The first that leads to a match."""

    parts: tuple[Node, ...]


@frozen
class Repeat:
    """So many times; most: None for any number.  greedy: rather more often than less."""

    body: Node
    least: int
    most: int | None
    greedy: bool


@frozen
class Group:
    """What a later `Again` refers to."""

    number: int
    body: Node


@frozen
class Atomic:
    """The first way to match it is the only one."""

    body: Node


@frozen
class Look:
    """Whether something is at a place, without taking it.  back: so many characters before that."""

    body: Node
    back: int
    wanted: bool


@frozen
class At:
    """A position."""

    place: Place


@frozen
class Again:
    """What a group has matched, once more."""

    number: int
    any_case: bool


@frozen
class IfGroup:
    """Depends on whether a group has matched."""

    number: int
    then: Node
    otherwise: Node


Node: TypeAlias = One | Row | Choice | Repeat | Group | Atomic | Look | At | Again | IfGroup

_NEVER: Final = One(sets.NONE)

_CATEGORIES: Final[dict[str, Characters]] = {
    "CATEGORY_DIGIT": sets.DIGITS,
    "CATEGORY_NOT_DIGIT": sets.complement(sets.DIGITS),
    "CATEGORY_SPACE": sets.SPACE,
    "CATEGORY_NOT_SPACE": sets.complement(sets.SPACE),
    "CATEGORY_WORD": sets.WORD,
    "CATEGORY_NOT_WORD": sets.complement(sets.WORD),
}

_PLACES: Final[dict[str, tuple[Place, Place]]] = {
    "AT_BEGINNING": ("start", "line start"),
    "AT_BEGINNING_STRING": ("start", "start"),
    "AT_END": ("end", "line end"),
    "AT_END_STRING": ("last", "last"),
    "AT_BOUNDARY": ("boundary", "boundary"),
    "AT_NON_BOUNDARY": ("no boundary", "no boundary"),
}
"""What each is without and with the flag m."""


def parse(pattern: str) -> Node:
    """The tree of an expression; InvalidExpression when it is none, or Python warns that it means something else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(pattern, re.ASCII)
            parsed = _sre.parse(pattern, re.ASCII)
        return _row(parsed, compiled.flags)
    except (re.error, Warning, OverflowError, RecursionError) as error:
        raise InvalidExpression(str(error)) from None


def _row(parsed: Any, flags: int) -> Node:
    parts = tuple(_node(str(operation), argument, flags) for operation, argument in parsed)
    return parts[0] if len(parts) == 1 else Row(parts)


def _node(operation: str, argument: Any, flags: int) -> Node:
    match operation:
        case "LITERAL":
            return One(_cased(((argument, argument),), flags))
        case "NOT_LITERAL":
            return One(sets.complement(_cased(((argument, argument),), flags)))
        case "ANY":
            return One(sets.EVERY if flags & re.DOTALL else sets.complement(((0x0A, 0x0A),)))
        case "IN":
            return One(_class(argument, flags))
        case "BRANCH":
            return Choice(tuple(_row(each, flags) for each in argument[1]))
        case "SUBPATTERN":
            number, added, removed, body = argument
            inner = _row(body, (flags | added) & ~removed)
            return inner if number is None else Group(number, inner)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, body = argument
            greedy = operation != "MIN_REPEAT"
            repeat = Repeat(_row(body, flags), int(least), None if most is _sre.MAXREPEAT else int(most), greedy)
            return Atomic(repeat) if operation == "POSSESSIVE_REPEAT" else repeat
        case "ATOMIC_GROUP":
            return Atomic(_row(argument, flags))
        case "ASSERT" | "ASSERT_NOT":
            direction, body = argument
            back = body.getwidth()[0] if direction < 0 else 0
            return Look(_row(body, flags), back, operation == "ASSERT")
        case "AT":
            return At(_PLACES[str(argument)][bool(flags & re.MULTILINE)])
        case "GROUPREF":
            return Again(argument, bool(flags & re.IGNORECASE))
        case "GROUPREF_EXISTS":
            number, then, otherwise = argument
            return IfGroup(number, _row(then, flags), _row(otherwise or (), flags))
        case "FAILURE":
            return _NEVER
    raise InvalidExpression(f"it holds {operation}, which Warren doesn't know")


def _class(parts: Any, flags: int) -> Characters:
    ranges: list[tuple[int, int]] = []
    negated = False
    for operation, argument in parts:
        match str(operation):
            case "NEGATE":
                negated = True
            case "LITERAL":
                ranges.append((argument, argument))
            case "RANGE":
                ranges.append(tuple(argument))
            case "CATEGORY":
                ranges += _CATEGORIES[str(argument)]
            case other:
                raise InvalidExpression(f"it holds {other} in a class, which Warren doesn't know")
    found = _cased(sets.union(ranges), flags)
    return sets.complement(found) if negated else found


def _cased(characters: Characters, flags: int) -> Characters:
    return sets.of_both_cases(characters) if flags & re.IGNORECASE else characters
