"""What becomes of one publish, for a program that wants to know: confirmed, or an error that says why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.adapters.direct.errors import DirectError
    from warren.core.errors import BrokerError


class Confirmation:
    """One publish's; settled once, by the session.

    done: it is known what became of the message.  error: why it isn't confirmed, None when it is (or isn't known yet).
    """

    __slots__ = ("done", "error")

    def __init__(self) -> None:
        self.done = False
        self.error: DirectError | BrokerError | None = None

    def settle(self, error: DirectError | BrokerError | None) -> None:
        """It is known now; a second call changes nothing."""
        if not self.done:
            self.done = True
            self.error = error
            self.settled()

    def settled(self) -> None:
        """Called once, within the broker's turn; a subclass wakes whoever waits."""
