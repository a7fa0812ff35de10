"""What goes and has had very many bindings: they lead nowhere at once, and leave bit by bit (core.chores).

A queue or an exchange that is deleted is `VirtualHost.departing` while bindings to it are still in exchanges: routing
passes it over, and no listing shows them.  Another of its name may come meanwhile and be bound.  What exchanges know of
the bindings goes some in each turn, and the rows in the definitions, too.

A crash in between must not leave a row of them: it would wait for its end, and lead to the next queue of the name.
Rows of one exchange go by one call, which the store keeps (DefinitionStore.delete_beginning).  Where very many
exchanges lead to what goes, a row says so (`DEPARTED`): what comes before that in the definitions is to go.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Final

from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding, BindingKey, Destination

if TYPE_CHECKING:
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON

DEPARTED: Final = "departed"
"""The kind of row that says what is deleted, while there are rows of bindings to it."""

AT_ONCE_MAX: Final = 500
"""Bindings, and exchanges that they are in, that leave within the turn of the deletion."""

LEAVE_PER_SLICE: Final = 1000
"""Bindings that leave in one turn: two or three microseconds each."""

WORK_OF_SOURCE: Final = 20
"""What it takes beside to look at an exchange, whose rows go, and which may go itself."""

SOURCES_AT_ONCE: Final = LEAVE_PER_SLICE // WORK_OF_SOURCE

Emptied = Callable[["VirtualHost", list[Exchange]], None]
"""Takes auto-delete exchanges that have lost their last binding."""

ForgetRows = Callable[["VirtualHost", Iterable[Binding], tuple[str, ...]], None]
"""Takes bindings out of the definitions that are all there are whose rows' names begin so."""


def work_of(vhost: VirtualHost, target: Destination) -> int:
    """How many bindings lead to it, and exchanges that they are in; no more than is too much for one turn anyway."""
    work = 0
    for exchange in vhost.sources.get((target.kind, target.name), ()):
        work += 1 + len(exchange.bindings_to(target))
        if work > AT_ONCE_MAX:
            break
    return work


def is_long(vhost: VirtualHost, target: Destination) -> bool:
    """Whether so many bindings lead to it that they are to leave bit by bit."""
    return work_of(vhost, target) > AT_ONCE_MAX


class Departure:
    """Of one target, whose name is free already."""

    __slots__ = ("_emptied", "_forget_rows", "_is_marked", "_leaving", "_sources", "_target", "_vhost")

    def __init__(self, vhost: VirtualHost, target: Destination, emptied: Emptied, forget_rows: ForgetRows) -> None:
        self._vhost = vhost
        self._target = target
        self._emptied = emptied
        self._forget_rows = forget_rows
        self._leaving: list[tuple[Exchange, dict[BindingKey, Binding]]] = []
        self._sources: list[Exchange] = []
        self._is_marked = False

    def begin(self) -> None:
        """Nothing leads there any more."""
        vhost, target = self._vhost, self._target
        self._sources = list(vhost.sources.pop((target.kind, target.name), ()))
        self._sources.reverse()
        vhost.departing[target] = self
        vhost.changed()
        for _ in islice(range(len(self._sources)), SOURCES_AT_ONCE):
            self._begin_leaving(self._sources.pop())
        if self._sources:
            # Behind what there is, also of an earlier one of the name.
            vhost.broker.definitions.delete(DEPARTED, vhost.name, row_name(target.kind, target.name))
            vhost.broker.definitions.put(DEPARTED, vhost.name, row_name(target.kind, target.name), {})
            self._is_marked = True
        vhost.broker.chores.add(self._do_slice)

    def take_over(self, exchange: Exchange, bindings: dict[BindingKey, Binding]) -> None:
        """These, too, are to leave the exchange."""
        self._told(exchange, bindings)
        self._leaving.append((exchange, bindings))

    def _do_slice(self) -> bool:
        work = 0
        while work < LEAVE_PER_SLICE:
            if self._leaving:
                work += self._leave(LEAVE_PER_SLICE - work)
            elif self._sources:
                work += WORK_OF_SOURCE
                self._begin_leaving(self._sources.pop())
            else:
                self._end()
                return False
        return True

    def _leave(self, count: int) -> int:
        """Let so many go at most; how many it were."""
        exchange, bindings = self._leaving[-1]
        left = 0
        while bindings and left < count:
            exchange.let_go(bindings.popitem()[1])
            left += 1
        if not bindings:
            self._leaving.pop()
        return left

    def _begin_leaving(self, exchange: Exchange) -> None:
        bindings = exchange.begin_leaving(self._target)
        self._told(exchange, bindings)
        if bindings:
            self._leaving.append((exchange, bindings))

    def _told(self, exchange: Exchange, bindings: dict[BindingKey, Binding]) -> None:
        """Take these out of the definitions, and let those know who are to know."""
        vhost = self._vhost
        if not bindings or vhost.exchanges.get(exchange.name) is not exchange:
            return
        target = self._target
        self._forget_rows(vhost, bindings.values(), (exchange.name, target.kind, target.name))
        if vhost.broker.watchers:
            vhost.broker.watchers.unbound(exchange, list(bindings.values()))
        if exchange.auto_delete and not exchange.bindings:
            self._emptied(vhost, [exchange])

    def _end(self) -> None:
        vhost, target = self._vhost, self._target
        del vhost.departing[target]
        if self._is_marked and not any(self._is_of_that_name(each) for each in vhost.departing):
            vhost.broker.definitions.delete(DEPARTED, vhost.name, row_name(target.kind, target.name))

    def _is_of_that_name(self, other: Destination) -> bool:
        return (other.kind, other.name) == (self._target.kind, self._target.name)


def row_name(kind: JSON, name: JSON) -> str:
    """What the row of what has departed is called."""
    return json.dumps([kind, name])


def is_binding_to(row: dict[str, JSON], departed: str) -> bool:
    """Whether the row of a binding is to what a `DEPARTED` row of this name says."""
    return row_name(row["kind"], row["destination"]) == departed
