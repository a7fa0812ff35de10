"""A type of queue that answers everything late: publishes, gets, purges, deletes and declarations.

It keeps its messages in memory and stores through the engine, and isn't derived from any other type.  How late it is,
in milliseconds of virtual time, is its argument `x-late-by`.  A held one answers nothing until it is told to.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import attrgetter

from warren.core.clients.client import Client
from warren.core.errors import PreconditionFailed
from warren.core.messages.message import Message
from warren.core.queues import registry
from warren.core.queues.answer import Answer, Polled, ignore
from warren.core.queues.argument import Argument, number, read_arguments
from warren.core.queues.base import Queue, Stored
from warren.core.queues.consumer import Consumer
from warren.core.routing.receipt import Receipt

LATE_BY_MS = 20
"""How late it is unless told otherwise."""

_by_sequence = attrgetter("sequence")


class LateQueue(Queue):
    """See the head of this file.

    ready: what waits for a consumer, in order.  undecided: publishes that it hasn't answered.  refuses, fails: what is
    asked from now on is refused, or answered by an error.  held: what it will answer once `answer_held` is called; None
    while it isn't held.
    """

    type_name = "late"
    answers_late = True
    known_arguments = (Argument("x-late-by", number(0)),)
    columns = {"undecided": lambda queue: queue.undecided}  # noqa: RUF012  # a ClassVar of the base

    def prepare(self) -> None:
        late_by_ms = read_arguments(self.description, self.known_arguments, self.arguments)["x-late-by"]
        self.late_by_ms = late_by_ms if isinstance(late_by_ms, int) else LATE_BY_MS
        self.ready: list[Message] = []
        self.undecided = 0
        self.refuses = False
        self.fails = False
        self.closed = False
        self.held: list[Callable[[], None]] | None = None
        self._delivered: set[int] = set()
        self._redelivered_until = 0

    def hold(self) -> None:
        """Answer nothing of what is asked from now on, however long it takes."""
        self.held = []

    def answer_held(self) -> None:
        """Answer what was held back, and all that is asked from now on, as late as `x-late-by` says."""
        held, self.held = self.held or [], None
        for call in held:
            self._later(call)

    def _later(self, call: Callable[[], None]) -> None:
        if self.held is not None:
            self.held.append(call)
            return
        broker = self.vhost.broker
        broker.deadlines.schedule(broker.now_ms + self.late_by_ms, lambda now_ms: call())

    def _answer_later(self, answer: Answer, value: Callable[[], object]) -> None:  # type: ignore[type-arg]
        def call() -> None:
            answer(PreconditionFailed(f"{self.description} fails") if self.fails else value())

        self._later(call)

    def when_ready(self, answer: Answer[None]) -> None:
        self._answer_later(answer, lambda: None)

    # In

    @property
    def ready_count(self) -> int:
        return len(self.ready)

    def append_with(self, message: Message, receipt: Receipt) -> None:
        receipt.expect()
        self.undecided += 1

        def decide() -> None:
            self.undecided -= 1
            taken = not (self.refuses or self.closed)
            if taken:
                self.append(message)
            else:
                self._settle(message)
            receipt.answer(taken=taken)

        self._later(decide)

    def append(self, message: Message) -> None:
        insort(self.ready, message, key=_by_sequence)
        self.mark_dirty()

    # Out

    def drain(self) -> None:
        while self.ready and (consumer := next((each for each in self.consumers if not each.parked), None)):
            message = self.ready.pop(0)
            more = consumer.deliver(message, self.was_delivered(message))
            if consumer.no_ack:
                self._settle(message)
            else:
                self.unacked_count += 1
            consumer.parked = not more
            self.consumers.remove(consumer)
            self.consumers.append(consumer)

    def get(
        self, answer: Answer[Polled], *, no_ack: bool, client: Client | None = None, channel_number: int = 0
    ) -> None:
        def take() -> Polled:
            if not self.ready:
                return None
            message = self.ready.pop(0)
            redelivered = self.was_delivered(message)
            if no_ack:
                self._settle(message)
            else:
                self.unacked_count += 1
            return message, redelivered

        self._answer_later(answer, take)

    def browse(self, start: int, count: int) -> Iterator[Message]:
        return iter(self.ready[start : start + count])

    def was_delivered(self, message: Message) -> bool:
        return message.sequence in self._delivered or message.sequence <= self._redelivered_until

    # Settling

    def acknowledge(self, message: Message) -> None:
        self.unacked_count -= 1
        self._settle(message)

    def discard(self, message: Message) -> None:
        self.acknowledge(message)

    def requeue(self, messages: Iterable[Message], *, failed: bool = True) -> None:
        for message in messages:
            self.unacked_count -= 1
            self._delivered.add(message.sequence)
            if self.closed:
                self._settle(message)
            else:
                self.append(message)

    def _settle(self, message: Message) -> None:
        self._delivered.discard(message.sequence)
        if self.store_id and message.properties.persistent:
            self.vhost.broker.store.settle(self.store_id, message)

    def purge(self, answer: Answer[int]) -> None:
        self._answer_later(answer, self._drop)

    def _drop(self) -> int:
        dropped, self.ready = self.ready, []
        for message in dropped:
            self._settle(message)
        return len(dropped)

    def close(self, answer: Answer[int] = ignore) -> None:
        self.closed = True
        count = self._drop()
        if self.store_id:
            self.vhost.broker.store.forget_queue(self.store_id)
        self._answer_later(answer, lambda: count)

    # Consumers

    def add_consumer(self, consumer: Consumer) -> None:
        registry.check_consumer_arguments(self, consumer.arguments)
        self.consumers.append(consumer)
        consumer.parked = True
        consumer.resume()

    def remove_consumer(self, consumer: Consumer) -> None:
        consumer.active = False
        self.consumers.remove(consumer)

    def park(self, consumer: Consumer) -> None:
        consumer.parked = True

    def resume(self, consumer: Consumer) -> None:
        consumer.parked = False
        self.mark_dirty()

    # Restart

    def restore(self, stored: Stored) -> None:
        self._redelivered_until = stored.redelivered_until
        messages = self.vhost.broker.store.read(stored.positions)
        for position, message in zip(stored.positions, messages, strict=True):
            if message is not None:
                message.sequence = position
                self.append(message)

    def delivered_position(self) -> int:
        return max((message.position for message in self.ready if self.was_delivered(message)), default=0)


@contextmanager
def late_queues() -> Iterator[None]:
    """The type is there, as if a plugin that has it were enabled."""
    registry.register(LateQueue)
    try:
        yield
    finally:
        registry.unregister(LateQueue)
