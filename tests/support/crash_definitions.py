"""What a crash test knows of the definitions it made: which must, may or must not be there after a restart.

A definition is named by its kind and a name.  One that was asked for may be there, one whose declare-ok came must be,
one whose deletion was asked for may be, and one whose deletion was answered, or that nobody ever asked for, must not.
"""

from __future__ import annotations

from collections.abc import Collection

Definition = tuple[str, str]
"""("queue", name), ("exchange", name) or ("binding", "source -> destination: key")."""


def queue(name: str) -> Definition:
    return "queue", name


def exchange(name: str) -> Definition:
    return "exchange", name


def binding(source: str, destination: str, routing_key: str) -> Definition:
    return "binding", f"{source} -> {destination}: {routing_key}"


class Definitions:
    """The definitions of one data directory, as far as clients know."""

    def __init__(self) -> None:
        self._must: set[Definition] = set()
        self._may: set[Definition] = set()

    def ask(self, definition: Definition) -> None:
        """A declaration or a deletion is being sent."""
        self._must.discard(definition)
        self._may.add(definition)

    def made(self, definition: Definition) -> None:
        """The declaration was answered."""
        self._may.discard(definition)
        self._must.add(definition)

    def removed(self, definition: Definition) -> None:
        """The deletion was answered."""
        self._may.discard(definition)
        self._must.discard(definition)

    def check(self, found: Collection[Definition]) -> list[str]:
        """Everything that is wrong with these definitions after a restart."""
        there = set(found)
        problems = [f"{kind} {name} was declared and is lost" for kind, name in self._must - there]
        strangers = there - self._must - self._may
        return problems + [f"{kind} {name} was deleted or never declared, and is there" for kind, name in strangers]

    def adopt(self, found: Collection[Definition]) -> None:
        """Take what was found for the truth."""
        self._must, self._may = set(found), set()
