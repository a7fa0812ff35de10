"""The figures of one object over time: how fast they grow, and samples of them for charts.

A series holds its two latest samples; one that somebody looks at by itself has rings as well, each of samples that are
farther apart and go back farther.  A sample is an array of numbers in the order in which names were first seen, so a
name that came later is missing in those before and counts as 0 there.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.plugins.management.ranges import Span

Figures = Mapping[str, int]
"""Numbers by name."""

Tiers = Sequence[tuple[int, int]]
"""Of each ring: milliseconds between samples, and how many milliseconds it goes back."""

STILL: Final[Mapping[str, object]] = {"rate": 0.0}
"""Of what doesn't grow; the same for all, as most of what is listed doesn't."""

OF_OBJECTS: Final[Tiers] = ((5_000, 600_000), (60_000, 3_600_000))
OF_EVERYTHING: Final[Tiers] = (*OF_OBJECTS, (600_000, 28_800_000), (1_800_000, 86_400_000))
"""RabbitMQ's retention: ten minutes and an hour; of the broker as a whole also eight hours and a day."""


class _Ring:
    __slots__ = ("age_ms", "interval_ms", "samples")

    def __init__(self, interval_ms: int, age_ms: int) -> None:
        self.interval_ms = interval_ms
        self.age_ms = age_ms
        self.samples: deque[tuple[int, array[int]]] = deque(maxlen=age_ms // interval_ms + 1)

    def add(self, at_ms: int, sample: array[int]) -> None:
        if not self.samples or at_ms - self.samples[-1][0] >= self.interval_ms:
            self.samples.append((at_ms, sample))


class Series:
    """See the head of this file.

    asked_at_ms: when somebody last wanted it.  idle_since_ms: since when nothing has changed; None while it does, and
    before anybody knows.
    """

    __slots__ = (
        "_before",
        "_before_at_ms",
        "_index",
        "_latest",
        "_latest_at_ms",
        "_moving",
        "_rings",
        "asked_at_ms",
        "idle_since_ms",
    )

    def __init__(self, figures: Figures, now_ms: int) -> None:
        self._index = {name: position for position, name in enumerate(figures)}
        self._latest = self._before = array("q", figures.values())
        self._latest_at_ms = self._before_at_ms = now_ms
        self._rings: tuple[_Ring, ...] = ()
        self._moving: Mapping[str, Mapping[str, object]] | None = {}
        self.asked_at_ms = now_ms
        self.idle_since_ms: int | None = None

    def keep(self, tiers: Tiers) -> None:
        """Have samples kept for charts from now on; a second call changes nothing."""
        if not self._rings:
            self._rings = tuple(_Ring(*each) for each in tiers)
            for ring in self._rings:
                ring.add(self._latest_at_ms, self._latest)

    def forget(self) -> None:
        """Keep no samples any more."""
        self._rings = ()

    def add(self, figures: Figures, now_ms: int) -> None:
        """Another sample; nothing happens before time has passed since the last one."""
        if now_ms <= self._latest_at_ms:
            return
        index = self._index
        if index.keys() != figures.keys():
            for name in figures:
                index.setdefault(name, len(index))
        sample = array("q", [figures.get(name, 0) for name in index])
        if sample != self._latest:
            self.idle_since_ms = None
        elif self.idle_since_ms is None:
            self.idle_since_ms = self._latest_at_ms
        self._before, self._before_at_ms = self._latest, self._latest_at_ms
        self._latest, self._latest_at_ms = sample, now_ms
        self._moving = {} if self.idle_since_ms is not None else None
        for ring in self._rings:
            ring.add(now_ms, sample)

    def rate(self, name: str) -> float:
        """How fast a figure grows per second, between the two latest samples; 0 before there are two."""
        position = self._index.get(name)
        elapsed_ms = self._latest_at_ms - self._before_at_ms
        if position is None or not elapsed_ms:
            return 0.0
        return (_at(self._latest, position) - _at(self._before, position)) * 1000 / elapsed_ms

    @property
    def moving(self) -> Mapping[str, Mapping[str, object]]:
        """The rates of what grows or shrinks, as `{"rate": 1.5}`, by name; of anything else it is `STILL`."""
        found = self._moving
        if found is None:
            rates = {name: self.rate(name) for name in self._index}
            found = self._moving = {name: {"rate": rate} for name, rate in rates.items() if rate}
        return found

    def details(self, name: str, span: Span | None = None) -> Mapping[str, object]:
        """The rate, and where a span is asked for, the samples in it, the latest first, and what they come to."""
        found = self.moving.get(name, STILL)
        if span is None or not self._rings:
            return found
        position = self._index.get(name, len(self._index))
        samples = [(at_ms, _at(sample, position)) for at_ms, sample in self._within(span)]
        (newest_at_ms, newest), (oldest_at_ms, oldest) = samples[0], samples[-1]
        elapsed_ms = newest_at_ms - oldest_at_ms
        return {
            **found,
            "samples": [{"sample": value, "timestamp": at_ms} for at_ms, value in samples],
            "avg_rate": (newest - oldest) * 1000 / elapsed_ms if elapsed_ms else 0.0,
            "avg": sum(value for _, value in samples) / len(samples),
        }

    def _within(self, span: Span) -> list[tuple[int, array[int]]]:
        """What was known at each step of a span; at least the latest sample."""
        ring = next((each for each in self._rings if each.age_ms >= span.age_ms), self._rings[-1])
        newest_at_ms = ring.samples[-1][0]
        end_ms = newest_at_ms - newest_at_ms % span.step_ms
        found: list[tuple[int, array[int]]] = []
        older = iter(reversed(ring.samples))
        at_ms, sample = next(older)
        for wanted_ms in range(end_ms, end_ms - span.age_ms - 1, -span.step_ms):
            while at_ms > wanted_ms:
                earlier = next(older, None)
                if earlier is None:
                    return found or [(newest_at_ms, ring.samples[-1][1])]
                at_ms, sample = earlier
            found.append((wanted_ms, sample))
        return found


def _at(sample: array[int], position: int) -> int:
    return sample[position] if position < len(sample) else 0
