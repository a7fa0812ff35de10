"""Selectors in SQL, as AMQP Filter Expressions 1.0 (6) and RabbitMQ have them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from warren.core.selectors.grammar import parse
from warren.core.selectors.like import Budget, TooMuchWorkError
from warren.core.selectors.selector import Selector

if TYPE_CHECKING:
    from warren.core.selectors.fields import Fields

_log = logging.getLogger("warren.selectors")

STEPS_MAX: Final = 20_000
"""Of one answer, most of them for LIKE: two milliseconds' worth."""

WORK_PER_PART: Final = 4
"""What a part of an expression takes, in steps."""


class SqlSelector(Selector):
    """Wants what makes the expression true; neither what makes it false nor what leaves it unknown.

    Raises SelectorError.
    """

    __slots__ = ("_expression", "_has_given_up", "_is_timely", "_parts", "_root")

    def __init__(self, expression: str) -> None:
        super().__init__()
        parsed = parse(expression)
        self._expression = expression
        self._root = parsed.root
        self._parts = parsed.parts
        self._is_timely = parsed.is_timely
        self._has_given_up = False

    @property
    def text(self) -> str:
        return self._expression

    @property
    def depends_on_time(self) -> bool:
        return self._is_timely

    def matches(self, fields: Fields) -> bool:
        budget = Budget(STEPS_MAX)
        try:
            found = self._root.value(fields, budget)
        except TooMuchWorkError:
            found = None
            if not self._has_given_up:
                self._has_given_up = True
                _log.warning(
                    "the selector %r takes too long on a message, which isn't delivered for that; others like it "
                    "aren't, either, without being told of",
                    self._expression,
                )
        self.work = STEPS_MAX - max(budget.left, 0) + self._parts * WORK_PER_PART
        return found is True
