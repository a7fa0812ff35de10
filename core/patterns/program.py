"""An expression as a program for the stepping engine (stepping.py): a list of instructions, tried from the first on.

CHARACTER set              take one character of the set, and go on behind
SPLIT first, second        go on at `first`; where that leads nowhere, at `second`
JUMP to                    go on at `to`
PLACE place                go on if the position is such a place
LOOK program, back, wanted go on if the program matches here (so many characters before), or doesn't
ATOMIC program             go on where the program's first match ends
SAVE slot                  remember the position: where a group begins and ends
AGAIN number, any case     take what a group has matched, once more
IF number, to              go on behind if a group has matched, else at `to`
MATCH                      found
"""

from __future__ import annotations

from typing import Final, NamedTuple

from warren.core.patterns.characters import Characters
from warren.core.patterns.syntax import (
    Again,
    At,
    Atomic,
    Choice,
    Group,
    IfGroup,
    Look,
    Node,
    One,
    Place,
    Repeat,
    Row,
)

INSTRUCTIONS_MAX: Final = 20_000
"""Of one expression: repetitions in braces are written out, and multiply where they are nested."""


class ExpressionTooLarge(ValueError):
    """The expression would be larger than INSTRUCTIONS_MAX, or deeper than it may be.  limit: what that counts as."""

    limit = "work of a pattern"


CHARACTER: Final = 0
SPLIT: Final = 1
JUMP: Final = 2
PLACE: Final = 3
LOOK: Final = 4
ATOMIC: Final = 5
SAVE: Final = 6
AGAIN: Final = 7
IF: Final = 8
MATCH: Final = 9
"""Operations; plain numbers, as they are compared at every step."""


class Instruction(NamedTuple):
    """What of it means something depends on `op`."""

    op: int
    characters: Characters = ()
    first: int = 0
    second: int = 0
    place: Place = "start"
    program: Program | None = None
    flag: bool = False


class Program:
    """Instructions, and what is known of them.

    remembers: what it does depends on what groups have matched.  anchored: it matches from the start alone.
    """

    __slots__ = ("anchored", "instructions", "remembers")

    def __init__(self, instructions: tuple[Instruction, ...], *, anchored: bool, remembers: bool) -> None:
        self.instructions = instructions
        self.anchored = anchored
        self.remembers = remembers


def make_program(node: Node) -> Program:
    """The program of an expression; raises ExpressionTooLarge."""
    return _Maker(remembers=_remembers(node)).made(node)


class _Maker:
    """Writes the instructions of one expression, those of its inner programs counted too."""

    def __init__(self, *, remembers: bool) -> None:
        self._remembers = remembers
        self._count = 0
        self._list: list[Instruction] = []

    def made(self, node: Node) -> Program:
        """The whole program for a node."""
        outer, self._list = self._list, []
        self._add(node)
        self._put(Instruction(MATCH))
        done, self._list = tuple(self._list), outer
        return Program(done, anchored=_is_anchored(node), remembers=self._remembers)

    def _put(self, instruction: Instruction) -> int:
        self._count += 1
        if self._count > INSTRUCTIONS_MAX:
            raise ExpressionTooLarge(f"it would take more than {INSTRUCTIONS_MAX} steps, written out")
        self._list.append(instruction)
        return len(self._list) - 1

    def _add(self, node: Node) -> None:
        match node:
            case One(characters):
                self._put(Instruction(CHARACTER, characters))
            case Row(parts):
                for part in parts:
                    self._add(part)
            case Choice(parts):
                self._choice(parts)
            case Group(number, body):
                if self._remembers:
                    self._put(Instruction(SAVE, first=2 * number))
                self._add(body)
                if self._remembers:
                    self._put(Instruction(SAVE, first=2 * number + 1))
            case Repeat():
                self._repeat(node)
            case Atomic(body):
                self._put(Instruction(ATOMIC, program=self.made(body)))
            case Look(body, back, wanted):
                self._put(Instruction(LOOK, first=back, program=self.made(body), flag=wanted))
            case At(place):
                self._put(Instruction(PLACE, place=place))
            case Again(number, any_case):
                self._put(Instruction(AGAIN, first=number, flag=any_case))
            case IfGroup(number, then, otherwise):
                self._if_group(number, then, otherwise)

    def _choice(self, parts: tuple[Node, ...]) -> None:
        ends = []
        for part in parts[:-1]:
            split = self._put(Instruction(SPLIT))
            self._add(part)
            ends.append(self._put(Instruction(JUMP)))
            self._list[split] = Instruction(SPLIT, first=split + 1, second=len(self._list))
        self._add(parts[-1])
        for end in ends:
            self._list[end] = Instruction(JUMP, first=len(self._list))

    def _repeat(self, node: Repeat) -> None:
        for _ in range(node.least):
            self._add(node.body)
        if node.most is None:
            split = self._put(Instruction(SPLIT))
            self._add(node.body)
            self._put(Instruction(JUMP, first=split))
            self._list[split] = self._split(split + 1, len(self._list), greedy=node.greedy)
            return
        splits = []
        for _ in range(node.most - node.least):
            splits.append(self._put(Instruction(SPLIT)))
            self._add(node.body)
        for split in splits:
            self._list[split] = self._split(split + 1, len(self._list), greedy=node.greedy)

    def _split(self, more: int, done: int, *, greedy: bool) -> Instruction:
        first, second = (more, done) if greedy else (done, more)
        return Instruction(SPLIT, first=first, second=second)

    def _if_group(self, number: int, then: Node, otherwise: Node) -> None:
        test = self._put(Instruction(IF))
        self._add(then)
        end = self._put(Instruction(JUMP))
        self._list[test] = Instruction(IF, first=number, second=len(self._list))
        self._add(otherwise)
        self._list[end] = Instruction(JUMP, first=len(self._list))


def _remembers(node: Node) -> bool:
    match node:
        case Again() | IfGroup():
            return True
        case Row(parts) | Choice(parts):
            return any(map(_remembers, parts))
        case Group(_, body) | Repeat(body) | Atomic(body) | Look(body):
            return _remembers(body)
        case _:
            return False


def _is_anchored(node: Node) -> bool:
    match node:
        case At(place):
            return place == "start"
        case Row(parts):
            return bool(parts) and _is_anchored(parts[0])
        case Choice(parts):
            return all(map(_is_anchored, parts))
        case Group(_, body) | Atomic(body):
            return _is_anchored(body)
        case _:
            return False
