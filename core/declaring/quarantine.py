"""What is stored and belongs to nobody: messages whose queue is missing in the definitions, bindings that lost an end.

Definitions can be lost, to damage or to somebody who moved them away.  What the log holds for the lost ones is neither
thrown away nor in anybody's way then: it stays in the log and is set aside here.  Whoever declares the queue (or the
exchange that delays messages) again under its name gets it back, bindings included, as the message log knows the name
(StorageEngine.owner).  Where even that is lost, an administrator gives it to a queue, or drops it
(core.administration.operations.quarantine).

Streams have files of their own, which stay where they are, and come back when the stream is declared again.

What was deleted doesn't come here, although a crash may leave entries of it in the log as well: a deletion is noted in
the definitions until its settlements are on disk (core.declaring.numbers).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from warren.core.declaring.lost_bindings import LostBindings, Row
from warren.core.queues.base import Queue, Stored

if TYPE_CHECKING:
    from warren.core.exchanges.base import Exchange
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.engine import Owner

_log = logging.getLogger("warren.quarantine")


def described(owner: Owner | None) -> str:
    """`queue 'name' in vhost 'vhost'`, as far as it is known."""
    if owner is None:
        return "nobody knows whom"
    kind, vhost, name = owner
    return f"{kind} '{name}' in vhost '{vhost}'"


@dataclass(slots=True)
class SetAside:
    """Entries of one number.  owner: whose they were, None when that is lost.  positions, sizes: as in Stored.

    body_bytes: of all bodies together, added up when they are set aside, so that who declares the queue again needs no
    look at each.
    """

    number: int
    owner: Owner | None
    positions: Sequence[int]
    sizes: Sequence[int]
    body_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.body_bytes = sum(self.sizes)

    def drop_first(self, count: int) -> None:
        """So many are settled."""
        self.body_bytes -= sum(self.sizes[:count])
        self.positions, self.sizes = self.positions[count:], self.sizes[count:]

    @property
    def description(self) -> str:
        """`queue 'name' in vhost 'vhost'`, as far as it is known."""
        return described(self.owner)


class Quarantine:
    """See the head of this file.  entries: what is set aside, by number.  bindings: those that lost an end.

    streams: whose the files of streams were, by number; None where that is lost.
    """

    __slots__ = ("_numbers", "bindings", "entries", "streams")

    def __init__(self, add_binding: Callable[[VirtualHost, Row], bool]) -> None:
        """add_binding: makes a binding by its row if both ends are there."""
        self.entries: dict[int, SetAside] = {}
        self.streams: dict[int, Owner | None] = {}
        self.bindings = LostBindings(add_binding)
        self._numbers: dict[Owner, dict[int, None]] = {}

    def hold(self, found: SetAside) -> None:
        """Set aside what was found at the start, or is left of that."""
        self.entries[found.number] = found
        if found.owner is not None:
            self._numbers.setdefault(found.owner, {})[found.number] = None

    def take(self, number: int) -> SetAside | None:
        """What is set aside under a number isn't any more; None when there is nothing."""
        found = self.entries.pop(number, None)
        if found is not None and found.owner is not None:
            of_owner = self._numbers.get(found.owner, {})
            of_owner.pop(number, None)
            if not of_owner:
                self._numbers.pop(found.owner, None)
        return found

    def reports(self) -> list[str]:
        """What is here, in words; bindings come back by themselves and are told when they are set aside."""
        return [
            f"{len(each.positions)} message(s) of {each.description} (number {each.number}) are set aside, as no "
            "definition says whose they are; they come back when it is declared again. warren ctl list_quarantined, "
            "restore_quarantined and delete_quarantined see to them"
            for each in self.entries.values()
        ] + [
            f"the files of stream {number}, of {described(owner)}, are set aside, as no definition says whose they "
            "are; they come back when it is declared again as a stream. warren ctl list_quarantined and "
            "delete_quarantined see to them"
            for number, owner in self.streams.items()
        ]

    def stream_number_of(self, owner: Owner) -> int:
        """The number under which the files of this stream are set aside; 0 when there are none."""
        return next((number for number, whose in self.streams.items() if whose == owner), 0)

    def number_of(self, owner: Owner) -> int:
        """The number under which messages of this queue or exchange are set aside; 0 when there are none.

        What a component has lost doesn't come back by itself.
        """
        if owner[0] in ("queue", "exchange"):
            return next(iter(self._numbers.get(owner, ())), 0)
        return 0

    def queue_made(self, queue: Queue) -> None:
        """A queue was declared, with the number of what is set aside for it if there is anything."""
        if queue.store_id in self.streams:
            del self.streams[queue.store_id]
            _log.warning("%s gets back its files, with %d message(s)", queue.description, queue.ready_count)
        found = self.take(queue.store_id)
        if found is not None:
            failures = queue.store.failures(queue.store_id)
            last = found.positions[-1]
            queue.restore(Stored(found.positions, found.sizes, last, failures, found.body_bytes))
            _log.warning("%s gets back %d message(s) that were set aside", queue.description, len(found.positions))
        self.bindings.end_made(queue.vhost, "queue", queue.name)

    def exchange_made(self, vhost: VirtualHost, exchange: Exchange) -> None:
        """The same of an exchange."""
        found = self.take(exchange.store_id) if exchange.store_id else None
        if found is not None:
            exchange.restore_messages(found.positions, found.sizes)
            _log.warning(
                "exchange '%s' gets back %d message(s) that were set aside", exchange.name, len(found.positions)
            )
        self.bindings.end_made(vhost, "exchange", exchange.name)

    def restored(self, vhosts: Mapping[str, VirtualHost]) -> None:
        """The start has made what there is."""
        self.bindings.restored(vhosts)
        for name, value in self.bindings:
            _log.error(
                "a binding from '%s' to '%s' in vhost '%s' has lost an end; it comes back when that is declared again",
                value["source"],
                value["destination"],
                name,
            )

    def forget_vhost(self, name: str) -> None:
        """A virtual host is deleted, and the rows of its bindings with it."""
        self.bindings.forget_vhost(name)
