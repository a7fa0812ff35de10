"""How long a plugin that has failed waits for its next run: twice as long each time, within bounds, never the same.

A random part keeps plugins that failed for one reason (a peer that is gone) from all coming back at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FIRST_S: Final = 1.0
LONGEST_S: Final = 60.0

RECOVERED_AFTER_S: Final = 60.0
"""Who has run for so long has recovered: its next failure counts as the first."""


class Pauses:
    """One plugin's.  random: gives a number from 0 to below 1."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._failures = 0

    def next_s(self, ran_s: float) -> float:
        """The pause after a run that lasted for `ran_s` seconds and failed: from half of its bound to all of it."""
        if ran_s >= RECOVERED_AFTER_S:
            self._failures = 0
        bound_s = min(LONGEST_S, FIRST_S * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return bound_s * (1.0 + self._random()) / 2.0
