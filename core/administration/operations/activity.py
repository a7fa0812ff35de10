"""What a broker is doing: counts and lengths at one moment, of which whoever looks twice makes rates."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.administration.operations import overview
from warren.core.administration.steps import SLICE_CELLS, Steps

if TYPE_CHECKING:
    from warren.core.administration.operations.overview import Totals
    from warren.core.broker import Broker
    from warren.core.counters import Counts

QUEUES_MAX: Final = 1000
"""Queues that are told of; of more, those with most that came in, went out or waits."""


class QueueActivity(NamedTuple):
    """Of one queue.  publish, deliver_get, ack: counts since it is there."""

    name: str
    vhost: str
    ready: int
    unacknowledged: int
    consumers: int
    publish: int
    deliver_get: int
    ack: int


class Activity(NamedTuple):
    """counts: of all messages (core/counters.py).  queues: the busiest, as far as one look tells."""

    at_ms: int
    totals: Totals
    counts: Counts
    alarms: list[str]
    queues: list[QueueActivity]


def look(broker: Broker) -> Steps[Activity]:
    """One look at everything, in slices; queues that come and go meanwhile are in it or not."""
    return Steps(_look(broker))


def _look(broker: Broker) -> Generator[None, None, Activity]:
    found: list[QueueActivity] = []
    looked_at = 0
    for vhost in list(broker.vhosts.values()):
        for queue in list(vhost.queues.values()):
            counts = queue.message_counts
            found.append(
                QueueActivity(
                    queue.name,
                    vhost.name,
                    queue.ready_count,
                    queue.unacked_count,
                    len(queue.consumers),
                    counts.get("publish", 0),
                    counts.get("deliver_get", 0),
                    counts.get("ack", 0),
                )
            )
            looked_at += 1
            if looked_at % (SLICE_CELLS // len(QueueActivity._fields)) == 0:
                if len(found) > 2 * QUEUES_MAX:
                    _keep_busiest(found)
                yield
    _keep_busiest(found)
    yield
    counts = yield from overview.message_counts(broker).rest()
    totals = yield from overview.totals(broker).rest()
    return Activity(broker.now_ms, totals, counts, broker.alarms.raised(), found)


def _keep_busiest(found: list[QueueActivity]) -> None:
    found.sort(key=_business, reverse=True)
    del found[QUEUES_MAX:]


def _business(each: QueueActivity) -> int:
    return each.publish + each.deliver_get + each.ready + each.unacknowledged
