"""Everything that is to happen at a time: message TTL, queue expiry, heartbeats, timeouts, in one heap.

Nothing here reads a clock.  Whoever drives the broker asks `next_at_ms`, sleeps until then, and calls `run`
with the time; tests pass any time they like.  Times are milliseconds of one clock, whichever the driver uses
throughout.

Cancelling only marks a deadline: finding it in the heap would cost a walk.  Marked ones are skipped when they
come to the top, and once they are more than half of the heap, it is rebuilt without them.  A rebuild walks
the heap, but at least half as many cancellations went before it, so a cancellation costs constant time on
average and the heap is never more than about twice what is pending.

`run` first takes everything due off the heap, then calls it: what a callback schedules waits for the next
`run`, even when it is due already, so that `run` always ends.  What a callback cancels is not called.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final

COMPACTION_MIN: Final = 64
"""Cancelled entries below which rebuilding isn't worth its overhead."""


class Deadline:
    """One call to make at `at_ms`; made by `Deadlines.schedule`."""

    __slots__ = ("_call", "_is_queued", "_owner", "at_ms")

    def __init__(self, owner: Deadlines, at_ms: int, call: Callable[[int], None]) -> None:
        self._owner = owner
        self._call: Callable[[int], None] | None = call
        self._is_queued = True
        self.at_ms = at_ms

    @property
    def is_pending(self) -> bool:
        """True until it was called or cancelled."""
        return self._call is not None

    def cancel(self) -> None:
        """Don't make the call; does nothing when it was made or cancelled before."""
        if self._call is not None:
            self._call = None
            if self._is_queued:
                self._owner._note_cancelled()

    def _leave_queue(self) -> bool:
        self._is_queued = False
        return self._call is not None

    def _fire(self, now_ms: int) -> bool:
        call = self._call
        if call is None:
            return False
        self._call = None
        call(now_ms)
        return True


class Deadlines:
    """A heap of deadlines. `on_error` gets each exception that a call raised, once all calls are made.

    was_cut: the last `run` left calls that were due, since it was to make so many at most.
    """

    __slots__ = ("_cancelled", "_heap", "_on_error", "_order", "was_cut")

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        self._heap: list[tuple[int, int, Deadline]] = []
        self._order = 0
        self._cancelled = 0
        self._on_error = on_error
        self.was_cut = False

    def __len__(self) -> int:
        """How many calls are pending."""
        return len(self._heap) - self._cancelled

    def __bool__(self) -> bool:
        return len(self) > 0

    def schedule(self, at_ms: int, call: Callable[[int], None]) -> Deadline:
        """Have `call(now_ms)` made by the first `run` at or after `at_ms`, which may lie in the past."""
        deadline = Deadline(self, at_ms, call)
        self._order += 1
        heappush(self._heap, (at_ms, self._order, deadline))
        return deadline

    @property
    def next_at_ms(self) -> int | None:
        """When `run` has something to do next; None while nothing is pending."""
        heap = self._heap
        while heap and not heap[0][2].is_pending:
            heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def run(self, now_ms: int, most: int | None = None) -> int:
        """Make every call due at `now_ms`, by time and then in order of scheduling; return how many.

        most: make so many at most; the others stay due.

        An exception in one call doesn't keep the others from being made: `on_error` gets it afterwards.  Only
        what isn't an Exception (KeyboardInterrupt) gets out at once; what was due and not called yet is due
        again then.
        """
        due = self._take_due(now_ms, most)
        errors: list[Exception] = []
        called = position = 0
        try:
            for entry in due:
                position += 1
                try:
                    called += entry[2]._fire(now_ms)
                except Exception as error:
                    called += 1
                    errors.append(error)
        finally:
            self._put_back(due[position:])
        for raised in errors:
            self._on_error(raised)
        return called

    def _take_due(self, now_ms: int, most: int | None) -> list[tuple[int, int, Deadline]]:
        heap = self._heap
        due: list[tuple[int, int, Deadline]] = []
        self.was_cut = False
        while heap and heap[0][0] <= now_ms:
            if len(due) == most:
                self.was_cut = True
                break
            entry = heappop(heap)
            if entry[2]._leave_queue():
                due.append(entry)
            else:
                self._cancelled -= 1
        return due

    def _put_back(self, entries: list[tuple[int, int, Deadline]]) -> None:
        for entry in entries:
            if entry[2].is_pending:
                entry[2]._is_queued = True
                heappush(self._heap, entry)

    def _note_cancelled(self) -> None:
        self._cancelled += 1
        if self._cancelled >= COMPACTION_MIN and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].is_pending]
            heapify(self._heap)
            self._cancelled = 0
