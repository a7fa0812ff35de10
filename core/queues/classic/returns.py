"""What has come back to a queue: the messages on their way to their old places, and what is remembered of each.

Messages that come back are collected in `waiting` and merged into their places by sequence when somebody next looks at
the head, so that a thousand single nacks cost one merge.  `counts` has the returns per sequence; a message found there
is delivered with the redelivered flag, and so is one up to `redelivered_until`, which may have been delivered before
the broker started.  `failures` has the failed deliveries per sequence, where the queue has a delivery limit.

What is much, or belongs far behind the head, is put into its places in slices (placing.py), and what comes back in
parts waits for the last of them (long_return.py): it counts as ready, and is `aside` meanwhile.  While a head isn't
whole because of that, the queue is governed and gives out nothing, and who polls waits.

The three containers stay the same objects, since the queue's hot path works on them directly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from warren.core.chores import emptied
from warren.core.queues.backlog import Entry, sequence_of
from warren.core.queues.classic.picking import put_back
from warren.core.queues.classic.placing import MOVED_PER_SLICE, PUT_BACK_PER_SLICE, Placing, Run
from warren.core.queues.deaths import DELIVERY_LIMIT

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.queues.classic.long_return import ClassicReturn
    from warren.core.queues.classic.queue import ClassicQueue


class Returns:
    """See the head of this file.  long: what still comes back in parts.  placing: None while all heads are whole."""

    __slots__ = ("_asking", "aside", "counts", "failures", "long", "placing", "redelivered_until", "waiting")

    def __init__(self) -> None:
        self.waiting: list[Message] = []
        self.counts: dict[int, int] = {}
        self.failures: dict[int, int] = {}
        self.redelivered_until = 0
        self.aside = 0
        self.long: dict[ClassicReturn, None] = {}
        self.placing: Placing | None = None
        self._asking: list[Callable[[], None]] = []

    def forget(self, sequence: int) -> None:
        """The message of this sequence is gone."""
        self.counts.pop(sequence, None)
        self.failures.pop(sequence, None)

    def take_back(
        self,
        queue: ClassicQueue,
        messages: Iterable[Message],
        *,
        failed: bool,
        into: list[Message] | None = None,
        doomed: deque[Message] | None = None,
    ) -> None:
        """Messages that were out come back to `queue`; those that have failed too often are buried.

        failed: their delivery was in vain, which counts where there is a limit.  into: where they go, if not to what
        waits.  doomed: takes those that are to be buried, which are out until the caller has done that.
        """
        counts = self.counts
        waiting = self.waiting if into is None else into
        limit = queue.rules.delivery_limit if failed and not queue.closed else None
        returned = returned_bytes = 0
        properties: Properties | None = None
        for message in messages:
            queue.unacked_count -= 1
            sequence = message.sequence
            if limit is not None and self._has_failed_too_often(queue, message, limit):
                if doomed is not None:
                    queue.unacked_count += 1
                    doomed.append(message)
                    continue
                queue.counts.rejected += 1
                queue.bury(message, DELIVERY_LIMIT)
                continue
            # Whoever gives back a hundred thousand messages mostly got them with the same properties.
            if message.properties is not properties:
                properties = message.properties
                if properties.expiration is not None:
                    queue.expects_expiry()
            counts[sequence] = counts.get(sequence, 0) + 1
            waiting.append(message)
            returned += 1
            returned_bytes += message.body_size
        if returned:
            queue.remembers = True
            observer = queue.vhost.broker.observer
            if observer is not None:
                observer.returned(queue, waiting[-returned:], failed=failed)
        queue.ready_bytes += returned_bytes
        queue.counts.returned += returned
        queue.counts.returned_bytes += returned_bytes

    def _has_failed_too_often(self, queue: ClassicQueue, message: Message, limit: int) -> bool:
        failures = self.failures.get(message.sequence, 0) + 1
        if 0 <= limit < failures:
            return True
        self.failures[message.sequence] = failures
        if queue.store_id and (message.properties.persistent or queue.stores_transient):
            queue.store.count_failures(queue.store_id, message, failures)
        return False

    def merge(self, queue: ClassicQueue) -> None:
        """Put what waits into its places, or begin to: see `placing`."""
        if self.placing is not None:
            return
        returning = self.waiting[:]
        self.waiting.clear()
        backlogs = queue.backlogs
        if queue.picking is not None:
            self._put_back(queue, returning)
            return
        if len(backlogs) == 1:
            if not backlogs[0].merge(returning, MOVED_PER_SLICE):
                self._begin_to_place(queue, [(backlogs[0], returning)])
            return
        by_level: dict[int, list[Message]] = {}
        for message in returning:
            by_level.setdefault(queue.level_of(message), []).append(message)
        far = [
            (backlogs[level], messages)
            for level, messages in by_level.items()
            if not backlogs[level].merge(messages, MOVED_PER_SLICE)
        ]
        if far:
            self._begin_to_place(queue, far)

    def _put_back(self, queue: ClassicQueue, returning: list[Message]) -> None:
        """As `merge`, among what consumers have passed over."""
        returning.sort(key=sequence_of)
        by_level: dict[int, list[Message]] = {}
        for message in returning:
            by_level.setdefault(queue.level_of(message), []).append(message)
        if len(returning) > PUT_BACK_PER_SLICE:
            self._begin_to_place(queue, [(queue.backlogs[level], run) for level, run in by_level.items()])
            return
        for level, run in by_level.items():
            put_back(queue, queue.backlogs[level], run)

    def _begin_to_place(self, queue: ClassicQueue, runs: Sequence[Run]) -> None:
        self.aside += sum(len(run) for _, run in runs)
        self.place(queue, runs)

    def place(self, queue: ClassicQueue, runs: Sequence[Run]) -> None:
        """Put messages that are aside, and in order, into their places, in the turns that follow."""
        if self.placing is None:
            self.placing = Placing(queue)
            queue.govern()
            queue.vhost.broker.chores.add(partial(self._place_some, queue), to_the_end=True)
        self.placing.add(runs)

    def when_whole(self, call: Callable[[], None]) -> None:
        """Call when everything is in its place; something isn't."""
        self._asking.append(call)

    def finish(self, queue: ClassicQueue) -> None:
        """Put everything that has come back into its place at once."""
        while self.placing is not None:
            self._place_some(queue)
        if self.waiting:
            self.merge(queue)
            self.finish(queue)

    def drop(self) -> Iterator[Entry]:
        """A purge takes all that isn't in the backlogs; it may be looked at later."""
        waiting: Iterator[Message] = emptied(self.waiting[:])
        dropped: list[Iterator[Entry]] = [waiting, *(each.drop() for each in self.long)]
        if self.placing is not None:
            dropped.append(self.placing.drop())
        self.waiting.clear()
        self.aside = 0
        return chain.from_iterable(dropped)

    def _place_some(self, queue: ClassicQueue) -> bool:
        if self.placing is None:
            return False
        if self.placing.do_slice():
            return True
        self.placing = None
        queue.govern()
        if not queue.closed:
            queue.mark_dirty()
        asking, self._asking = self._asking, []
        for call in asking:
            call()
        return False
