"""Whose turn it is among consumers that share one credit: a channel's global prefetch, an MQTT client's window.

When the credit is used up, all of them are parked here.  What has come back by the end of the batch goes to those that
have waited longest and have something to take, one message each; whatever they leave of it, to all the others.  So it
goes round, however the queues happen to be looked at; and a batch looks at those that wait once or twice, however many
acknowledgements are in it.

The order of turns is kept here, and whoever has used up the credit, or given way, goes to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from warren.core.queues.consumer import Consumer

Sharing = TypeVar("Sharing", bound="Consumer")


class SharedTurns(Generic[Sharing]):
    """See the head of this file.

    consumers: all that share the credit, as they come and go.  left: asks how much of it there is now.
    waiting: those that are parked for lack of it.
    """

    __slots__ = ("_consumers", "_is_asked", "_left", "_order", "waiting")

    def __init__(self, consumers: Mapping[str, Sharing], left: Callable[[], int]) -> None:
        self._consumers = consumers
        self._left = left
        self._order: dict[Sharing, None] = {}
        self.waiting: dict[Sharing, None] = {}
        self._is_asked = False

    def starve(self, latest: Sharing | None) -> None:
        """Nothing is left: nobody can take anything.  latest: who took the last, and will be parked by its queue."""
        consumers = self._consumers
        if latest is not None:
            self.waiting[latest] = None
            if len(consumers) == 1:
                if latest not in self._order:
                    self._order[latest] = None
                return
        self._take_in_new()
        if latest is not None:
            self._put_last(latest)
        for consumer in consumers.values():
            if consumer is not latest and not consumer.parked:
                consumer.queue.park(consumer)
                self.waiting[consumer] = None

    def give_way(self, consumer: Sharing) -> bool:
        """`consumer` has had its share for now; False when nobody else could take anything, so that it goes on.

        True: its queue parks it, and it goes on when the others have had their chance.
        """
        for each in self._consumers.values():
            if each is not consumer and not each.parked:
                self._put_last(consumer)
                self.waiting[consumer] = None
                self._ask_later(consumer)
                return True
        return False

    @property
    def is_due(self) -> bool:
        """Those that wait are seen to at the end of this batch."""
        return self._is_asked

    def wait(self, consumer: Sharing) -> None:
        """It has been parked for lack of credit."""
        self.waiting[consumer] = None

    def forget(self, consumer: Sharing) -> None:
        """It is gone."""
        self.waiting.pop(consumer, None)
        self._order.pop(consumer, None)

    def clear(self) -> None:
        """All are gone."""
        self.waiting.clear()
        self._order.clear()

    def go_on(self) -> None:
        """Some credit has come back."""
        waiting = self.waiting
        if len(waiting) == 1:
            ((consumer, _),) = waiting.items()
            waiting.clear()
            consumer.resume()
            return
        if waiting and not self._is_asked:
            self._ask_later(next(iter(waiting)))

    def _ask_later(self, consumer: Sharing) -> None:
        """Let those that wait go on at the end of the batch, if there is credit left."""
        if not self._is_asked:
            self._is_asked = True
            consumer.queue.vhost.broker.at_end_of_batch(self._let_some_go_on)

    def _let_some_go_on(self) -> None:
        """As many as there is credit for and who have something to take; all, if it is enough for those."""
        left = self._left()
        ready = [consumer for consumer in self._in_order() if consumer.queue.ready_count] if left > 0 else []
        if not ready or len(ready) <= left:
            self._let_all_go_on()
            return
        ready[0].queue.vhost.broker.at_end_of_batch(self._let_all_go_on)
        for consumer in ready[:left]:
            del self.waiting[consumer]
            consumer.resume()

    def _let_all_go_on(self) -> None:
        """Once those that were first have taken theirs, or couldn't."""
        self._is_asked = False
        if self._left() > 0:
            resumed = self._in_order()
            self.waiting.clear()
            for consumer in resumed:
                consumer.resume()

    def _in_order(self) -> list[Sharing]:
        """Those that wait; who has never had a turn comes first."""
        waiting, order = self.waiting, self._order
        new = [consumer for consumer in waiting if consumer not in order]
        return [*new, *(consumer for consumer in order if consumer in waiting)]

    def _put_last(self, latest: Sharing) -> None:
        """To the end of the turns; whoever isn't among them never had one, and is in front."""
        self._order.pop(latest, None)
        self._order[latest] = None

    def _take_in_new(self) -> None:
        """All are among the turns from now on, those that never had one in front."""
        order = self._order
        members = dict.fromkeys(self._consumers.values())
        if len(order) != len(members) or any(consumer not in order for consumer in members):
            new = {consumer: None for consumer in members if consumer not in order}
            self._order = {**new, **{consumer: None for consumer in order if consumer in members}}
