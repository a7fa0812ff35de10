"""The word that shows what the broker is doing."""

from __future__ import annotations

import time

from warren.gateway.control.target import Answer, Control, Request, value
from warren.gateway.control.word import Option, Remote, word
from warren.gateway.control.words.tail import COUNT

INTERVAL = Option("interval", "SECONDS")
SORT = Option("sort", "in|out|ready|name")


@word(
    "",
    "show what the broker is doing, live: q ends it, i, o, r and n sort; --count ends it after so many looks",
    options=(INTERVAL, SORT, COUNT),
    remote=Remote.MONITORING,
    example="--interval 2 --sort ready",
)
async def top(control: Control, request: Request) -> Answer:
    """Warren's own.  This is one look; the client makes rates of two."""
    from warren.core.administration import operations
    from warren.gateway.memory import resident_bytes
    from warren.gateway.turns import in_turns

    found = await in_turns(operations.activity.look(control.broker))
    facts = {
        "at_ms": found.at_ms,
        "uptime_s": int(time.monotonic() - control.started_at_s),
        "memory_bytes": resident_bytes(),
        "cpu_s": time.process_time(),
        "alarms": found.alarms,
        "totals": found.totals._asdict(),
        "counts": found.counts,
        "queues": [each._asdict() for each in found.queues],
    }
    return value(facts, f"{found.totals.queue_count} queues, {found.totals.messages_ready} messages ready")
