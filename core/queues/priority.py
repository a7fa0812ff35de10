"""A classic queue with priorities (x-max-priority, spec A.7): strictly the highest first, in order within each.

A message's priority above the queue's maximum counts as the maximum, none as 0.  Each priority has a backlog of its
own; everything else is the classic queue's, which always looks at all of its backlogs, the highest first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.compiled import mypyc_attr
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.registry import register_variant

if TYPE_CHECKING:
    from warren.core.messages.message import Message


@mypyc_attr(allow_interpreted_subclasses=True)
class PriorityQueue(ClassicQueue):
    """See the head of this file."""

    __slots__ = ()

    def append(self, message: Message) -> None:
        self.backlogs[self.level_of(message)].entries.append(message)
        self.ready_bytes += message.body_size
        self.mark_dirty()

    def row_of(self, message: Message) -> int:
        return self.level_of(message)


register_variant(PriorityQueue, "x-max-priority")
