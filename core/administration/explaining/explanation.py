"""What a dry run of a publish finds: steps in the order in which they would happen, and the queues at their end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

ROUTED: Final = "routed"
HELD: Final = "held"
UNROUTABLE: Final = "unroutable"
REFUSED: Final = "refused"
DROPPED: Final = "dropped"
DUPLICATE: Final = "duplicate"
"""What would become of a message: queues take it, an exchange holds it until it is due, it leads nowhere, the publisher
is refused, the only queues drop it, an exchange drops it as seen before."""

OUTCOMES: Final = (ROUTED, HELD, UNROUTABLE, REFUSED, DROPPED, DUPLICATE)


@dataclass(slots=True)
class BindingSeen:
    """A binding that was looked at.  reason: why it leads the message on, or why not, as a part of a sentence."""

    destination: str
    destination_type: str
    routing_key: str
    arguments: dict[str, Any]
    properties_key: str
    matched: bool
    reason: str


@dataclass(slots=True)
class Step:
    """One thing that would happen.

    kind: what, for programs: publish, permission, alarm, copies, exchange, default_exchange, alternate_exchange,
    duplicate, held, due, unroutable.  text: the same, as a sentence.  ok: False where something stops here.
    exchange, exchange_type, routing_keys: where it happens, and the keys that count there.  matched, missed: bindings,
    the missed ones by how near they came; each list is bounded, and its count says how many there are.  looked_at: how
    many bindings were compared, of binding_count.
    """

    kind: str
    text: str
    ok: bool = True
    exchange: str | None = None
    exchange_type: str | None = None
    routing_keys: list[str] = field(default_factory=list)
    matched: list[BindingSeen] = field(default_factory=list)
    matched_count: int = 0
    missed: list[BindingSeen] = field(default_factory=list)
    missed_count: int = 0
    looked_at: int = 0
    binding_count: int = 0


@dataclass(slots=True)
class DeadLetters:
    """Where a message would go that dies in a queue, as bindings are now.

    exists: the exchange is there.  queues: names, at most so many as `queue_count` says there are.
    """

    exchange: str
    routing_keys: list[str]
    reasons: list[str]
    exists: bool
    queues: list[str]
    queue_count: int
    text: str


@dataclass(slots=True)
class QueueReached:
    """A queue that the message would come to.

    takes: take, refuse or drop.  whose: for whom it is, where it is somebody's own.  consumers: who takes from it, at
    most some of `consumer_count`.  delayed: it would come when it is due.  notes: sentences about what would happen.
    """

    name: str
    type: str
    takes: str
    whose: str
    messages_ready: int
    consumers: list[str]
    consumer_count: int
    delayed: bool
    notes: list[str]
    dead_letters: DeadLetters | None


@dataclass(slots=True)
class Explanation:
    """outcome: one of OUTCOMES.  routed: as a mandatory publish counts it.  text: all of it in a sentence.  queues: at
    most some of `queue_count`."""

    outcome: str
    routed: bool
    text: str
    steps: list[Step]
    queues: list[QueueReached]
    queue_count: int
