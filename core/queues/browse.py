"""Looking at the messages that wait in a queue, by position and with a filter, without changing anything.

Positions count from 0 in the order of delivery, as it is now; unacknowledged messages have none.  What is looked at is
bounded, since the broker does nothing else meanwhile: `browse` says where to go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.core.queues.base import Queue

SCANNED_MAX: Final = 10_000
"""Messages looked at in one go: tens of milliseconds when they are in memory, some more when they are on disk."""


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """What a message must be like; None and empty ask for nothing.

    properties, headers: values by name, compared as texts (`42` is the number 42, too; true and false are booleans).
    body_part: bytes that the body contains.
    """

    exchange: str | None = None
    routing_key: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body_part: bytes = b""

    def matches(self, message: Message) -> bool:
        """True for a message that is all of that."""
        address = message.address
        if self.exchange is not None and address.exchange != self.exchange:
            return False
        if self.routing_key is not None and address.routing_key != self.routing_key:
            return False
        if self.properties and not _agree(self.properties, message.properties.fields()):
            return False
        if self.headers and not _agree(self.headers, message.properties.headers or {}):
            return False
        return self.body_part in message.body


EVERYTHING: Final = MessageFilter()


@dataclass(frozen=True, slots=True)
class Browsed:
    """One message as it was found.  redelivered: it was delivered before; failures: as x-delivery-count says."""

    position: int
    redelivered: bool
    failures: int
    message: Message


def browse(
    queue: Queue, start: int, count: int, wanted: MessageFilter = EVERYTHING, *, scanned_max: int = SCANNED_MAX
) -> tuple[list[Browsed], int]:
    """Up to `count` messages from position `start` on that `wanted` matches, and the position to go on from.

    At most `scanned_max` messages are looked at; the queue has been seen to its end when the position to go on from is
    not below its `ready_count`.  Raises ValueError for a negative start or count.
    """
    if start < 0 or count < 0:
        raise ValueError("positions and counts are not negative")
    queue.catch_up()
    found: list[Browsed] = []
    position = start
    for message in queue.browse(start, scanned_max if count else 0):
        if wanted.matches(message):
            found.append(Browsed(position, queue.was_delivered(message), queue.failures(message), message))
        position += 1
        if len(found) == count:
            break
    return found, position


def _agree(wanted: Mapping[str, str], values: Mapping[str, object]) -> bool:
    return all(name in values and _text(values[name]) == text for name, text in wanted.items())


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
