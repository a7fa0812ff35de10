"""Objects as the API shows them: fields, and the columns of a listing that each is made of.

Only the columns of the fields that are asked for (`columns=name,message_stats.publish`) are computed, and only of the
rows on the page; what goes deeper than a field is cut down afterwards.  Rates are of what is looked at often enough to
have any, so where more rows are shown than are sampled (core/rates.py), there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from warren.core.administration.definitions_json.field_values import table_to_json
from warren.core.administration.listing.selecting import Condition, Query, contains, matches, select
from warren.core.rates import WATCHED_MAX
from warren.gateway.plugin import in_turns
from warren.plugins.management.endpoint import Call, Listed
from warren.plugins.management.errors import ApiError, bad_request

if TYPE_CHECKING:
    from warren.core.administration.listing.column import Row
    from warren.core.messages.field_table import FieldValue
    from warren.plugins.management.node import Node

PAGE_SIZE_DEFAULT: Final = 100
PAGE_SIZE_MAX: Final = 500
"""RabbitMQ's (spec F.1)."""

_DIGITS_MAX: Final = 9
"""More digits are no page, and int() needn't see them."""

Cells = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object: the columns it needs, and what it is, of these and the node."""

    columns: tuple[str, ...]
    make: Callable[[Cells, Node], object]


@dataclass(frozen=True, slots=True)
class View:
    """A kind of objects.  kind: the listing they come from.  fields: by name, in their order."""

    kind: str
    fields: Mapping[str, Field]

    def shown(self, names: list[str] | None, *, rates: bool) -> dict[str, Field]:
        """The fields of these names, all for None; rates only if they are wanted."""
        chosen = dict(self.fields) if names is None else {n: self.fields[n] for n in names if n in self.fields}
        if not rates and "message_stats" in chosen:
            chosen["message_stats"] = COUNTS
        return chosen


def same(name: str, column: str | None = None) -> Field:
    """A field that is what a column holds."""
    of = column or name
    return Field((of,), lambda cells, node: cells[of])


def table(name: str) -> Field:
    """A field that holds an AMQP table."""
    return Field((name,), lambda cells, node: table_to_json(cast("Mapping[str, FieldValue]", cells[name] or {})))


def fields(*names: str) -> dict[str, Field]:
    """Fields that are called as their columns are."""
    return {name: same(name) for name in names}


def stats(cells: Cells, node: Node) -> object:
    """Counts with their rates, as `publish` and `publish_details`; nothing where nothing has happened (spec F.3)."""
    counts = cast("Mapping[str, int]", cells["message_stats"])
    rates = cast("Mapping[str, float]", cells.get("message_rates") or {})
    return with_rates(counts, rates)


def with_rates(counts: Mapping[str, int], rates: Mapping[str, float]) -> dict[str, object]:
    """The same of any counts."""
    found: dict[str, object] = {}
    for name, count in counts.items():
        found[name] = count
        if name in rates:
            found[f"{name}_details"] = {"rate": float(rates[name])}
    return found


COUNTS: Final = Field(("message_stats",), stats)
STATS: Final = Field(("message_stats", "message_rates"), stats)
NODE: Final = Field((), lambda cells, node: node.name)


async def listed(call: Call, view: View, *conditions: Condition) -> Listed:
    """What a request for a list is answered with, by its `columns`, `sort`, `page`, `name` and so on.

    conditions: what the objects must be like beside that.
    """
    wanted = _columns(call.query)
    shown = view.shown(None if wanted is None else list(wanted), rates=_are_few(call, view))
    page, size = _page(call.query)
    query = Query(
        view.kind,
        call.vhosts,
        tuple(dict.fromkeys(column for each in shown.values() for column in each.columns)),
        [*conditions, *_named(call.query)],
        _sort(call.query, view),
        call.flag("sort_reverse"),
        0 if page is None else (page - 1) * size,
        None if page is None else size,
    )
    found = await in_turns(select(call.broker, query))
    rows = found.rows
    item_count = len(rows)
    items = (_cut(_made(each, shown, call.node), wanted) for each in _used_up(rows))
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
    """What a request for one object is answered with."""
    wanted = _columns(call.query)
    shown = view.shown(None if wanted is None else list(wanted), rates=True)
    cells = {column: row.value(column) for each in shown.values() for column in each.columns}
    return _cut(_made(cells, shown, call.node), wanted)


def _made(cells: Cells, shown: Mapping[str, Field], node: Node) -> dict[str, object]:
    return {name: each.make(cells, node) for name, each in shown.items()}


def _are_few(call: Call, view: View) -> bool:
    """Whether no more are shown than are sampled."""
    return "page" in call.query or call.broker.listings.kind(view.kind).count(call.broker, call.vhosts) <= WATCHED_MAX


# What a query says

Tree = dict[str, "Tree"]
"""Names of fields, and of what is wanted of each; nothing for all of it."""


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
        raise bad_request(f"page is a number from 1 on, page_size one from 1 to {PAGE_SIZE_MAX}")
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


def _sort(query: Mapping[str, str], view: View) -> str | None:
    """The column to sort by: of a field, of a count (`message_stats.publish`), of a rate (`..publish_details.rate`)."""
    path = query.get("sort", "")
    name, _, deeper = path.partition(".")
    if name not in view.fields or not view.fields[name].columns:
        return None
    column = view.fields[name].columns[0]
    if deeper.endswith("_details.rate"):
        return f"message_rates.{deeper.removesuffix('_details.rate')}"
    return f"{column}.{deeper}" if deeper else column


def _used_up(rows: list[dict[str, object]]) -> Iterator[Cells]:
    """The rows, each forgotten once it is given."""
    rows.reverse()
    while rows:
        yield rows.pop()
