"""Publisher confirms of one channel: which publishes may be confirmed, and when.

Publishes are numbered from 1 (`basic.publish` on a confirm channel, each counts).  Those whose message went to the
store wait for a flush; the others could be confirmed at once, but never overtake one that waits, so confirms are
cumulative: one number says it all.  A flush covers what was published before it began, which is what `mark` records.
"""

from __future__ import annotations


class Confirms:
    """The bookkeeping of one confirm channel.

    published: the number of the latest publish.  last_stored: the latest that must wait for a flush.
    confirmed: up to here the client has been told.
    """

    __slots__ = ("confirmed", "last_stored", "published")

    def __init__(self) -> None:
        self.published = 0
        self.confirmed = 0
        self.last_stored = 0

    def add(self, *, stored: bool) -> None:
        """Count a publish; `stored`: it must not be confirmed before the next flush."""
        self.published += 1
        if stored:
            self.last_stored = self.published

    @property
    def waits(self) -> bool:
        """True while a stored publish is not confirmed."""
        return self.last_stored > self.confirmed

    def now(self) -> int | None:
        """The number to confirm at the end of a batch, cumulatively; None when there is nothing to say yet."""
        if self.last_stored > self.confirmed or self.published == self.confirmed:
            return None
        self.confirmed = self.published
        return self.published

    def mark(self) -> int:
        """What a flush that begins now will cover."""
        return self.published

    def flushed(self, mark: int) -> int | None:
        """A flush that began at `mark` is on disk: the number to confirm, or None when nothing is new."""
        number = self.published if self.last_stored <= mark else mark
        if number <= self.confirmed:
            return None
        self.confirmed = number
        return number
