"""How fast something goes, smoothed: what came long ago counts less and less, and no clock ticks in between."""

from __future__ import annotations

import math
from typing import Final

SMOOTHED_OVER_S: Final = 10.0
"""What came so long ago counts a third: long enough to be read, short enough to show that a link is down."""


class Rate:
    """Events a second.  now_s: the time, in seconds of any clock that goes on."""

    __slots__ = ("_began_s", "_changed_s", "_value")

    def __init__(self, now_s: float) -> None:
        self._value = 0.0
        self._began_s = self._changed_s = now_s

    def count(self, events: int, now_s: float) -> None:
        """So many have happened."""
        self._value = self._decayed(now_s) + events / SMOOTHED_OVER_S
        self._changed_s = now_s

    def now(self, now_s: float) -> float:
        """The rate; after a short life as if all of it had been so."""
        lived_s = now_s - self._began_s
        seen = -math.expm1(-lived_s / SMOOTHED_OVER_S) if lived_s > 0 else 0.0
        return self._decayed(now_s) / seen if seen else 0.0

    def _decayed(self, now_s: float) -> float:
        return self._value * math.exp(-max(0.0, now_s - self._changed_s) / SMOOTHED_OVER_S)
