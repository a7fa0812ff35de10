"""What may come into a queue and how much may stay: lengths, refusals, and the window of seen messages (spec A.7).

A queue that drops its head keeps its length at the end of a batch, when consumers had their chance.  One that refuses
(`reject-publish`) is asked before a message comes in, and so is one that drops duplicates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from warren.core.messages.deduplication import DeduplicationWindow
from warren.core.queues.backlog import size_of
from warren.core.queues.base import Admission
from warren.core.queues.classic.plain import ONE_BY_ONE_PER_DRAIN
from warren.core.queues.classic.presence import value_of
from warren.core.queues.classic.rules import REJECT_PUBLISH_DLX, QueueRules
from warren.core.queues.deaths import MAXLEN

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.classic.queue import ClassicQueue


class Bounds:
    """The bounds of one queue.

    seen: the window of message deduplication; None where duplicates may come in.  reserved_count, reserved_bytes: of
    messages that are let in already, and are still to come.
    """

    __slots__ = ("reserved_bytes", "reserved_count", "seen")

    watched: ClassVar[bool] = False
    """Somebody looks at what comes in (watched.py)."""

    def __init__(self) -> None:
        self.seen: DeduplicationWindow | None = None
        self.reserved_count = 0
        self.reserved_bytes = 0

    def become(self, other: Bounds) -> None:
        """Go on in the place of `other`."""
        self.seen = other.seen
        self.reserved_count = other.reserved_count
        self.reserved_bytes = other.reserved_bytes

    def rules_changed(self, rules: QueueRules) -> None:
        """Open or close the window of seen messages; one that is open stays as it is."""
        if rules.deduplication_size is None and rules.deduplication_ttl_ms is None:
            self.seen = None
        elif self.seen is None:
            self.seen = DeduplicationWindow(rules.deduplication_size, rules.deduplication_ttl_ms)

    def admit(self, queue: ClassicQueue, message: Message) -> Admission:
        """Refuse a message that a full queue with reject-publish has no room for; drop a duplicate."""
        rules = queue.rules
        seen, present = self.seen, queue.present
        value = None if seen is None and present is None else value_of(message, rules.deduplication_header)
        if value is not None and (
            (seen is not None and seen.seen(value, queue.vhost.broker.now_ms))
            or (present is not None and present.holds(value))
        ):
            queue.counts.duplicate_dropped()
            return Admission.DROP
        if rules.refuses and not _has_room(queue, message):
            if seen is not None and value is not None:
                seen.forget(value)
            if rules.overflow == REJECT_PUBLISH_DLX:
                queue.burials.refuse(queue, message)
            return Admission.REFUSE
        if present is not None and value is not None:
            present.enter(message.sequence, value)
        return Admission.TAKE

    def reserve(self, queue: ClassicQueue, message: Message) -> Admission | None:
        """As Queue.reserve: where only the length counts, the places that are left are given away one by one.

        What consumers could take at once has room beside that, up to what they can be given in a turn.
        """
        rules = queue.rules
        if self.seen is not None or queue.present is not None or rules.overflow == REJECT_PUBLISH_DLX:
            return None
        if queue.picking is not None:
            return None
        if queue.has_no_room_for(message):
            takes = min(queue.spare_credit, ONE_BY_ONE_PER_DRAIN) if queue.ring.has_takers else 0
            if takes <= queue.ready_count + self.reserved_count:
                return Admission.REFUSE
        self.reserved_count += 1
        self.reserved_bytes += message.body_size
        return Admission.TAKE


def _has_room(queue: ClassicQueue, message: Message) -> bool:
    """Whether a queue that refuses takes a message: it has room, or a consumer takes it at once."""
    if queue.ring.has_takers and not queue.draining and not queue.is_cut:
        queue.drain()
    if queue.ring.has_takers and not queue.ready_count:
        return queue.picking is None or queue.picking.could_give(queue, message) or not queue.has_no_room_for(message)
    return not queue.has_no_room_for(message)


def exceeds(rules: QueueRules, count: int, size_bytes: int) -> bool:
    """True when so many messages with so many bytes of bodies are more than the rules allow."""
    return (rules.max_length is not None and count > rules.max_length) or (
        rules.max_length_bytes is not None and size_bytes > rules.max_length_bytes
    )


def drop_excess(queue: ClassicQueue) -> bool:
    """Keep the length of a queue that drops its heads; True when more should go, but not in this turn (burials.py)."""
    rules = queue.rules
    lowest_first = rules.drop_lowest_first or queue.turns is not None
    order = reversed(queue.backlogs) if lowest_first else iter(queue.backlogs)
    count = queue.ready_count
    for backlog in order:
        while backlog.count and exceeds(rules, count, queue.ready_bytes):
            before = backlog.count
            message = queue.burials.head(queue, backlog)
            # Reading the head may have shown that records are damaged: those messages are gone already.
            count -= before - backlog.count
            if message is None:
                break
            if not exceeds(rules, count, queue.ready_bytes):
                return False
            if not queue.burials.may(queue):
                return True
            size = size_of(backlog.pop_first())
            queue.ready_bytes -= size
            queue.counts.remove(1, size)
            count -= 1
            queue.bury(message, MAXLEN)
    return False
