"""What has come back to a queue: the messages on their way to their old places, and what is remembered of each.

Messages that come back are collected in `waiting` and merged into their places by sequence when somebody next looks at
the head, so that a thousand single nacks cost one merge.  `counts` has the returns per sequence; a message found there
is delivered with the redelivered flag, and so is one up to `redelivered_until`, which may have been delivered before
the broker started.  `failures` has the failed deliveries per sequence, where the queue has a delivery limit.

All three containers stay the same objects, since the queue's hot path works on them directly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from warren.core.queues.deaths import DELIVERY_LIMIT

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.queues.backlog import Backlog
    from warren.core.queues.classic.queue import ClassicQueue


class Returns:
    """See the head of this file."""

    __slots__ = ("counts", "failures", "redelivered_until", "waiting")

    def __init__(self) -> None:
        self.waiting: list[Message] = []
        self.counts: dict[int, int] = {}
        self.failures: dict[int, int] = {}
        self.redelivered_until = 0

    def forget(self, sequence: int) -> None:
        """The message of this sequence is gone."""
        self.counts.pop(sequence, None)
        self.failures.pop(sequence, None)

    def take_back(self, queue: ClassicQueue, messages: Iterable[Message], *, failed: bool) -> None:
        """Messages that were out come back to `queue`; those that have failed too often are buried.

        failed: their delivery was in vain, which counts where there is a limit.
        """
        counts, waiting = self.counts, self.waiting
        limit = queue.rules.delivery_limit if failed and not queue.closed else None
        returned = returned_bytes = 0
        properties: Properties | None = None
        for message in messages:
            queue.unacked_count -= 1
            sequence = message.sequence
            if limit is not None and self._has_failed_too_often(queue, message, limit):
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
        queue.ready_bytes += returned_bytes
        queue.counts.returned += returned
        queue.counts.returned_bytes += returned_bytes

    def _has_failed_too_often(self, queue: ClassicQueue, message: Message, limit: int) -> bool:
        failures = self.failures.get(message.sequence, 0) + 1
        if 0 <= limit < failures:
            return True
        self.failures[message.sequence] = failures
        if queue.store_id and (message.properties.persistent or queue.stores_transient):
            queue.vhost.broker.store.count_failures(queue.store_id, message, failures)
        return False

    def merge(self, backlogs: Sequence[Backlog], level_of: Callable[[Message], int]) -> None:
        """Put what waits into its places.  level_of: the index of the backlog that a message belongs to."""
        returning = self.waiting[:]
        self.waiting.clear()
        if len(backlogs) == 1:
            backlogs[0].merge(returning)
            return
        by_level: dict[int, list[Message]] = {}
        for message in returning:
            by_level.setdefault(level_of(message), []).append(message)
        for level, messages in by_level.items():
            backlogs[level].merge(messages)
