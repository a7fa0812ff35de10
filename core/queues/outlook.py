"""What a queue would do with a message, told beforehand: whether it takes it, and where it may go from there.

Nothing changes by asking.  A message that is published later may find the queue otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from warren.core.queues.base import Admission

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue


@dataclass(frozen=True, slots=True)
class DeadLetterWay:
    """Where a message would go that dies in the queue.

    reasons: what it may die of, as x-death has it.  routing_key: None for the message's own, and those of CC and BCC.
    """

    exchange: str
    routing_key: str | None
    reasons: tuple[str, ...]


@dataclass(slots=True)
class Outlook:
    """What would become of a message.  notes: sentences about that.  dead_letters: None where what dies is dropped."""

    admission: Admission = Admission.TAKE
    notes: list[str] = field(default_factory=list)
    dead_letters: DeadLetterWay | None = None


def outlook_in_general(queue: Queue, message: Message) -> Outlook:
    """What any type says."""
    found = Outlook()
    if queue.guarded and queue.has_no_room_for(message):
        found.admission = Admission.REFUSE
        found.notes.append(f"it would refuse the message: {queue.refusal}")
    return found
