"""Compiling patterns of users, policies and definitions: the one place that decides which engine matches them."""

from __future__ import annotations

from warren.core.patterns.expression import Expression, compile_expression
from warren.core.patterns.pcre import translate
from warren.core.patterns.program import ExpressionTooLarge


def compile_pattern(pattern: str) -> Expression:
    """`pattern`, which is written in PCRE's syntax, ready to be searched for in a name.

    Raises ValueError for what isn't valid, can't be translated, or what Python warns that it
    understands in its own way.
    """
    return compile_expression(translate(pattern), shown=pattern)


def check_pattern(pattern: str) -> Expression:
    """The same for one that is being set; ValueError, too, for one that is too large to be matched at all."""
    expression = compile_pattern(pattern)
    if not expression.is_linear:
        expression.program()
    return expression


def limit_of(error: ValueError) -> str:
    """The limit that an error of these comes from (core/limit_hits.py); empty for none."""
    return error.limit if isinstance(error, ExpressionTooLarge) else ""
