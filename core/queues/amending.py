"""Other properties for a message that somebody has of a queue and gives back.

A message is shared by all queues that have it, so this queue's is another one from then on, with the same sequence and
so in the same place.  In the log it is a record of its own, at the end: after a restart it comes behind what was
published before the change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue


def amend(queue: Queue, message: Message, properties: Properties) -> Message:
    """The message that takes the place of an unacknowledged one; to be called within a group of the store."""
    made = with_properties(message, properties)
    if queue.store_id and (properties.persistent or queue.stores_transient):
        store = queue.store
        store.append(made, (queue.store_id,))
        store.settle(queue.store_id, message)
    return made


def with_properties(message: Message, properties: Properties) -> Message:
    """A message that is the same but for its properties."""
    return Message(
        message.sequence,
        message.address,
        properties,
        message.body,
        0,
        message.body_size,
        0,
        message.published_at_ms,
    )
