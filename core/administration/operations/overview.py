"""The broker as a whole: totals over everything it holds."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.administration.listing.kind import vhosts_among
from warren.core.administration.steps import SLICE_CELLS, Steps
from warren.core.counters import QUEUES_PER_SLICE, Counts, add, vhost_counts_in_slices

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


CLUSTER_NAME: Final = "cluster_name"
"""The global parameter that RabbitMQ keeps it in."""


def cluster_name(broker: Broker) -> str | None:
    """What the broker was called by an operator; None where the configuration alone says it."""
    given = broker.parameters.get_global(CLUSTER_NAME)
    return given if isinstance(given, str) and given else None


def set_cluster_name(broker: Broker, name: str) -> None:
    """Call it otherwise."""
    broker.parameters.set_global(CLUSTER_NAME, name)


def count(broker: Broker, what: str, vhosts: Vhosts = None) -> int:
    """How many rows a listing has, without making any; KeyError for an unknown one."""
    return broker.listings.kind(what).count(broker, vhosts)


def totals(broker: Broker, vhosts: Vhosts = None, *, slice_queues: int = SLICE_CELLS) -> Steps[Totals]:
    """Add up the messages of all queues, `slice_queues` of them at a time, and count everything else.

    vhosts: only what is in these; None for all.
    """
    return Steps(_totals(broker, vhosts, slice_queues))


def message_counts(broker: Broker, vhosts: Vhosts = None) -> Steps[Counts]:
    """Add up what is counted of all messages (core/counters.py).

    vhosts: as in `totals`.
    """
    return Steps(_message_counts(broker, vhosts))


def _message_counts(broker: Broker, vhosts: Vhosts) -> Generator[None, None, Counts]:
    sums: Counts = {}
    since_slice = 0
    for vhost in vhosts_among(broker, vhosts):
        since_slice += 1 + len(vhost.queues) % QUEUES_PER_SLICE
        add(sums, (yield from vhost_counts_in_slices(vhost)))
        if since_slice >= QUEUES_PER_SLICE:
            since_slice = 0
            yield
    return sums


def _totals(broker: Broker, vhosts: Vhosts, slice_queues: int) -> Generator[None, None, Totals]:
    ready = unacknowledged = looked_at = 0
    found = vhosts_among(broker, vhosts)
    for vhost in found:
        for queue in list(vhost.queues.values()):
            if vhost.queues.get(queue.name) is queue:
                ready += queue.ready_count
                # What other clients of another node's queue have is unsettled, too.
                is_remote = queue.is_remote
                unacknowledged += queue.kept_count - queue.ready_count if is_remote else queue.unacked_count
            looked_at += 1
            if looked_at % slice_queues == 0:
                yield
    connections, queues = count(broker, "connections", vhosts), count(broker, "queues", vhosts)
    return Totals(len(found), connections, queues, ready, unacknowledged)
