"""How much the messages of queues weigh that are out, and those that outlive a restart: worked out for who asks.

A queue knows how many messages it has ready and out, and the bytes of those that are ready, since it counts these in
any case (plain.py).  What would take a step per message more is added up here, in slices, when somebody looks: what is
out stands with the sessions that have it, and what is ready is walked through.  Messages come and go in between, so
what one listing says of a busy queue is of some milliseconds, not of one moment.

Which of the ready ones outlive a restart is plain where all do or none: in a queue that isn't stored, in one that keeps
whatever it gets, and where all are tickets.  Else they are looked at; of a queue that has too many for that it isn't
known.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.broker import Broker
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue

WEIGHED_PER_SLICE: Final = 10_000
"""Messages that are looked at before others have a turn: some fifty nanoseconds each."""

OUT_WEIGHS: Final = 10
HOLDER_WEIGHS: Final = 20
"""How many of these one that is out comes to, which is noted by its queue, and a session that has any."""

WALKED_MAX: Final = 1_000_000
"""Ready messages of one queue that are looked at; noting which they are takes some nanoseconds each, at once."""


class Weight(NamedTuple):
    """messages: how many.  size_bytes: their bodies."""

    messages: int = 0
    size_bytes: int = 0

    def __add__(self, other: object) -> Weight:
        if not isinstance(other, Weight):
            return NotImplemented
        return Weight(self.messages + other.messages, self.size_bytes + other.size_bytes)


NOTHING: Final = Weight()


class Weights(NamedTuple):
    """Of one queue.  unacknowledged: what is out.  persistent: what outlives a restart, ready or out; None: unknown."""

    unacknowledged: Weight
    persistent: Weight | None


class _Out:
    """What of one queue is out."""

    __slots__ = ("count", "persistent_bytes", "persistent_count", "size_bytes")

    def __init__(self) -> None:
        self.count = self.size_bytes = self.persistent_count = self.persistent_bytes = 0

    def add(self, message: Message) -> None:
        size_bytes = message.body_size
        self.count += 1
        self.size_bytes += size_bytes
        if message.properties.persistent:
            self.persistent_count += 1
            self.persistent_bytes += size_bytes


class Weighing:
    """For one listing, which looks at what is out once for all of its queues."""

    __slots__ = ("_broker", "_looked_at", "_out", "_per_slice", "_walked_max")

    def __init__(self, broker: Broker, *, per_slice: int = WEIGHED_PER_SLICE, walked_max: int = WALKED_MAX) -> None:
        self._broker = broker
        self._per_slice = per_slice
        self._walked_max = walked_max
        self._out: dict[Queue, _Out] | None = None
        self._looked_at = 0

    def weigh(self, queue: Queue) -> Generator[None, None, Weights]:
        """In slices."""
        if self._out is None:
            self._out = yield from self._find_out()
        out = self._out.get(queue) or _Out()
        unacknowledged = Weight(out.count, out.size_bytes)
        if not queue.store_id:
            return Weights(unacknowledged, NOTHING)
        if queue.stores_transient:
            return Weights(unacknowledged, Weight(queue.ready_count, queue.ready_bytes) + unacknowledged)
        ready = yield from self._persistent_ready(queue)
        if ready is not None:
            ready += Weight(out.persistent_count, out.persistent_bytes)
        return Weights(unacknowledged, ready)

    def _persistent_ready(self, queue: Queue) -> Generator[None, None, Weight | None]:
        tickets, rows = queue.persistent_on_disk(), queue.ready_in_memory(self._walked_max)
        if rows is None:
            return None
        found = tickets
        while some := list(islice(rows, self._per_slice)):
            sizes = [message.body_size for message in some if message.properties.persistent]
            found += Weight(len(sizes), sum(sizes))
            self._looked_at += len(some)
            if self._is_enough():
                yield
        return found

    def _find_out(self) -> Generator[None, None, dict[Queue, _Out]]:
        found: dict[Queue, _Out] = {}
        for each in self._outstanding():
            if each is None:
                self._looked_at += HOLDER_WEIGHS
            else:
                queue, message = each
                of = found.get(queue)
                if of is None:
                    of = found[queue] = _Out()
                of.add(message)
                self._looked_at += OUT_WEIGHS
            if self._is_enough():
                yield
        return found

    def _outstanding(self) -> Iterator[tuple[Queue, Message] | None]:
        """Each of these lists is made when its turn comes, and is of that moment."""
        broker = self._broker
        for session in list(broker.sessions):
            for holder in list(session.ack_holders()):
                yield None
                for queue, message, _ in list(holder.unacked.values()):
                    yield queue, message
        for component in list(broker.components.values()):
            yield from component.outstanding()

    def _is_enough(self) -> bool:
        if self._looked_at < self._per_slice:
            return False
        self._looked_at = 0
        return True
