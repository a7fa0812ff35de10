"""Objects as the API shows them: fields, and the columns of a listing that each is made of.

Only the columns of the fields that are asked for (`columns=name,message_stats.publish`) are computed, and only of the
rows on the page; what goes deeper than a field is cut down afterwards.  Rates are of what is sampled (sampler.py), so
where more rows are shown than can be, there are none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from warren.core.administration.definitions_json.field_values import table_to_json
from warren.core.administration.listing.kinds import QUEUES_NAME
from warren.core.administration.listing.selecting import Condition, Query, contains, equals, matches, select
from warren.core.frozen import frozen
from warren.gateway.plugin import give_way, in_turns
from warren.plugins.management.endpoint import Call, Listed
from warren.plugins.management.errors import ApiError, bad_request
from warren.plugins.management.ranges import MESSAGE_RATES, spans_of
from warren.plugins.management.sampler import CHARTS_MAX, OBJECTS_MAX
from warren.plugins.management.series import OF_OBJECTS, STILL, Figures

if TYPE_CHECKING:
    from warren.core.administration.listing.column import Row
    from warren.core.messages.field_table import FieldValue
    from warren.plugins.management.node import Node
    from warren.plugins.management.ranges import Span, Spans
    from warren.plugins.management.series import Series

PAGE_SIZE_DEFAULT: Final = 100
PAGE_SIZE_MAX: Final = 500
"""RabbitMQ's (spec F.1)."""

SHORT_COUNT: Final = 500
"""A list of no more objects than a page may have doesn't wait for its turn to be made, unless it is read slowly."""

_DIGITS_MAX: Final = 9
"""More digits are no page, and int() needn't see them."""

Cells = Mapping[str, object]

AnyRow = TypeVar("AnyRow", bound="Row")

Tree = dict[str, "Tree"]
"""Names of fields, and of what is wanted of each; nothing for all of it."""

ROW: Final = "the row"
"""What the row itself is called among its cells; no column has a space."""


@frozen
class Look:
    """How objects are looked at: what a field may need beside their columns.

    spans: of samples.  rates: whether the objects are sampled.  charts: whether samples are kept for later.
    """

    node: Node
    spans: Spans
    rates: bool
    charts: bool


Make = Callable[[Cells, Look], object]


@frozen
class Field:
    """One field of an object: the columns it needs, and what it is, of these.

    sampled: it is made of the object's samples, too.  omitted: None means that there is no such field.
    """

    columns: tuple[str, ...]
    make: Make
    sampled: bool = False
    omitted: bool = False


@frozen
class Sampled:
    """What of the objects of a kind is sampled: by what they are told apart, and their figures, of a row.

    anew: where a row takes long to be made ready, its figures as they are later; None once the object has gone.
    """

    what: Callable[[Any], object]
    figures: Callable[[Any], Figures]
    anew: Callable[[Any], Awaitable[Figures | None]] | None = None


@frozen
class View:
    """A kind of objects.  kind: the listing they come from.  fields: by name, in their order.

    sampled: what the sampler looks at, if anything.  described: the fields that `disable_stats=true` leaves;
    totals: those that `enable_queue_totals=true` adds to them.  Empty: all.
    everywhere: what the other nodes of a cluster have of them is shown, too.
    """

    kind: str
    fields: Mapping[str, Field]
    sampled: Sampled | None = None
    described: tuple[str, ...] = ()
    totals: tuple[str, ...] = ()
    everywhere: bool = False

    def shown(self, names: Iterable[str]) -> dict[str, Field]:
        """The fields of these names."""
        return {name: self.fields[name] for name in names if name in self.fields}

    def series(self, cells: Cells, look: Look) -> Series | None:
        """What is sampled of an object; None where nothing is."""
        row, sampled = cast("Row", cells[ROW]), self.sampled
        if sampled is None or not look.rates or row.node_name:
            return None
        read = partial(sampled.anew, row) if sampled.anew is not None else partial(_figures, sampled.figures, row)
        charts = OF_OBJECTS if look.charts else ()
        return look.node.sampler.of(sampled.what(row), partial(sampled.figures, row), read, charts=charts)


def _figures(of: Callable[[Any], Figures], row: Row) -> Figures | None:
    return of(row) if row.exists else None


def same(name: str, column: str | None = None) -> Field:
    """A field that is what a column holds."""
    of = column or name
    return Field((of,), lambda cells, look: cells[of])


