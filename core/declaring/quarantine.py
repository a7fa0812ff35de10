"""What is stored and belongs to nobody: messages whose queue is missing in the definitions, bindings that lost an end.

Definitions can be lost, to damage or to somebody who moved them away.  What the log holds for the lost ones is neither
thrown away nor in anybody's way then: it stays in the log and is set aside here.  Whoever declares the queue (or the
exchange that delays messages) again under its name gets it back, bindings included, as the message log knows the name
(StorageEngine.owner).  Where even that is lost, an administrator gives it to a queue, or drops it
(core.administration.operations.quarantine).

What was deleted doesn't come here, although a crash may leave entries of it in the log as well: a deletion is noted in
the definitions until its settlements are on disk (core.declaring.numbers).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.core.errors import BrokerError
from warren.core.queues.base import Queue, Stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.exchanges.base import Exchange
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON
    from warren.core.storage.engine import Owner

_log = logging.getLogger("warren.quarantine")

BindingRow = tuple[str, str, "Mapping[str, JSON]"]
"""Virtual host, name of the row, value."""


@dataclass(slots=True)
class SetAside:
    """Entries of one number.  owner: whose they were, None when that is lost.  positions, sizes: as in Stored."""

    number: int
    owner: Owner | None
    positions: Sequence[int]
    sizes: Sequence[int]

    @property
    def body_bytes(self) -> int:
        """Of all bodies together."""
        return sum(self.sizes)

    @property
    def description(self) -> str:
        """`queue 'name' in vhost 'vhost'`, as far as it is known."""
        if self.owner is None:
            return "nobody knows whom"
        kind, vhost, name = self.owner
        return f"{kind} '{name}' in vhost '{vhost}'"


class Quarantine:
    """See the head of this file.  entries: what is set aside, by number.  bindings: rows that lost an end."""

    __slots__ = ("_add_binding", "bindings", "entries")

    def __init__(self, add_binding: Callable[[VirtualHost, Mapping[str, JSON]], bool]) -> None:
        """add_binding: makes a binding by its row if both ends are there."""
        self._add_binding = add_binding
        self.entries: dict[int, SetAside] = {}
        self.bindings: list[BindingRow] = []

    def hold(self, found: SetAside) -> None:
        """Set aside what was found at the start."""
        self.entries[found.number] = found

    def reports(self) -> list[str]:
        """What is here, in words; bindings come back by themselves and are told when they are set aside."""
        return [
            f"{len(each.positions)} message(s) of {each.description} (number {each.number}) are set aside, as no "
            "definition says whose they are; they come back when it is declared again. warren ctl list_quarantined, "
            "restore_quarantined and delete_quarantined see to them"
            for each in self.entries.values()
        ]

    def number_of(self, owner: Owner) -> int:
        """The number under which messages of this queue or exchange are set aside; 0 when there are none.

        What a component has lost doesn't come back by itself.
        """
        if self.entries and owner[0] in ("queue", "exchange"):
            for each in self.entries.values():
                if each.owner == owner:
                    return each.number
        return 0

    def queue_made(self, queue: Queue) -> None:
        """A queue was declared, with the number of what is set aside for it if there is anything."""
        found = self.entries.pop(queue.store_id, None)
        if found is not None:
            failures = queue.vhost.broker.store.failures(queue.store_id)
            queue.restore(Stored(found.positions, found.sizes, found.positions[-1], failures))
            _log.warning("%s gets back %d message(s) that were set aside", queue.description, len(found.positions))
        if self.bindings:
            self._ends_made(queue.vhost)

    def exchange_made(self, vhost: VirtualHost, exchange: Exchange) -> None:
        """The same of an exchange."""
        found = self.entries.pop(exchange.store_id, None) if exchange.store_id else None
        if found is not None:
            exchange.restore_messages(found.positions, found.sizes)
            _log.warning(
                "exchange '%s' gets back %d message(s) that were set aside", exchange.name, len(found.positions)
            )
        if self.bindings:
            self._ends_made(vhost)

    def restored(self, vhosts: Mapping[str, VirtualHost]) -> None:
        """The start has made what there is; an end that was declared again comes behind its bindings in the rows."""
        for name in {row[0] for row in self.bindings}:
            self._ends_made(vhosts[name])
        for name, _, value in self.bindings:
            _log.error(
                "a binding from '%s' to '%s' in vhost '%s' has lost an end; it comes back when that is declared again",
                value["source"],
                value["destination"],
                name,
            )

    def _ends_made(self, vhost: VirtualHost) -> None:
        """Bindings that have both ends again are made."""
        waiting, self.bindings = self.bindings, []
        for row in waiting:
            try:
                if row[0] != vhost.name or not self._add_binding(vhost, row[2]):
                    self.bindings.append(row)
            except BrokerError as error:
                _log.error("a binding that had lost an end in vhost '%s' can't come back: %s", vhost.name, error.text)

    def forget_vhost(self, name: str) -> None:
        """A virtual host is deleted, and the rows of its bindings with it."""
        self.bindings = [row for row in self.bindings if row[0] != name]
