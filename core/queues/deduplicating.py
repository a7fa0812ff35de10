"""A classic queue that drops duplicates (x-message-deduplication), with priorities or without.

What may come in is decided in bounds.py.  Here is what it costs other queues nothing: an acknowledged message always
has something to be forgotten of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.queues.priority import PriorityQueue
from warren.core.queues.registry import register_variant

if TYPE_CHECKING:
    from warren.core.messages.message import Message


class DeduplicatingQueue(PriorityQueue):
    """See the head of this file."""

    __slots__ = ()

    def acknowledge(self, message: Message) -> None:
        self.unacked_count -= 1
        self.settle(message)


register_variant(DeduplicatingQueue, "x-message-deduplication")
