"""What somebody who empties a queue, and brings its messages elsewhere, asks of it: a quota, and withheld answers.

A shovel whose source is a queue of this broker makes that its buffer.  The quota joins what arguments and policies say
of the queue's length (classic/rules.py).  With `withheld`, publishes are answered when their messages have arrived
elsewhere (withheld.py).

Virtual hosts keep buffers by the name of the queue, whether it is there or not: one that is declared later, or anew, is
a buffer from its first message on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.core.errors import PreconditionFailed

if TYPE_CHECKING:
    from warren.core.queues.withheld import Withheld
    from warren.core.routing.vhost import VirtualHost


@dataclass(frozen=True, slots=True)
class Buffer:
    """What is asked of one queue.

    owner: who asks, in words; one at a time.  length_max, bytes_max: what may wait in the queue, in messages and in
    bytes of their bodies; None for no quota.  overflow: what a full queue does, None for what it does anyway.
    withheld: what keeps the answers; None where publishes are answered as everywhere.
    """

    owner: str
    length_max: int | None = None
    bytes_max: int | None = None
    overflow: str | None = None
    withheld: "Withheld | None" = None


def use_buffer(vhost: VirtualHost, queue_name: str, buffer: Buffer) -> None:
    """Make a queue somebody's buffer, whether it is there already or comes later; what it was before is replaced.

    Raises PreconditionFailed (406) when it is somebody else's, or there and of a type that can't be one.
    """
    before = vhost.buffers.get(queue_name)
    if before is not None and before.owner != buffer.owner:
        raise PreconditionFailed(f"queue '{queue_name}' in vhost '{vhost.name}' is the buffer of {before.owner}")
    queue = vhost.queues.get(queue_name)
    if queue is not None:
        queue.use_buffer(buffer)
    vhost.buffers[queue_name] = buffer
    if before is not None and before.withheld is not None and before.withheld is not buffer.withheld:
        before.withheld.give_up(vhost.broker.chores.add)


def end_buffer(vhost: VirtualHost, queue_name: str, owner: str) -> None:
    """A queue is its owner's buffer no more: the quota ends, and what is withheld is refused."""
    before = vhost.buffers.get(queue_name)
    if before is None or before.owner != owner:
        return
    del vhost.buffers[queue_name]
    queue = vhost.queues.get(queue_name)
    if queue is not None:
        queue.use_buffer(None)
    if before.withheld is not None:
        before.withheld.give_up(vhost.broker.chores.add)
