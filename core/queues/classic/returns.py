"""What has come back to a queue: the messages on their way to their old places, and what is remembered of each.

Messages that come back are collected in `waiting` and merged into their places by sequence when somebody next looks at
the head, so that a thousand single nacks cost one merge.  `counts` has the returns per sequence; a message found there
is delivered with the redelivered flag, and so is one up to `redelivered_until`, which may have been delivered before
the broker started.  `failures` has the failed deliveries per sequence, where the queue has a delivery limit.

All three containers stay the same objects, since the queue's hot path works on them directly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.backlog import Backlog


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
