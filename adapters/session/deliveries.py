"""What a session, or a channel of it, was given and has not settled: by delivery tag, in the order of delivery.

Tags count from 1.  Consumers' `deliver`, which runs once per message, counts `delivery_tag` up and puts its delivery
into `unacked` by itself; everything else goes through here.  The watch of the acknowledgement timeout
(core.queues.ack_timeout) looks at the same three: this is the AckHolder of a session.

Settling a delivery tells its queue what has become of the message, then gives the consumer its credit back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from warren.core.queues.unacked import Delivery, Unacked, requeue_all, take

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.queues.consumer import Consumer

Verdict = Literal["ack", "discard", "requeue", "return", "untouched"]
"""What becomes of a message: it is done with; or it is dropped, and dead-lettered; or it goes back to its queue because
its delivery failed (`requeue`), or maybe (`return`), or not at all (`untouched`).  Whether a return counts towards a
delivery limit, the configuration says; a failure does, what is untouched doesn't."""


class Deliveries:
    """Of one session, or of one of its channels.

    on_timeout: called with a consumer that has kept a delivery for too long, and the timeout in milliseconds.
    delivery_notes: see core.queues.ack_timeout.
    """

    __slots__ = ("_expired", "_on_timeout", "_otherwise", "delivery_notes", "delivery_tag", "unacked")

    def __init__(self, on_timeout: Callable[[Consumer, int], None]) -> None:
        self.unacked: Unacked = {}
        self.delivery_tag = 0
        self.delivery_notes: list[tuple[int, int]] = []
        self._expired: set[int] = set()
        self._otherwise = 0
        self._on_timeout = on_timeout

    def unacknowledged(self) -> int:
        """How many aren't settled, or were settled otherwise: all but those that were acknowledged."""
        return len(self.unacked) + self._otherwise

    def polled(self, queue: Queue, message: Message, *, no_ack: bool) -> int:
        """A message was given that no consumer asked for; its delivery tag."""
        self.delivery_tag += 1
        if not no_ack:
            self.unacked[self.delivery_tag] = (queue, message, None)
        return self.delivery_tag

    def acknowledge(self, tag: int) -> bool:
        """The usual acknowledgement, of one delivery; False when there is none such, which is left as it was."""
        delivery = self.unacked.pop(tag, None)
        if delivery is None:
            return False
        queue, message, consumer = delivery
        queue.acknowledge(message)
        if consumer is not None:
            consumer.acknowledged()
        return True

    def take(self, tag: int, *, multiple: bool) -> dict[int, Delivery]:
        """The deliveries that the client settles: one, or all up to `tag` (0: all there are); they are gone from here.

        Those that have timed out are no error, and no delivery either.  Raises PreconditionFailed (406) for a tag that
        is not outstanding.
        """
        if tag in self._expired:
            if not multiple:
                self._expired.discard(tag)
                return {}
            tag = max((each for each in self.unacked if each <= tag), default=0)
            if not tag:
                return {}
        return take(self.unacked, tag, multiple=multiple)

    def expire(self, consumer: Consumer) -> dict[int, Delivery]:
        """Take all that `consumer` has; the client may still settle it, which means nothing any more."""
        found = {tag: delivery for tag, delivery in self.unacked.items() if delivery[2] is consumer}
        for tag in found:
            del self.unacked[tag]
        self._expired.update(found)
        return found

    def put_back(self, taken: Iterable[Mapping[int, Delivery]]) -> None:
        """What was taken is unacknowledged again, in its old place."""
        restored = dict(self.unacked)
        for deliveries in taken:
            restored.update(deliveries)
        self.unacked.clear()
        self.unacked.update(sorted(restored.items()))

    def settle(self, taken: Mapping[int, Delivery], verdict: Verdict) -> None:
        """What was taken is settled so: tell the queues, then give the consumers their credit back."""
        if verdict != "ack":
            self._otherwise += len(taken)
        if verdict in ("requeue", "return", "untouched"):
            returned: dict[int, tuple[Queue, list[Message]]] = {}
            for queue, message, _ in taken.values():
                returned.setdefault(id(queue), (queue, []))[1].append(message)
            for queue, messages in returned.values():
                counts = verdict == "requeue" or (verdict == "return" and queue.vhost.broker.counts_returns)
                queue.requeue(messages, failed=counts)
        elif verdict == "ack":
            for queue, message, _ in taken.values():
                queue.acknowledge(message)
        else:
            for queue, message, _ in taken.values():
                queue.discard(message)
        for _, _, consumer in taken.values():
            if consumer is not None:
                consumer.acknowledged()

    def recover(self) -> None:
        """Everything returns to its queue, and its consumers have their credit back."""
        self._otherwise += len(self.unacked)
        consumers = [consumer for _, _, consumer in self.unacked.values() if consumer is not None]
        requeue_all(self.unacked)
        for consumer in consumers:
            consumer.acknowledged()

    def give_back(self) -> None:
        """The session ends: everything returns to its queue."""
        self._otherwise += len(self.unacked)
        requeue_all(self.unacked)

    def acknowledgement_timed_out(self, consumer: Consumer, timeout_ms: int) -> None:
        """The watch says that `consumer` has kept a delivery for `timeout_ms`: have the session act on it."""
        self._on_timeout(consumer, timeout_ms)
