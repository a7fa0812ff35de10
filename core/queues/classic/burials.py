"""How many messages may leave a queue by its rules in one turn: expired ones, and those that are too many.

A backlog of a million messages with one TTL expires at one moment, and each of them may be a dead letter, which is
published anew.  So all queues have a ration for the turn, and the rest follows in later turns, as a chore of the
broker.  Until then, expired messages are still in the queue; nobody is given one.

A queue would grow whose surplus comes faster than it goes.  What just goes takes less time than its coming, so a drain
buries as many of those as have come since the last one, whatever the ration says.  Dead letters take much longer than
what they make room for: where more than a few of them are overdue, whoever publishes to that queue has had his turn
with one message (`Queue.is_overdue`), so that publishers are as fast as the burials are.

What a full queue refuses and dead-letters nevertheless (reject-publish-dlx) is buried by the same ration.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.queues.dead_letter import dead_letter
from warren.core.queues.deaths import MAXLEN

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.backlog import Backlog, Entry
    from warren.core.queues.classic.queue import ClassicQueue
    from warren.core.queues.classic.rules import QueueRules

WORK_PER_TURN: Final = 2000
"""What all queues of a broker may do in a turn, some 4 ms: a message that just goes is one."""

READ_WORK: Final = 8
"""A message that has to be read from disk first, and is decoded, is so much."""

DEAD_LETTER_WORK: Final = 100
"""A message that is published anew is so much: its headers are read, written and routed by, which takes 100 µs or more,
as its history is long."""

PROPERTIES_BYTES_PER_WORK: Final = 16
"""So many bytes of properties are one more, as headers are read and written entry by entry."""

LARGE_PROPERTIES_BYTES: Final = DEAD_LETTER_WORK * PROPERTIES_BYTES_PER_WORK
"""Properties that make more work of a message than everything else."""

OVERDUE_MAX: Final = 1000
"""So many messages more than there should be may wait to be buried before publishers have to wait for that."""


def dead_letter_work(message: Message) -> int:
    """How much it is to publish this message anew."""
    return DEAD_LETTER_WORK + len(message.properties.raw) // PROPERTIES_BYTES_PER_WORK


class Burials:
    """Of one queue; see the head of this file.

    leaving: what purges took out and have to settle (contents.py), and what is called when that is done.  refused: what
    was refused, and is to be dead-lettered.  is_behind: there are many more messages in the queue than should be.
    """

    __slots__ = (
        "_cost",
        "_count_before",
        "_count_kept",
        "_free",
        "_has_chore",
        "_rules",
        "is_behind",
        "leaving",
        "refused",
    )

    def __init__(self) -> None:
        self._count_before = 0
        self._free = 0
        self._cost = 1
        self._has_chore = False
        self._rules: QueueRules | None = None
        # How many messages there were when none was left that should have gone.
        self._count_kept = 0
        self.is_behind = False
        self.refused: deque[Message] = deque()
        self.leaving: deque[tuple[Iterator[Entry], Callable[[], None]]] = deque()

    def begin(self, queue: ClassicQueue) -> None:
        """A drain begins, or a poll.  Under rules that are new, no message counts as one that has just come."""
        if queue.rules is not self._rules:
            self._rules = queue.rules
            self._count_before = queue.ready_count
        self._cost = 1 if queue.rules.dead_letter_exchange is None else DEAD_LETTER_WORK
        self._free = queue.ready_count - self._count_before if self._cost == 1 else 0

    def may(self, queue: ClassicQueue) -> bool:
        """True when one more message may go in this turn, which counts as gone then."""
        if self._free > 0:
            self._free -= 1
            return True
        broker = queue.vhost.broker
        return broker.burials.take(self._cost, broker.turn)

    def head(self, queue: ClassicQueue, backlog: Backlog) -> Message | None:
        """The head of a backlog, to be seen whether it goes.  What was read for that counts as work of this turn."""
        paged_count = backlog.paged_count
        message = backlog.head()
        if backlog.paged_count != paged_count:
            self.spend(queue, (paged_count - backlog.paged_count) * READ_WORK)
        return message

    def spend(self, queue: ClassicQueue, work: int) -> None:
        """So much was done in this turn beside, and there is less left for others."""
        broker = queue.vhost.broker
        broker.burials.left(broker.turn)
        broker.burials.spend(work)

    def end(self, queue: ClassicQueue, *, has_more: bool) -> None:
        """The drain is over.  has_more: messages are left that should have gone."""
        self._count_before = count = queue.ready_count
        if not has_more:
            self._count_kept = count
        if has_more or self.is_behind:
            self._compare(queue, count)
        if has_more and not self._has_chore:
            self._has_chore = True
            queue.vhost.broker.chores.add(partial(self._go_on, queue))

    def forget_rules(self, queue: ClassicQueue) -> None:
        """There are others: what is overdue under them is yet to be seen."""
        self._count_kept = queue.ready_count
        self._compare(queue, self._count_kept)

    def refuse(self, queue: ClassicQueue, message: Message) -> None:
        """A message that isn't taken is a dead letter.

        Not now, in the middle of a publish: full queues that dead-letter to each other would nest without end.
        """
        self.refused.append(message)
        if len(self.refused) == 1:
            queue.vhost.broker.at_end_of_batch(partial(self._bury_refused_of_batch, queue))

    @property
    def are_overdue(self) -> bool:
        """True when so many wait that who publishes to the queue is to wait for them."""
        return self.is_behind or len(self.refused) > OVERDUE_MAX

    def _compare(self, queue: ClassicQueue, count: int) -> None:
        """Publishers wait from some surplus on until it is gone; the routes that they remember are void then."""
        is_behind = count > self._count_kept + (0 if self.is_behind else OVERDUE_MAX)
        if is_behind is not self.is_behind:
            self.is_behind = is_behind
            queue.vhost.changed()

    def _go_on(self, queue: ClassicQueue) -> bool:
        self._has_chore = False
        if not queue.closed:
            queue.mark_dirty()
        return False

    def _bury_refused_of_batch(self, queue: ClassicQueue) -> None:
        broker = queue.vhost.broker
        while self.refused and broker.burials.take(DEAD_LETTER_WORK, broker.turn):
            dead_letter(queue, queue.rules, self.refused.popleft(), MAXLEN)
        if self.refused:
            broker.chores.add(partial(self._bury_some_refused, queue), to_the_end=True)

    def _bury_some_refused(self, queue: ClassicQueue) -> bool:
        """One at least, however little others leave of the ration; False when that was the last one."""
        broker = queue.vhost.broker
        has_more = True
        while has_more:
            dead_letter(queue, queue.rules, self.refused.popleft(), MAXLEN)
            has_more = bool(self.refused)
            if has_more and not broker.burials.take(DEAD_LETTER_WORK, broker.turn):
                break
        return has_more
