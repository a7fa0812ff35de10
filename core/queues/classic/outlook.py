"""What a classic queue would do with a message (core.queues.outlook)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.queues.base import Admission
from warren.core.queues.classic.bounds import exceeds
from warren.core.queues.classic.presence import value_of
from warren.core.queues.deaths import DELIVERY_LIMIT, EXPIRED, MAXLEN, REJECTED
from warren.core.queues.outlook import DeadLetterWay, Outlook

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.classic.queue import ClassicQueue


def outlook(queue: ClassicQueue, message: Message) -> Outlook:
    """See core.queues.outlook."""
    found = Outlook()
    rules = queue.rules
    ttl_ms = _lifetime_ms(queue, message)
    if _is_duplicate(queue, message):
        found.admission = Admission.DROP
        found.notes.append(
            f"it would drop the message as a duplicate: '{rules.deduplication_header}' has a value that it has seen"
        )
    elif queue.guarded and queue.has_no_room_for(message) and not _takes_at_once(queue):
        found.admission = Admission.REFUSE
        found.notes.append(f"it would refuse the message: {queue.refusal}")
    elif _drops_another(queue, message):
        which = "the message of the lowest priority" if rules.drop_lowest_first else "the message at its head"
        left = "" if rules.dead_letter_exchange is None else ", which becomes a dead letter"
        found.notes.append(f"it is full (x-max-length): {which} would be dropped{left}")
    if ttl_ms is not None:
        found.notes.append(f"a message that isn't delivered within {ttl_ms} ms would expire there")
    if rules.max_priority is not None:
        level = min(message.properties.priority or 0, rules.max_priority)
        found.notes.append(f"it would wait there with priority {level}")
    if rules.dead_letter_exchange is not None:
        reasons = [REJECTED]
        if ttl_ms is not None:
            reasons.append(EXPIRED)
        if rules.bounded and rules.overflow != "reject-publish":
            reasons.append(MAXLEN)
        if rules.delivery_limit is not None and rules.delivery_limit >= 0:
            reasons.append(DELIVERY_LIMIT)
        found.dead_letters = DeadLetterWay(
            rules.dead_letter_exchange, rules.dead_letter_routing_key, tuple(dict.fromkeys(reasons))
        )
    return found


def _is_duplicate(queue: ClassicQueue, message: Message) -> bool:
    """As Bounds.admit, without anything being remembered."""
    seen, present = queue.bounds.seen, queue.present
    value = None if seen is None and present is None else value_of(message, queue.rules.deduplication_header)
    return value is not None and (
        (seen is not None and seen.knows(value, queue.vhost.broker.now_ms))
        or (present is not None and present.holds(value))
    )


def _drops_another(queue: ClassicQueue, message: Message) -> bool:
    rules = queue.rules
    is_too_much = exceeds(rules, queue.ready_count + 1, queue.ready_bytes + message.body_size)
    return not rules.refuses and is_too_much and not _takes_at_once(queue)


def _takes_at_once(queue: ClassicQueue) -> bool:
    """A consumer has room, and nothing waits before the message."""
    return queue.ring.has_takers and not queue.ready_count


def _lifetime_ms(queue: ClassicQueue, message: Message) -> int | None:
    """The shorter of the queue's time to live and the message's own (spec A.7)."""
    expiration = message.properties.expiration
    own = int(expiration) if expiration is not None and expiration.isdigit() else None
    known = [each for each in (queue.rules.message_ttl_ms, own) if each is not None]
    return min(known) if known else None
