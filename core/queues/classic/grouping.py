"""Messages of one group go to one consumer at a time, in order, while groups go to many (argument x-group-by).

    bound     a group of which a consumer, or somebody who polled, has messages that aren't settled: what comes of it
              goes to the same consumer
    free      any other; its next message goes to whoever's turn it is, and binds it
    lane      of a group: its messages that had to be passed over, as they are for a consumer that has no room now

So a group moves to another consumer only when none of its messages is out, and what came back is in its place before.
A message without a group goes to anybody.  With no_ack nothing is ever out, so that groups aren't bound at all.

The next message for a consumer is the oldest of: the first one of each lane of groups bound to it, the first one of
each lane of free groups (those two are heaps), and what nobody has looked at yet.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from warren.core.messages.timestamp import Timestamp
from warren.core.queues.classic import picking
from warren.core.queues.classic.picking import Picking
from warren.core.queues.classic.rules import HEADER

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.classic.queue import ClassicQueue
    from warren.core.queues.consumer import Consumer

STEPS_PER_LOOK: Final = 4
BYTES_PER_STEP: Final = 100
"""What it takes to find a message's group: a look, and a step for so many bytes of properties."""


class Group:
    """The messages of one key.

    key: None for a message without a group that came back.  consumer: whom it is bound to; None for a free one, and for
    one of which somebody has polled.  out: so many of its messages aren't settled.  lane: a heap of sequences.
    """

    __slots__ = ("consumer", "key", "lane", "out")

    def __init__(self, key: str | None) -> None:
        self.key = key
        self.consumer: Consumer | None = None
        self.out = 0
        self.lane: list[int] = []


