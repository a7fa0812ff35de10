"""Bindings whose row is there and an end isn't: found by the end that they wait for, so that others cost nothing.

A binding that lost both ends waits for one of them, and then for the other.  What waits for one end may be very much
(all bindings of a queue); the first of them are made with it, and the rest bit by bit, in the turns that follow
(core.chores).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.errors import BrokerError

if TYPE_CHECKING:
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON

_log = logging.getLogger("warren.quarantine")

MADE_AT_ONCE: Final = 500
"""Bindings made in one turn: about ten microseconds each."""

Row = Mapping[str, "JSON"]
"""What a binding's row holds."""

End = tuple[str, str, str]
"""Virtual host, kind ("queue", "exchange"), name."""


class LostBindings:
    """See the head of this file; true while there are any."""

    __slots__ = ("_make", "_new", "_waiting")

    def __init__(self, make: Callable[[VirtualHost, Row], bool]) -> None:
        """make: makes a binding by its row if both ends are there, and says whether."""
        self._make = make
        self._new: list[tuple[str, Row]] = []
        self._waiting: dict[End, list[Row]] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._new) + sum(map(len, self._waiting.values()))

    def __bool__(self) -> bool:
        return bool(self._new or self._waiting)

    def __iter__(self) -> Iterator[tuple[str, Row]]:
        """Virtual host and row of each."""
        yield from self._new
        for (vhost, _, _), rows in self._waiting.items():
            for row in rows:
                yield vhost, row

    def add(self, vhost: str, row: Row) -> None:
        """While the start makes what there is: an end isn't there, or not yet."""
        self._new.append((vhost, row))

    def restored(self, vhosts: Mapping[str, VirtualHost]) -> None:
        """The start has made what there is; an end that was declared again comes behind its bindings in the rows."""
        added, self._new = self._new, []
        for name, row in added:
            self._make_or_wait(vhosts[name], row)

    def end_made(self, vhost: VirtualHost, kind: str, name: str) -> None:
        """A queue or an exchange was declared: make what has waited for it, and has its other end."""
        rows = self._waiting.pop((vhost.name, kind, name), None)
        if rows is not None:
            rows.reverse()
            if self._make_some(vhost, rows):
                vhost.broker.chores.add(partial(self._make_some, vhost, rows))

    def forget_vhost(self, name: str) -> None:
        """A virtual host is deleted, and the rows of its bindings with it."""
        for end in [end for end in self._waiting if end[0] == name]:
            del self._waiting[end]

    def _make_some(self, vhost: VirtualHost, rows: list[Row]) -> bool:
        """Make the last of these, the first row last in them; False when those were all."""
        if vhost.deleting or vhost.broker.vhosts.get(vhost.name) is not vhost:
            return False
        for _ in range(min(MADE_AT_ONCE, len(rows))):
            self._make_or_wait(vhost, rows.pop())
        return bool(rows)

    def _make_or_wait(self, vhost: VirtualHost, row: Row) -> None:
        try:
            if not self._make(vhost, row):
                self._waiting.setdefault(self._missing(vhost, row), []).append(row)
        except BrokerError as error:
            _log.error("a binding that had lost an end in vhost '%s' can't come back: %s", vhost.name, error.text)

    @staticmethod
    def _missing(vhost: VirtualHost, row: Row) -> End:
        """An end that isn't there."""
        source = str(row["source"])
        if source not in vhost.exchanges:
            return vhost.name, "exchange", source
        return vhost.name, str(row["kind"]), str(row["destination"])
