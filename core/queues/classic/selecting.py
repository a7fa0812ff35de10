"""Consumers with selectors (argument x-filter): each gets what it asks for, in order, and leaves the rest.

Consumers that ask for the same are one View of the queue; those without a selector are one, too, which wants
everything.  A view knows how far it has looked in each backlog: what stands before that was looked at, and wasn't
wanted, or has gone.  So each message is looked at once for each view, and once more when it comes back; and only for
views that have a consumer with room.  How many messages wait that nobody wants makes no difference to who comes later.

A view is remembered for a while when its last consumer has gone, so that one which comes again and again doesn't have
the whole queue looked through each time.

A message with rules that depend on the time (`UTC()`) is looked at as others are: once, with the time of then.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from warren.core.queues.classic import picking
from warren.core.queues.classic.picking import Picking
from warren.core.selectors.of_message import fields_of_message

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.backlog import Backlog
    from warren.core.queues.classic.queue import ClassicQueue
    from warren.core.queues.consumer import Consumer
    from warren.core.queues.passed import PassedOver
    from warren.core.selectors.fields import Fields
    from warren.core.selectors.selector import Selector

STEPS_PER_LOOK: Final = 10
"""What it takes to look into a message."""

BYTES_PER_STEP: Final = 100
"""So many bytes of properties are decoded in a step."""

WORK_PER_STEP: Final = 10
"""So much work of a selector (core.selectors.selector) is a step."""

VIEWS_KEPT: Final = 64
"""Views without consumers whose places are remembered."""

FIELDS_KEPT: Final = 512
"""Messages whose fields are at hand during a drain, for the other views."""

EVERYTHING: Final = ""
"""The view of consumers without a selector."""


class Place:
    """How far a view has looked in one backlog.

    cursor: the sequence of the last message that it looked at.  again: sequences before that of messages that came back
    since, as a heap.  returned_until: so many of those that came back (core/queues/passed.py) it has seen.
    """

    __slots__ = ("again", "cursor", "returned_until")

    def __init__(self) -> None:
        self.cursor = 0
        self.again: list[int] = []
        self.returned_until = 0

    def catch_up(self, passed: PassedOver) -> None:
        """See what has come back since the last time."""
        end = passed.forgotten + len(passed.returned)
        if self.returned_until == end:
            return
        if self.returned_until < passed.forgotten:
            self.cursor = 0
            self.again = []
        else:
            cursor = self.cursor
            came = [each for each in passed.returned[self.returned_until - passed.forgotten :] if each <= cursor]
            if len(came) > len(self.again):
                self.again += came
                heapify(self.again)
            else:
                for each in came:
                    heappush(self.again, each)
        self.returned_until = end


class View:
    """Of the consumers that ask for the same.  selector: None for everything.  count: how many there are."""

    __slots__ = ("count", "places", "selector")

    def __init__(self, selector: Selector | None) -> None:
        self.selector = selector
        self.count = 0
        self.places: dict[Backlog, Place] = {}

    def place(self, backlog: Backlog, passed: PassedOver) -> Place:
        """How far it has looked there."""
        place = self.places.get(backlog)
        if place is None:
            place = self.places[backlog] = Place()
            place.returned_until = passed.forgotten + len(passed.returned)
        return place


class Selecting(Picking):
    """Of one queue; see the head of this file."""

    __slots__ = ("_fields", "_keys", "_resting", "_selecting_count", "_views")

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[Consumer, str] = {}
        self._views: dict[str, View] = {}
        # Those of them that have no consumer, the one that had one last at the end.
        self._resting: dict[str, None] = {}
        self._selecting_count = 0
        self._fields: dict[int, Fields] = {}

    def begin(self, queue: ClassicQueue) -> None:
        super().begin(queue)
        self._fields.clear()

    def added(self, consumer: Consumer) -> None:
        selector = consumer.selector
        key = self._keys[consumer] = EVERYTHING if selector is None else selector.text
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = View(selector)
        view.count += 1
        self._resting.pop(key, None)
        self._selecting_count += selector is not None

    def removed(self, consumer: Consumer) -> None:
        key = self._keys.pop(consumer, None)
        if key is None:
            return
        view = self._views[key]
        view.count -= 1
        self._selecting_count -= consumer.selector is not None
        if not view.count:
            self._resting[key] = None
            if len(self._resting) > VIEWS_KEPT:
                oldest = next(iter(self._resting))
                del self._resting[oldest], self._views[oldest]

    def is_over(self, queue: ClassicQueue) -> bool:
        return not self._selecting_count and not any(
            backlog.passed is not None and backlog.passed.count for backlog in queue.backlogs
        )

    def could_give(self, queue: ClassicQueue, message: Message) -> bool:
        seen: set[str] = set()
        for consumer in queue.ring.available:
            key = self._keys[consumer]
            if key not in seen:
                seen.add(key)
                if self._wants(queue, self._views[key], message):
                    return True
        return bool(queue.ring.sleepers)

    def next_for(self, queue: ClassicQueue, consumer: Consumer) -> Message | None:
        view = self._views[self._keys[consumer]]
        turns = queue.turns
        for backlog in queue.backlogs if turns is None else turns.in_order(queue.backlogs):
            message = self._next_in(queue, backlog, view)
            if message is not None:
                if turns is not None:
                    turns.served()
                return message
            if self.is_cut:
                return None
        return None

    def _next_in(self, queue: ClassicQueue, backlog: Backlog, view: View) -> Message | None:
        passed = picking.passed_over(backlog)
        place = view.place(backlog, passed)
        place.catch_up(passed)
        again = place.again
        while again:
            if self._is_used_up():
                return None
            found = passed.message_of(again[0])
            if found is None or not self._wants(queue, view, found):
                heappop(again)
            elif not picking.is_late(queue, found):
                return passed.take(heappop(again))
            elif self.may_bury(queue):
                passed.take(heappop(again))
                picking.bury_late(queue, found)
            else:
                return None
        while place.cursor < passed.last and passed.count:
            some = passed.following(place.cursor)
            if not some:
                break
            for message in some:
                if self._is_used_up():
                    return None
                is_wanted = self._wants(queue, view, message)
                is_late = is_wanted and picking.is_late(queue, message)
                if is_late and not self.may_bury(queue):
                    return None
                place.cursor = message.sequence
                if is_wanted:
                    passed.take(message.sequence)
                if is_late:
                    picking.bury_late(queue, message)
                elif is_wanted:
                    return message
        place.cursor = max(place.cursor, passed.last)
        while (head := backlog.unpassed_head()) is not None:
            if self._is_used_up():
                return None
            is_wanted = self._wants(queue, view, head)
            is_late = is_wanted and picking.is_late(queue, head)
            if is_late and not self.may_bury(queue):
                return None
            backlog.pop_unpassed()
            place.cursor = head.sequence
            if is_late:
                picking.bury_late(queue, head)
            elif is_wanted:
                return head
            else:
                head.properties.drop_decoded()
                passed.append(head)
        return None

    def _is_used_up(self) -> bool:
        self.steps_left -= 1
        self.is_cut = self.steps_left <= 0
        return self.is_cut

    def _wants(self, queue: ClassicQueue, view: View, message: Message) -> bool:
        """Whether its consumers want a message."""
        selector = view.selector
        if selector is None:
            return True
        fields = self._fields.get(message.sequence)
        if fields is None:
            if len(self._fields) >= FIELDS_KEPT:
                self._fields.clear()
            fields = fields_of_message(message, queue.vhost.broker.now_ms)
            self._fields[message.sequence] = fields
            self.steps_left -= STEPS_PER_LOOK + len(message.properties.raw) // BYTES_PER_STEP
        is_wanted = selector.matches(fields)
        self.steps_left -= selector.work // WORK_PER_STEP
        return is_wanted
