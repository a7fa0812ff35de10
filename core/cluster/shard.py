"""A shard that this node owns: its log, its queues, and who waits for the log's next flush.

It is driven as the broker's own log is, but by itself (`begin_flush`, the flush's `write` on a thread, `finish_flush`),
so that a slow stream stalls nothing but this shard's confirms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.queues.base import Stored

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from warren.core.broker import Broker
    from warren.core.cluster.queue import AnyReplicated
    from warren.core.routing.receipt import Receipt
    from warren.core.storage.engine import Flush, LongFlush, StorageEngine


class Shard:
    """See the head of this file.

    number: of the shard.  engine: its log, recovered already.  queues: those that are known here, by their numbers.
    stored: what the log held of others when it was taken over: positions and sizes by the queue's number.
    number: of the shard.  queues: by their numbers.  stored: what its log held when it was taken over, of queues that
    aren't known here yet: positions and sizes by the queue's number.
    """

    __slots__ = ("_broker", "_in_flush", "_waiting", "engine", "number", "queues", "stored")

    def __init__(
        self,
        broker: Broker,
        number: int,
        engine: StorageEngine,
        found: Iterable[tuple[int, Sequence[int], Sequence[int]]],
    ) -> None:
        self.number = number
        self.engine = engine
        self.queues: dict[int, AnyReplicated] = {}
        self.stored = {queue: (positions, sizes) for queue, positions, sizes in found if positions}
        self._broker = broker
        self._waiting: list[Receipt] = []
        self._in_flush: list[Receipt] = []
        # Positions serve as the sequences of what was stored, and what comes now has to be behind it.
        last = max((positions[-1] for positions, _ in self.stored.values()), default=0)
        broker.sequence = max(broker.sequence, last)

    def attach(self, queue: AnyReplicated) -> None:
        """One of its queues is made: it gets what the log holds of it."""
        self.queues[queue.store_id] = queue
        found = self.stored.pop(queue.store_id, None)
        if found is not None:
            positions, sizes = found
            queue.restore(Stored(positions, sizes, positions[-1], self.engine.failures(queue.store_id)))

    def answer_later(self, receipt: Receipt) -> None:
        """Something was appended for this publish: it is answered when that is flushed."""
        receipt.expect()
        self._waiting.append(receipt)

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything to flush."""
        return bool(self._waiting) or self.engine.pending

    @property
    def waiting_count(self) -> int:
        """Publishes that wait for their answers."""
        return len(self._waiting) + len(self._in_flush)

    def begin_flush(self) -> LongFlush | None:
        """Take all that waits; None where nothing is to be written.  Raises StorageError once the shard is lost."""
        flush = self.engine.begin_flush()
        self._in_flush, self._waiting = self._waiting, []
        return flush

    def finish_flush(self, flush: LongFlush | None) -> None:
        """It is written, here and on a majority of servers: answer."""
        if flush is not None:
            self.engine.finish_flush(flush)
        answered, self._in_flush = self._in_flush, []
        for receipt in answered:
            receipt.answer(taken=True)
        if self._broker.crowded_queues:
            self._broker.page_out()

    def begin_maintenance(self) -> Flush | None:
        """As the engine has it."""
        return self.engine.begin_maintenance()

    def drop_unknown(self, numbers: Container[int]) -> None:
        """What the log holds of queues that aren't among these was deleted.  numbers: of all that there are."""
        for number in [number for number in self.stored if number not in numbers]:
            positions, _ = self.stored.pop(number)
            self.engine.settle_positions(number, positions)

    def give_up(self) -> int:
        """It isn't this node's any more: what has no answer yet may be lost, and is refused; how many publishes."""
        refused = self._in_flush + self._waiting
        self._in_flush, self._waiting = [], []
        for receipt in refused:
            receipt.answer(taken=False)
        return len(refused)
