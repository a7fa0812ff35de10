"""Very many messages that come back to a classic queue at once: part by part, each in its turn (returning.py).

Each part counts as ready at once, and is kept aside in the order of its messages.  Messages that have failed too often
are kept apart, and are buried before the end.  When all have come, they are put into their places (placing.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from warren.core.chores import emptied
from warren.core.queues.backlog import Entry, sequence_of
from warren.core.queues.classic.burials import DEAD_LETTER_WORK, WORK_PER_TURN
from warren.core.queues.classic.placing import Run
from warren.core.queues.deaths import DELIVERY_LIMIT
from warren.core.queues.returning import LongReturn

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.classic.queue import ClassicQueue


class ClassicReturn(LongReturn):
    """To one queue, which knows of it from the beginning to the end (`Returns.long`)."""

    __slots__ = ("_doomed", "_queue", "_runs")

    def __init__(self, queue: ClassicQueue) -> None:
        self._queue = queue
        self._runs: list[Run] = []
        self._doomed: deque[Message] = deque()
        queue.returned.long[self] = None

    def take(self, messages: list[Message], *, failed: bool) -> None:
        queue = self._queue
        if queue.closed:
            queue.requeue(messages, failed=failed)
            return
        back: list[Message] = []
        queue.returned.take_back(queue, messages, failed=failed, into=back, doomed=self._doomed)
        queue.returned.aside += len(back)
        back.sort(key=sequence_of)
        if len(queue.backlogs) == 1:
            if back:
                self._runs.append((queue.backlogs[0], back))
            return
        by_level: dict[int, list[Message]] = {}
        for message in back:
            by_level.setdefault(queue.level_of(message), []).append(message)
        self._runs += [(queue.backlogs[level], run) for level, run in by_level.items()]

    def finish_some(self) -> bool:
        queue = self._queue
        for _ in range(WORK_PER_TURN // DEAD_LETTER_WORK):
            if not self._doomed:
                return False
            message = self._doomed.popleft()
            queue.unacked_count -= 1
            queue.counts.rejected += 1
            if queue.closed:
                queue.settle(message)
            else:
                queue.bury(message, DELIVERY_LIMIT)
        return bool(self._doomed)

    def end(self) -> None:
        queue = self._queue
        del queue.returned.long[self]
        if self._runs:
            queue.returned.place(queue, self._runs)
            self._runs = []
        queue.all_came_back()

    def drop(self) -> Iterator[Entry]:
        """A purge takes what has come until now."""
        runs, self._runs = self._runs, []
        return chain(*(emptied(run) for _, run in runs))
