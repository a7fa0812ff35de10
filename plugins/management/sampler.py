"""Takes the samples that rates and charts are made of: of what somebody asks about, and of nothing else.

One task of the plugin samples everything that was asked for, every five seconds, some objects at a time with a turn for
everybody else in between, so neither the message path nor a turn of the broker knows of it.  What nobody has asked for
within five minutes is forgotten, and when nothing is left, the task sleeps: a broker that nobody looks at samples
nothing.  Charts therefore begin when somebody first looks.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from warren.plugins.management.series import Figures, Series, Tiers

if TYPE_CHECKING:
    from warren.core.broker import Broker

_log = logging.getLogger("warren.plugin.management")

SAMPLE_MS: Final = 5_000
"""RabbitMQ's interval."""

UNASKED_MS: Final = 300_000
"""Whoever polls does so more often than every five minutes."""

OBJECTS_MAX: Final = 10_000
"""Objects whose figures are sampled, the latest two samples of each: half a kibibyte, and three microseconds every five
seconds.  The one that was asked for longest ago gives way."""

CHARTS_MAX: Final = 200
"""Objects of which more samples are kept: some forty kibibytes each."""

SLICE_OBJECTS: Final = 100
"""Sampled in one go."""

Read = Callable[[], "Figures | Awaitable[Figures | None] | None"]
"""Gives an object's figures, at once or later where that takes long; None once it has gone."""


@dataclass(slots=True)
class _Sampled:
    series: Series
    read: Read


class Sampler:
    """Of one run of the plugin.  See the head of this file."""

    def __init__(self, broker: Broker, *, objects_max: int = OBJECTS_MAX, charts_max: int = CHARTS_MAX) -> None:
        self._broker = broker
        self._objects_max = objects_max
        self._charts_max = charts_max
        self._began_ms = broker.now_ms - int(trio.current_time() * 1000)
        self._sampled: dict[object, _Sampled] = {}
        self._charts: dict[object, None] = {}
        self._wanted = trio.Event()

    def __len__(self) -> int:
        """How many objects are sampled."""
        return len(self._sampled)

    @property
    def now_ms(self) -> int:
        """The broker's time, which stands still while nothing happens there."""
        return max(self._broker.now_ms, self._began_ms + int(trio.current_time() * 1000))

    def of(self, what: object, figures: Callable[[], Figures], read: Read, *, charts: Tiers = ()) -> Series:
        """The series of an object that somebody asks about, begun with the figures it has now.

        read: how they are read later.  charts: keep samples so far back.
        """
        found = self._sampled.pop(what, None)
        now_ms = self.now_ms
        if found is None:
            found = _Sampled(Series(figures(), now_ms), read)
            if len(self._sampled) >= self._objects_max:
                self._forget(next(iter(self._sampled)))
        found.series.asked_at_ms = now_ms
        # The one that was asked for last is the last.
        self._sampled[what] = found
        if charts:
            self._chart(what, found.series, charts)
        self._wanted.set()
        return found.series

    def _chart(self, what: object, series: Series, tiers: Tiers) -> None:
        self._charts.pop(what, None)
        self._charts[what] = None
        series.keep(tiers)
        if len(self._charts) > self._charts_max:
            oldest = next(iter(self._charts))
            del self._charts[oldest]
            self._sampled[oldest].series.forget()

    def _forget(self, what: object) -> None:
        del self._sampled[what]
        self._charts.pop(what, None)

    def clear(self) -> None:
        """Forget everything."""
        self._sampled.clear()
        self._charts.clear()

    async def run(self) -> None:
        """Sample for ever."""
        while True:
            await self._wanted.wait()
            while self._sampled:
                await trio.sleep((SAMPLE_MS - self.now_ms % SAMPLE_MS) / 1000)
                await self._sample()
            self._wanted = trio.Event()

    async def _sample(self) -> None:
        """One sample of everything, dated alike: to the whole five seconds that have begun."""
        now_ms = self.now_ms
        at_ms = now_ms - now_ms % SAMPLE_MS
        for number, (what, each) in enumerate(list(self._sampled.items()), 1):
            if now_ms - each.series.asked_at_ms >= UNASKED_MS:
                self._forget_again(what, each)
            else:
                figures = await _read(what, each.read)
                if figures is None:
                    self._forget_again(what, each)
                else:
                    each.series.add(figures, at_ms)
            if number % SLICE_OBJECTS == 0:
                await trio.lowlevel.checkpoint()

    def _forget_again(self, what: object, each: _Sampled) -> None:
        """Forget what is still the same; others may have had their turn meanwhile."""
        if self._sampled.get(what) is each:
            self._forget(what)


async def _read(what: object, read: Read) -> Figures | None:
    """An object's figures; one whose figures can't be read is forgotten, and the others are sampled all the same."""
    try:
        figures = read()
        return await figures if isinstance(figures, Awaitable) else figures
    except Exception:
        _log.exception("no figures of %r", what)
        return None
