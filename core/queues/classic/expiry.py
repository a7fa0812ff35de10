"""Time limits of a queue: when its messages expire, and when the queue itself does (spec A.7).

A message expires by the queue's TTL or its own, whichever is earlier.  Only heads are looked at, at the end of a batch,
and one deadline stands for the head that is due next.  `expecting` is True while the queue may hold a message with an
expiration of its own; after a restart it may, until all have gone.

A queue expires that had no consumer, no poll and no redeclaration for as long as its `expires_ms` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.queues.backlog import size_of
from warren.core.queues.deaths import EXPIRED

if TYPE_CHECKING:
    from warren.core.deadlines import Deadline
    from warren.core.messages.message import Message
    from warren.core.queues.classic.queue import ClassicQueue


class MessageExpiry:
    """When the messages of one queue expire.  ttl_ms: the queue's, in milliseconds; None for none."""

    __slots__ = ("_at_ms", "_deadline", "expecting", "ttl_ms")

    def __init__(self) -> None:
        self.ttl_ms: int | None = None
        self.expecting = False
        self._deadline: Deadline | None = None
        self._at_ms = 0

    @property
    def applies(self) -> bool:
        """True when a message of the queue may expire."""
        return self.ttl_ms is not None or self.expecting

    def deadline_of(self, message: Message) -> int | None:
        """When a message expires, in milliseconds of the broker's time; None for never."""
        ttl_ms = self.ttl_ms
        own = message.properties.expiration
        if own is not None:
            own_ms = int(own)
            ttl_ms = own_ms if ttl_ms is None else min(ttl_ms, own_ms)
        return None if ttl_ms is None else message.published_at_ms + ttl_ms

    def expire_heads(self, queue: ClassicQueue) -> bool:
        """Bury the heads of `queue` that are due, and wait for the next one; True when that is due (burials.py)."""
        burials = queue.burials
        now_ms = queue.vhost.broker.now_ms
        next_ms: int | None = None
        for backlog in queue.backlogs:
            message = burials.head(queue, backlog)
            while message is not None:
                deadline_ms = self.deadline_of(message)
                if deadline_ms is None:
                    break
                if deadline_ms > now_ms:
                    next_ms = deadline_ms if next_ms is None else min(next_ms, deadline_ms)
                    break
                if not burials.may(queue):
                    self._wait_until(None, queue)
                    return True
                size = size_of(backlog.pop_first())
                queue.ready_bytes -= size
                queue.counts.remove(1, size)
                queue.bury(message, EXPIRED)
                message = burials.head(queue, backlog)
        self._wait_until(next_ms, queue)
        if next_ms is None and not queue.ready_count:
            self.expecting = False
            queue.govern()
        return False

    def stop(self) -> None:
        """The queue is gone."""
        if self._deadline is not None:
            self._deadline.cancel()

    def _wait_until(self, at_ms: int | None, queue: ClassicQueue) -> None:
        """Have the queue drained at that time, or not at all."""
        if self._deadline is not None and self._deadline.is_pending:
            if at_ms == self._at_ms:
                return
            self._deadline.cancel()
        self._deadline = None
        if at_ms is not None:
            self._at_ms = at_ms
            self._deadline = queue.vhost.broker.deadlines.schedule(at_ms, lambda now_ms: queue.mark_dirty())


class Disuse:
    """How long nobody has used a queue, and its end for that.  used_at_ms: when somebody did, in the broker's time."""

    __slots__ = ("_deadline", "_stopped", "used_at_ms")

    def __init__(self, now_ms: int) -> None:
        self.used_at_ms = now_ms
        self._deadline: Deadline | None = None
        self._stopped = False

    def watch(self, queue: ClassicQueue) -> None:
        """The queue's rules or consumers have changed: wait for its end by disuse, if there is one to wait for."""
        expires_ms = queue.rules.expires_ms
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if expires_ms is not None and not queue.consumers and not self._stopped:
            self._deadline = queue.vhost.broker.deadlines.schedule(
                self.used_at_ms + expires_ms, lambda now_ms: self._check(queue, now_ms)
            )

    def stop(self) -> None:
        """The queue is gone."""
        self._stopped = True
        if self._deadline is not None:
            self._deadline.cancel()

    def _check(self, queue: ClassicQueue, now_ms: int) -> None:
        expires_ms = queue.rules.expires_ms
        if queue.consumers or expires_ms is None or self._stopped:
            return
        if self.used_at_ms + expires_ms <= now_ms:
            queue.vhost.broker.expire_queue(queue)
            if queue.vhost.broker.agreements is not None and not self._stopped:
                # Its cluster is asked first; if that comes to nothing, there is another time.
                self.used_at_ms = now_ms
                self.watch(queue)
        else:
            self.watch(queue)
