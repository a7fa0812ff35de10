"""What limits have done to somebody since the start, as list_limit_hits shows it (core/limit_hits.py)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from warren.core.administration.listing.column import Column, Row, named
from warren.core.administration.listing.kind import Kind, Vhosts

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.limit_hits import Hits


class LimitHitsRow(Row):
    """One limit that has refused, dropped or ended something."""

    __slots__ = ("_hits", "_limit")

    def __init__(self, limit: str, hits: Hits) -> None:
        self._limit = limit
        self._hits = hits

    @Column
    def limit(self) -> str:
        """Its name: the configuration key's, where there is one."""
        return self._limit

    @named("count")
    def hit_count(self) -> int:
        """How often it did so."""
        return self._hits.times

    @Column
    def last_at(self) -> int:
        """When it did so last, in milliseconds since 1970."""
        return self._hits.last_at_ms


def _rows(broker: Broker, vhosts: Vhosts) -> Iterator[LimitHitsRow]:
    for limit, hits in sorted(broker.limit_hits.by_limit.items()):
        yield LimitHitsRow(limit, hits)


def _count(broker: Broker, vhosts: Vhosts) -> int:
    return len(broker.limit_hits.by_limit)


LIMIT_HITS = Kind("limit_hits", LimitHitsRow, _rows, _count, shown=("limit", "count", "last_at"))
