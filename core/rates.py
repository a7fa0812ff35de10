"""How fast counts grow: rates of whatever somebody asks about, sampled while somebody asks, and not at all otherwise.

One deadline stands for all that is watched, so nothing is scheduled in a broker that nobody watches.  A rate is the
growth between the last two samples, per second.  Counts that take long to add up are sampled in slices (core.chores).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.chores import Chores
    from warren.core.counters import Counts
    from warren.core.deadlines import Deadline, Deadlines

SAMPLE_MS: Final = 5_000
"""Between two samples of what somebody watches: RabbitMQ's interval."""

UNWATCHED_MS: Final = 60_000
"""Who hasn't asked for so long watches no more."""

WATCHED_MAX: Final = 1_000
"""Objects that are sampled at a time; the one that was asked for longest ago gives way.  Sampling so many takes a few
milliseconds."""


InSlices = Callable[[], "Generator[None, None, Counts]"]
"""Begins to read counts, and gives them in the end."""


class Watched:
    """One object that somebody asks the rates of.  in_slices: how its counts are read again; None: by `read`."""

    __slots__ = ("_counts", "_rates", "_read", "_sampled_at_ms", "asked_at_ms", "in_slices")

    def __init__(self, read: Callable[[], Counts], now_ms: int, in_slices: InSlices | None = None) -> None:
        self._read = read
        self.in_slices = in_slices
        self._counts = read()
        self._rates: dict[str, float] = dict.fromkeys(self._counts, 0.0)
        self._sampled_at_ms = now_ms
        self.asked_at_ms = now_ms

    @property
    def rates(self) -> Mapping[str, float]:
        """Per second, by the name of the count; 0 before the second sample."""
        return self._rates

    def sample(self, now_ms: int, counts: Counts | None = None) -> None:
        """Look at the counts again, or take those that were read in slices, begun at this time."""
        elapsed_ms = now_ms - self._sampled_at_ms
        if elapsed_ms <= 0:
            return
        before = self._counts
        counts = self._read() if counts is None else counts
        self._counts = counts
        self._sampled_at_ms = now_ms
        self._rates = {name: (count - before.get(name, 0)) * 1000 / elapsed_ms for name, count in counts.items()}


class Rates:
    """How fast counts grow: sampled every `SAMPLE_MS` while somebody asks, and not at all while nobody does."""

    __slots__ = ("_chores", "_deadlines", "_next", "_slices", "_watched")

    def __init__(self, deadlines: Deadlines, chores: Chores) -> None:
        self._deadlines = deadlines
        self._chores = chores
        self._watched: dict[object, Watched] = {}
        self._next: Deadline | None = None
        self._slices: Iterator[None] | None = None

    def __len__(self) -> int:
        """How many objects are sampled."""
        return len(self._watched)

    def __bool__(self) -> bool:
        return len(self) > 0

    def of(
        self, what: object, read: Callable[[], Counts], now_ms: int, in_slices: InSlices | None = None
    ) -> Mapping[str, float]:
        """The rates of `what` per second, by name, between its last two samples; 0 for all of what wasn't watched.

        read: gives its counts.  now_ms: the broker's time.  in_slices: reads them from the second time on, where that
        takes long.
        """
        found = self._watched.pop(what, None)
        if found is None:
            found = Watched(read, now_ms, in_slices)
            if len(self._watched) >= WATCHED_MAX:
                del self._watched[next(iter(self._watched))]
        found.asked_at_ms = now_ms
        # The one that was asked for last is the last.
        self._watched[what] = found
        if self._next is None:
            self._next = self._deadlines.schedule(now_ms + SAMPLE_MS, self._sample)
        return found.rates

    def _sample(self, now_ms: int) -> None:
        self._watched = {what: each for what, each in self._watched.items() if now_ms - each.asked_at_ms < UNWATCHED_MS}
        slow: list[Watched] = []
        for each in self._watched.values():
            if each.in_slices is None:
                each.sample(now_ms)
            else:
                slow.append(each)
        if slow and self._slices is None:
            self._slices = _sample_in_slices(slow, now_ms)
            self._chores.add(self._sample_some)
        self._next = self._deadlines.schedule(now_ms + SAMPLE_MS, self._sample) if self._watched else None

    def _sample_some(self) -> bool:
        """A slice of the sampling that takes long; False when that was the last one."""
        slices, self._slices = self._slices, None
        if slices is None or next(slices, _ENDED) is _ENDED:
            return False
        self._slices = slices
        return True


_ENDED: Final = object()


def _sample_in_slices(slow: list[Watched], now_ms: int) -> Iterator[None]:
    for each in slow:
        if each.in_slices is not None:
            counts = yield from each.in_slices()
            each.sample(now_ms, counts)
            yield
