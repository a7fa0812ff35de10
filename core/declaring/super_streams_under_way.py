"""Super streams that are being made, or deleted, over several turns: what a crash leaves of one goes at the next start.

Before each slice a row says which partitions are there already, by the numbers of their queues, and which are about to
be made, by name; the last slice takes the row away together with what makes the super stream whole, or gone.  So a
start that finds such a row removes these partitions, and what is left of a deletion with them.  A queue that somebody
else has declared meanwhile by the same name has another number.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.component import Component
from warren.core.declaring.actor import Administrator
from warren.core.declaring.exchanges import delete_exchange
from warren.core.declaring.queues import remove_queue
from warren.core.declaring.super_streams import PARTITIONS_PER_SLICE, is_super_stream, partitions_of

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON

_log = logging.getLogger("warren.broker")

UNDER_WAY: Final = "super-stream"
"""The kind of the rows."""


class SuperStreamsUnderWay(Component):
    """See the head of this file."""

    __slots__ = ("_broker", "_left")

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._left: list[tuple[str, str, frozenset[int], frozenset[str]]] = []

    def note(self, vhost: VirtualHost, name: str, made: Sequence[Queue], making: Sequence[str] = ()) -> None:
        """These partitions are a part of a super stream that isn't whole, and these are about to be."""
        if self._broker.vhosts.get(vhost.name) is vhost:
            value: dict[str, JSON] = {"made": [queue.store_id for queue in made], "making": list(making)}
            self._broker.definitions.put(UNDER_WAY, vhost.name, name, value)

    def done(self, vhost: VirtualHost, name: str) -> None:
        """It is whole, or gone."""
        self._broker.definitions.delete(UNDER_WAY, vhost.name, name)

    def restore(self, kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> bool:
        """Take a row of this kind."""
        if kind != UNDER_WAY:
            return False
        made, making = value["made"], value["making"]
        if not isinstance(made, list) or not isinstance(making, list):
            raise TypeError("partitions are lists")
        self._left.append((vhost, name, frozenset(map(int, made)), frozenset(map(str, making))))
        return True

    def restored(self) -> None:
        """Remove what is left, in turns."""
        for vhost, name, made, making in self._left:
            work = self._remove(self._broker.vhosts[vhost], name, made, making)
            self._broker.chores.add(partial(_do_slice, work), to_the_end=True)
        self._left.clear()

    def _remove(self, vhost: VirtualHost, name: str, made: Collection[int], making: Collection[str]) -> Iterator[None]:
        # An exchange that leads to others is another one by its name.
        exchange = vhost.exchanges.get(name)
        found = [queue for queue in vhost.queues.values() if queue.store_id in made or queue.name in making]
        if exchange is not None and is_super_stream(exchange) and set(partitions_of(vhost, name)) <= set(found):
            delete_exchange(Administrator(vhost), name)
        for number, queue in enumerate(found, 1):
            if vhost.queues.get(queue.name) is queue:
                remove_queue(vhost, queue)
            if number % PARTITIONS_PER_SLICE == 0:
                yield
        self.done(vhost, name)
        _log.warning(
            "super stream '%s' in vhost '%s' was being made or deleted when the broker ended: %d partitions that were "
            "left of it are removed",
            name,
            vhost.name,
            len(found),
        )


def _do_slice(work: Iterator[None]) -> bool:
    for _ in work:
        return True
    return False
