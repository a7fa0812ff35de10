"""What counts for a queue: its arguments, the policies, and the quota of whoever has it for a buffer.

`rules_under` joins them; everything else here follows from a change of one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from warren.core.queues.backlog import sequence_of
from warren.core.queues.classic.rules import QueueRules, effective_rules, within

if TYPE_CHECKING:
    from warren.core.queues.buffer import Buffer
    from warren.core.queues.classic.queue import ClassicQueue
    from warren.core.storage.definitions.store import JSON


def rules_under(queue: ClassicQueue, effective: Mapping[str, JSON]) -> QueueRules:
    """What counts under an effective policy, and under the quota of whoever has the queue for a buffer."""
    rules = queue.with_defaults(effective_rules(queue.own_rules, queue.arguments, effective))
    return rules if queue.buffer is None else within(rules, queue.buffer)


def apply_policy(queue: ClassicQueue, effective: Mapping[str, JSON]) -> None:
    """The queue has another effective policy."""
    broker, before = queue.vhost.broker, queue.rules
    queue.rules = rules_under(queue, effective)
    if queue.rules.expires_ms != before.expires_ms:
        # A new expiry begins now; else one would delete at once whatever has been idle for longer.
        queue.disuse.used_at_ms = broker.now_ms
    if queue.rules.delivery_limit is None and before.delivery_limit is not None and queue.store_id:
        queue.noted_ready = 0
        queue.store.note_ready_from(queue.store_id, 0)
    if queue.rules.consumer_timeout_ms != before.consumer_timeout_ms:
        for consumer in queue.consumers:
            broker.ack_timeouts.added(consumer)
    rules_changed(queue)
    queue.mark_dirty()


def use_buffer(queue: ClassicQueue, buffer: Buffer | None) -> None:
    """The queue is somebody's buffer, or nobody's any more."""
    queue.buffer = buffer
    queue.rules = rules_under(queue, queue.effective_policy)
    withhold(queue)
    rules_changed(queue)
    queue.mark_dirty()
    queue.vhost.changed()


def withhold(queue: ClassicQueue) -> None:
    """Answer publishes later from now on, or no more, as the buffer says."""
    before = queue.withheld
    queue.withheld = None if queue.buffer is None else queue.buffer.withheld
    if queue.withheld is not None and queue.withheld is not before:
        queue.remembers = True
        mark_last(queue)
        queue.govern()


def mark_last(queue: ClassicQueue) -> None:
    """Tell what withholds answers which message is the last, though nobody waits for its (core.queues.withheld)."""
    last = max((sequence_of(backlog.last()) for backlog in queue.backlogs if backlog.count), default=None)
    if queue.withheld is not None and last is not None:
        queue.withheld.mark_last(last)


def rules_changed(queue: ClassicQueue) -> None:
    """Tell the owners of what the rules are about."""
    queue.expiry.ttl_ms = queue.rules.message_ttl_ms
    queue.bounds.rules_changed(queue.rules)
    queue.burials.forget_rules(queue)
    queue.govern()
    queue.disuse.watch(queue)


def is_ruled(queue: ClassicQueue) -> bool:
    """Whether the head has to be looked at before every delivery (governed.py)."""
    return (
        queue.expiry.applies
        or queue.rules.bounded
        or len(queue.backlogs) > 1
        or queue.ring.prioritised
        or queue.ring.chooser is not None
        or queue.picking is not None
        or queue.present is not None
        or queue.withheld is not None
        or queue.returned.placing is not None
    )
