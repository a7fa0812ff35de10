"""Who gets the next message, for a queue whose consumers don't simply take turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.consumer import Consumer


class Chooser(Protocol):
    """One queue's; consumers that have priorities come before what it says."""

    def choose(self, message: Message, consumers: Sequence[Consumer], following: Consumer) -> Consumer:
        """One of `consumers`, all that there are; `following` can take the message, and is the next in turn.

        When it chooses one that can't (`parked`), the message waits for that one, and all behind it do, too.
        """
