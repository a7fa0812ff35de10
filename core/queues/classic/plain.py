"""Delivering from a queue without rules: the hot path (governed.py is the other way).

The loop keeps its numbers to itself, and writes them once per batch: what the queue has ready and unsettled, what it
has counted, and at the end of each consumer's turn what that one got (core/counters.py).

How long it may take is bounded by the outboxes, by bytes, and by the number of messages: the smallest come to ten
thousand in an outbox.  What is more waits for the next turn (core/broker.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.classic.queue import ClassicQueue
    from warren.core.queues.consumer import Consumer

ONE_BY_ONE_PER_DRAIN: Final = 1000
"""Deliveries that one drain makes one by one, which take 2 to 10 µs each."""

ONE_BY_ONE: Final = range(ONE_BY_ONE_PER_DRAIN)

STRIDE_SHIFT: Final = 3
"""What goes in a stride takes about an eighth of that."""


def drain(queue: ClassicQueue) -> bool:
    """Deliver ready messages to available consumers until either runs out; False when there are too many for a turn."""
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
    steps = 0
    try:
        for steps in ONE_BY_ONE:  # noqa: B007  # used where all ways out lead to
            if not ready or not available:
                return True
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
                elif not store_id or _is_nothing_stored(queue, message, consumer):
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
            given = until_now + queue.grown - len(ready)
            if given > 1:
                queue.vhost.broker.deliveries_left -= steps + (given >> STRIDE_SHIFT)
            plain = given - unacked
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
    return not (ready and available)


def _is_nothing_stored(queue: ClassicQueue, message: Message, consumer: Consumer) -> bool:
    """Of a queue that is stored: True when neither this message nor what goes like it has anything to be settled."""
    return (
        not (message.properties.persistent or queue.stores_transient or queue.remembers) and consumer.keeps_persistence
    )
