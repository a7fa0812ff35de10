"""What list_queues shows of a stream beside what it shows of every queue (spec F.8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from warren.core.queues.stream.queue import StreamQueue


def _first_offset(queue: StreamQueue) -> int:
    return queue.log.first_offset


def _committed_offset(queue: StreamQueue) -> int:
    return queue.log.end_offset - 1


def _segments(queue: StreamQueue) -> int:
    return len(queue.log.segments)


def _bytes_on_disk(queue: StreamQueue) -> int:
    return queue.log.size


def _unknown(queue: StreamQueue) -> None:
    """Bodies alone aren't added up."""


COLUMNS: Final[Mapping[str, Callable[[Any], object]]] = {
    "first_offset": _first_offset,
    "committed_offset": _committed_offset,
    "segments": _segments,
    "bytes_on_disk": _bytes_on_disk,
    "message_bytes": _unknown,
    "message_bytes_ram": _unknown,
    "message_bytes_persistent": _unknown,
}
