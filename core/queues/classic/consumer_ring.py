"""The consumers of one queue, and whose turn it is.

Consumers take turns: `available` holds those that can take a message now, in the order of their turns.  The one served
goes to the back (behind its equals, where consumers have priorities); one without credit leaves until it is resumed.
With a single active consumer only that one is ever available.  An exclusive consumer keeps all others out.  A kind of
queue that has a `Chooser` lets it say instead whose turn it is.

Bookkeeping alone: the queue asks, and delivers.  `members` is the queue's own list, and the two drains work on
`available` directly, which therefore stays the same deque.

There may be tens of thousands, and each may go, or be parked, by a command of its own.  So one that goes is found in
`members` by its `order`; and those that could take messages and can't any more stay in `available` until the queue next
looks at that, which `tidy` takes them out of together.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from warren.core.errors import AccessRefused

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.classic.chooser import Chooser
    from warren.core.queues.consumer import Consumer

FEW: Final = 32
"""Among so many available consumers one is found quickly enough."""

_order_of = attrgetter("order")


class ConsumerRing:
    """See the head of this file.

    members: every consumer of the queue, in the order of their coming.
    available: those that can take a message now, in the order of their turns.
    prioritised: True while one of them has a priority, so that turns are among equals.
    sleepers: those that are parked until the queue has something for them.
    gone: those that are gone or parked, and still among the available ones.
    single: the single active consumer; None without one, or where every consumer is active.
    exclusive: the one that has the queue for itself; None when there is no such.
    chooser: what says whose turn it is; None for turns.
    """

    __slots__ = (
        "_last_order",
        "_prioritised_count",
        "available",
        "chooser",
        "exclusive",
        "gone",
        "members",
        "prioritised",
        "single",
        "sleepers",
    )

    def __init__(self, members: list[Consumer]) -> None:
        self.members = members
        self.available: deque[Consumer] = deque()
        self.sleepers: dict[Consumer, None] = {}
        self.gone: set[Consumer] = set()
        self._last_order = 0
        self._prioritised_count = 0
        self.prioritised = False
        self.single: Consumer | None = None
        self.exclusive: Consumer | None = None
        self.chooser: Chooser | None = None

    def add(self, consumer: Consumer, description: str, *, single_active: bool) -> bool:
        """One more consumer; False when it has to wait behind the single active one.

        description: the queue, for the text.  single_active: the queue has one active consumer at a time.
        Raises AccessRefused (403) when it asks for exclusivity that can't be had, or another one has it (spec A.5).
        """
        if self.exclusive is not None or (consumer.exclusive and (self.members or single_active)):
            raise AccessRefused(
                f"{description} in exclusive use; another consumer is on it, or only one may be active: "
                "cancel that one first, or consume without the exclusive flag"
            )
        if consumer.exclusive:
            self.exclusive = consumer
        self._last_order = consumer.order = self._last_order + 1
        self.members.append(consumer)
        self._prioritised_count += bool(consumer.priority)
        self.prioritised = self._prioritised_count > 0
        if not single_active:
            return True
        if self.single is not None:
            consumer.parked = True
            return False
        self.single = consumer
        return True

    def remove(self, consumer: Consumer, *, at_once: bool = True) -> Consumer | None:
        """One less; gives the one that is the single active consumer in its place, to be activated.

        at_once: false where `tidy` is called before anything is delivered.
        """
        if self._leave_members(consumer):
            self._prioritised_count -= bool(consumer.priority)
            self.prioritised = self._prioritised_count > 0
        if not consumer.parked:
            self._leave_available(consumer, at_once=at_once)
        self.sleepers.pop(consumer, None)
        if self.exclusive is consumer:
            self.exclusive = None
        if self.single is not consumer:
            return None
        self.single = self.foremost()
        return self.single

    def tidy(self) -> None:
        """Take those that are gone out of the available ones."""
        staying = [consumer for consumer in self.available if consumer not in self.gone]
        self.available.clear()
        self.available.extend(staying)
        self.gone.clear()

    def _leave_members(self, consumer: Consumer) -> bool:
        members = self.members
        index = bisect_left(members, consumer.order, key=_order_of)
        if index == len(members) or members[index] is not consumer:
            return False
        del members[index]
        return True

    def foremost(self) -> Consumer | None:
        """The first of those with the highest priority, who is next to be the single active one (spec A.7)."""
        staying = (each for each in self.members if each.active)
        if not self.prioritised:
            return next(staying, None)
        return max(staying, key=lambda each: each.priority, default=None)

    def is_active(self, consumer: Consumer) -> bool:
        """False for those that wait behind a single active consumer."""
        return self.single is None or consumer is self.single

    @property
    def has_takers(self) -> bool:
        """True when one can take a message, or sleeps until there is one."""
        return len(self.available) > len(self.gone) or bool(self.sleepers)

    @property
    def spares(self) -> bool:
        """True when one of a priority from 0 on can take a message: those are in front; or one that sleeps may be."""
        return bool(self.sleepers) or (bool(self.available) and self.available[0].priority >= 0)

    def park(self, consumer: Consumer, *, at_once: bool = True) -> bool:
        """It can't take anything until it is resumed; True when `tidy` is to be called before anything is delivered.

        at_once: false where that will be.
        """
        if consumer.parked:
            return False
        consumer.parked = True
        if self.available and self.available[0] is consumer:
            self.available.popleft()
            return False
        return self._leave_available(consumer, at_once=at_once)

    def _leave_available(self, consumer: Consumer, *, at_once: bool) -> bool:
        """Whether it is left to `tidy`, since one among many isn't found quickly."""
        available = self.available
        if not at_once and len(available) > FEW:
            self.gone.add(consumer)
            return True
        if consumer in available:
            available.remove(consumer)
        return False

    def resume(self, consumer: Consumer) -> bool:
        """It can take messages again: True when it has its turns from now on, so that the queue is to be drained."""
        if not consumer.parked or not consumer.active or not self.is_active(consumer):
            return False
        if consumer in self.gone:
            self.tidy()
        consumer.parked = False
        if self.prioritised:
            self.available.appendleft(consumer)
            self.next_turn()
        else:
            self.available.append(consumer)
        return True

    def next_turn(self) -> None:
        """The consumer just served, the first of the available ones, goes behind its equals."""
        available = self.available
        if not self.prioritised:
            available.rotate(-1)
            return
        consumer = available.popleft()
        index = 0
        while index < len(available) and available[index].priority >= consumer.priority:
            index += 1
        available.insert(index, consumer)

    def give_turn(self, chooser: Chooser, message: Message) -> bool:
        """Let the consumer that is chosen for the head be the next; False when the message has to wait for it."""
        available = self.available
        consumer = chooser.choose(message, self.members, available[0])
        if consumer is not available[0]:
            if consumer.parked:
                return False
            available.remove(consumer)
            available.appendleft(consumer)
        return True
