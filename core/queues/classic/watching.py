"""Who wants to know when a queue could do with messages (core.queues.demand)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING

from warren.core.queues.demand import Demand

if TYPE_CHECKING:
    from warren.core.queues.classic.queue import ClassicQueue


def watch(queue: ClassicQueue, told: Callable[[bool], None]) -> bool:
    """As Queue.watch_demand says."""
    if queue.demand is None:
        queue.demand = Demand()
        queue.govern()
    queue.demand.add(told)
    queue.mark_dirty()
    return True


def unwatch(queue: ClassicQueue, told: Callable[[bool], None]) -> None:
    """As Queue.unwatch_demand says."""
    if queue.demand is not None:
        queue.demand.remove(told)
        if not queue.demand:
            queue.demand = None
            queue.govern()


def spare_credit(queue: ClassicQueue) -> int:
    """What the queue's own consumers could take beside what they have."""
    takers = chain(queue.ring.available, queue.ring.sleepers)
    return sum(consumer.spare_credit for consumer in takers if consumer.priority >= 0 and consumer.active)
