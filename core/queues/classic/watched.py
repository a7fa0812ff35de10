"""A queue that somebody looks at: each message that it takes is shown (core.administration.tails).

Being asked about each message is what bounds are for, so the bounds of a queue are exchanged while somebody looks.  So
they are while a queue refuses everything, which tests of publishers ask for (testing).
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
    """watchers: who is shown what comes in.  refuses: nothing comes in, whatever room there is."""

    __slots__ = ("refuses", "watchers")

    watched: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.watchers: list[Watcher] = []
        self.refuses = False

    def admit(self, queue: ClassicQueue, message: Message) -> Admission:
        """As Bounds.admit; what is taken is shown."""
        if self.refuses:
            return Admission.REFUSE
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
    _watched(queue).watchers.append(watcher)


def unwatch(queue: ClassicQueue, watcher: Watcher) -> None:
    """Undo `watch`."""
    bounds = queue.bounds
    if isinstance(bounds, WatchedBounds) and watcher in bounds.watchers:
        bounds.watchers.remove(watcher)
        _unwatched(queue, bounds)


def refuse(queue: ClassicQueue, refuses: bool) -> None:
    """Refuse whatever is published to the queue, or take it again; the caller makes remembered routes void."""
    bounds = queue.bounds
    if refuses:
        _watched(queue).refuses = True
    elif isinstance(bounds, WatchedBounds):
        bounds.refuses = False
        _unwatched(queue, bounds)


def _watched(queue: ClassicQueue) -> WatchedBounds:
    bounds = queue.bounds
    if isinstance(bounds, WatchedBounds):
        return bounds
    watched = WatchedBounds()
    watched.become(bounds)
    queue.bounds = watched
    return watched


def _unwatched(queue: ClassicQueue, bounds: WatchedBounds) -> None:
    """Have bounds of the usual kind again, once nobody needs others."""
    if not bounds.watchers and not bounds.refuses:
        plain = Bounds()
        plain.become(bounds)
        queue.bounds = plain
