"""The regular expressions of permissions: what they mean, and compiling each of them once.

Meaning (spec G): a pattern is searched for anywhere in the name (unanchored); the blank pattern is `^$`;
`{username}`, `{vhost}` and, where the protocol has one, `{client_id}` stand for those values.  A value is
taken literally: were it not, a client that names itself `.*` would be let in everywhere.  A pattern that
can't be understood matches nothing.

RabbitMQ's expressions are PCRE over bytes; `core.patterns` puts them into Python's, and refuses, when a permission is
set, the few that can't be. As in RabbitMQ, who may set permissions can write an expression that is slow to match;
names are at most 255 bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from warren.core.errors import PreconditionFailed
from warren.core.patterns.compiling import compile_pattern

COMPILED_MAX: Final = 4096
"""Compiled patterns kept. Client ids come from clients, so how many there are is not ours to trust."""

MATCHES_NOTHING: Final = "^$"


class Patterns:
    """Compiles patterns, each once, and matches names against them."""

    __slots__ = ("_compiled",)

    def __init__(self) -> None:
        self._compiled: dict[str, re.Pattern[str] | None] = {}

    def matches(self, pattern: str, variables: Mapping[str, str], name: str) -> bool:
        """True when `pattern`, with `variables` put in, is found in `name`; False for an invalid pattern."""
        expanded = expand(pattern, variables)
        if expanded in self._compiled:
            compiled = self._compiled[expanded]
        else:
            compiled = self._remember(expanded)
        return compiled is not None and compiled.search(name) is not None

    def _remember(self, expanded: str) -> re.Pattern[str] | None:
        if len(self._compiled) >= COMPILED_MAX:
            self._compiled.clear()
        try:
            compiled = compile_pattern(expanded or MATCHES_NOTHING)
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
        compile_pattern(pattern)
    except ValueError as error:
        raise PreconditionFailed(f"invalid regular expression '{pattern}': {error}") from None
    return pattern


def _value_of(found: re.Match[str], variables: Mapping[str, str]) -> str:
    value = variables.get(found[1])
    return found[0] if value is None else re.escape(value)
