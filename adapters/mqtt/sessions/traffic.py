"""What MQTT clients send and are sent, counted for $SYS; and how much of it per minute.

Counting must not cost anything per message, so most of it is done once per read or per batch, and what a connection
counts by itself (bytes, PUBLISH packets that it sent) is asked of it when somebody wants to know, or when it ends.

Rates are exponential averages over 1, 5 and 15 minutes, as Mosquitto's; they are brought up to date every `TICK_MS`
while clients are connected.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.world import MqttWorld
    from warren.core.deadlines import Deadline

TICK_MS: Final = 10_000
"""As Mosquitto's sys_interval."""

MINUTES: Final = (1, 5, 15)

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
        self._rates: dict[str, Rate] = {name: Rate() for name in world.counters()}
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
        elapsed_ms = now_ms - self._updated_at_ms
        if elapsed_ms > 0:
            self._updated_at_ms = now_ms
            for name, count in self._world.counters().items():
                self._rates[name].update(count, elapsed_ms)
        self._next = None
        self.watch()
