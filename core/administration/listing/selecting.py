"""Choosing rows and columns of a listing, without computing the rest.

What a query costs, in columns computed
---------------------------------------
counting                 none
filtering by a column    that column of every row
sorting by a column      that column of every row that the filters let through
showing columns          those, of the rows on the page

The work goes in slices (`core.administration.steps`), and the broker changes in between.  A row is looked at again
before its columns are computed: one whose object has gone is left out, so a page may have a row less than it could.
What came into being after its place was passed isn't there yet.  Nothing is listed twice.

Sorting goes in slices too: each slice sorts the rows it has found, and the page is taken from their merging, which
goes no further than to the page's end.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from heapq import merge
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeVar

from warren.core.administration.listing.kind import Vhosts
from warren.core.administration.steps import SLICE_CELLS, Steps
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen
from warren.core.limit_hits import limited
from warren.core.patterns.compiling import check_pattern, limit_of

if TYPE_CHECKING:
    from warren.core.administration.listing.column import Row
    from warren.core.administration.listing.kinds import Listings
    from warren.core.broker import Broker
    from warren.core.patterns.expression import Expression

Cells = dict[str, object]
"""A row of the result: values by column."""

Compute = Callable[["Row"], object]

SortKey = tuple[int, object]
_Keyed = tuple[SortKey, "Row"]

Item = TypeVar("Item")

_by_key = itemgetter(0)

LINEAR_CELLS: Final = 4
STEPPING_CELLS: Final = 400
"""What an expression costs for one value, in values computed: with RE2 some microseconds, without it up to two
milliseconds, so that few rows make a slice."""

MATCH_STEPS_MAX: Final = 4_000
"""For one value; less than for a permission, as there are many values and nobody's safety rests on it."""


@frozen
class Condition:
    """What a row must be like: `holds` is asked about the value of a column.

    cells: what asking costs, in values computed.  expression: what it asks, if that is one.
    """

    column: str
    holds: Callable[[object], bool]
    cells: int = 1
    expression: Expression | None = None


@frozen
class Query:
    """What is asked of a listing.

    what: the kind, such as `queues`.  vhosts: only what is in these; None for all.  columns: to be shown, in this
    order; None for all that each object has.  within: what is asked about at all.  conditions: all of them have to
    hold.  sort: the column to sort by, or what computes of a row what to sort by; None for the order in which things
    are kept.  offset, count: the page, in rows of the result; None for no end.  row_as: the name under which the row
    itself is among its cells, for who knows more to compute of it.  also: rows beside those of the listing, of other
    nodes of a cluster.
    """

    what: str
    vhosts: Vhosts = None
    columns: Sequence[str] | None = None
    conditions: Sequence[Condition] = ()
    sort: str | Compute | None = None
    descending: bool = False
    offset: int = 0
    count: int | None = None
    row_as: str | None = None
    within: Sequence[Condition] = ()
    also: Sequence[Row] = ()


@frozen
class Selected:
    """What a query found.  total_count: rows that are asked about.  filtered_count: those that fit the conditions."""

    rows: list[Cells]
    total_count: int
    filtered_count: int


def select(broker: Broker, query: Query, *, slice_cells: int = SLICE_CELLS) -> Steps[Selected]:
    """Answer a query, in slices that compute or look at about `slice_cells` values each.

    Raises KeyError for an unknown kind, UnknownColumn, a PreconditionFailed; ValueError for a page that is none.
    """
    if query.offset < 0 or (query.count is not None and query.count < 0):
        raise ValueError("a page has no negative numbers")
    named = [*(query.columns or ()), *(each.column for each in (*query.within, *query.conditions))]
    if isinstance(query.sort, str):
        named.append(query.sort)
    broker.listings.check_columns(query.what, named)
    return Steps(_select(broker, query, slice_cells))


def contains(column: str, text: str) -> Condition:
    """The column's text contains `text`, in whatever case."""
    lowered = text.lower()
    return Condition(column, lambda value: lowered in _text(value).lower())


def matches(column: str, pattern: str) -> Condition:
    """The regular expression is found in the column's text; PreconditionFailed when it is none.

    What it may be, and how the time that it takes is bounded, is told in core.patterns.expression.
    """
    try:
        expression = check_pattern(pattern)
    except ValueError as error:
        refused = PreconditionFailed(f"'{pattern}' is no regular expression: {error}")
        raise limited(refused, limit_of(error)) from None
    cells = LINEAR_CELLS if expression.is_linear else STEPPING_CELLS
    return Condition(column, lambda value: expression.found_in(_text(value), MATCH_STEPS_MAX), cells, expression)


def equals(column: str, wanted: object) -> Condition:
    """The column holds this value."""
    return Condition(column, lambda value: value == wanted)


def sort_key(value: object) -> SortKey:
    """An order for values of any sort: nothing, numbers, texts, and whatever else by its text."""
    if value is None:
        return _NOTHING
    if isinstance(value, int | float):
        return 1, value
    return (2, value) if isinstance(value, str) else (3, str(value))