def table(name: str) -> Field:
    """A field that holds an AMQP table."""
    return Field((name,), lambda cells, look: table_to_json(cast("Mapping[str, FieldValue]", cells[name] or {})))


def fields(*names: str) -> dict[str, Field]:
    """Fields that are called as their columns are."""
    return {name: same(name) for name in names}


def details(sort: str, *names: str) -> dict[str, Field]:
    """How fast figures grow, as `messages_details`.  sort: of figures, in ranges.py."""

    def field(name: str) -> Field:
        def make(cells: Cells, look: Look) -> object:
            series = cast("Series | None", cells[SERIES])
            return None if series is None else series.details(name, look.spans.get(sort))

        return Field((name,), make, sampled=True, omitted=True)

    return {f"{name}_details": field(name) for name in names}


def _idle_since(cells: Cells, look: Look) -> object:
    """When the object was last seen to do something; not there while it does, or before anybody knows."""
    series = cast("Series | None", cells[SERIES])
    since_ms = None if series is None else series.idle_since_ms
    return None if since_ms is None else datetime.fromtimestamp(since_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _stats(cells: Cells, look: Look) -> object:
    counts = cast("Mapping[str, int]", cells["message_stats"])
    return with_rates(counts, cast("Series | None", cells.get(SERIES)), look.spans.get(MESSAGE_RATES))


def with_rates(counts: Mapping[str, int], series: Series | None, span: Span | None) -> dict[str, object]:
    """Counts with their rates, as `publish` and `publish_details` (spec F.3)."""
    if series is None:
        return dict(counts)
    found: dict[str, object] = {}
    moving = series.moving
    for name, count in counts.items():
        found[name] = count
        found[_named_details(name)] = moving.get(name, STILL) if span is None else series.details(name, span)
    return found


@cache
def _named_details(name: str) -> str:
    return f"{name}_details"


SERIES: Final = "the series"
"""What an object's samples are called among its cells, once they were looked up."""

STATS: Final = Field(("message_stats",), _stats, sampled=True)
IDLE: Final = Field((), _idle_since, sampled=True, omitted=True)
NODE: Final = Field((), lambda cells, look: cast("Row", cells[ROW]).node_name or look.node.name)


async def listed(call: Call, view: View, *conditions: Condition, where: tuple[str, str] | None = None) -> Listed:
    """What a request for a list is answered with, by its `columns`, `sort`, `page`, `name` and so on.

    conditions: what the objects must be like beside that.  where: a column, and what it must hold; others are asked
    for no more.
    """
    if where is not None:
        conditions = (*conditions, equals(*where))
    wanted = _columns(call.query)
    shown = view.shown(_names(call, view, wanted))
    page, size = _page(call.query)
    also = await _elsewhere(call, view, where)
    count = call.broker.listings.kind(view.kind).count(call.broker, call.vhosts) + len(also)
    look = _look(call, count if page is None else min(size, count))
    query = Query(
        view.kind,
        call.vhosts,
        tuple(dict.fromkeys(column for each in shown.values() for column in each.columns)),
        _named(call.query),
        _sort(call, view, look),
        call.flag("sort_reverse"),
        0 if page is None else (page - 1) * size,
        None if page is None else size,
        ROW,
        conditions,
        also,
    )
    if page is None and count > SHORT_COUNT:
        await call.place.turn()
    found = await in_turns(select(call.broker, query))
    rows = found.rows
    item_count = len(rows)
    sampled = any(each.sampled for each in shown.values())
    items = (_cut(_made(each, view, shown, look, sampled=sampled), wanted) for each in _used_up(rows))
    if page is None:
        return Listed(items)
    pages = -(-found.filtered_count // size)
    if page > max(pages, 1):
        text = f"Page out of range, page: {page} page size: {size}, len: {found.filtered_count}"
        raise ApiError(400, "page_out_of_range", text)
    around = {
        "filtered_count": found.filtered_count,
        "item_count": item_count,
        "page": page,
        "page_count": pages,
        "page_size": size,
        "total_count": found.total_count,
    }
    return Listed(items, around)


def one(call: Call, view: View, row: Row) -> dict[str, object]:
    """What a request for one object is answered with; its samples are kept from now on."""
    wanted = _columns(call.query)
    shown = view.shown(_names(call, view, wanted))
    cells = {column: row.value(column) for each in shown.values() for column in each.columns}
    cells[ROW] = row
    look = Look(call.node, spans_of(call.query), rates=True, charts=True)
    return _cut(_made(cells, view, shown, look), wanted)


async def prepared(row: AnyRow) -> AnyRow:
    """The row, once what takes long to add up is added up."""
    for _ in row.prepare():
        await give_way()
    return row


def _names(call: Call, view: View, wanted: Tree | None) -> Iterable[str]:
    """The names of the fields that are shown."""
    if not call.flag("disable_stats") or not view.described:
        return view.fields if wanted is None else wanted
    names = view.described + (view.totals if call.flag("enable_queue_totals") else ())
    return names if wanted is None else [name for name in wanted if name in names]


def _made(
    cells: dict[str, object], view: View, shown: Mapping[str, Field], look: Look, *, sampled: bool = True
) -> dict[str, object]:
    if sampled:
        cells[SERIES] = view.series(cells, look)
    found: dict[str, object] = {}
    for name, each in shown.items():
        value = each.make(cells, look)
        if value is not None or not each.omitted:
            found[name] = value
    return found


async def _elsewhere(call: Call, view: View, where: tuple[str, str] | None) -> Sequence[Row]:
    """The rows of the other nodes; for queues, which all nodes know, these are asked how many messages there are."""
    cluster = call.broker.cluster
    if cluster is None:
        return ()
    if view.kind == QUEUES_NAME:
        await cluster.count_elsewhere()
    return await cluster.rows_elsewhere(view.kind, where) if view.everywhere else ()


def _look(call: Call, shown: int) -> Look:
    """How the objects of a list are looked at: if there are more than are sampled, they have no rates."""
    spans = spans_of(call.query)
    return Look(call.node, spans, rates=shown <= OBJECTS_MAX, charts=bool(spans) and shown <= CHARTS_MAX)


# What a query says


def _columns(query: Mapping[str, str]) -> Tree | None:
    """`columns=a,b.c`, as a tree; None for everything."""
    given = query.get("columns", "")
    tree: Tree = {}
    for path in filter(None, given.split(",")):
        branch = tree
        for name in path.split("."):
            branch = branch.setdefault(name, {})
    return tree or None


def _cut(value: dict[str, object], wanted: Tree | None) -> dict[str, object]:
    """Of an object, what is wanted."""
    if not wanted:
        return value
    found: dict[str, object] = {}
    for name, deeper in wanted.items():
        if name in value:
            inner = value[name]
            found[name] = _cut(inner, deeper) if isinstance(inner, dict) else inner
    return found


def _page(query: Mapping[str, str]) -> tuple[int | None, int]:
    """(page, its size); None where no page is asked for."""
    if "page" not in query:
        return None, 0
    page = _number(query, "page", 1)
    size = _number(query, "page_size", PAGE_SIZE_DEFAULT)
    if page < 1 or not 1 <= size <= PAGE_SIZE_MAX:
        text = f"Invalid pagination parameters: page is a number from 1 on, page_size one from 1 to {PAGE_SIZE_MAX}"
        raise ApiError(400, "invalid_pagination_parameters", text)
    return page, size


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise bad_request(f"{name} must be a number, not '{text}'")
    return int(text)


def _named(query: Mapping[str, str]) -> list[Condition]:
    """`name=part`, or with `use_regex=true` a pattern."""
    name = query.get("name", "")
    if not name:
        return []
    return [matches("name", name) if query.get("use_regex", "").lower() == "true" else contains("name", name)]


_RATE: Final = "_details.rate"


def _sort(call: Call, view: View, look: Look) -> str | Callable[[Row], object] | None:
    """What to sort by: a field, a count (`message_stats.publish`), a rate (`message_stats.publish_details.rate`)."""
    path = call.query.get("sort", "")
    name, _, deeper = path.partition(".")
    if path.endswith(_RATE) and view.sampled is not None:
        figure = path.removesuffix(_RATE).rpartition(".")[2]

        def rate(row: Row) -> object:
            series = view.series({ROW: row}, look)
            return 0.0 if series is None else series.rate(figure)

        return rate
    if name not in view.fields or not view.fields[name].columns:
        return None
    column = view.fields[name].columns[0]
    return f"{column}.{deeper}" if deeper else column


def _used_up(rows: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    """The rows, each forgotten once it is given."""
    rows.reverse()
    while rows:
        yield rows.pop()
