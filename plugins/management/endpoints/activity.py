"""What the broker is doing, at one moment: what `warren top --url` makes rates of."""

from __future__ import annotations

import time

from warren.core.administration import operations
from warren.gateway.plugin import in_turns
from warren.plugins.management import objects
from warren.plugins.management.access import Needs
from warren.plugins.management.endpoint import Call, endpoint


class QueueActivity(objects.Object):
    """publish, deliver_get, ack: counts since the queue is there."""

    name: str
    vhost: str
    ready: int
    unacknowledged: int
    consumers: int
    publish: int
    deliver_get: int
    ack: int


class Activity(objects.Object):
    """at_ms: when, in milliseconds since 1970.  counts: of all messages.  queues: the busiest 1000."""

    at_ms: int
    uptime_s: int
    memory_bytes: int
    cpu_s: float
    alarms: list[str]
    totals: dict[str, int]
    counts: dict[str, int]
    queues: list[QueueActivity]


@endpoint(
    "GET",
    "/activity",
    "Counts and lengths at this moment, of the whole broker and its busiest queues.",
    needs=Needs.MONITORING,
    answer=Activity,
)
async def get_activity(call: Call) -> object:
    found = await in_turns(operations.activity.look(call.broker))
    resources = call.context.resources()
    return {
        "at_ms": found.at_ms,
        "uptime_s": call.node.uptime_ms // 1000,
        "memory_bytes": resources.memory_used,
        "cpu_s": time.process_time(),
        "alarms": found.alarms,
        "totals": found.totals._asdict(),
        "counts": found.counts,
        "queues": [each._asdict() for each in found.queues],
    }
