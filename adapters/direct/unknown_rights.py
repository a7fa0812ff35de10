"""Publishes of a direct client that wait for its user's rights, where another authentication back-end knows these.

A program that publishes without waiting can't do the command again, as sessions with bytes do.  So the first message
whose rights have to be asked for waits here, and all that are published after it, in order; when the answer is there
they go on.  What refuses one then is its confirmation's error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from warren.adapters.direct.errors import DirectError
from warren.core.access.answers import Unanswered
from warren.core.errors import BrokerError

if TYPE_CHECKING:
    from warren.adapters.direct.confirmation import Confirmation
    from warren.core.access.answers import Awaited


class UnknownRights:
    """Of one session; see the head of this file."""

    __slots__ = ("_asked", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[], None], Confirmation]] = deque()
        self._asked: list[Awaited] = []

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def publish(self, publish: Callable[[], None], confirmation: Confirmation) -> None:
        """Call `publish`, now or when it is its turn and its rights are known; raises what it raises now."""
        if not self._waiting:
            try:
                publish()
            except Unanswered as unanswered:
                self._waiting.append((publish, confirmation))
                self._wait_for(unanswered)
            return
        self._waiting.append((publish, confirmation))

    def require_none(self) -> None:
        """Unanswered while any wait: whoever can do the command again comes behind them."""
        if self._waiting:
            raise Unanswered(self._asked[-1])

    def close(self) -> list[Confirmation]:
        """Publish none of them; whose confirmations are to be settled."""
        left = [confirmation for _, confirmation in self._waiting]
        self._waiting.clear()
        self._release()
        return left

    def _wait_for(self, unanswered: Unanswered) -> None:
        self._asked.append(unanswered.asked)
        unanswered.pin(self._go_on)

    def _go_on(self) -> None:
        """An answer has come: publish what waits, until another one is missing."""
        waiting = self._waiting
        while waiting:
            publish, confirmation = waiting[0]
            try:
                publish()
            except Unanswered as unanswered:
                self._wait_for(unanswered)
                return
            except (BrokerError, DirectError) as error:
                confirmation.settle(error)
            waiting.popleft()
        self._release()

    def _release(self) -> None:
        asked, self._asked = self._asked, []
        for each in asked:
            each.release()
