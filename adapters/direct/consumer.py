"""A direct client's consumer: a channel of its own, in AMQP's terms.

    queue --deliver--> arrived --take--> in the program's hands --settle--> settled

What was delivered and isn't settled is in `deliveries`, whether the program has taken it yet or not, and counts against
the prefetch limit: a program that takes nothing holds no more than that.  Without acknowledgements it is `arrived`
alone that the limit bounds, so such a consumer, too, can't be buried.

At its end, whatever ends it, everything unsettled goes back to its queue: what the program never saw as no failure,
what it had in hands as failed deliveries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING

from warren.adapters.direct.delivery import Delivery
from warren.adapters.direct.errors import ConsumerEnded, DirectError
from warren.adapters.session.deliveries import Deliveries, Verdict
from warren.core.counters import SessionCounts
from warren.core.declaring.queues import end_consumer
from warren.core.messages.shown import shown_properties
from warren.core.queues.consumer import Consumer

if TYPE_CHECKING:
    from warren.adapters.direct.session import DirectSession
    from warren.core.errors import AccessRefused
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue


class DirectConsumer(Consumer):
    """See the head of this file.

    prefetch: at least 1.  number: of its channel.  wake: called within the broker's turn when there is something to
    take, or no more will come.  session_counts: of the channel.  error: why it ended, None while it lasts or when the
    program cancelled it.
    """

    __slots__ = ("arrived", "credit", "deliveries", "error", "number", "session", "session_counts", "wake")

    def __init__(
        self,
        session: DirectSession,
        queue: Queue,
        tag: str,
        number: int,
        *,
        no_ack: bool,
        exclusive: bool,
        prefetch: int,
        arguments: Mapping[str, FieldValue],
        wake: Callable[[], None],
    ) -> None:
        deliveries = Deliveries(self._timed_out, session.settling)
        session_counts = session.client.counts.begin(SessionCounts(queue.vhost, deliveries.unacknowledged))
        super().__init__(
            queue,
            session.client,
            tag,
            no_ack=no_ack,
            exclusive=exclusive,
            prefetch=prefetch,
            arguments=arguments,
            counts=session_counts,
        )
        self.deliveries = deliveries
        self.session_counts = session_counts
        self.session = session
        self.number = number
        self.wake = wake
        self.credit = prefetch
        self.arrived: deque[tuple[int, Message, bool]] = deque()
        self.error: DirectError | None = None

    # For the queue

    def can_take(self) -> bool:
        return self.credit > 0

    @property
    def spare_credit(self) -> int:
        return self.credit

    def deliver(self, message: Message, redelivered: bool) -> bool:
        deliveries = self.deliveries
        deliveries.delivery_tag = tag = deliveries.delivery_tag + 1
        if not self.no_ack:
            deliveries.unacked[tag] = (self.queue, message, self)
        arrived = self.arrived
        if not arrived:
            self.wake()
        arrived.append((tag, message, redelivered))
        self.credit -= 1
        return self.credit > 0

    def deliver_alike(self, ready: deque[Message | int]) -> int:
        deliveries, queue, arrived = self.deliveries, self.queue, self.arrived
        unacked = None if self.no_ack else deliveries.unacked
        tag, credit = deliveries.delivery_tag, self.credit
        sent_bytes = 0
        while ready and credit > 1:
            message = ready[0]
            if isinstance(message, int):
                break
            ready.popleft()
            tag += 1
            credit -= 1
            if unacked is not None:
                unacked[tag] = (queue, message, self)
            arrived.append((tag, message, False))
            sent_bytes += message.body_size
        deliveries.delivery_tag = tag
        self.credit = credit
        return sent_bytes

    def cancelled(self) -> None:
        self._end(ConsumerEnded(f"{self.queue.description} was deleted"))

    def withdrawn(self, error: AccessRefused) -> None:
        self._end(ConsumerEnded(error.text))

    def session_name(self) -> str:
        return f"{self.session.name} ({self.number})"

    @property
    def channel_number(self) -> int:
        return self.number

    def acknowledged(self) -> None:
        """One of its deliveries was settled: it has more credit."""
        self.credit += 1
        if self.parked:
            self.resume()

    # For the program

    def take(self) -> Delivery:
        """The next message that has arrived; IndexError when there is none."""
        tag, message, redelivered = self.arrived.popleft()
        properties = shown_properties(self.queue, message, redelivered=redelivered)
        if self.no_ack:
            self.acknowledged()
            self.session.changed()
        return Delivery(self, tag, message, redelivered=redelivered, properties=properties)

    def settle(self, tag: int, verdict: Verdict, *, multiple: bool) -> None:
        """Settle one delivery, or all up to `tag`; nothing happens where nothing is acknowledged.

        Raises PreconditionFailed for a tag that isn't outstanding, or what ended consumer or session if that is why.
        """
        if self.no_ack:
            return
        if tag not in self.deliveries.unacked:
            self.session.require_open()
            if self.error is not None:
                raise self.error
        self.deliveries.settle_up_to(tag, verdict, multiple=multiple)
        self.session.changed()

    def sequences(self, tag: int, *, multiple: bool) -> list[int]:
        """The broker's numbers of the unsettled deliveries that `settle` would settle, in order."""
        unacked = self.deliveries.unacked
        tags = takewhile(lambda each: each <= tag, unacked) if multiple else (tag,)
        return [unacked[each][1].sequence for each in tags if each in unacked]

    def stored_at(self, tag: int) -> tuple[int, int]:
        """The position of an unsettled delivery's message in the log, 0 while it has none, and its sequence."""
        message = self.deliveries.unacked[tag][1]
        return message.position, message.sequence

    def unsettled(self) -> tuple[int, int, int | None]:
        """How many messages it holds unsettled, the bytes of their bodies, and when the first of them was published.

        Looked at one by one, for who asks now and then.
        """
        held = [delivery[1] for delivery in self.deliveries.unacked.values()]
        oldest_ms = held[0].published_at_ms if held else None
        return len(held), sum(message.body_size for message in held), oldest_ms

    def cancel(self) -> None:
        """No more deliveries; what the program hasn't taken goes back, what it has may still be settled."""
        end_consumer(self)
        self._end(None)
        self._return_arrived()

    def close(self, error: DirectError | None) -> None:
        """It is over: everything unsettled goes back.  error: why, for whoever still asks."""
        end_consumer(self)
        self._end(error)
        self._return_arrived()
        self._give_back(list(self.deliveries.unacked), "requeue")
        self.session.consumers.pop(self.tag, None)
        self.session.settling.then(partial(self.client.counts.end, self.session_counts))
        self.session.channel_closed()

    # Below

    def _timed_out(self, consumer: Consumer, timeout_ms: int) -> None:
        """What it holds goes back, as no failure, and it ends."""
        end_consumer(self)
        self._end(
            ConsumerEnded(
                f"delivery acknowledgement on {self.queue.description} timed out. Timeout value used: {timeout_ms} ms. "
                "Acknowledge sooner, or set another x-consumer-timeout"
            )
        )
        self._return_arrived()
        self._give_back(list(self.deliveries.unacked), "untouched")

    def _return_arrived(self) -> None:
        tags = [tag for tag, _, _ in self.arrived]
        self.arrived.clear()
        self._give_back(tags, "untouched")

    def _give_back(self, tags: list[int], verdict: Verdict) -> None:
        """Those of the deliveries that are unsettled go back to the queue."""
        self.deliveries.settle_these(tags, verdict)
        self.session.changed()

    def _end(self, error: DirectError | None) -> None:
        if self.error is None:
            self.error = error
        self.wake()
