"""How often stored messages were given out in vain, for the queues that limit that; a crash must not forget it.

Two things are noted of a queue: how often an entry has failed by now, when it comes back (`count`), and before which
entry nothing is ready any more (`note_ready_from`): what is unsettled before that is with consumers, and has failed
once more if the broker ends now.  The second is one number per queue and flush, however many deliveries there were.

Each flush writes what was noted since the last one, as one FAILED record per queue; the latest word on an entry counts.
The first flush of a segment writes all that is known instead.  So the last segment alone always knows everything, and
older ones may be deleted or compacted without a thought, as long as that first flush is done (`DiskEngine` waits for
it).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from warren.core.messages.message import Message

ReadyFrom = Message | int | None
"""The first entry that is ready: a message, the position of its record, or None where nothing is ready."""

Noted = tuple[int, int, dict[int, int]]
"""Queue id, position before which nothing is ready (0: not known), failures by position."""

Detached = tuple[dict[int, dict[Message, int]], dict[int, ReadyFrom]]
"""What was noted for one flush: counts by queue and message, and from where on each queue is ready."""


class DeliveryCounts:
    """See the head of this file; positions are those of the engine that this belongs to."""

    def __init__(self) -> None:
        self._failures: dict[int, dict[int, int]] = {}
        self._ready_from: dict[int, int] = {}
        self._counted: dict[int, dict[Message, int]] = {}
        self._noted: dict[int, ReadyFrom] = {}
        self._detached: Detached = {}, {}
        self._rewrite = False

    @property
    def pending(self) -> bool:
        """True when something was noted since the last `take`."""
        return bool(self._counted or self._noted)

    @property
    def known(self) -> bool:
        """True when there is anything that a crash must not forget."""
        return bool(self._failures or self._ready_from or self.pending or any(self._detached))

    def count(self, queue_id: int, message: Message, failures: int) -> None:
        """The message is back in the queue, and has failed so often."""
        self._counted.setdefault(queue_id, {})[message] = failures

    def note_ready_from(self, queue_id: int, entry: ReadyFrom) -> None:
        """What is unsettled before this entry is with consumers."""
        self._noted[queue_id] = entry

    def forget(self, queue_id: int) -> None:
        """The queue is gone."""
        for each in (self._failures, self._ready_from, self._counted, self._noted, *self._detached):
            each.pop(queue_id, None)

    def detach(self) -> Detached:
        """A flush begins: what was noted until now is for it."""
        self._detached = self._counted, self._noted
        self._counted, self._noted = {}, {}
        return self._detached

    def take(self, noted: Detached, end: int, *, everything: bool) -> Iterator[Noted]:
        """What to write now, once the messages of this flush have their positions.

        noted: what is for it.  end: behind the last position given out.  everything: what is known of all queues, not
        only what was noted.
        """
        changed = self._merge(noted, end)
        everything = everything or self._rewrite
        self._rewrite = False
        for queue_id in [*{**self._failures, **self._ready_from}] if everything else changed:
            failures = self._failures.get(queue_id, {}) if everything else changed[queue_id]
            yield queue_id, self._ready_from.get(queue_id, 0), failures

    def restore(self, noted: Iterable[Noted]) -> None:
        """Take up what the log says, in its order."""
        for queue_id, ready_from, failures in noted:
            self._ready_from[queue_id] = ready_from
            self._failures.setdefault(queue_id, {}).update(failures)

    def settled(self, queue_id: int, positions: Iterable[int]) -> None:
        """These entries are done with."""
        failures = self._failures.get(queue_id)
        if failures:
            for position in positions:
                failures.pop(position, None)
            if not failures:
                del self._failures[queue_id]

    def failures(self, queue_id: int) -> Mapping[int, int]:
        """Failures of the queue's entries by position, as far as there are any."""
        return self._failures.get(queue_id, {})

    def recovered(self, unsettled: Mapping[int, Sequence[int]]) -> None:
        """The log was read, and these entries are left, by queue: what was with consumers has failed once more.

        The next flush writes that down; until then the log goes on saying the same.
        """
        known, self._failures = self._failures, {}
        ready_from, self._ready_from = self._ready_from, {}
        for queue_id, positions in unsettled.items():
            counts = known.get(queue_id, {})
            first_ready = ready_from.get(queue_id, 0)
            failures = {
                position: count
                for position in positions
                if (count := counts.get(position, 0) + (position < first_ready))
            }
            if failures:
                self._failures[queue_id] = failures
        self._rewrite = bool(self._failures)

    def _merge(self, noted: Detached, end: int) -> dict[int, dict[int, int]]:
        """Make positions of what was noted; the failures that are new, by queue for which anything is."""
        changed: dict[int, dict[int, int]] = {}
        for queue_id, counted in noted[0].items():
            failures = {message.position: count for message, count in counted.items() if message.position}
            if failures:
                self._failures.setdefault(queue_id, {}).update(failures)
                changed[queue_id] = failures
        for queue_id, entry in noted[1].items():
            ready_from = end if entry is None else entry if isinstance(entry, int) else entry.position
            if ready_from != self._ready_from.get(queue_id, 0):
                self._ready_from[queue_id] = ready_from
                changed.setdefault(queue_id, {})
        self._detached = {}, {}
        return changed
