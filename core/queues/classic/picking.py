"""Queues whose consumers don't take whatever comes next: what a consumer gets is picked for it.

A queue is such while it has consumers with selectors (selecting.py), or for good if messages of a group belong together
(grouping.py).  Consumers have their turns as ever, in the order of `ConsumerRing`; what is the next message for the one
whose turn it is, a Picking says.  One for which there is nothing waits until the queue is drained again, and holds up
nobody; a message that nobody takes is passed over, and stays where it is (core/queues/passed.py).

    drain       turn by turn: `next_for(consumer)`, deliver, the next one's turn
    came_back   a message that was out is in its place again
    left        a message that was out has left the queue, or goes another way
    trimmed     everything that was ready has gone

Whatever looks for messages counts its steps, of about a microsecond each.  When those of a drain are used up, the
queue's other work, and other queues, have their turn, and it goes on where it stopped: nothing is looked at twice.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Final

from warren.core.queues.classic import governed, plain
from warren.core.queues.deaths import EXPIRED
from warren.core.queues.passed import PassedOver

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.backlog import Backlog
    from warren.core.queues.classic.queue import ClassicQueue
    from warren.core.queues.consumer import Consumer

STEPS_PER_DRAIN: Final = 4000
"""Steps that one drain may take in looking for messages."""

VISITS_PER_DRAIN: Final = 10_000
"""Consumers that are asked in vain by one drain."""

STEPS_PER_DELIVERY: Final = 4
"""What a delivery of a turn's ration (core/broker.py) stands for."""


class Picking:
    """Of one queue; see the head of this file.

    steps_max: of one drain.  steps_left: of those.  is_cut: they came to an end in a search.
    """

    __slots__ = ("_came_before", "_in_vain", "is_cut", "steps_left", "steps_max")

    def __init__(self) -> None:
        self.steps_max = STEPS_PER_DRAIN
        self.steps_left = 0
        self.is_cut = False
        # So many visits have found nothing, one after the other, when so many messages had come.
        self._in_vain = self._came_before = 0

    def drain(self, queue: ClassicQueue) -> bool:
        """Deliver until there is nothing for any consumer that can take something; False when that is too much."""
        available = queue.ring.available
        idle: list[Consumer] = []
        self.begin(queue)
        queue.burials.begin(queue)
        given = visits = 0
        in_vain = self._in_vain if self._came_before == _came_to(queue) else 0
        try:
            while available and given < plain.ONE_BY_ONE_PER_DRAIN and self.steps_left > 0:
                consumer = available[0]
                message = self.next_for(queue, consumer)
                if message is not None:
                    in_vain = 0
                    given += 1
                    queue.ready_bytes -= message.body_size
                    governed.give(queue, message)
                elif self.is_cut:
                    in_vain = 0
                    if len(available) > 1:
                        queue.ring.next_turn()
                else:
                    idle.append(available.popleft())
                    visits += 1
                    if visits > VISITS_PER_DRAIN:
                        break
            # Where very many have been visited in several turns, it is over when all of them were, in vain.
            in_vain = in_vain + visits if visits > VISITS_PER_DRAIN else 0
            return not available or in_vain >= len(available) + len(idle)
        finally:
            self._in_vain, self._came_before = in_vain if available else 0, _came_to(queue)
            _rejoin(queue, idle, is_cut=bool(available))
            used = self.steps_max - max(self.steps_left, 0) + visits
            queue.vhost.broker.deliveries_left -= used // STEPS_PER_DELIVERY

    def begin(self, queue: ClassicQueue) -> None:
        """The steps of a drain, or of a poll, are counted from here on."""
        self.steps_left = self.steps_max
        self.is_cut = False

    def may_bury(self, queue: ClassicQueue) -> bool:
        """True when one more expired message may go in this turn; False cuts the search until the next one."""
        if queue.burials.may(queue):
            return True
        self.is_cut = True
        self.steps_left = 0
        return False

    @abstractmethod
    def next_for(self, queue: ClassicQueue, consumer: Consumer) -> Message | None:
        """The next message for a consumer, taken out; None where there is none now, or the search `is_cut`."""

    @abstractmethod
    def could_give(self, queue: ClassicQueue, message: Message) -> bool:
        """Whether a consumer could take a message that comes now, at once."""

    @property
    def polls_otherwise(self) -> bool:
        """Who polls isn't given the first message, whatever it is, but what `poll` says."""
        return False

    @property
    def bound_count(self) -> int | None:
        """Groups that are with a consumer, or with somebody who polled; None where there are none."""
        return None

    @property
    def waiting_count(self) -> int | None:
        """Groups that have messages which were passed over; None where there are none."""
        return None

    def poll(self, queue: ClassicQueue) -> tuple[Message, bool] | None:
        """As governed.poll."""
        return None

    def prepare_poll(self, queue: ClassicQueue) -> bool:
        """Look for what `poll` is to give; False while the search goes on, in further turns."""
        return True

    @abstractmethod
    def added(self, consumer: Consumer) -> None:
        """A consumer is there."""

    @abstractmethod
    def removed(self, consumer: Consumer) -> None:
        """A consumer is gone; what it has of the queue's isn't settled yet."""

    def came_back(self, queue: ClassicQueue, message: Message) -> None:
        """A message is in its place again, among what was passed over."""

    def left(self, queue: ClassicQueue, sequence: int) -> None:
        """The message of this sequence has left the queue."""

    def trimmed(self) -> None:
        """All that was ready has left the queue."""

    def is_over(self, queue: ClassicQueue) -> bool:
        """True once the queue can do without it."""
        return False


