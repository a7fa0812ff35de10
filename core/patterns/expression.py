"""Regular expressions that users give the broker, of permissions, policies and filters, matched within bounds.

Theory of operation
-------------------
Whoever sets a permission or a policy writes an expression, and whoever connects says what it is matched against.  A
backtracking engine may take time exponential in that; here it is matched in the broker's own thread, where everybody
waits.  So a match takes time linear in the text, and what would take too long all the same has no answer:

    RE2         (google-re2) takes every expression that doesn't look around or refer to its own groups
    stepping    the rest, and everything where RE2 isn't installed, in counted steps (stepping.py)

What an expression means doesn't depend on the engine: both get it from one tree (syntax.py).  An expression is searched
for anywhere in the text; classes such as `\\w`, and letters of either case, are ASCII's.

An expression without an answer counts as not found, so a permission refuses then, and a policy doesn't match.  The log
says so, the first time and then every time that the count has doubled.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any, Final

from warren.core.patterns.program import ExpressionTooLarge, Program, make_program
from warren.core.patterns.re2_text import asks_for_end, re2_text
from warren.core.patterns.stepping import STEPS_MAX, TooManySteps, search
from warren.core.patterns.syntax import InvalidExpression, Node, parse

__all__ = ["Expression", "InvalidExpression", "compile_expression"]

_log = logging.getLogger("warren.expressions")

RE2_WORK_MAX: Final = 1_200_000
"""Size of the program times bytes of the text: some 15 ms where RE2 needs to track all of it, which it seldom does."""

RE2_MEMORY_BYTES: Final = 1024 * 1024
"""What RE2 may keep per expression; less than its own 8 MiB, as client identifiers make many expressions of one."""

FINDS_ANYTHING: Final = ".*"
"""Found in every text, whatever engine looks: what most permissions are, which so need none."""

SHOWN_MAX: Final = 200
"""How much of a text the log shows."""


class Expression:
    """One expression.  pattern: as it was written.  unanswered: how often there was no answer within the bounds."""

    __slots__ = ("_ends", "_finds_anything", "_node", "_program", "_re2", "pattern", "unanswered")

    def __init__(self, pattern: str, node: Node, *, use_re2: bool) -> None:
        self.pattern = pattern
        self.unanswered = 0
        self._node = node
        self._program: Program | None = None
        self._ends = asks_for_end(node)
        self._finds_anything = pattern == FINDS_ANYTHING
        self._re2 = _compile_re2(node) if use_re2 and not self._finds_anything else None

    def __eq__(self, other: object) -> bool:
        return self.pattern == other.pattern if isinstance(other, Expression) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.pattern)

    @property
    def is_linear(self) -> bool:
        """Whether RE2 takes it, or no engine is needed."""
        return self._re2 is not None or self._finds_anything

    def found_in(self, text: str, steps_max: int = STEPS_MAX) -> bool:
        """Whether it is found anywhere in the text; False, with a line in the log, when that would take too long."""
        if self._finds_anything:
            return True
        try:
            if self._re2 is not None and not (self._ends and text.endswith("\n")):
                try:
                    data = text.encode()
                except UnicodeEncodeError:
                    # Bytes that weren't UTF-8 on the wire are lone surrogates here, which RE2 doesn't know.
                    return search(self.program(), text, steps_max)
                if self._re2.programsize * len(data) > RE2_WORK_MAX:
                    raise TooManySteps
                return self._re2.search(data) is not None
            return search(self.program(), text, steps_max)
        except (TooManySteps, ExpressionTooLarge):
            self._no_answer(text)
            return False

    def program(self) -> Program:
        """The program for the other engine, made when it is first needed; raises ExpressionTooLarge."""
        if self._program is None:
            self._program = make_program(self._node)
        return self._program

    def _no_answer(self, text: str) -> None:
        self.unanswered += 1
        if self.unanswered & (self.unanswered - 1) == 0:
            _log.warning(
                "the expression '%s' takes too long for a text of %d characters ('%s'), and counts as not found in it "
                "(%d times so far); write it more simply%s",
                self.pattern[:SHOWN_MAX],
                len(text),
                text[:SHOWN_MAX],
                self.unanswered,
                "" if _engine() is not None else ", or install google-re2, which is much quicker",
            )


def compile_expression(pattern: str, *, shown: str | None = None, use_re2: bool = True) -> Expression:
    """The expression that `pattern` is, in Python's syntax; InvalidExpression, a ValueError, says why it is none.

    shown: as it was written, if that was in another syntax.  use_re2: False matches it in counted steps, as everything
    is where RE2 isn't installed.
    """
    return Expression(pattern if shown is None else shown, parse(pattern), use_re2=use_re2)


@cache
def _engine() -> Any:
    """RE2's module, which is optional; not another one of that name.  It takes 2.4 MiB, and comes when it is needed."""
    try:
        import re2
    except ImportError:
        return None
    return re2 if hasattr(re2, "Options") else None


def _compile_re2(node: Node) -> Any:
    text = re2_text(node)
    engine = _engine() if text is not None else None
    if text is None or engine is None:
        return None
    options = engine.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = RE2_MEMORY_BYTES
    try:
        return engine.compile(text.encode(), options)
    except engine.error:
        return None
