"""From a policy to upstreams: which parameters there are, and which of them an exchange or a queue is to have.

A policy names one upstream, one set, or a pattern of upstreams' names; the set `all` is there without being declared,
and is all upstreams of the virtual host (spec E.2).  Names that nothing is declared under yet stand for nothing until
it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from warren.core.patterns.compiling import compile_pattern
from warren.plugins.federation.upstream import SetElement, Upstream, overridden

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON

UPSTREAM_KEY: Final = "federation-upstream"
SET_KEY: Final = "federation-upstream-set"
PATTERN_KEY: Final = "federation-upstream-pattern"
POLICY_KEYS: Final = (UPSTREAM_KEY, SET_KEY, PATTERN_KEY)
"""What policies say of federation; a policy holds one of them at most."""

ALL: Final = "all"
"""The set of all upstreams."""


def is_federated(policy: Mapping[str, JSON]) -> bool:
    """Whether what policies come to says anything of federation."""
    return any(key in policy for key in POLICY_KEYS)


class Upstreams:
    """The upstreams and sets of one virtual host, by name."""

    def __init__(self) -> None:
        self.upstreams: dict[str, Upstream] = {}
        self.sets: dict[str, tuple[SetElement, ...]] = {}

    def of(self, policy: Mapping[str, JSON]) -> tuple[Upstream, ...]:
        """The upstreams that a policy's definition means, in the order of declaring; without any it means none."""
        return tuple(self._found(policy))

    def missing(self, policy: Mapping[str, JSON]) -> str | None:
        """What a policy's definition names and nobody has declared, in words; None for nothing."""
        upstream, named = policy.get(UPSTREAM_KEY), policy.get(SET_KEY)
        if upstream is not None and upstream not in self.upstreams:
            return f"there is no upstream '{upstream}'"
        if named is None or named == ALL:
            return None
        if named not in self.sets:
            return f"there is no upstream set '{named}'"
        unknown = [each.upstream for each in self.sets[str(named)] if each.upstream not in self.upstreams]
        return f"the upstream set '{named}' names '{unknown[0]}', which isn't there" if unknown else None

    def _found(self, policy: Mapping[str, JSON]) -> Iterator[Upstream]:
        if (name := policy.get(UPSTREAM_KEY)) is not None:
            found = self.upstreams.get(str(name))
            if found is not None:
                yield found
        elif (name := policy.get(SET_KEY)) is not None:
            yield from self._of_set(str(name))
        elif (pattern := policy.get(PATTERN_KEY)) is not None:
            expression = compile_pattern(str(pattern))
            yield from (each for each in self.upstreams.values() if expression.found_in(each.name))

    def _of_set(self, name: str) -> Iterator[Upstream]:
        elements = self.sets.get(name)
        if elements is None:
            yield from self.upstreams.values() if name == ALL else ()
            return
        for element in elements:
            found = self.upstreams.get(element.upstream)
            if found is not None:
                yield overridden(found, element)
