"""Saying so while the disk takes long: publishers wait for it, and wonder whether the broker hangs."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger("warren.commit")

SLOW_S: Final = 5.0
"""A write and its sync take a millisecond on a disk, and tenths of a second on a busy one."""


class SlowDisk:
    """Of one broker's commits.  where: the directory of the message log.  clock: for tests."""

    __slots__ = ("_began_s", "_clock", "_is_told", "where")

    def __init__(self, where: str, clock: Callable[[], float] = perf_counter) -> None:
        self.where = where
        self._clock = clock
        self._began_s = 0.0
        self._is_told = False

    def begin(self) -> None:
        """A commit is given to the disk."""
        self._began_s = self._clock()

    def end(self) -> None:
        """It was written, or failed."""
        if self._is_told:
            self._is_told = False
            _log.warning("%s: the disk was done after %.1f s", self.where, self._clock() - self._began_s)
        self._began_s = 0.0

    def look(self) -> None:
        """Once a second: say it if the disk has taken long by now, once for each commit."""
        if self._began_s and not self._is_told and self._clock() - self._began_s >= SLOW_S:
            self._is_told = True
            _log.warning(
                "%s: the disk has been writing for %.1f s; what was published to durable queues isn't confirmed before "
                "it is done, and all else goes on",
                self.where,
                self._clock() - self._began_s,
            )
