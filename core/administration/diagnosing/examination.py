"""One examination while it goes on: what is examined, and what was found so far.

What is so at many places is one finding, which keeps the first places and counts the others: ten thousand consumers
without a limit are one fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from warren.core.administration.diagnosing.finding import Fault, Finding, Place, Severity

if TYPE_CHECKING:
    from warren.core.administration.diagnosing.looking import Look
    from warren.core.administration.diagnosing.surroundings import Surroundings
    from warren.core.broker import Broker
    from warren.core.routing.vhost import VirtualHost

PLACES_MAX: Final = 20
"""Places of a finding that are named."""

WORK_PER_SLICE: Final = 1000
"""Objects that are looked at in one slice: one to three microseconds each."""


class _Found:
    """What was found of one sort."""

    __slots__ = ("count", "places", "severity")

    def __init__(self, severity: Severity) -> None:
        self.severity = severity
        self.count = 0
        self.places: list[Place] = []


class Examination:
    """vhosts: those that are examined.  whole: all of them, and what is in none, too.  now_ms: the time, which an
    idle broker doesn't note.  patience_ms: see thresholds.

    earlier: a look at the queues some time before, None without one.  consuming: names of connections that consume
    from a queue that others use, too.
    """

    __slots__ = (
        "_found",
        "_work",
        "broker",
        "consuming",
        "earlier",
        "looked_at",
        "now_ms",
        "patience_ms",
        "surroundings",
        "vhosts",
        "whole",
    )

    def __init__(
        self,
        broker: Broker,
        surroundings: Surroundings,
        vhosts: Sequence[VirtualHost],
        *,
        whole: bool,
        now_ms: int,
        patience_ms: int,
        earlier: Look | None = None,
    ) -> None:
        self.broker = broker
        self.surroundings = surroundings
        self.vhosts = vhosts
        self.whole = whole
        self.now_ms = now_ms
        self.patience_ms = patience_ms
        self.earlier = earlier
        self.consuming: set[object] = set()
        self.looked_at: dict[str, int] = {}
        self._found: dict[Fault, _Found] = {}
        self._work = 0

    def has_worked(self, work: int = 1) -> bool:
        """So much was looked at; True when it is time for others to have a turn."""
        self._work += work
        if self._work < WORK_PER_SLICE:
            return False
        self._work = 0
        return True

    def count(self, what: str, number: int = 1) -> None:
        """So many of these were looked at."""
        self.looked_at[what] = self.looked_at.get(what, 0) + number

    def report(self, fault: Fault, place: Place, severity: Severity | None = None) -> None:
        """It is so at this place.  severity: other than the catalogue's."""
        severity = severity or fault.severity
        found = self._found.get(fault)
        if found is None:
            found = self._found[fault] = _Found(severity)
        elif severity.rank > found.severity.rank:
            found.severity = severity
        found.count += 1
        if len(found.places) < PLACES_MAX:
            found.places.append(place)

    def findings(self) -> list[Finding]:
        """The worst first, and among equals in the order of finding."""
        found = [
            Finding(fault.code, each.severity, fault.title, fault.why, fault.remedy, each.count, each.places)
            for fault, each in self._found.items()
        ]
        return sorted(found, key=lambda each: -each.severity.rank)
