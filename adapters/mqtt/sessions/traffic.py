"""What MQTT clients send and are sent, counted for $SYS; and how much of it per minute.

Counting must not cost anything per message, so most of it is done once per read or per batch, and what a connection
counts by itself (bytes, PUBLISH packets that it sent) is asked of it when somebody wants to know, or when it ends.  To
ask very many takes several turns.

Rates are exponential averages over 1, 5 and 15 minutes, as Mosquitto's; they are brought up to date every `TICK_MS`
while clients are connected.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from math import exp
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.world import MqttWorld
    from warren.core.broker import Broker
    from warren.core.deadlines import Deadline

Result = TypeVar("Result")

TICK_MS: Final = 10_000
"""As Mosquitto's sys_interval."""

MINUTES: Final = (1, 5, 15)

LOOKED_AT_PER_SLICE: Final = 1000
"""Connections and queues that are asked in one turn, a microsecond or two each."""

COUNTED: Final = (
    "messages/received",
    "messages/sent",
    "publish/received",
    "publish/sent",
    "publish/dropped",
    "bytes/received",
    "bytes/sent",
    "connections",
    "sockets",
)
"""The names of the counters in $SYS."""

_MINUTE_MS: Final = 60_000


class Rate:
    """A counter's growth per minute, averaged."""

    __slots__ = ("_last", "averages")

    def __init__(self) -> None:
        self._last = 0
        self.averages = [0.0] * len(MINUTES)

    def update(self, count: int, elapsed_ms: int) -> None:
        """The counter stands at `count` now, `elapsed_ms` (above 0) after the last update."""
        per_minute = (count - self._last) * _MINUTE_MS / elapsed_ms
        self._last = count
        for index, minutes in enumerate(MINUTES):
            weight = exp(-elapsed_ms / (minutes * _MINUTE_MS))
            self.averages[index] = self.averages[index] * weight + per_minute * (1 - weight)


class Rates:
    """The rates of a broker's counters, by name."""

    __slots__ = ("_next", "_rates", "_updated_at_ms", "_world")

    def __init__(self, world: MqttWorld) -> None:
        self._world = world
        self._rates: dict[str, Rate] = {name: Rate() for name in COUNTED}
        self._updated_at_ms = world.broker.now_ms
        self._next: Deadline | None = None

    @property
    def averages(self) -> Mapping[str, list[float]]:
        """Per minute, over 1, 5 and 15 minutes, by the counter's name."""
        return {name: rate.averages for name, rate in self._rates.items()}

    def watch(self) -> None:
        """A client has connected."""
        if self._next is None:
            broker = self._world.broker
            self._next = broker.deadlines.schedule(broker.now_ms + TICK_MS, self._tick)

    def rest(self) -> None:
        """The last client has gone."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _tick(self, now_ms: int) -> None:
        self._next = None
        self.watch()
        elapsed_ms = now_ms - self._updated_at_ms
        if elapsed_ms > 0:
            self._updated_at_ms = now_ms
            in_slices(self._world.broker, self._world.counters(), partial(self._update, elapsed_ms))

    def _update(self, elapsed_ms: int, counters: Mapping[str, int]) -> None:
        for name, count in counters.items():
            self._rates[name].update(count, elapsed_ms)


def in_slices(broker: Broker, work: Generator[None, None, Result], then: Callable[[Result], None]) -> None:
    """Do the first slice of some work now, the others in the turns that follow.  then: called with what comes of it."""

    def do_slice() -> bool:
        try:
            next(work)
        except StopIteration as end:
            then(end.value)
            return False
        return True

    if do_slice():
        broker.chores.add(do_slice)
