"""What clients were given by queues, by the type of the queues: a child of a channel's counts for each type.

A consumer keeps the child of its queue's type and counts there, so telling types apart costs a message nothing.
Acknowledgements follow from other numbers (core/counters.py) for all types together, and so for a channel that has to
do with queues of one type, which nearly every channel has.  Where there are more, those of the types that came later
are noted as they are settled; what is left is the first one's.  So the sum over all types is exact at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.queues.base import Queue


class Given:
    """From queues of one type; names are those of core/counters.py.

    acknowledged: noted for every type of a channel but its first.
    """

    __slots__ = ("acknowledged", "deliver", "deliver_no_ack", "get", "get_empty", "get_no_ack", "redeliver")

    def __init__(self) -> None:
        self.deliver = 0
        self.deliver_no_ack = 0
        self.get = 0
        self.get_no_ack = 0
        self.get_empty = 0
        self.redeliver = 0
        self.acknowledged = 0

    def polled(self, *, no_ack: bool, redelivered: bool) -> None:
        """A poll was answered with a message."""
        if no_ack:
            self.get_no_ack += 1
        else:
            self.get += 1
        self.redeliver += redelivered

    def snapshot(self, ack: int) -> dict[str, int]:
        """All counts by name, with so many acknowledgements."""
        return {
            "deliver": self.deliver,
            "deliver_no_ack": self.deliver_no_ack,
            "get": self.get,
            "get_no_ack": self.get_no_ack,
            "get_empty": self.get_empty,
            "deliver_get": self.deliver + self.deliver_no_ack + self.get + self.get_no_ack,
            "redeliver": self.redeliver,
            "ack": ack,
        }


class GivenByType:
    """Of one channel.  first: of the type that it had to do with first.  others: of further types, once there are."""

    __slots__ = ("_first_type", "first", "others")

    def __init__(self) -> None:
        self.first: Given | None = None
        self.others: dict[str, Given] | None = None
        self._first_type = ""

    def of(self, queue: Queue) -> Given:
        """Where it is counted what this queue gives."""
        queue_type = queue.counted_as
        if self.first is None:
            self.first = Given()
            self._first_type = queue_type
            return self.first
        if queue_type == self._first_type:
            return self.first
        if self.others is None:
            self.others = {}
        found = self.others.get(queue_type)
        if found is None:
            found = self.others[queue_type] = Given()
        return found

    def acknowledged(self, queue: Queue, count: int) -> None:
        """So many messages of a queue were acknowledged; need not be called while there are no `others`."""
        self.of(queue).acknowledged += count

    def given(self) -> Iterator[tuple[str, Given]]:
        """All children by type, the first one first."""
        if self.first is not None:
            yield self._first_type, self.first
        if self.others is not None:
            yield from self.others.items()


def add_by_type(to: dict[str, dict[str, int]], found: Mapping[str, Mapping[str, int]]) -> None:
    """Add the counts of each type to those in `to`."""
    for queue_type, counts in found.items():
        sums = to.setdefault(queue_type, {})
        for name, count in counts.items():
            sums[name] = sums.get(name, 0) + count
