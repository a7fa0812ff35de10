"""Who wants to know when a queue could do with more messages: it is empty, and consumers have credit to spare.

That is asked by what fetches messages from elsewhere for consumers that wait here (federated queues).  Consumers of a
priority below 0 don't count: they take what others leave, as such fetching itself does elsewhere.

A queue has one of these only while somebody watches, so that all others pay nothing for it; it is looked at when the
queue is drained, once per batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

_log = logging.getLogger("warren.queue")


class Demand:
    """Of one queue.  wanted: it could do with more."""

    __slots__ = ("_watches", "wanted")

    def __init__(self) -> None:
        self.wanted = False
        self._watches: list[Callable[[bool], None]] = []

    def __len__(self) -> int:
        """How many watch."""
        return len(self._watches)

    def __bool__(self) -> bool:
        return len(self) > 0

    def add(self, watch: Callable[[bool], None]) -> None:
        """One more; told at once if more is wanted already."""
        self._watches.append(watch)
        if self.wanted:
            _tell(watch, wanted=True)

    def remove(self, watch: Callable[[bool], None]) -> None:
        """One less; nothing happens if it isn't there."""
        if watch in self._watches:
            self._watches.remove(watch)

    def note(self, *, wanted: bool) -> None:
        """How it is now; whoever watches is told of a change."""
        if wanted is not self.wanted:
            self.wanted = wanted
            for watch in list(self._watches):
                _tell(watch, wanted=wanted)


def _tell(watch: Callable[[bool], None], *, wanted: bool) -> None:
    """Call it; its error is its own, as this is the broker's turn."""
    try:
        watch(wanted)
    except Exception:
        _log.exception("what watches the demand of a queue failed")
