"""Messages that a session was given and has not settled yet, by delivery tag, in the order of delivery.

A plain dict is the whole data structure: tags only grow, so its order is theirs, and taking "all up to here" is taking
from the front.  An entry is (queue, message, consumer); the consumer is None for a polled message (basic.get).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from warren.core.errors import PreconditionFailed

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.queues.consumer import Consumer

Delivery: TypeAlias = "tuple[Queue, Message, Consumer | None]"
Unacked: TypeAlias = "dict[int, Delivery]"


def take(unacked: Unacked, tag: int, *, multiple: bool) -> dict[int, Delivery]:
    """Take one delivery, or with `multiple` all up to and including `tag` (0 means all there are).

    Raises PreconditionFailed (406) for a tag that is not outstanding.
    """
    if multiple and not tag:
        taken = dict(unacked)
        unacked.clear()
        return taken
    found = unacked.get(tag)
    if found is None:
        raise PreconditionFailed(
            f"unknown delivery tag {tag}", advice="it was settled before, or delivered on another channel"
        )
    if not multiple:
        del unacked[tag]
        return {tag: found}
    tags = []
    for each in unacked:
        if each > tag:
            break
        tags.append(each)
    return {each: unacked.pop(each) for each in tags}
