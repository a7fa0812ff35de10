"""Destinations for exchange tests: a name, a kind, and no more."""

from __future__ import annotations

from dataclasses import dataclass

from warren.core.exchanges.binding import Destination, DestinationKind


@dataclass(frozen=True, eq=False)
class Target:
    """A queue or an exchange as a binding sees it."""

    name: str
    kind: DestinationKind = "queue"
    durable: bool = True


def names(targets: object) -> list[str]:
    """The names of destinations in order, for comparisons that read well."""
    assert isinstance(targets, tuple)
    return [target.name for target in targets]


def as_destination(target: Target) -> Destination:
    """The target as what it is to the type checker: this fails to compile when the protocol drifts away."""
    return target