_NOTHING: Final[SortKey] = (0, 0)


def _select(broker: Broker, query: Query, slice_cells: int) -> Generator[None, None, Selected]:
    listings = broker.listings
    last = None if query.count is None else query.offset + query.count
    found = _Found(listings, query, last)
    cells = 0
    conditions = (*query.within, *query.conditions)
    looked_at = _names([each.column for each in conditions], query.sort if isinstance(query.sort, str) else None)
    cells_per_row = 1 + sum(each.cells for each in conditions) + (query.sort is not None)
    rows_here: Iterator[Row] = listings.kind(query.what).rows(broker, query.vhosts)
    for row in chain(rows_here, _also(query)) if query.also else rows_here:
        if row.slow_names and not row.slow_names.isdisjoint(looked_at):
            yield from row.prepare()
        found.take(row)
        cells += cells_per_row
        if cells >= slice_cells:
            found.end_slice()
            cells = 0
            yield
    found.end_slice()
    rows: list[Cells] = []
    show = _showing(listings, query)
    shown_names = _names(query.columns or (), None)
    for position, row in enumerate(found.in_order(), found.first_position):
        if position >= query.offset and row.slow_names and not row.slow_names.isdisjoint(shown_names):
            yield from row.prepare()
        if position >= query.offset and row.exists:
            shown = show(row)
            if query.row_as is not None:
                shown[query.row_as] = row
            rows.append(shown)
            cells += len(shown)
        cells += 1
        if cells >= slice_cells:
            cells = 0
            yield
    unanswered = sum(each.expression.unanswered for each in query.conditions if each.expression is not None)
    broker.limit_hits.count("work of a pattern", unanswered)
    return Selected(rows, found.total_count, found.filtered_count)


def _also(query: Query) -> Iterator[Row]:
    """Rows of other nodes, of the virtual hosts that are meant."""
    vhosts = query.vhosts
    return (row for row in query.also if vhosts is None or row.value("vhost") in vhosts)


def _names(columns: Sequence[str], sort: str | None) -> set[str]:
    """The columns that are meant, also where one entry of a column is."""
    return {column.partition(".")[0] for column in (*columns, sort or "")}


class _Found:
    """The rows that fit, as far as the page may need them."""

    def __init__(self, listings: Listings, query: Query, last: int | None) -> None:
        self._within = [(listings.compute(query.what, each.column), each.holds) for each in query.within]
        self._conditions = [(listings.compute(query.what, each.column), each.holds) for each in query.conditions]
        sort = query.sort
        self._sort: Compute | None = listings.compute(query.what, sort) if isinstance(sort, str) else sort
        self._descending = query.descending
        self._offset = query.offset
        self._last = last
        self._rows: list[Row] = []
        self._slice: list[_Keyed] = []
        self._sorted_slices: list[list[_Keyed]] = []
        self.total_count = 0
        self.filtered_count = 0

    @property
    def first_position(self) -> int:
        """The position, among all that fit, of the first row that `in_order` gives."""
        return 0 if self._sort is not None else self._offset

    def take(self, row: Row) -> None:
        """Look at a row, which may have gone since the walk came to its neighbourhood."""
        if not row.exists:
            return
        for compute, holds in self._within:
            if not holds(compute(row)):
                return
        self.total_count += 1
        for compute, holds in self._conditions:
            if not holds(compute(row)):
                return
        position = self.filtered_count
        self.filtered_count += 1
        if self._sort is not None:
            self._slice.append((sort_key(self._sort(row)), row))
        elif position >= self._offset and (self._last is None or position < self._last):
            self._rows.append(row)

    def end_slice(self) -> None:
        """Sort what this slice has found."""
        if self._slice:
            self._slice.sort(key=_by_key, reverse=self._descending)
            self._sorted_slices.append(self._slice)
            self._slice = []

    def in_order(self) -> Iterator[Row]:
        """The rows up to the page's end, once: they are let go one by one."""
        if self._sort is None:
            return _used_up(self._rows)
        merged = merge(*map(_used_up, self._sorted_slices), key=_by_key, reverse=self._descending)
        return (row for _, row in islice(merged, self._last))


def _used_up(items: list[Item]) -> Iterator[Item]:
    """The items in their order, each forgotten once it is given: letting go of all at once would take long."""
    items.reverse()
    while items:
        yield items.pop()


def _showing(listings: Listings, query: Query) -> Callable[[Row], Cells]:
    """How a row becomes cells."""
    if query.columns is None:
        added = listings.added_columns(query.what)

        def show_all(row: Row) -> Cells:
            cells = {name: row.value(name) for name in row.names()}
            if not row.node_name:
                cells.update((name, compute(row)) for name, compute in added.items())
            return cells

        return show_all
    chosen = [(name, listings.compute(query.what, name)) for name in query.columns]
    return lambda row: {name: compute(row) for name, compute in chosen}


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
