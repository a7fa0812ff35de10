"""What a selector is made of, and what each part says of a message.

None stands for unknown, which is neither true nor false: the value of a field that isn't there, and of most of what is
made with it (Jakarta Messaging 3.1, 3.8.1.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.selectors.fields import usable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.selectors.fields import Fields, Value
    from warren.core.selectors.like import Budget, Pattern


class Node:
    """Part of an expression."""

    __slots__ = ()

    def value(self, fields: Fields, budget: Budget) -> Value:
        """What it says of a message.  Raises TooMuchWorkError."""
        return None


class Literal(Node):
    """A value that stands there."""

    __slots__ = ("_value",)

    def __init__(self, value: Value) -> None:
        self._value = value

    def value(self, fields: Fields, budget: Budget) -> Value:
        return self._value


class Application(Node):
    """An application property."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def value(self, fields: Fields, budget: Budget) -> Value:
        return usable(fields.applications.get(self._name))


class Section(Node):
    """A field of another section."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def value(self, fields: Fields, budget: Budget) -> Value:
        return usable(fields.sections.get(self._name))


class Now(Node):
    """UTC(): the time, in milliseconds since 1970."""

    __slots__ = ()

    def value(self, fields: Fields, budget: Budget) -> Value:
        return fields.now_ms


class And(Node):
    """Both; unknown where that depends on what is unknown."""

    __slots__ = ("_left", "_right")

    def __init__(self, left: Node, right: Node) -> None:
        self._left = left
        self._right = right

    def value(self, fields: Fields, budget: Budget) -> Value:
        left = self._left.value(fields, budget)
        if left is False:
            return False
        right = self._right.value(fields, budget)
        if right is False:
            return False
        return True if left is True and right is True else None


class Or(Node):
    """One of them, or both."""

    __slots__ = ("_left", "_right")

    def __init__(self, left: Node, right: Node) -> None:
        self._left = left
        self._right = right

    def value(self, fields: Fields, budget: Budget) -> Value:
        left = self._left.value(fields, budget)
        if left is True:
            return True
        right = self._right.value(fields, budget)
        if right is True:
            return True
        return False if left is False and right is False else None


class Not(Node):
    """The contrary; unknown stays unknown."""

    __slots__ = ("_operand",)

    def __init__(self, operand: Node) -> None:
        self._operand = operand

    def value(self, fields: Fields, budget: Budget) -> Value:
        value = self._operand.value(fields, budget)
        return not value if isinstance(value, bool) else None


class Comparison(Node):
    """operator: =, <>, <, >, <= or >=; between numbers, or two strings, or two binaries."""

    __slots__ = ("_left", "_operator", "_right")

    def __init__(self, operator: str, left: Node, right: Node) -> None:
        self._operator = operator
        self._left = left
        self._right = right

    def value(self, fields: Fields, budget: Budget) -> Value:
        left = self._left.value(fields, budget)
        right = self._right.value(fields, budget)
        if left is None or right is None:
            return None
        if self._operator == "=":
            return are_equal(left, right)
        if self._operator == "<>":
            return not are_equal(left, right)
        order = _order(left, right)
        if order is None:
            return False
        less, more = order
        if self._operator == "<":
            return less
        if self._operator == ">":
            return more
        # NaN is neither less, nor more, nor equal.
        return (less if self._operator == "<=" else more) or are_equal(left, right)


def are_equal(left: Value, right: Value) -> bool:
    """Whether two values are the same; a number is no truth value, whatever Python says."""
    return isinstance(left, bool) is isinstance(right, bool) and left == right


def _order(left: Value, right: Value) -> tuple[bool, bool] | None:
    """Whether one is less, or more, than the other; None for what has no order."""
    if isinstance(left, bool) or isinstance(right, bool):
        return None
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left < right, left > right
    if isinstance(left, str) and isinstance(right, str):
        return left < right, left > right
    if isinstance(left, bytes) and isinstance(right, bytes):
        return left < right, left > right
    return None


class Arithmetic(Node):
    """operator: +, -, *, / or %; unknown for what aren't numbers, and for what has no result.

    An expression is too short for numbers that would take long.
    """

    __slots__ = ("_left", "_operator", "_right")

    def __init__(self, operator: str, left: Node, right: Node) -> None:
        self._operator = operator
        self._left = left
        self._right = right

    def value(self, fields: Fields, budget: Budget) -> Value:
        left = self._left.value(fields, budget)
        right = self._right.value(fields, budget)
        if isinstance(left, bool) or isinstance(right, bool):
            return None
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            return None
        try:
            return _calculated(self._operator, left, right)
        except (ArithmeticError, ValueError):
            return None


def _calculated(operator: str, left: int | float, right: int | float) -> int | float | None:
    if isinstance(left, int) and isinstance(right, int):
        if operator == "%":
            rest = abs(left) % abs(right)
            return -rest if left < 0 else rest
    elif operator == "%":
        return None
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    return left * right if operator == "*" else left / right


class Sign(Node):
    """A number with a sign before it; unknown for what is none."""

    __slots__ = ("_is_minus", "_operand")

    def __init__(self, operand: Node, *, is_minus: bool) -> None:
        self._operand = operand
        self._is_minus = is_minus

    def value(self, fields: Fields, budget: Budget) -> Value:
        value = self._operand.value(fields, budget)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return -value if self._is_minus else value


class In(Node):
    """Whether a value is among others; those that are unknown aren't it."""

    __slots__ = ("_choices", "_operand")

    def __init__(self, operand: Node, choices: Sequence[Node]) -> None:
        self._operand = operand
        self._choices = choices

    def value(self, fields: Fields, budget: Budget) -> Value:
        value = self._operand.value(fields, budget)
        if value is None:
            return None
        for choice in self._choices:
            found = choice.value(fields, budget)
            if found is not None and are_equal(value, found):
                return True
        return False


class Like(Node):
    """Whether a string is like a pattern; unknown for what is no string."""

    __slots__ = ("_operand", "_pattern")

    def __init__(self, operand: Node, pattern: Pattern) -> None:
        self._operand = operand
        self._pattern = pattern

    def value(self, fields: Fields, budget: Budget) -> Value:
        value = self._operand.value(fields, budget)
        return self._pattern.matches(value, budget) if isinstance(value, str) else None


class IsNull(Node):
    """Whether there is no such field."""

    __slots__ = ("_operand",)

    def __init__(self, operand: Node) -> None:
        self._operand = operand

    def value(self, fields: Fields, budget: Budget) -> Value:
        return self._operand.value(fields, budget) is None
