"""Publisher confirms of one channel: which publishes may be confirmed, and when.

Publishes are numbered from 1 (`basic.publish` on a confirm channel, each counts).  Those whose message went to the
store wait for a flush; the others could be confirmed at once, but never overtake one that waits, so confirms are
cumulative: one number says it all.  A flush covers what was published before it began, which is what `mark` records.

A publish that was refused is told so at once (basic.nack) and never confirmed: a cumulative confirm may pass over its
number but not end on it.  One that a queue of a slow type is to answer later (core.routing.receipt) holds back the
confirms behind it until it is answered, whatever is on disk.
"""

from __future__ import annotations

from collections import deque


class Confirms:
    """The bookkeeping of one confirm channel.

    published: the number of the latest publish.  last_stored: the latest that must wait for a flush.
    confirmed: up to here the client has been told.  safe_count: so many of those weren't refused.
    """

    __slots__ = ("_ahead", "_late", "_on_disk", "_refused", "confirmed", "last_stored", "published", "safe_count")

    def __init__(self) -> None:
        self.published = 0
        self.confirmed = 0
        self.safe_count = 0
        self.last_stored = 0
        self._refused: set[int] = set()
        # Those to be answered later, in order, the first of which has no answer yet; and which of them have one.
        self._late: deque[int] = deque()
        self._ahead: set[int] = set()
        self._on_disk = 0

    def add(self, *, stored: bool) -> None:
        """Count a publish; `stored`: it must not be confirmed before the next flush."""
        self.published += 1
        if stored:
            self.last_stored = self.published

    def refuse(self) -> int:
        """Count a publish that was refused; its number, for the refusal."""
        self.published += 1
        self._refused.add(self.published)
        return self.published

    def add_late(self, *, stored: bool) -> int:
        """Count a publish that is answered later; its number, for `answered`."""
        self.add(stored=stored)
        self._late.append(self.published)
        return self.published

    def add_late_row(self, count: int, *, stored: bool) -> int:
        """Count so many publishes that are answered together; the number of the first, for `answered_row`."""
        first = self.published + 1
        self.published += count
        if stored:
            self.last_stored = self.published
        self._late.append(first)
        return first

    def answered_row(self, first: int, count: int, *, taken: bool) -> int | None:
        """The late answer for them is there; as `answered`."""
        if not taken:
            self._refused.update(range(first, first + count))
        return self.answered(first, taken=taken)

    def answered(self, number: int, *, taken: bool) -> int | None:
        """The late answer is there; the number to confirm now, None when there is nothing to say yet.

        One that isn't taken is to be refused (basic.nack) before that.
        """
        self._ahead.add(number)
        while self._late and self._late[0] in self._ahead:
            self._ahead.remove(self._late.popleft())
        if not taken:
            self._refused.add(number)
        return self._up_to(self._on_disk)

    @property
    def waits(self) -> bool:
        """True while a stored publish is not on disk."""
        return self.last_stored > self._on_disk

    def now(self) -> int | None:
        """The number to confirm at the end of a batch, cumulatively; None when there is nothing to say yet."""
        if self.waits:
            return None
        self._on_disk = self.published
        return self._up_to(self.published)

    def mark(self) -> int:
        """What a flush that begins now will cover."""
        return self.published

    def flushed(self, mark: int) -> int | None:
        """A flush that began at `mark` is on disk: the number to confirm, or None when nothing is new."""
        self._on_disk = self.published if self.last_stored <= mark else mark
        return self._up_to(self._on_disk)

    def _up_to(self, number: int) -> int | None:
        """Everything up to `number` is settled: the last of it that was not refused, if that is news."""
        before = self.confirmed
        if self._late:
            number = min(number, self._late[0] - 1)
        if number <= before:
            return None
        self.confirmed = number
        self.safe_count += number - before
        if self._refused:
            last = number
            while last in self._refused:
                last -= 1
            refused_count = len(self._refused)
            self._refused = {each for each in self._refused if each > number}
            self.safe_count -= refused_count - len(self._refused)
            return last if last > before else None
        return number
