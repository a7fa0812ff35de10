"""How fast the counts of everything together grow: between two looks at them, for as long as somebody looks.

Core samples the counts of single objects (core/rates.py).  Those of all queues together take too long for that, so they
are compared when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from warren.core.rates import SAMPLE_MS, UNWATCHED_MS

WATCHED_MAX: Final = 100
"""Different sets of virtual hosts, as different users may see, that are compared at a time."""


@dataclass(slots=True)
class _Sample:
    at_ms: int
    counts: Mapping[str, int]
    rates: Mapping[str, float]


class Growth:
    """Of counts by what they are of."""

    def __init__(self) -> None:
        self._samples: dict[object, _Sample] = {}

    def rates(self, what: object, counts: Mapping[str, int], now_ms: int) -> Mapping[str, float]:
        """How fast these counts grow, per second, by name; 0 for all of what wasn't looked at before."""
        before = self._samples.pop(what, None)
        if before is None or now_ms - before.at_ms > UNWATCHED_MS:
            found = _Sample(now_ms, dict(counts), dict.fromkeys(counts, 0.0))
        elif now_ms - before.at_ms < SAMPLE_MS:
            found = before
        else:
            seconds = (now_ms - before.at_ms) / 1000
            grown = {name: (count - before.counts.get(name, 0)) / seconds for name, count in counts.items()}
            found = _Sample(now_ms, dict(counts), grown)
        self._samples[what] = found
        if len(self._samples) > WATCHED_MAX:
            del self._samples[next(iter(self._samples))]
        return found.rates
