"""What an examination finds: of each sort one finding, with all places where it is so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Severity(Enum):
    """How bad it is.

    NOTICE: it may be meant so.  WARNING: it will cost messages, memory or time.  ERROR: it does so now, or anybody may
    come in.
    """

    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """Larger is worse."""
        return _ORDER.index(self)


_ORDER = list(Severity)


class Place(NamedTuple):
    """Where something is so.

    vhost: empty for what is in none.  kind: queue, exchange, policy, connection, channel, consumer, user, listener...
    name: of the object, as its listing has it.  detail: the evidence, counted by the broker.  remedy: what to type for
    this one; empty where that is the same for all.
    """

    vhost: str
    kind: str
    name: str
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is so at `count` places, of which some are named.

    code: a name for programs.  title, why, remedy: for people, without names; `remedy` has a line for each way out.
    """

    code: str
    severity: Severity
    title: str
    why: str
    remedy: Sequence[str]
    count: int
    places: Sequence[Place]


@dataclass(frozen=True, slots=True)
class Fault:
    """A sort of finding, as the catalogue (catalogue.py) has it; severity: where an examination doesn't say another."""

    code: str
    severity: Severity
    title: str
    why: str
    remedy: tuple[str, ...]


class Report(NamedTuple):
    """The result of an examination.

    findings: the worst first.  looked_at: how many of what, by the names of listings.  seconds: between the two looks.
    """

    findings: Sequence[Finding]
    looked_at: dict[str, int]
    seconds: float

    def described(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "healthy": self.is_healthy,
            "looked_at": self.looked_at,
            "seconds": self.seconds,
            "findings": [
                {
                    "code": each.code,
                    "severity": each.severity.value,
                    "title": each.title,
                    "why": each.why,
                    "remedy": list(each.remedy),
                    "count": each.count,
                    "places": [place._asdict() for place in each.places],
                }
                for each in self.findings
            ],
        }

    @property
    def is_healthy(self) -> bool:
        """True when nothing was found, or nothing but notices."""
        return all(each.severity is Severity.NOTICE for each in self.findings)
