"""The broker as a whole: totals over everything it holds."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, NamedTuple

from warren.core.administration.steps import SLICE_CELLS, Steps

if TYPE_CHECKING:
    from warren.core.administration.listing.kind import Vhosts
    from warren.core.broker import Broker


class Totals(NamedTuple):
    """How much of everything there is."""

    virtual_host_count: int
    connection_count: int
    queue_count: int
    messages_ready: int
    messages_unacknowledged: int


def count(broker: Broker, what: str, vhosts: Vhosts = None) -> int:
    """How many rows a listing has, without making any; KeyError for an unknown one."""
    return broker.listings.kind(what).count(broker, vhosts)


def totals(broker: Broker, *, slice_queues: int = SLICE_CELLS) -> Steps[Totals]:
    """Add up the messages of all queues, `slice_queues` of them at a time, and count everything else."""
    return Steps(_totals(broker, slice_queues))


def _totals(broker: Broker, slice_queues: int) -> Generator[None, None, Totals]:
    ready = unacknowledged = looked_at = 0
    for vhost in list(broker.vhosts.values()):
        for queue in list(vhost.queues.values()):
            if vhost.queues.get(queue.name) is queue:
                ready += queue.ready_count
                unacknowledged += queue.unacked_count
            looked_at += 1
            if looked_at % slice_queues == 0:
                yield
    return Totals(len(broker.vhosts), count(broker, "connections"), count(broker, "queues"), ready, unacknowledged)
