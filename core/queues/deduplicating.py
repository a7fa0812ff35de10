"""Queues that drop duplicates (x-message-deduplication): classic ones, with priorities or without, and quorum queues.

What may come in is decided in bounds.py.  Here is what has to be done whenever a message leaves, so that it costs other
queues nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.compiled import mypyc_attr
from warren.core.queues.priority import PriorityQueue
from warren.core.queues.quorum import QuorumQueue
from warren.core.queues.registry import register_variant

if TYPE_CHECKING:
    from warren.core.messages.message import Message

ARGUMENT: Final = "x-message-deduplication"


@mypyc_attr(allow_interpreted_subclasses=True)
class DeduplicatingQueue(PriorityQueue):
    """See the head of this file."""

    __slots__ = ()

    def acknowledge(self, message: Message) -> None:
        self.unacked_count -= 1
        self.settle(message)

    def acknowledge_all(self, messages: list[Message]) -> None:
        for message in messages:
            self.acknowledge(message)

    def settle(self, message: Message) -> None:
        if self.present:
            self.present.leave(message.sequence)
        super().settle(message)


@mypyc_attr(allow_interpreted_subclasses=True)
class DeduplicatingQuorumQueue(QuorumQueue):
    """See the head of this file."""

    __slots__ = ()

    def settle(self, message: Message) -> None:
        if self.present:
            self.present.leave(message.sequence)
        super().settle(message)


register_variant(DeduplicatingQueue, ARGUMENT)
register_variant(DeduplicatingQuorumQueue, ARGUMENT)
