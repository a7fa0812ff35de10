"""Delivering under rules: what looks at the head before every delivery (spec A.7).

`drain` serves queues with TTLs, lengths, priorities, a chooser, or whose messages somebody looks at; `poll` takes one
message by hand.  Neither gives out a message that has expired, which it has at its deadline, to the millisecond.  A
queue without any of these takes the hot path, plain.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.queues import observing
from warren.core.queues.backlog import size_of
from warren.core.queues.classic import plain
from warren.core.queues.classic.bounds import drop_excess
from warren.core.queues.deaths import EXPIRED

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.classic.queue import ClassicQueue


def drain_otherwise(queue: ClassicQueue) -> bool:
    """Under rules, for who watches the demand, or while consumers sleep; False when it is too much for a turn.

    Limits are enforced when consumers had their chance at all of it.
    """
    if queue.ring.gone:
        queue.ring.tidy()
        queue.govern()
    if queue.ring.sleepers and queue.ready_count:
        sleepers, queue.ring.sleepers = queue.ring.sleepers, {}
        queue.govern()
        for consumer in sleepers:
            consumer.resume()
    if queue.ruled or queue.vhost.observed:
        counts = queue.counts
        before = counts.deliver + counts.deliver_no_ack
        is_done = drain(queue) if queue.picking is None else queue.picking.drain(queue)
        queue.vhost.broker.deliveries_left -= counts.deliver + counts.deliver_no_ack - before
        if is_done:
            enforce_limits(queue)
    else:
        is_done = plain.drain(queue)
    if queue.demand is not None:
        queue.demand.note(wanted=not queue.ready_count and queue.ring.spares)
    return is_done


def drain(queue: ClassicQueue) -> bool:
    """Deliver ready messages to available consumers until either runs out; False when there are too many for a turn."""
    ring = queue.ring
    available = ring.available
    chooser = ring.chooser
    deadline_of = queue.expiry.deadline_of
    turns = queue.turns
    now_ms = queue.vhost.broker.now_ms
    burials = queue.burials
    burials.begin(queue)
    for _ in plain.ONE_BY_ONE:
        message = _head(queue) if available else None
        if message is None:
            return True
        deadline_ms = deadline_of(message)
        if deadline_ms is not None and deadline_ms <= now_ms and not is_for_at_once(queue, message, deadline_ms):
            if not burials.may(queue):
                return True
            _take_head(queue)
            queue.counts.remove(1, message.body_size)
            queue.bury(message, EXPIRED)
            continue
        if chooser is not None and not ring.prioritised and not ring.give_turn(chooser, message):
            return True
        _take_head(queue)
        if turns is not None:
            turns.served()
        give(queue, message)
    return False


def give(queue: ClassicQueue, message: Message) -> None:
    """Deliver a message that has been taken out to the consumer whose turn it is, and go on to the next one."""
    ring, counts = queue.ring, queue.counts
    available = ring.available
    consumer = available[0]
    redelivered = queue.was_delivered(message)
    if queue.vhost.observed:
        more = observing.deliver(queue, consumer, message, redelivered)
    else:
        more = consumer.deliver(message, redelivered)
    counts.delivered_bytes += message.body_size
    if redelivered:
        counts.redeliver += 1
        consumer.counts.redeliver += 1
    if consumer.no_ack:
        counts.deliver_no_ack += 1
        consumer.counts.deliver_no_ack += 1
        queue.settle(message)
    else:
        counts.deliver += 1
        consumer.counts.deliver += 1
        queue.unacked_count += 1
    if not more:
        available.popleft()
        consumer.parked = True
    elif len(available) > 1:
        ring.next_turn()


def enforce_limits(queue: ClassicQueue) -> None:
    """What is left after delivering: expire heads that are due, drop what is too much, set the timer."""
    rules = queue.rules
    expires = queue.expiry.applies
    has_more = expires and queue.expiry.expire_heads(queue)
    if rules.bounded and not rules.refuses and not has_more:
        before = queue.ready_count
        has_more = drop_excess(queue)
        if expires and not has_more and queue.ready_count < before:
            # There are other heads now.
            has_more = queue.expiry.expire_heads(queue)
    queue.burials.end(queue, has_more=has_more)


def poll(queue: ClassicQueue) -> tuple[Message, bool] | None:
    """Take the message at the head, and whether it is a redelivery; None when nothing is ready."""
    queue.burials.begin(queue)
    if queue.picking is not None and queue.picking.polls_otherwise:
        return queue.picking.poll(queue)
    message = _head(queue)
    while message is not None:
        deadline_ms = queue.expiry.deadline_of(message)
        if deadline_ms is None or deadline_ms > queue.vhost.broker.now_ms:
            break
        if not queue.burials.may(queue):
            queue.burials.end(queue, has_more=True)
            return None
        _take_head(queue)
        queue.counts.remove(1, message.body_size)
        queue.bury(message, EXPIRED)
        message = _head(queue)
    if message is None:
        return None
    _take_head(queue)
    if queue.turns is not None:
        queue.turns.served()
    return message, queue.was_delivered(message)


def is_for_at_once(queue: ClassicQueue, message: Message, deadline_ms: int) -> bool:
    """True for a message with a TTL of 0 that has come just now: whoever can take it at once gets it, one time.

    deadline_ms: the message's, which has passed.
    """
    return deadline_ms == message.published_at_ms == queue.vhost.broker.now_ms and not queue.was_delivered(message)


def _head(queue: ClassicQueue) -> Message | None:
    """The next message to deliver, still in its place."""
    for backlog in queue.backlogs if queue.turns is None else queue.turns.in_order(queue.backlogs):
        message = backlog.head()
        if message is not None:
            return message
    return None


def _take_head(queue: ClassicQueue) -> None:
    for backlog in queue.backlogs if queue.turns is None else queue.turns.in_order(queue.backlogs):
        if backlog.count:
            queue.ready_bytes -= size_of(backlog.pop_first())
            return
