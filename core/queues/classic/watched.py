"""A queue that somebody looks at: each message that it takes is shown (core.administration.tails).

Being asked about each message is what bounds are for, so the bounds of a queue are exchanged while somebody looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from warren.core.queues.base import Admission
from warren.core.queues.classic.bounds import Bounds

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.classic.queue import ClassicQueue

    Watcher = Callable[[Message], None]


class WatchedBounds(Bounds):
    """watchers: who is shown what comes in."""

    __slots__ = ("watchers",)

    watched: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.watchers: list[Watcher] = []

    def admit(self, queue: ClassicQueue, message: Message) -> Admission:
        """As Bounds.admit; what is taken is shown."""
        admission = super().admit(queue, message)
        if admission is Admission.TAKE:
            for watcher in self.watchers:
                watcher(message)
        return admission

    def reserve(self, queue: ClassicQueue, message: Message) -> Admission | None:
        """Not beforehand: who looks sees messages when they come."""
        return None


def watch(queue: ClassicQueue, watcher: Watcher) -> None:
    """Show what comes in from now on."""
    bounds = queue.bounds
    if not isinstance(bounds, WatchedBounds):
        watched = WatchedBounds()
        watched.become(bounds)
        queue.bounds = bounds = watched
    bounds.watchers.append(watcher)


def unwatch(queue: ClassicQueue, watcher: Watcher) -> None:
    """Undo `watch`."""
    bounds = queue.bounds
    if isinstance(bounds, WatchedBounds) and watcher in bounds.watchers:
        bounds.watchers.remove(watcher)
        if not bounds.watchers:
            plain = Bounds()
            plain.become(bounds)
            queue.bounds = plain