class Grouping(Picking):
    """Of one queue; see the head of this file.  by: what the argument says."""

    __slots__ = ("_bound_count", "_firsts", "_free", "_groups", "_header", "_out", "_own")

    def __init__(self, by: str) -> None:
        super().__init__()
        self._header = by.removeprefix(HEADER) if by.startswith(HEADER) else ""
        # Those that are bound, or have a lane.
        self._groups: dict[str, Group] = {}
        self._out: dict[int, Group] = {}
        self._bound_count = 0
        # Of lanes by their first sequence; and heaps of these, some of which may be out of date.
        self._firsts: dict[int, Group] = {}
        self._free: list[int] = []
        self._own: dict[Consumer, list[int]] = {}

    @property
    def bound_count(self) -> int:
        """Groups that are with a consumer, or with somebody who polled."""
        return self._bound_count

    @property
    def waiting_count(self) -> int:
        """Groups that have messages which were passed over."""
        return sum(bool(group.lane) for group in self._groups.values())

    def key_of(self, message: Message) -> str | None:
        """The group of a message; None where it has none.

        Numbers and binaries are told by their text, as other protocols have them; tables, arrays and empty texts are
        no group.
        """
        if not self._header:
            return message.address.routing_key or None
        properties = message.properties
        value = (properties.headers or {}).get(self._header) if properties.has_headers else None
        if isinstance(value, str):
            return value or None
        if isinstance(value, bytes):
            return value.decode("utf-8", "surrogateescape") or None
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, Timestamp):
            return str(int(value))
        return str(value) if isinstance(value, int | float) else None

    def added(self, consumer: Consumer) -> None:
        """It has nothing yet."""

    def removed(self, consumer: Consumer) -> None:
        self._own.pop(consumer, None)

    def could_give(self, queue: ClassicQueue, message: Message) -> bool:
        key = self.key_of(message)
        group = None if key is None else self._groups.get(key)
        if group is None:
            return queue.ring.has_takers
        return not group.lane and group.consumer is not None and not group.consumer.parked and group.consumer.active

    def next_for(self, queue: ClassicQueue, consumer: Consumer) -> Message | None:
        return self._next(queue, consumer, binds=not consumer.no_ack)

    @property
    def polls_otherwise(self) -> bool:
        return True

    def poll(self, queue: ClassicQueue) -> tuple[Message, bool] | None:
        self.begin(queue)
        message = self._next(queue, None, binds=True)
        if message is None:
            return None
        queue.ready_bytes -= message.body_size
        return message, queue.was_delivered(message)

    def prepare_poll(self, queue: ClassicQueue) -> bool:
        self.begin(queue)
        return self._first_of(queue, self._free, None) is not None or self._search(queue) or not self.is_cut

    def _search(self, queue: ClassicQueue) -> bool:
        """Pass over what is for consumers alone; True where what follows may be given to anybody."""
        backlog = queue.backlogs[0]
        while (message := backlog.unpassed_head()) is not None:
            if not self._may_go_on(message):
                return False
            key = self.key_of(message)
            group = None if key is None else self._groups.get(key)
            if group is None or not (group.out or group.lane) or picking.is_late(queue, message):
                return True
            backlog.pop_unpassed()
            self._pass_over(queue, message, group)
        return False

    def _next(self, queue: ClassicQueue, consumer: Consumer | None, *, binds: bool) -> Message | None:
        own = [] if consumer is None else self._own.get(consumer, [])
        while True:
            if self.steps_left <= 0:
                self.is_cut = True
                return None
            first = self._first_of(queue, own, consumer)
            free = self._first_of(queue, self._free, None)
            if first is None and free is None:
                return self._next_new(queue, consumer, binds=binds)
            is_own = free is None or (first is not None and first < free)
            message = self._take_from_lane(queue, own if is_own else self._free, consumer, binds=binds)
            if message is not None or self.is_cut:
                return message

    def _first_of(self, queue: ClassicQueue, heap: list[int], consumer: Consumer | None) -> int | None:
        """The first sequence of a heap; what is out of date, or has left the queue, is taken off."""
        passed = picking.passed_over(queue.backlogs[0])
        while heap:
            group = self._firsts.get(heap[0])
            if group is None or not group.lane or group.lane[0] != heap[0] or not _is_with(group, consumer):
                heappop(heap)
                self.steps_left -= 1
            elif not passed.holds(heap[0]):
                heappop(heap)
                self._shorten(group)
                self.steps_left -= 1
            else:
                return heap[0]
        return None

    def _take_from_lane(
        self, queue: ClassicQueue, heap: list[int], consumer: Consumer | None, *, binds: bool
    ) -> Message | None:
        """The message of the first sequence of a heap, taken out; None where it can't be read, or has expired."""
        self.steps_left -= STEPS_PER_LOOK
        passed = picking.passed_over(queue.backlogs[0])
        found = passed.message_of(heap[0])
        is_late = found is not None and picking.is_late(queue, found)
        if is_late and not self.may_bury(queue):
            return None
        group = self._firsts[heappop(heap)]
        if found is not None:
            passed.take(found.sequence)
            if binds and not is_late:
                self._bind(group, consumer, found.sequence)
        self._shorten(group)
        if found is None or not is_late:
            return found
        picking.bury_late(queue, found)
        return None

    def _next_new(self, queue: ClassicQueue, consumer: Consumer | None, *, binds: bool) -> Message | None:
        """The first that is for this consumer of what nobody has looked at yet; what isn't is passed over."""
        backlog = queue.backlogs[0]
        while (message := backlog.unpassed_head()) is not None:
            if not self._may_go_on(message):
                return None
            is_late = picking.is_late(queue, message)
            if is_late and not self.may_bury(queue):
                return None
            backlog.pop_unpassed()
            if is_late:
                picking.bury_late(queue, message)
                continue
            key = self.key_of(message)
            group = None if key is None else self._groups.get(key)
            if group is not None and (group.lane or not _may_have(group, consumer)):
                self._pass_over(queue, message, group)
                continue
            if key is not None and binds:
                if group is None:
                    group = self._groups[key] = Group(key)
                self._bind(group, consumer, message.sequence)
            return message
        return None

    def _may_go_on(self, message: Message) -> bool:
        """False, and the search is cut, where it has taken long enough."""
        if self.steps_left <= 0:
            self.is_cut = True
            return False
        self.steps_left -= STEPS_PER_LOOK + len(message.properties.raw) // BYTES_PER_STEP
        return True

    def _pass_over(self, queue: ClassicQueue, message: Message, group: Group) -> None:
        message.properties.drop_decoded()
        picking.passed_over(queue.backlogs[0]).append(message)
        self._lengthen(group, message.sequence)

    def came_back(self, queue: ClassicQueue, message: Message) -> None:
        group = self._out.get(message.sequence)
        if group is None:
            key = self.key_of(message)
            group = Group(None) if key is None else self._groups.setdefault(key, Group(key))
        self._lengthen(group, message.sequence)
        self.left(queue, message.sequence)

    def left(self, queue: ClassicQueue, sequence: int) -> None:
        group = self._out.pop(sequence, None)
        if group is None:
            return
        group.out -= 1
        if group.out:
            return
        group.consumer = None
        self._bound_count -= 1
        if group.lane:
            self._offer(group)
            if not queue.closed:
                queue.mark_dirty()
        elif group.key is not None:
            del self._groups[group.key]

    def trimmed(self) -> None:
        for group in list(self._groups.values()):
            group.lane.clear()
            if not group.out and group.key is not None:
                del self._groups[group.key]
        self._firsts.clear()
        self._free.clear()
        self._own.clear()

    def _bind(self, group: Group, consumer: Consumer | None, sequence: int) -> None:
        if group.key is None:
            return
        if not group.out:
            group.consumer = consumer
            self._bound_count += 1
        group.out += 1
        self._out[sequence] = group

    def _lengthen(self, group: Group, sequence: int) -> None:
        """One more message of a group waits in its lane."""
        lane = group.lane
        if lane and lane[0] > sequence:
            self._firsts.pop(lane[0], None)
        heappush(lane, sequence)
        if lane[0] == sequence:
            self._offer(group)

    def _shorten(self, group: Group) -> None:
        """The first message of a lane has left it."""
        self._firsts.pop(heappop(group.lane), None)
        if group.lane:
            self._offer(group)
        elif not group.out and group.key is not None:
            del self._groups[group.key]

    def _offer(self, group: Group) -> None:
        """Have the first message of a lane found by whom it is for."""
        first = group.lane[0]
        self._firsts[first] = group
        if not group.out:
            heappush(self._free, first)
        elif group.consumer is not None and group.consumer.active:
            heappush(self._own.setdefault(group.consumer, []), first)


def _is_with(group: Group, consumer: Consumer | None) -> bool:
    """Whether it is bound to this consumer; None: whether it is free."""
    return not group.out if consumer is None else bool(group.out) and group.consumer is consumer


def _may_have(group: Group, consumer: Consumer | None) -> bool:
    """Whether a consumer, or None for who polls, may be given a message of the group."""
    return not group.out or (consumer is not None and group.consumer is consumer)
