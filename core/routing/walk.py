"""The walk of a message from exchange to exchange, and what it found: queues, and exchanges that want a word.

It visits each exchange once, so that cycles are harmless; one whose own bindings yield nothing hands over to its
alternate exchange.  The walk doesn't go on behind an exchange that holds the message (delayed messages), nor into one
that is `closed` (it has seen the message before); it begins `behind` one that held the message until now, which it
passes as if that had no mind of its own.

Targets that are departing are passed over (`VirtualHost.departing`): they are gone, though bindings to them are still
to leave.

Who wants to know why a message goes where it goes has the walk note each exchange on its way (`Visit`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from typing import TYPE_CHECKING, NamedTuple

from warren.core.exchanges.base import Exchange
from warren.core.queues.base import Queue

if TYPE_CHECKING:
    from warren.core.cluster.beyond import Beyond
    from warren.core.exchanges.binding import Destination
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.properties import Properties


class Visit(NamedTuple):
    """What an exchange said of one of the message's routing keys."""

    exchange: Exchange
    routing_key: str
    targets: "tuple[Destination, ...]"


class Walk:
    """One walk.

    queues: the queues that were reached, by identity.  observers, holders: exchanges on the way that want to see the
    message, and that keep it for now.  history: streams that exchanges on the way have their messages kept in, by
    identity.  cacheable: every message with these keys goes the same way until bindings change.  visits: what the
    exchanges on the way have said; None where nobody wants to know.  beyond: what other nodes of a cluster bind; None
    without a cluster.
    """

    __slots__ = (
        "_departing",
        "_exchanges",
        "_headers",
        "_keys",
        "_properties",
        "beyond",
        "cacheable",
        "history",
        "holders",
        "observers",
        "queues",
        "visits",
    )

    def __init__(
        self,
        exchanges: Mapping[str, Exchange],
        departing: Set[Destination],
        keys: Sequence[str],
        headers: Mapping[str, FieldValue] | None,
        properties: Properties | None,
    ) -> None:
        self._exchanges = exchanges
        self._departing = departing
        self._keys = keys
        self._headers = headers
        self._properties = properties
        self.cacheable = True
        self.visits: list[Visit] | None = None
        self.beyond: Beyond | None = None
        self.queues: dict[int, Queue] = {}
        self.history: dict[int, Queue] = {}
        self.observers: list[Exchange] = []
        self.holders: list[Exchange] = []

    def run(self, start: Exchange, *, behind: Exchange | None = None, closed: Collection[str] = ()) -> None:
        """Walk from `start`."""
        queues = self.queues
        keys = self._keys
        headers = self._headers
        departing = self._departing
        beyond = self.beyond
        seen = {start.name, *closed}
        to_visit = [] if start.name in closed else [start]
        while to_visit:
            exchange = to_visit.pop()
            self.cacheable &= exchange.cacheable
            if exchange is not behind:
                if exchange.observes or exchange.watchers:
                    self.observers.append(exchange)
                if exchange.keeps_messages and exchange.holds(headers):
                    self.holders.append(exchange)
                    continue
            if exchange.history is not None:
                self._keep_history(exchange, exchange.history)
            matched = False
            for key in keys[:1] if exchange.picks_one else keys:
                if exchange.depends_on_properties:
                    targets = exchange.targets_by_properties(key, headers, self._properties)
                else:
                    targets = exchange.targets(key, headers)
                if departing and not departing.isdisjoint(targets):
                    targets = self._staying(exchange, key, targets)
                if self.visits is not None:
                    self.visits.append(Visit(exchange, key, tuple(targets)))
                for target in targets:
                    matched = True
                    if isinstance(target, Queue):
                        queues[id(target)] = target
                    elif isinstance(target, Exchange) and target.name not in seen:
                        seen.add(target.name)
                        to_visit.append(target)
                if beyond is not None:
                    for target in beyond.targets(exchange, key, headers, self._properties):
                        matched = True
                        if isinstance(target, Queue):
                            queues[id(target)] = target
            if not matched and exchange.alternate is not None:
                alternate = self._exchanges.get(exchange.alternate)
                if alternate is None and self.visits is not None:
                    # Only asked about: nothing is dropped.
                    continue
                if alternate is None:
                    exchange.note_missing_alternate()
                elif alternate.name not in seen:
                    seen.add(alternate.name)
                    to_visit.append(alternate)

    def _keep_history(self, exchange: Exchange, name: str) -> None:
        """The message goes to the stream that a policy names, too, which doesn't count as being routed."""
        queue = exchange.vhost.queues.get(name) if exchange.vhost is not None else None
        if queue is not None and queue.keeps_messages:
            self.history[id(queue)] = queue
        elif self.visits is None:
            exchange.note_missing_history()

    def _staying(self, exchange: Exchange, key: str, targets: Collection[Destination]) -> Collection[Destination]:
        """Those of an exchange's targets that aren't departing; a type that picks one picks again."""
        departing = self._departing
        for _ in range(len(departing) if exchange.picks_one else 0):
            gone = [target for target in targets if target in departing]
            if not gone:
                break
            for target in gone:
                exchange.target_gone(target)
            targets = exchange.targets_by_properties(key, self._headers, self._properties)
        return [target for target in targets if target not in departing]
