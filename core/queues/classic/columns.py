"""What list_queues shows of a classic queue beside what it shows of every queue (spec F.8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from warren.core.queues.classic.queue import ClassicQueue


def _exclusive_consumer_tag(queue: ClassicQueue) -> str | None:
    return queue.ring.exclusive.tag if queue.ring.exclusive else None


def _exclusive_consumer_session(queue: ClassicQueue) -> str | None:
    return queue.ring.exclusive.session_name() if queue.ring.exclusive else None


def _single_active_consumer_tag(queue: ClassicQueue) -> str | None:
    return queue.ring.single.tag if queue.ring.single else None


def _ready_bytes(queue: ClassicQueue) -> int:
    return queue.ready_bytes


def _paged_count(queue: ClassicQueue) -> int:
    return queue.paged_count


def _resident_bytes(queue: ClassicQueue) -> int:
    return queue.resident_bytes


COLUMNS: Final[Mapping[str, Callable[[Any], object]]] = {
    "exclusive_consumer_tag": _exclusive_consumer_tag,
    "exclusive_consumer_pid": _exclusive_consumer_session,
    "single_active_consumer_tag": _single_active_consumer_tag,
    "message_bytes_ready": _ready_bytes,
    "messages_paged_out": _paged_count,
    "memory": _resident_bytes,
}
"""See Queue.columns."""
