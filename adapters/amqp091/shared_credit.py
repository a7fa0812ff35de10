"""The credit that all consumers of a channel share: basic.qos with global (spec A.7).

A delivery to any of them uses it up, settling it gives it back.  When it is used up, no consumer of the channel can
take anything, and they go on in turns when there is some again (adapters.session.shared_turns).  Much credit at once is
divided: whoever has had a share of it, one after the other, gives way to the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.session.shared_turns import FREE_MAX, SharedTurns
from warren.core.queues.consumer import UNLIMITED_CREDIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.adapters.amqp091.consumer import AmqpConsumer


class SharedCredit:
    """Of one channel.  limit: how many deliveries may be unsettled, 0 for any number; outstanding: how many are.

    consumers: the channel's, as they come and go.
    """

    __slots__ = ("_consumers", "_in_a_row", "_latest", "_turns", "limit", "outstanding")

    def __init__(self, consumers: dict[str, AmqpConsumer]) -> None:
        self._consumers = consumers
        self.limit = 0
        self.outstanding = 0
        self._latest: AmqpConsumer | None = None
        self._in_a_row: int = 0
        self._turns: SharedTurns[AmqpConsumer] | None = None

    @property
    def is_left(self) -> bool:
        """False when all of it is used up."""
        return not self.limit or self.outstanding < self.limit

    def set_limit(self, limit: int, outstanding: int) -> None:
        """Another limit; `outstanding` deliveries count towards it already."""
        self.limit = limit
        self.outstanding = outstanding
        if not self.is_left:
            self._shared().starve(None)
        elif self._turns is not None:
            self._turns.go_on()

    def use(self, consumer: AmqpConsumer) -> bool:
        """A delivery to `consumer`, while there is a limit; False when that was the last for now, or for its turn."""
        self.outstanding += 1
        if self.outstanding >= self.limit:
            self._latest = None
            self._shared().starve(consumer)
            return False
        if consumer is not self._latest:
            self._latest = consumer
            self._in_a_row = 0
        self._in_a_row += 1
        if self._in_a_row * len(self._consumers) < self.limit:
            return True
        self._in_a_row = 0
        return not self._shared().give_way(consumer)

    def give_back(self) -> bool:
        """A delivery was settled, while there is a limit; True when what is left is handed out as the batch ends.

        Whoever could go on waits for that, too: others may have waited longer.
        """
        self.outstanding -= 1
        turns = self._turns
        if turns is None:
            return False
        if turns.are_waiting and self.outstanding < self.limit:
            turns.go_on()
        return turns.is_due

    def may_go(self, consumer: AmqpConsumer) -> bool:
        """A parked consumer has credit again: True if it is to be available (adapters.session.shared_turns)."""
        turns = self._turns
        if turns is None:
            if not self.limit or len(self._consumers) < FREE_MAX:
                return True
            turns = self._shared()
        return turns.may_go(consumer)

    @property
    def takes_turns_to_limit(self) -> bool:
        """Whether so many consumers are there without a limit that a limit is to wait until `thin_out` is done."""
        return not self.limit and self._turns is None and len(self._consumers) > FREE_MAX

    def thin_out(self) -> Iterator[None]:
        """Have no more consumers available than are parked in a moment, when the limit is reached; in slices."""
        while self._shared().thin_out():
            yield

    def wait(self, consumer: AmqpConsumer) -> None:
        """`consumer` has been parked for lack of it."""
        self._shared().wait(consumer)

    def forget(self, consumer: AmqpConsumer) -> None:
        """The consumer is gone."""
        if self._turns is not None:
            self._turns.forget(consumer)
        if self._latest is consumer:
            self._latest = None

    def clear(self) -> None:
        """The channel ends."""
        self._latest = self._turns = None

    @property
    def waiting_tags(self) -> list[str]:
        """Of the consumers that wait for some of it."""
        return [consumer.tag for consumer in self._turns.waiting] if self._turns is not None else []

    def _shared(self) -> SharedTurns[AmqpConsumer]:
        if self._turns is None:
            self._turns = SharedTurns(self._consumers, self._left)
        return self._turns

    def _left(self) -> int:
        return self.limit - self.outstanding if self.limit else UNLIMITED_CREDIT
