"""Looking at the messages of a queue that another node of the cluster has: it is asked for some at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from warren.core.errors import BrokerError
from warren.core.queues.browse import Browsed

if TYPE_CHECKING:
    from warren.core.cluster.far_queue import Arrival
    from warren.core.cluster.remote_queue import RemoteQueue
    from warren.core.queues.answer import Answer
    from warren.core.queues.base import Queue
    from warren.core.queues.browse import MessageFilter

AT_ONCE: Final = 200
"""Messages that are asked for at once; fewer come where their bodies are large."""

FAILURES: Final = "x-delivery-count"
"""The header in which the other node says how often a delivery has failed."""


class FarMessages:
    """One look at up to `count` ready messages from `position` on that `wanted` matches.

    bytes_max: of bodies, at which it ends early.  answer: called with `found` once it is complete, or with what has
    kept the other node from answering.  Then `position` is where to go on.
    """

    def __init__(
        self,
        queue: Queue,
        position: int,
        count: int,
        wanted: MessageFilter,
        bytes_max: int,
        answer: Answer[FarMessages],
    ) -> None:
        self.queue = cast("RemoteQueue", queue)
        self.position = position
        self.found: list[Browsed] = []
        self._count = count
        self._wanted = wanted
        self._bytes_left = bytes_max
        self._answer = answer

    def begin(self) -> None:
        """Ask how many there are, and then for the messages."""
        self.queue.look(self._known)

    def _known(self, known: BrokerError | None) -> None:
        if isinstance(known, BrokerError):
            self._answer(known)
        else:
            self._ask()

    def _ask(self) -> None:
        if len(self.found) >= self._count or self._bytes_left <= 0:
            self._answer(self)
        else:
            self.queue.browse_far(self.position, AT_ONCE, self._came)

    def _came(self, arrivals: list[Arrival] | BrokerError) -> None:
        if isinstance(arrivals, BrokerError):
            self._answer(arrivals)
            return
        if not arrivals:
            self._answer(self)
            return
        for each in arrivals:
            if len(self.found) >= self._count or self._bytes_left <= 0:
                break
            self.position = each.tag + 1
            message = each.message
            if self._wanted.matches(message):
                failures = (message.properties.headers or {}).get(FAILURES, 0)
                times = failures if isinstance(failures, int) else 0
                self.found.append(Browsed(each.tag, each.redelivered, times, message))
                self._bytes_left -= message.body_size
        self._ask()
