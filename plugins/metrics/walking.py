"""Looking at all objects of a group, some at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.plugins.metrics.encoding import Family, Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.administration.listing.column import Row
    from warren.core.administration.listing.kind import Vhosts
    from warren.core.broker import Broker
    from warren.core.patterns.expression import Expression
    from warren.plugins.metrics.groups import Group, Measure

ROWS_PER_SLICE: Final = 100
"""Objects that are looked at before others have a turn: up to twenty values of a microsecond or two each."""


def rows(broker: Broker, listing: str, vhosts: Vhosts = None) -> Iterator[Row | None]:
    """All objects of a kind that are still there, and here: each node of a cluster shows its own.  None after some."""
    for number, row in enumerate(broker.listings.kind(listing).rows(broker, vhosts), 1):
        if row.exists and not row.is_elsewhere:
            yield row
        if number % ROWS_PER_SLICE == 0:
            yield None


def families(
    broker: Broker, group: Group, prefix: str, vhosts: Vhosts = None, names: Expression | None = None
) -> Iterator[Family]:
    """Each family with a series for each object.

    vhosts: only what is in these; None for all.  names: only queues whose names it is found in.  The objects are walked
    for each family anew, so that a page of many takes no memory.
    """
    for measure in group.measures:
        series = _series(broker, group, measure, vhosts, names)
        yield Family(prefix + measure.name, measure.kind, measure.about, series)


def _series(
    broker: Broker, group: Group, measure: Measure, vhosts: Vhosts, names: Expression | None
) -> Iterator[Series | None]:
    for row in rows(broker, group.listing, vhosts):
        if row is None:
            yield None
            continue
        if names is not None and not names.found_in(str(row.value("name"))):
            continue
        if measure.column in row.slow_names:
            yield from row.prepare()
        value = measure.of(row)
        if value is not None:
            yield Series({label: str(row.value(column)) for label, column in group.labels}, value)


def sums(broker: Broker, group: Group) -> Iterator[dict[str, float] | None]:
    """The sums of a group's families over all objects, by the family's name, at last; None before, now and then."""
    found: dict[str, float] = {}
    columns = [measure.column for measure in group.measures]
    for row in rows(broker, group.listing):
        if row is None:
            yield None
            continue
        if not row.slow_names.isdisjoint(columns):
            yield from row.prepare()
        for measure in group.measures:
            value = measure.of(row)
            if value is not None:
                found[measure.name] = found.get(measure.name, 0) + value
    yield found
