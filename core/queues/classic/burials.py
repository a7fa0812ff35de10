"""How many messages may leave a queue by its rules in one turn: expired ones, and those that are too many.

A backlog of a million messages with one TTL expires at one moment, and each of them may be a dead letter, which is
published anew.  So a drain buries as many as have come since the last one (else a queue would grow whose surplus comes
faster than it goes), and beyond that as many as the broker's ration for the turn has left.  The rest follows in later
turns, as a chore of the broker.  Until then, expired messages are still in the queue; nobody is given one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.queues.backlog import Entry
    from warren.core.queues.classic.queue import ClassicQueue
    from warren.core.queues.classic.rules import QueueRules

WORK_PER_TURN: Final = 2000
"""What all queues of a broker may do in a turn, some 4 ms: a message that just goes is one."""

DEAD_LETTER_WORK: Final = 100
"""A message that is published anew is so much: its headers are read, written and routed by, which takes 100 µs or more,
as its history is long."""


class Burials:
    """Of one queue; see the head of this file.

    leaving: what purges took out and have to settle (contents.py), and what is called when that is done.
    """

    __slots__ = ("_cost", "_count_before", "_free", "_has_chore", "_rules", "leaving")

    def __init__(self) -> None:
        self._count_before = 0
        self._free = 0
        self._cost = 1
        self._has_chore = False
        self._rules: QueueRules | None = None
        self.leaving: deque[tuple[Iterator[Entry], Callable[[], None]]] = deque()

    def begin(self, queue: ClassicQueue) -> None:
        """A drain begins, or a poll.  Under rules that are new, no message counts as one that has just come."""
        if queue.rules is not self._rules:
            self._rules = queue.rules
            self._count_before = queue.ready_count
        self._free = queue.ready_count - self._count_before
        self._cost = 1 if queue.rules.dead_letter_exchange is None else DEAD_LETTER_WORK

    def may(self, queue: ClassicQueue) -> bool:
        """True when one more message may go in this turn, which counts as gone then."""
        if self._free > 0:
            self._free -= 1
            return True
        broker = queue.vhost.broker
        return broker.burials.take(self._cost, broker.turn)

    def end(self, queue: ClassicQueue, *, has_more: bool) -> None:
        """The drain is over.  has_more: messages are left that should have gone."""
        self._count_before = queue.ready_count
        if has_more and not self._has_chore:
            self._has_chore = True
            queue.vhost.broker.chores.add(partial(self._go_on, queue))

    def _go_on(self, queue: ClassicQueue) -> bool:
        self._has_chore = False
        if not queue.closed:
            queue.mark_dirty()
        return False
