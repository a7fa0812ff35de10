"""Publisher confirms of one channel: which publishes may be confirmed, and when.

Publishes are numbered from 1 (`basic.publish` on a confirm channel, each counts).  Those whose message went to the
store wait for a flush; the others could be confirmed at once, but never overtake one that waits, so confirms are
cumulative: one number says it all.  A flush covers what was published before it began, which is what `mark` records.

A publish that was refused is told so at once (basic.nack) and never confirmed: a cumulative confirm may pass over its
number but not end on it.
"""

from __future__ import annotations


class Confirms:
    """The bookkeeping of one confirm channel.

    published: the number of the latest publish.  last_stored: the latest that must wait for a flush.
    confirmed: up to here the client has been told.
    """

    __slots__ = ("_refused", "confirmed", "last_stored", "published")

    def __init__(self) -> None:
        self.published = 0
        self.confirmed = 0
        self.last_stored = 0
        self._refused: set[int] = set()

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

    @property
    def waits(self) -> bool:
        """True while a stored publish is not confirmed."""
        return self.last_stored > self.confirmed

    def now(self) -> int | None:
        """The number to confirm at the end of a batch, cumulatively; None when there is nothing to say yet."""
        if self.waits:
            return None
        return self._up_to(self.published)

    def mark(self) -> int:
        """What a flush that begins now will cover."""
        return self.published

    def flushed(self, mark: int) -> int | None:
        """A flush that began at `mark` is on disk: the number to confirm, or None when nothing is new."""
        return self._up_to(self.published if self.last_stored <= mark else mark)

    def _up_to(self, number: int) -> int | None:
        """Everything up to `number` is settled: the last of it that was not refused, if that is news."""
        before = self.confirmed
        if number <= before:
            return None
        self.confirmed = number
        if self._refused:
            last = number
            while last in self._refused:
                last -= 1
            self._refused = {each for each in self._refused if each > number}
            return last if last > before else None
        return number