def by_selectors(consumers: list[Consumer]) -> Picking:
    """What picks by the selectors of these consumers."""
    from warren.core.queues.classic.selecting import Selecting

    made = Selecting()
    for consumer in consumers:
        made.added(consumer)
    return made


def by_groups(by: str) -> Picking:
    """What keeps groups together.  by: what the argument x-group-by says."""
    from warren.core.queues.classic.grouping import Grouping

    return Grouping(by)


def passed_over(backlog: Backlog) -> PassedOver:
    """What consumers have passed over in a backlog."""
    if backlog.passed is None:
        backlog.passed = PassedOver(backlog)
    return backlog.passed


def put_back(queue: ClassicQueue, backlog: Backlog, messages: list[Message]) -> None:
    """Messages that were out are back in their places."""
    picking, passed = queue.picking, passed_over(backlog)
    for message in messages:
        passed.put_back(message)
        if picking is not None:
            picking.came_back(queue, message)


def is_late(queue: ClassicQueue, message: Message) -> bool:
    """Whether a message has expired, so that nobody is given it."""
    deadline_ms = queue.expiry.deadline_of(message)
    return (
        deadline_ms is not None
        and deadline_ms <= queue.vhost.broker.now_ms
        and not governed.is_for_at_once(queue, message, deadline_ms)
    )


def bury_late(queue: ClassicQueue, message: Message) -> None:
    """A message that has expired, and has been taken out, goes."""
    queue.ready_bytes -= message.body_size
    queue.counts.remove(1, message.body_size)
    queue.bury(message, EXPIRED)


def end_if_over(queue: ClassicQueue) -> None:
    """A queue that needs no picking any more goes the usual ways again."""
    if queue.picking is not None and queue.returned.placing is None and queue.picking.is_over(queue):
        queue.picking = None
        for backlog in queue.backlogs:
            backlog.passed = None
        queue.govern()


def _came_to(queue: ClassicQueue) -> int:
    """So many messages have become ready, ever: with another number there may be something for who was asked before."""
    counts = queue.counts
    left = counts.deliver + counts.deliver_no_ack + counts.get + counts.get_no_ack + counts.removed
    return queue.ready_count + left


def _rejoin(queue: ClassicQueue, idle: list[Consumer], *, is_cut: bool) -> None:
    """Those for whom there was nothing have their turns again: before all others, or behind them in a drain cut short.

    Meanwhile one of them may have been parked, resumed or removed.
    """
    if not idle:
        return
    available = queue.ring.available
    there = set(available)
    staying = [consumer for consumer in idle if consumer.active and not consumer.parked and consumer not in there]
    if not is_cut:
        available.extendleft(reversed(staying))
        return
    available.extend(staying)
    if queue.ring.prioritised:
        in_order = deque(sorted(available, key=_by_priority))
        available.clear()
        available.extend(in_order)


def _by_priority(consumer: Consumer) -> int:
    return -consumer.priority
