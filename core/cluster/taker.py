"""A consumer of a queue of another node: what was granted to it there, and what has come for it and waits here.

The other node gives as much as was granted.  What is granted is what the consumer could take at once, less what is on
its way already, and never more than a window, which is smaller for larger messages: what has come and can't be taken
after all (another consumer has used up a credit that they share) waits in memory.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.consumer import Consumer

WINDOW_MAX: Final = 4096
"""Messages on their way to a consumer that takes any number: some 10 ms of what a link carries."""

WINDOW_LEAST: Final = 4
"""The same of the largest messages: one more is on its way while one is taken."""

WINDOW_BYTES: Final = 4 * 1024 * 1024
"""What the bodies of a window come to, by what has come before."""

MEAN_SHIFT: Final = 3
"""How much a single arrival says of the size of what will come: an eighth."""


class Taker:
    """One such consumer.

    tag: its name on the link.  ready: what has come and waits, in order; again: so many of it were delivered before.
    granted: what may still come.  opened: the other node knows of it.  withdrawn: it wants nothing for now.
    """

    __slots__ = ("_mean_bytes", "again", "consumer", "granted", "opened", "ready", "tag", "withdrawn")

    def __init__(self, tag: str, consumer: Consumer) -> None:
        self.tag = tag
        self.consumer = consumer
        self.ready: deque[Message | int] = deque()
        self.again = 0
        self.granted = 0
        self.opened = False
        self.withdrawn = False
        self._mean_bytes = 0

    def forget(self) -> None:
        """The way there is lost, and what was on it with it."""
        self.ready.clear()
        self.again = 0
        self.granted = 0
        self.opened = False

    def arrived(self, count: int, size_bytes: int) -> None:
        """So many messages have come, with bodies of so many bytes together."""
        self.granted = max(self.granted - count, 0)
        self._mean_bytes += ((size_bytes // count) - self._mean_bytes) >> MEAN_SHIFT

    @property
    def window(self) -> int:
        """What may be on its way at most."""
        return min(WINDOW_MAX, max(WINDOW_LEAST, WINDOW_BYTES // (self._mean_bytes + 1)))

    def to_grant(self) -> int:
        """How much more to grant now; 0 while what was granted lasts."""
        if not self.opened or self.withdrawn:
            return 0
        window = self.window
        spare = min(self.consumer.spare_credit, window)
        under_way = self.granted + len(self.ready)
        wanted = spare - under_way
        # A window that is wide is filled up in large steps, since each grant is a frame.
        return wanted if wanted > 0 and (under_way <= spare >> 1 or spare < window >> 3) else 0
