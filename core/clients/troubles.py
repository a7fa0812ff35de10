"""What went wrong on connections, for who asks afterwards: the latest errors that the broker told or was told.

Kept for all connections together and beyond their ends, so that a client that goes away and comes back with the same
mistake can be understood.  Noted where an error is sent or read, which is rare, so nothing else pays for it.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

KEPT_MAX: Final = 500
"""Troubles that are kept, those of all connections together."""

TEXT_CHARACTERS_MAX: Final = 500
"""Of one; a peer may have written it."""


class Trouble(NamedTuple):
    """at_ms: when, in milliseconds since 1970.  by_peer: the client told it, rather than the broker."""

    at_ms: int
    connection: str
    by_peer: bool
    text: str


class Troubles:
    """Of one broker."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: deque[Trouble] = deque(maxlen=KEPT_MAX)

    def note(self, at_ms: int, connection: str, text: str, *, by_peer: bool = False) -> None:
        """Something went wrong on a connection.  connection: its name."""
        self._kept.append(Trouble(at_ms, connection, by_peer, text[:TEXT_CHARACTERS_MAX]))

    def of(self, connection: str) -> list[Trouble]:
        """Those of a connection, the oldest first."""
        return [each for each in self._kept if each.connection == connection]
