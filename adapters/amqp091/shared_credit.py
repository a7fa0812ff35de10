"""The credit that all consumers of a channel share: basic.qos with global (spec A.7).

A delivery to any of them uses it up, settling it gives it back.  When it is used up, no consumer of the channel can
take anything, so all of them are parked here, and go on when there is some again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.adapters.amqp091.consumer import AmqpConsumer


class SharedCredit:
    """Of one channel.  limit: how many deliveries may be unsettled, 0 for any number; outstanding: how many are.

    consumers: the channel's, as they come and go.
    """

    __slots__ = ("_consumers", "limit", "outstanding", "starved")

    def __init__(self, consumers: dict[str, AmqpConsumer]) -> None:
        self._consumers = consumers
        self.limit = 0
        self.outstanding = 0
        self.starved: list[AmqpConsumer] = []

    @property
    def is_left(self) -> bool:
        """False when all of it is used up."""
        return not self.limit or self.outstanding < self.limit

    def set_limit(self, limit: int, outstanding: int) -> None:
        """Another limit; `outstanding` deliveries count towards it already."""
        self.limit = limit
        self.outstanding = outstanding
        if self.is_left:
            self._go_on()
        else:
            self._starve(None)

    def use(self, consumer: AmqpConsumer) -> bool:
        """A delivery to `consumer`, while there is a limit; False when that was the last for now."""
        self.outstanding += 1
        if self.outstanding < self.limit:
            return True
        self._starve(consumer)
        return False

    def give_back(self) -> None:
        """A delivery was settled, while there is a limit."""
        self.outstanding -= 1
        if self.starved:
            self._go_on()

    def wait(self, consumer: AmqpConsumer) -> None:
        """`consumer` has been parked for lack of it."""
        if consumer not in self.starved:
            self.starved.append(consumer)

    def forget(self, consumer: AmqpConsumer) -> None:
        """The consumer is gone."""
        if consumer in self.starved:
            self.starved.remove(consumer)

    def clear(self) -> None:
        """The channel ends."""
        self.starved = []

    def _go_on(self) -> None:
        starved: Iterable[AmqpConsumer] = self.starved
        self.starved = []
        for consumer in starved:
            consumer.resume()

    def _starve(self, latest: AmqpConsumer | None) -> None:
        if latest is not None:
            self.starved.append(latest)
        for consumer in self._consumers.values():
            if consumer is not latest and not consumer.parked:
                consumer.queue.park(consumer)
                self.starved.append(consumer)
