"""What a token's scopes allow (as RabbitMQ's rabbitmq_auth_backend_oauth2 has them).

    PREFIX configure:VHOST/NAME          NAME: of queues and exchanges
    PREFIX write:VHOST/NAME[/KEY]        KEY: of routing keys, at topic exchanges; none without it
    PREFIX read:VHOST/NAME[/KEY]
    PREFIX tag:TAG                       such as administrator

`*` stands for anything, also nothing; `%XX` for a byte, so `%2F` is the virtual host `/`, and `%2A` a star.  `{vhost}`
is the virtual host in question, any other `{name}` the token's claim of this name.  A scope that can't be read allows
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_plus

VERBS: Final = ("configure", "write", "read")

VHOST_VARIABLE: Final = "vhost"

_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")


class Scope(NamedTuple):
    """verb: one of VERBS.  The rest are patterns; key: None where the scope has none."""

    verb: str
    vhost: str
    name: str
    key: str | None


class Scopes(NamedTuple):
    """All that a token allows.  tags: of the user."""

    allowed: tuple[Scope, ...]
    tags: frozenset[str]

    def may_enter(self, vhost: str) -> bool:
        """Any scope in a virtual host opens it."""
        return any(matches(scope.vhost, vhost, vhost) for scope in self.allowed)

    def may_use(self, vhost: str, name: str, verb: str) -> bool:
        """Whether one of the scopes has it."""
        return any(
            scope.verb == verb and matches(scope.vhost, vhost, vhost) and matches(scope.name, name, vhost)
            for scope in self.allowed
        )

    def may_use_topic(self, vhost: str, exchange: str, routing_key: str, verb: str) -> bool:
        """The same, and its pattern of routing keys has the key."""
        return any(
            scope.verb == verb
            and matches(scope.vhost, vhost, vhost)
            and matches(scope.name, exchange, vhost)
            and scope.key is not None
            and matches(scope.key, routing_key, vhost)
            for scope in self.allowed
        )


def read_scopes(texts: Iterable[str], prefix: str, claims: Mapping[str, object]) -> Scopes:
    """Those that begin with the prefix; claims: of the token, for variables."""
    allowed: dict[Scope, None] = {}
    tags: set[str] = set()
    for text in texts:
        if not text.startswith(prefix):
            continue
        kind, colon, rest = text[len(prefix) :].partition(":")
        if not colon:
            continue
        if kind == "tag":
            tags.add(rest)
            continue
        parts = _with_claims(rest, claims).split("/")
        if kind in VERBS and len(parts) in (2, 3):
            allowed[Scope(kind, parts[0], parts[1], parts[2] if len(parts) > 2 else None)] = None
    return Scopes(tuple(allowed), frozenset(tags))


def _with_claims(text: str, claims: Mapping[str, object]) -> str:
    """A claim's value is taken literally: were it a pattern, whoever chooses it would choose the rights."""

    def value(found: re.Match[str]) -> str:
        if found[1] == VHOST_VARIABLE:
            return found[0]
        claim = claims.get(found[1])
        return _escaped(claim) if isinstance(claim, str) else _escaped(found[1])

    return _VARIABLE.sub(value, text)


def _escaped(text: str) -> str:
    """As a pattern that is this text alone."""
    return quote(text, safe="", errors="surrogateescape")


def matches(pattern: str, text: str, vhost: str) -> bool:
    """Whether all of the text is what the pattern says, in time proportional to both."""
    if "{" in pattern:
        pattern = pattern.replace("{" + VHOST_VARIABLE + "}", _escaped(vhost))
    first, *rest = (unquote_plus(part, errors="surrogateescape") for part in pattern.split("*"))
    if not rest:
        return text == first
    if not text.startswith(first):
        return False
    position = len(first)
    last = rest.pop()
    for part in rest:
        found = text.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return len(text) - len(last) >= position and text.endswith(last)
