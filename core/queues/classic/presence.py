"""Which values of the deduplication header are in a queue, ready or with a consumer: duplicates of those stay out.

This is queue deduplication without bounds of its own (docs/deduplication.md): a value is taken again as soon as its
message has left, for whatever reason.  A message is known by its sequence, which it keeps in this queue for as long as
it is there; after a restart the queue's messages are read once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.messages.deduplication import fingerprint
from warren.core.queues.classic import contents

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.classic.queue import ClassicQueue


class Presence:
    """Of one queue.  Its truth value says whether there is anything to forget."""

    __slots__ = ("_by_sequence", "_values")

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._by_sequence: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._by_sequence)

    def __bool__(self) -> bool:
        return len(self) > 0

    def holds(self, value: str) -> bool:
        """True when a message with this value is in the queue."""
        return value in self._values

    def enter(self, sequence: int, value: str) -> None:
        """A message with this value, which wasn't there, comes in."""
        self._values.add(value)
        self._by_sequence[sequence] = value

    def leave(self, sequence: int) -> None:
        """The message of this sequence is gone, whether it had a value or not."""
        value = self._by_sequence.pop(sequence, None)
        if value is not None:
            self._values.discard(value)

    def restore(self, queue: ClassicQueue) -> None:
        """Read what is in the queue after a restart."""
        for message in contents.browse(queue.backlogs, 0, queue.ready_count):
            value = value_of(message, queue.rules.deduplication_header)
            if value is not None and value not in self._values:
                self.enter(message.sequence, value)


def value_of(message: Message, header: str) -> str | None:
    """What a message is known by among duplicates; None for one that never is one."""
    value = (message.properties.headers or {}).get(header)
    return None if value is None else fingerprint(value)
