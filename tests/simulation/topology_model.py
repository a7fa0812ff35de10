"""Exchanges, bindings and queues of one virtual host as plain lists: where a message goes, by trying every binding.

It shares nothing with the broker under test.  Exchanges that pick one of their targets may pick any: `routes` gives
every set of queues that a message may come to.  What auto-delete takes along, and what a restart leaves, is said here
too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

PICKING = ("x-consistent-hash", "x-modulus-hash", "x-random")
"""Types that send a message to one of their targets, by its first routing key or by chance."""


class Bound(NamedTuple):
    """A binding; `arguments` as sorted pairs."""

    source: str
    kind: str
    destination: str
    key: str
    arguments: tuple[tuple[str, object], ...] = ()


@dataclass
class ModelExchange:
    """`alternate`: by argument."""

    type: str
    durable: bool = True
    auto_delete: bool = False
    internal: bool = False
    alternate: str | None = None


@dataclass
class TopologyQueue:
    """`ready`: bodies, each with whether it outlives a restart."""

    durable: bool
    ready: list[tuple[bytes, bool]] = field(default_factory=list)


class TopologyModel:
    """See the head of this file.  `alternates`: by policy."""

    def __init__(self) -> None:
        self.exchanges: dict[str, ModelExchange] = {}
        self.queues: dict[str, TopologyQueue] = {}
        self.bindings: list[Bound] = []
        self.alternates: dict[str, str] = {}

    # Where messages go

    def routes(self, exchange: str, keys: Sequence[str], headers: Mapping[str, object]) -> set[frozenset[str]]:
        """All sets of queues that a message may come to."""
        if not exchange:
            return {frozenset(key for key in keys if key in self.queues)}
        picking = [name for name, each in self.exchanges.items() if each.type in PICKING]
        choices = [self._targets(name) or [None] for name in picking]
        return {
            frozenset(self._walk(exchange, keys, headers, dict(zip(picking, chosen, strict=True))))
            for chosen in product(*choices)
        }

    def _walk(
        self,
        start: str,
        keys: Sequence[str],
        headers: Mapping[str, object],
        chosen: Mapping[str, tuple[str, str] | None],
    ) -> Iterator[str]:
        seen, to_visit = {start}, [start]
        while to_visit:
            name = to_visit.pop()
            targets = set(self._matched(name, keys, headers, chosen))
            alternate = self.exchanges[name].alternate or self.alternates.get(name)
            if not targets and alternate in self.exchanges:
                targets = {("exchange", alternate)}
            for kind, target in targets:
                if kind == "queue":
                    yield target
                elif target not in seen:
                    seen.add(target)
                    to_visit.append(target)

    def _matched(
        self,
        name: str,
        keys: Sequence[str],
        headers: Mapping[str, object],
        chosen: Mapping[str, tuple[str, str] | None],
    ) -> Iterator[tuple[str, str]]:
        if name in chosen:
            target = chosen[name]
            if target is not None:
                yield target
            return
        kind = self.exchanges[name].type
        for bound in self.bindings:
            if bound.source == name and any(matches(kind, bound, key, headers) for key in keys):
                yield bound.kind, bound.destination

    def _targets(self, name: str) -> list[tuple[str, str] | None]:
        return list({(each.kind, each.destination): None for each in self.bindings if each.source == name})

    # What comes and goes

    def delete_queue(self, name: str) -> None:
        """With its bindings, and the exchanges that lived for them."""
        del self.queues[name]
        self.unbind([each for each in self.bindings if (each.kind, each.destination) == ("queue", name)])

    def delete_exchange(self, name: str) -> None:
        """With its bindings in both directions."""
        del self.exchanges[name]
        self.bindings = [each for each in self.bindings if each.source != name]
        self.unbind([each for each in self.bindings if (each.kind, each.destination) == ("exchange", name)])

    def unbind(self, gone: Sequence[Bound]) -> None:
        """Auto-delete exchanges that lose their last binding go, too."""
        self.bindings = [each for each in self.bindings if each not in gone]
        for source in dict.fromkeys(each.source for each in gone):
            left = any(each.source == source for each in self.bindings)
            if source in self.exchanges and self.exchanges[source].auto_delete and not left:
                self.delete_exchange(source)

    def restart(self) -> None:
        """Durable queues and exchanges, the bindings between them, and persistent messages are left."""
        ends = {("exchange", name) for name, each in self.exchanges.items() if each.durable}
        ends |= {("queue", name) for name, each in self.queues.items() if each.durable}
        self.exchanges = {name: each for name, each in self.exchanges.items() if each.durable}
        self.queues = {name: each for name, each in self.queues.items() if each.durable}
        for queue in self.queues.values():
            queue.ready = [(body, persistent) for body, persistent in queue.ready if persistent]
        self.bindings = [
            each for each in self.bindings if {("exchange", each.source), (each.kind, each.destination)} <= ends
        ]


def matches(type_name: str, bound: Bound, key: str, headers: Mapping[str, object]) -> bool:
    """Whether a message goes by a binding of an exchange of this type (spec A.6)."""
    if type_name == "direct":
        return bound.key == key
    if type_name == "topic":
        return _topic(bound.key.split(".") if bound.key else [], key.split(".") if key else [])
    if type_name == "headers":
        wanted = {name: value for name, value in bound.arguments if not name.startswith("x-")}
        found = [headers.get(name) == value for name, value in wanted.items()]
        return any(found) if ("x-match", "any") in bound.arguments else all(found)
    return True


def _topic(pattern: Sequence[str], words: Sequence[str]) -> bool:
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_topic(pattern[1:], words[start:]) for start in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and _topic(pattern[1:], words[1:])
