"""Whose turn it is of two classes of messages: two that are urgent, then an ordinary one, if there are both.

So an urgent message is served soon, and ordinary ones don't starve behind a stream of them.  These are the priorities
of quorum queues as RabbitMQ 4.0 has them: 5 and above is urgent, the rest (and none) ordinary, and each class is first
in, first out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.queues.backlog import Backlog

URGENT_FROM: Final = 5
"""The lowest priority that is urgent."""

URGENT_IN_A_ROW: Final = 2
"""RabbitMQ's weight of urgent messages against one ordinary."""


class TurnsOfClasses:
    """Of one queue, whose backlogs are those of the urgent and the ordinary, in this order."""

    __slots__ = ("_served",)

    def __init__(self) -> None:
        self._served = 0

    def in_order(self, backlogs: Sequence[Backlog]) -> Sequence[Backlog]:
        """The backlogs in the order in which one looks for the next message."""
        return backlogs if self._served < URGENT_IN_A_ROW else backlogs[::-1]

    def served(self) -> None:
        """A message was given out."""
        self._served = (self._served + 1) % (URGENT_IN_A_ROW + 1)
