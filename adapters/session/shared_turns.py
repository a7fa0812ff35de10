"""Whose turn it is among consumers that share one credit: a channel's global prefetch, an MQTT client's window.

When the credit is used up, all of them are parked here.  What has come back by the end of the batch goes to those that
have waited longest and have something to take, one message each; whatever they leave of it, to all the others.  So it
goes round, however the queues happen to be looked at; and a batch looks at those that wait once or twice, however many
acknowledgements are in it.

There may be a hundred thousand of them, of which few have anything to take.  So no more than `FREE_MAX` are available
at a time: of others, those whose queues are empty sleep there until something comes (`Queue.sleep`), and those that
could take something wait here for their turn.  A batch looks at `LOOKED_AT_MAX` of those that wait, and a later turn at
the next ones.

The order of turns is kept here, and whoever has used up the credit, or given way, goes to its end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from warren.core.queues.consumer import Consumer

FREE_MAX: Final = 256
"""So many consumers are available at once: all have to be parked when the credit is used up, a microsecond each."""

LOOKED_AT_MAX: Final = 512
"""So many of those that wait are asked in one batch whether there is something for them."""

THINNED_PER_SLICE: Final = 500
"""So many are parked in one turn where more are available: some 3 µs each."""

Sharing = TypeVar("Sharing", bound="Consumer")


class SharedTurns(Generic[Sharing]):
    """See the head of this file.

    consumers: all that share the credit, as they come and go.  left: asks how much of it there is now.
    """

    __slots__ = ("_consumers", "_free", "_has_chore", "_is_asked", "_left", "_new", "_old", "_seen")

    def __init__(self, consumers: Mapping[str, Sharing], left: Callable[[], int]) -> None:
        self._consumers = consumers
        self._left = left
        # Those that have credit, for all that is known here, the longest first.
        self._free: dict[Sharing, None] = {each: None for each in consumers.values() if not each.parked}
        # Those that wait: who never had a turn is in front, in the order of coming; the others in that of their turns.
        self._new: dict[Sharing, None] = {}
        self._old: OrderedDict[Sharing, None] = OrderedDict()
        self._seen: set[Sharing] = set()
        self._is_asked = False
        self._has_chore = False

    @property
    def waiting(self) -> Iterator[Sharing]:
        """Those that are parked for lack of credit, in the order of their turns."""
        return chain(self._new, self._old)

    @property
    def are_waiting(self) -> bool:
        """Whether there are any."""
        return bool(self._new or self._old)

    def may_go(self, consumer: Sharing) -> bool:
        """A parked consumer has credit and room again: True if it is to be available; else it sleeps in its queue."""
        free = self._free
        if consumer not in free and len(free) >= FREE_MAX:
            if not consumer.queue.ready_count and consumer.queue.sleep(consumer):
                return False
            self._make_place()
        free[consumer] = None
        return True

    def thin_out(self) -> bool:
        """Have fewer available, where they were before they came to share a credit; True while that are too many."""
        for _ in range(min(len(self._free) - FREE_MAX, THINNED_PER_SLICE)):
            self._make_place()
        return len(self._free) > FREE_MAX

    def starve(self, latest: Sharing | None) -> None:
        """Nothing is left: nobody can take anything.  latest: who took the last, and will be parked by its queue."""
        if latest is not None:
            self._free.pop(latest, None)
            if len(self._consumers) == 1:
                self._seen.add(latest)
                self._old[latest] = None
                return
        for consumer in self._free:
            if not consumer.parked:
                consumer.queue.park(consumer)
                self._put_last(consumer)
        self._free.clear()
        if latest is not None:
            self._put_last(latest)

    def give_way(self, consumer: Sharing) -> bool:
        """`consumer` has had its share for now; False when nobody else could take anything, so that it goes on.

        True: its queue parks it, and it goes on when the others have had their chance.
        """
        for each in self._free:
            if each is not consumer and not each.parked:
                self._free.pop(consumer, None)
                self._put_last(consumer)
                self._ask_later(consumer)
                return True
        return False

    @property
    def is_due(self) -> bool:
        """Those that wait are seen to at the end of this batch."""
        return self._is_asked

    def wait(self, consumer: Sharing) -> None:
        """It has been parked for lack of credit."""
        self._free.pop(consumer, None)
        self._wait(consumer)

    def forget(self, consumer: Sharing) -> None:
        """It is gone."""
        self._free.pop(consumer, None)
        self._new.pop(consumer, None)
        self._old.pop(consumer, None)
        self._seen.discard(consumer)

    def clear(self) -> None:
        """All are gone."""
        for each in (self._free, self._new, self._old, self._seen):
            each.clear()

    def go_on(self) -> None:
        """Some credit has come back."""
        new, old = self._new, self._old
        count = len(new) + len(old)
        if count == 1:
            consumer, _ = (new or old).popitem()
            consumer.resume()
        elif count and not self._is_asked:
            self._ask_later(next(self.waiting))

    def _ask_later(self, consumer: Sharing) -> None:
        """Let those that wait go on at the end of the batch, if there is credit left."""
        if not self._is_asked:
            self._is_asked = True
            consumer.queue.vhost.broker.at_end_of_batch(self._let_some_go_on)

    def _let_some_go_on(self) -> None:
        """As many as there is credit for and who have something to take; all, if it is enough for those."""
        left = self._left()
        ready = [consumer for consumer in self._next() if consumer.queue.ready_count] if left > 0 else []
        if not ready or len(ready) <= left:
            self._let_all_go_on()
            return
        ready[0].queue.vhost.broker.at_end_of_batch(self._let_all_go_on)
        self._resume(ready[:left])

    def _let_all_go_on(self) -> None:
        """Once those that were first have taken theirs, or couldn't."""
        self._is_asked = False
        if self._let_next_go_on() and not self._has_chore:
            self._has_chore = True
            next(self.waiting).queue.vhost.broker.chores.add(self._go_on_in_a_later_turn)

    def _go_on_in_a_later_turn(self) -> bool:
        self._has_chore = self._let_next_go_on()
        return self._has_chore

    def _let_next_go_on(self) -> bool:
        """So many as one batch may look at; True when there are more, and credit for them."""
        if self._left() > 0:
            self._resume(self._next())
        return self.are_waiting and self._left() > 0

    def _next(self) -> list[Sharing]:
        return list(islice(self.waiting, LOOKED_AT_MAX))

    def _resume(self, consumers: list[Sharing]) -> None:
        for consumer in consumers:
            self._new.pop(consumer, None)
            self._old.pop(consumer, None)
        for consumer in consumers:
            consumer.resume()

    def _make_place(self) -> None:
        """One of those that are available gives way: it sleeps if there is nothing for it, or waits for its turn."""
        consumer = next(iter(self._free))
        del self._free[consumer]
        if consumer.parked:
            return
        consumer.queue.park(consumer)
        if consumer.queue.ready_count or not consumer.queue.sleep(consumer):
            self._wait(consumer)
            self._ask_later(consumer)

    def _wait(self, consumer: Sharing) -> None:
        if consumer in self._seen:
            self._old[consumer] = None
        else:
            self._new[consumer] = None

    def _put_last(self, consumer: Sharing) -> None:
        """To the end of the turns: it has had one, or could have."""
        self._seen.add(consumer)
        self._new.pop(consumer, None)
        self._old[consumer] = None
        self._old.move_to_end(consumer)
