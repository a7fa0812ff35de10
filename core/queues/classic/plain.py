"""Delivering from a queue without rules: the hot path (governed.py is the other way).

The loop keeps its numbers to itself, and writes them once per batch: what the queue has ready and unsettled, what it
has counted, and at the end of each consumer's turn what that one got (core/counters.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.queues.classic.queue import ClassicQueue
    from warren.core.queues.consumer import Consumer


def drain(queue: ClassicQueue) -> None:
    """Deliver ready messages to available consumers until either runs out."""
    ready = queue.entries
    available = queue.ring.available
    came_back = queue.returned
    returned = came_back.counts
    redelivered_until = came_back.redelivered_until
    store_id = queue.store_id
    delivered_bytes = 0
    # So many have been given out, to be settled and not; and so many of them are in the consumers' counts.
    unacked = plain = 0
    # What has left of this, and of what came in meanwhile, has been given out.
    until_now = len(ready)
    queue.grown = 0
    unacked_noted = plain_noted = 0
    consumer: Consumer | None = None
    try:
        while ready and available:
            message = ready.popleft()
            if isinstance(message, int):
                ready_count = len(ready) + 1
                queue.backlogs[0].load(message)
                until_now += len(ready) - ready_count
                continue
            delivered_bytes += message.body_size
            consumer = available[0]
            sequence = message.sequence
            redelivered = sequence <= redelivered_until or sequence in returned
            more = consumer.deliver(message, redelivered)
            if redelivered:
                queue.counts.redeliver += 1
                consumer.counts.redeliver += 1
            if not consumer.no_ack:
                unacked += 1
            elif store_id or returned:
                queue.settle(message)
            if more and ready and not redelivered and not returned and len(available) == 1:
                # Nobody else waits, and all that follows is as new as this: it goes in strides.
                if not consumer.no_ack:
                    following = len(ready)
                    delivered_bytes += consumer.deliver_alike(ready)
                    unacked += following - len(ready)
                elif not store_id:
                    delivered_bytes += consumer.deliver_alike(ready)
            if not more or len(available) > 1:
                plain = until_now + queue.grown - len(ready) - unacked
                counts = consumer.counts
                counts.deliver += unacked - unacked_noted
                counts.deliver_no_ack += plain - plain_noted
                unacked_noted = unacked
                plain_noted = plain
                if more:
                    available.rotate(-1)
                else:
                    available.popleft()
                    consumer.parked = True
    finally:
        # Most batches of most queues are one message: nothing is written that doesn't change.
        if consumer is not None:
            plain = until_now + queue.grown - len(ready) - unacked
            counted = queue.counts
            counts = consumer.counts
            if delivered_bytes:
                queue.ready_bytes -= delivered_bytes
                counted.delivered_bytes += delivered_bytes
            if unacked:
                queue.unacked_count += unacked
                counted.deliver += unacked
                if unacked != unacked_noted:
                    counts.deliver += unacked - unacked_noted
            if plain:
                counted.deliver_no_ack += plain
                if plain != plain_noted:
                    counts.deliver_no_ack += plain - plain_noted
