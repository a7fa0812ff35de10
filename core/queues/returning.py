"""What comes back to a queue in so large a number that one turn is too short for it: part by part.

Who gives it back asks the queue for a `LongReturn`, gives that a part per turn, and says when that was all.  Each part
is the queue's from then on: it counts as ready, and is gone with the queue.  But consumers see the whole of it at once,
when its end has come, in the old places; so nobody is given the newer half of a window because the older one is still
under way.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue

RETURNED_PER_SLICE: Final = 2000
"""Messages that come back in one turn, about a microsecond each."""


class LongReturn:
    """To one queue; made by `Queue.begin_return`."""

    @abstractmethod
    def take(self, messages: list[Message], *, failed: bool) -> None:
        """A part comes back, as by `Queue.requeue`.  Parts may come in any order."""

    def finish_some(self) -> bool:
        """All parts have come: a slice of what is to be done before the end; False when nothing is left of it."""
        return False

    @abstractmethod
    def end(self) -> None:
        """That was all."""


class PartByPart(LongReturn):
    """For types of queues that have no other way: each part is there at once, as if it were all.

    requeue: the queue's.
    """

    __slots__ = ("_queue",)

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def take(self, messages: list[Message], *, failed: bool) -> None:
        self._queue.requeue(messages, failed=failed)

    def end(self) -> None:
        """Nothing is left to do."""


def give_back(parts: Iterable[Iterable[tuple[Queue, Message]]], has_failed: Callable[[Queue], bool]) -> Iterator[None]:
    """Give messages back to the queues that they are unacknowledged in, a part in each slice.

    parts: of up to `RETURNED_PER_SLICE` messages.  has_failed: whether a return to this queue is a failed delivery.
    """
    returns: dict[int, tuple[LongReturn, Queue]] = {}
    try:
        for part in parts:
            by_queue: dict[int, list[Message]] = {}
            for queue, message in part:
                if id(queue) not in returns:
                    returns[id(queue)] = (queue.begin_return(), queue)
                by_queue.setdefault(id(queue), []).append(message)
            for number, messages in by_queue.items():
                to_queue, queue = returns[number]
                to_queue.take(messages, failed=has_failed(queue))
            yield
        for to_queue, _ in returns.values():
            while to_queue.finish_some():
                yield
    finally:
        for to_queue, _ in returns.values():
            to_queue.end()
