"""The regular expressions of permissions: what they mean, and compiling each of them once.

Meaning (spec G): a pattern is searched for anywhere in the name (unanchored); the blank pattern is `^$`;
`{username}`, `{vhost}` and, where the protocol has one, `{client_id}` stand for those values.  A value is
taken literally: were it not, a client that names itself `.*` would be let in everywhere.  A pattern that
can't be understood matches nothing.

RabbitMQ's expressions are PCRE over bytes; `core.patterns` puts them into Python's, refuses the few that can't be when
a permission is set, and bounds the time that it takes to match them (core.patterns.expression).  Each is compiled once,
and what came of a name is kept, too: a client that is refused asks again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Final

from warren.core.errors import PreconditionFailed
from warren.core.limit_hits import limited
from warren.core.patterns import compiling
from warren.core.patterns.expression import SHOWN_MAX, Expression

_log = logging.getLogger("warren.expressions")

COMPILED_MAX: Final = 4096
COMPILED_CHARACTERS_MAX: Final = 250_000
"""Compiled patterns kept, and characters of them, each of which takes some 160 bytes.  Client ids come from clients, so
how many there are, and how long, is not ours to trust.
"""

VALUES_CHARACTERS_MAX: Final = 2000
"""By how much values may make a pattern longer: so much is compiled in 10 ms, in which everybody waits."""

ANSWERS_MAX: Final = 4096
ANSWERS_CHARACTERS_MAX: Final = 1_000_000
"""Answers kept, and characters of the names that they are about and of the patterns: a topic may have 65,535."""

MATCHES_NOTHING: Final = "^$"


class Patterns:
    """Compiles patterns, each once, and matches names against them.

    too_long: how often values were too long to be put in.  on_limit: called with the name of a limit that has done
    something.
    """

    __slots__ = ("_answer_characters", "_answers", "_compiled", "_compiled_characters", "on_limit", "too_long")

    def __init__(self) -> None:
        self.too_long = 0
        self.on_limit: Callable[[str], None] = _nothing
        self._compiled: dict[str, Expression | None] = {}
        self._compiled_characters = 0
        self._answers: dict[tuple[str, str], bool] = {}
        self._answer_characters = 0

    def matches(self, pattern: str, variables: Mapping[str, str], name: str) -> bool:
        """True when `pattern`, with `variables` put in, is found in `name`.

        False for an invalid pattern, and where the values are too long to be put in; the log says that.
        """
        expanded = expand(pattern, variables)
        if len(expanded) - len(pattern) > VALUES_CHARACTERS_MAX:
            self._refuse(pattern, len(expanded))
            return False
        answer = self._answers.get((expanded, name))
        if answer is None:
            compiled = self._compiled[expanded] if expanded in self._compiled else self._remember(expanded)
            answer = compiled is not None and self._is_found(compiled, name)
            self._keep(expanded, name, answer)
        return answer

    def _is_found(self, compiled: Expression, name: str) -> bool:
        unanswered = compiled.unanswered
        answer = compiled.found_in(name)
        if compiled.unanswered != unanswered:
            self._limit_reached("work of a pattern")
        return answer

    def _limit_reached(self, limit: str) -> None:
        self.on_limit(limit)

    def _refuse(self, pattern: str, characters: int) -> None:
        """The log says so the first time, and then every time that the count has doubled."""
        self.too_long += 1
        self._limit_reached("values in a permission")
        if self.too_long & (self.too_long - 1) == 0:
            _log.warning(
                "the permission '%s' has %d characters with the values of its variables put in, and counts as not "
                "found in any name (%d times so far); values may add %d: use shorter names and client identifiers",
                pattern[:SHOWN_MAX],
                characters,
                self.too_long,
                VALUES_CHARACTERS_MAX,
            )

    def _keep(self, expanded: str, name: str, answer: bool) -> None:
        characters = len(expanded) + len(name)
        self._answer_characters += characters
        if len(self._answers) >= ANSWERS_MAX or self._answer_characters > ANSWERS_CHARACTERS_MAX:
            self._answers.clear()
            self._answer_characters = characters
        self._answers[expanded, name] = answer

    def _remember(self, expanded: str) -> Expression | None:
        self._compiled_characters += len(expanded)
        if len(self._compiled) >= COMPILED_MAX or self._compiled_characters > COMPILED_CHARACTERS_MAX:
            self._compiled.clear()
            self._compiled_characters = len(expanded)
        try:
            compiled = compiling.compile_pattern(expanded or MATCHES_NOTHING)
        except ValueError:
            compiled = None
        self._compiled[expanded] = compiled
        return compiled


def expand(pattern: str, variables: Mapping[str, str]) -> str:
    """`pattern` with every `{variable}` replaced by its value, escaped; unknown ones stay as they are."""
    if "{" not in pattern:
        return pattern
    return re.sub(r"\{(\w+)\}", lambda found: _value_of(found, variables), pattern)


def check_pattern(pattern: str) -> str:
    """`pattern` itself; raises PreconditionFailed, saying why, when it is no valid regular expression."""
    try:
        compiling.check_pattern(pattern or MATCHES_NOTHING)
    except ValueError as error:
        refused = PreconditionFailed(f"invalid regular expression '{pattern}': {error}")
        raise limited(refused, compiling.limit_of(error)) from None
    return pattern


def _nothing(limit: str) -> None:
    return


def _value_of(found: re.Match[str], variables: Mapping[str, str]) -> str:
    value = variables.get(found[1])
    return found[0] if value is None else re.escape(value)
