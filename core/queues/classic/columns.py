"""What list_queues shows of a classic queue beside what it shows of every queue (spec F.8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.core.queues.classic.queue import ClassicQueue

ALWAYS: Final = 1.0
NEVER: Final = 0.0
"""How much of the time consumers could take a message."""


def _exclusive_consumer_tag(queue: ClassicQueue) -> str | None:
    return queue.ring.exclusive.tag if queue.ring.exclusive else None


def _exclusive_consumer_session(queue: ClassicQueue) -> str | None:
    return queue.ring.exclusive.session_name() if queue.ring.exclusive else None


def _single_active_consumer_tag(queue: ClassicQueue) -> str | None:
    return queue.ring.single.tag if queue.ring.single else None


def _group_count(queue: ClassicQueue) -> int | None:
    """Of a queue with x-group-by: groups that are with a consumer, or with somebody who polled."""
    return None if queue.picking is None else queue.picking.bound_count


def _waiting_group_count(queue: ClassicQueue) -> int | None:
    """And those of which messages wait for one consumer, or for their turn, while others are given out."""
    return None if queue.picking is None else queue.picking.waiting_count


def _ready_bytes(queue: ClassicQueue) -> int:
    return queue.ready_bytes


def _paged_count(queue: ClassicQueue) -> int:
    return queue.paged_count


def _resident_bytes(queue: ClassicQueue) -> int:
    return queue.resident_bytes


def _resident_count(queue: ClassicQueue) -> int:
    return queue.resident_count


def _unacked_count(queue: ClassicQueue) -> int:
    """What is unacknowledged is in memory."""
    return queue.unacked_count


def _all_resident_count(queue: ClassicQueue) -> int:
    return queue.resident_count + queue.unacked_count


def _paged_bytes(queue: ClassicQueue) -> int:
    return sum(backlog.paged_bytes for backlog in queue.backlogs)


def _head_timestamp(queue: ClassicQueue) -> int | None:
    """Of a head that is on disk alone nobody knows it without reading, so it has none, as in RabbitMQ."""
    head = next((head for backlog in queue.backlogs if (head := backlog.first()) is not None), None)
    return head.properties.timestamp if isinstance(head, Message) else None


def _consumer_capacity(queue: ClassicQueue) -> float:
    """Whether some consumer could take a message now; RabbitMQ has the share of time in which one could."""
    if not queue.consumers:
        return NEVER
    return ALWAYS if not queue.ready_count or queue.ring.has_takers else NEVER


COLUMNS: Final[Mapping[str, Callable[[Any], object]]] = {
    "exclusive_consumer_tag": _exclusive_consumer_tag,
    "exclusive_consumer_pid": _exclusive_consumer_session,
    "single_active_consumer_tag": _single_active_consumer_tag,
    "message_bytes_ready": _ready_bytes,
    "messages_paged_out": _paged_count,
    "message_bytes_paged_out": _paged_bytes,
    "messages_ready_ram": _resident_count,
    "messages_unacknowledged_ram": _unacked_count,
    "messages_ram": _all_resident_count,
    "head_message_timestamp": _head_timestamp,
    "consumer_capacity": _consumer_capacity,
    "consumer_utilisation": _consumer_capacity,
    "memory": _resident_bytes,
    "message_groups": _group_count,
    "message_groups_waiting": _waiting_group_count,
}
"""See Queue.columns."""
