"""basic.get and its like: one message, for somebody who isn't a consumer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from warren.core.errors import BrokerError, ResourceLocked
from warren.core.queues.classic import governed

if TYPE_CHECKING:
    from warren.core.queues.answer import Answer, Polled
    from warren.core.queues.base import Queue
    from warren.core.queues.classic.queue import ClassicQueue


def get(queue: ClassicQueue, answer: Answer[Polled], *, no_ack: bool) -> None:
    """Poll, once everything that is on its way back is in its place."""
    asked = partial(queue.poll, no_ack=no_ack)
    returned = queue.returned
    if returned.waiting:
        returned.merge(queue)
    if returned.placing is not None:
        returned.when_whole(lambda: answer(_or_error(asked)))
    elif queue.picking is not None and not queue.picking.prepare_poll(queue):
        queue.vhost.broker.chores.add(partial(_look_on, queue, asked, answer))
    else:
        answer(asked())


def poll(queue: ClassicQueue, *, no_ack: bool) -> Polled:
    """The first message, and whether it was delivered before; None from an empty queue.

    ResourceLocked (405) where a single active consumer has the queue.
    """
    if queue.rules.single_active_consumer:
        raise polling_refused(queue)
    queue.disuse.used_at_ms = queue.read_at_ms = queue.vhost.broker.now_ms
    queue.merge_returning()
    found = governed.poll(queue)
    counts = queue.counts
    if found is None:
        counts.get_empty += 1
        return None
    counts.delivered_bytes += found[0].body_size
    counts.redeliver += found[1]
    if no_ack:
        counts.get_no_ack += 1
        queue.settle(found[0])
    else:
        counts.get += 1
        queue.unacked_count += 1
    if queue.governed or queue.rules.delivery_limit is not None:
        queue.mark_dirty()
    return found


def polling_refused(queue: Queue) -> ResourceLocked:
    """That a single active consumer has the queue."""
    return ResourceLocked(
        f"cannot obtain access to locked {queue.description}. basic.get operations are not supported by "
        f"{queue.type_name} queues with single active consumer"
    )


def _look_on(queue: ClassicQueue, asked: Callable[[], Polled], answer: Answer[Polled]) -> bool:
    """A slice of the search for what is to be given; False once that is found, or there is nothing."""
    if queue.picking is not None and not queue.closed and not queue.picking.prepare_poll(queue):
        return True
    answer(_or_error(asked))
    return False


def _or_error(asked: Callable[[], Polled]) -> Polled | BrokerError:
    """What comes of a poll in a later turn."""
    try:
        return asked()
    except BrokerError as error:
        return error
