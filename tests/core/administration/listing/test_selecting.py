"""Rows and columns are chosen without computing the rest, in slices, while objects come and go."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

import pytest

from tests.support.core_broker import core_broker
from warren.core.administration.listing.column import Column, Row, on_request
from warren.core.administration.listing.kind import Kind, Vhosts
from warren.core.administration.listing.selecting import (
    Condition,
    Query,
    Selected,
    contains,
    equals,
    matches,
    select,
    sort_key,
)
from warren.core.administration.steps import Steps
from warren.core.broker import Broker
from warren.core.declaring.queues import create_queue, remove_queue
from warren.core.errors import PreconditionFailed


class Computed(Exception):
    """Somebody computed what nobody asked for."""


class Thing:
    """What is listed here; `computed` counts the columns that somebody wanted of all things together."""

    computed: ClassVar[Counter[str]] = Counter()

    def __init__(self, number: int, colour: str) -> None:
        self.number = number
        self.colour = colour
        self.exists = True


class ThingRow(Row):
    __slots__ = ("thing",)

    def __init__(self, thing: Thing) -> None:
        self.thing = thing

    @property
    def exists(self) -> bool:
        return self.thing.exists

    @Column
    def number(self) -> int:
        Thing.computed["number"] += 1
        return self.thing.number

    @Column
    def colour(self) -> str:
        Thing.computed["colour"] += 1
        return self.thing.colour

    @Column
    def size(self) -> int:
        Thing.computed["size"] += 1
        return self.thing.number % 7

    @Column
    def parts(self) -> dict[str, int]:
        Thing.computed["parts"] += 1
        return {"left": self.thing.number * 2, "right": 1}

    @on_request
    def costly(self) -> int:
        Thing.computed["costly"] += 1
        return -self.thing.number

    @Column
    def trap(self) -> int:
        raise Computed


COLOURS = ("red", "green", "blue")


class Things:
    """A broker that lists things."""

    def __init__(self, count: int) -> None:
        self.broker = core_broker()
        self.all = [Thing(number, COLOURS[number % 3]) for number in range(count)]
        self.walked = 0
        self.broker.listings.register(Kind("things", ThingRow, self._rows, self._count, ("number",), ("weight",)))
        Thing.computed = Counter()

    def _rows(self, broker: Broker, vhosts: Vhosts) -> Iterator[Row]:
        for thing in list(self.all):
            self.walked += 1
            yield ThingRow(thing)

    def _count(self, broker: Broker, vhosts: Vhosts) -> int:
        return len(self.all)

    def steps(self, query: Query, slice_cells: int = 50) -> Steps[Selected]:
        return select(self.broker, query, slice_cells=slice_cells)

    def numbers(self, query: Query, slice_cells: int = 50) -> list[object]:
        return [row["number"] for row in self.steps(query, slice_cells).finish().rows]


def test_only_the_pages_rows_and_columns_are_computed() -> None:
    things = Things(1000)
    found = things.steps(Query("things", columns=("number", "colour"), offset=500, count=10)).finish()
    assert [row["number"] for row in found.rows] == list(range(500, 510))
    assert (found.total_count, found.filtered_count) == (1000, 1000)
    assert Thing.computed == {"number": 10, "colour": 10}


def test_sorting_computes_its_column_of_all_and_the_others_of_the_page() -> None:
    things = Things(1000)
    query = Query("things", columns=("number",), sort="size", descending=True, offset=5, count=10)
    assert things.numbers(query) == [6 + 7 * number for number in range(5, 15)]
    assert Thing.computed == {"size": 1000, "number": 10}


def test_what_isnt_asked_about_isnt_counted() -> None:
    things = Things(999)
    within, conditions = [equals("colour", "red")], [contains("number", "99")]
    found = things.steps(Query("things", columns=("number",), within=within, conditions=conditions)).finish()
    assert [row["number"] for row in found.rows] == [99, 399, 699, 990, 993, 996]
    assert (found.total_count, found.filtered_count) == (333, 6)
    assert Thing.computed["number"] == 333 + 6, "only of what is asked about"


def test_filtering_computes_its_column_of_all() -> None:
    things = Things(999)
    query = Query("things", columns=("size",), conditions=[equals("colour", "red")], sort="number", count=3)
    found = things.steps(query).finish()
    assert (found.total_count, found.filtered_count, len(found.rows)) == (999, 333, 3)
    assert Thing.computed == {"colour": 999, "number": 333, "size": 3}


def test_counting_walks_over_nothing() -> None:
    things = Things(10)
    assert things.broker.listings.kind("things").count(things.broker, None) == 10
    assert (things.walked, Thing.computed) == (0, Counter())


def test_the_trap_bites() -> None:
    """Without named columns, all of them are computed."""
    with pytest.raises(Computed):
        Things(1).steps(Query("things")).finish()


def test_columns_without_a_value_here() -> None:
    assert Things(1).steps(Query("things", columns=("weight", "number"))).finish().rows == [
        {"weight": None, "number": 0}
    ]


def test_an_entry_of_a_column() -> None:
    things = Things(20)
    query = Query("things", columns=("parts.left", "parts.none", "size.x"), sort="parts.left", descending=True, count=1)
    assert things.steps(query).finish().rows == [{"parts.left": 38, "parts.none": None, "size.x": None}]
    assert Thing.computed["parts"] == 22
    with pytest.raises(PreconditionFailed, match=r"unknown column nothing\.left"):
        things.steps(Query("things", columns=("nothing.left",)))
    things.broker.listings.add_column("things", "more", lambda row: {"deep": row.thing.number})
    assert things.steps(Query("things", columns=("more.deep",), count=2)).finish().rows[1] == {"more.deep": 1}


def test_columns_on_request_are_for_who_names_them() -> None:
    things = Things(2)
    with pytest.raises(Computed):
        things.steps(Query("things")).finish()
    assert Thing.computed["costly"] == 0
    assert things.steps(Query("things", columns=("costly",), sort="costly")).finish().rows == [
        {"costly": -1},
        {"costly": 0},
    ]
    assert "costly" not in ThingRow(things.all[0]).names()


def test_added_columns() -> None:
    things = Things(3)
    things.broker.listings.add_column("things", "double", lambda row: row.thing.number * 2)
    query = Query("things", columns=("double",), sort="double", descending=True, conditions=[contains("double", "4")])
    assert things.steps(query).finish().rows == [{"double": 4}]
    with pytest.raises(ValueError, match="has a column 'double' already"):
        things.broker.listings.add_column("things", "double", lambda row: 0)
    things.broker.listings.remove_column("things", "double")
    with pytest.raises(PreconditionFailed, match="unknown column double"):
        things.steps(query)


@pytest.mark.parametrize(
    "query",
    [
        Query("things", columns=("number", "nothing")),
        Query("things", sort="nothing"),
        Query("things", conditions=[equals("nothing", 1)]),
    ],
)
def test_unknown_columns(query: Query) -> None:
    with pytest.raises(PreconditionFailed, match=r"^unknown column nothing; the columns are number colour size parts"):
        Things(0).steps(query)


def test_pages_that_are_none() -> None:
    for query in (Query("things", offset=-1), Query("things", count=-1)):
        with pytest.raises(ValueError, match="page"):
            Things(0).steps(query)


@pytest.mark.parametrize("seed", range(40))
def test_any_query_finds_what_a_plain_search_finds(seed: int) -> None:
    chance = random.Random(seed)
    things = Things(chance.randrange(300))
    chance.shuffle(things.all)
    among = Condition("number", lambda value: value in range(20, 200))
    conditions = chance.choice([(), (equals("colour", "red"),), (among, contains("colour", "E"))])
    sort = chance.choice([None, "number", "colour", "size"])
    descending = chance.random() < 0.5
    offset, count = chance.randrange(60), chance.choice([None, 0, 1, 25, 1000])
    rows = [{"number": thing.number, "colour": thing.colour, "size": thing.number % 7} for thing in things.all]
    expected = [row for row in rows if all(each.holds(row[each.column]) for each in conditions)]
    if sort is not None:
        expected.sort(key=lambda row: sort_key(row[sort]), reverse=descending)
    last = None if count is None else offset + count
    query = Query("things", None, ("number", "colour", "size"), conditions, sort, descending, offset, count)
    found = things.steps(query, slice_cells=chance.choice([1, 7, 50, 10_000])).finish()
    assert found.rows == expected[offset:last]
    assert (found.total_count, found.filtered_count) == (len(rows), len(expected))


def test_what_has_gone_meanwhile_is_left_out() -> None:
    things = Things(100)
    for sort in (None, "size"):
        for thing in things.all:
            thing.exists = True
        steps = things.steps(Query("things", columns=("number",), sort=sort), slice_cells=20)
        for _ in range(7):
            assert steps.step()
        for thing in things.all[::2]:
            thing.exists = False
        numbers = [row["number"] for row in steps.finish().rows]
        assert len(numbers) == len(set(numbers)) < 100
        assert set(range(1, 100, 2)) <= set(numbers)


@pytest.mark.parametrize(("pattern", "rows_per_slice"), [("1$", 20), ("^(?!2).*1$", 1)])
def test_an_expression_that_steps_makes_smaller_slices(pattern: str, rows_per_slice: int) -> None:
    """One that looks around may take milliseconds for each value."""
    count = 100
    things = Things(count)
    steps = things.steps(
        Query("things", columns=("number",), conditions=(matches("number", pattern),)), slice_cells=100
    )
    slices = 1
    while steps.step():
        slices += 1
    assert slices >= count // rows_per_slice
    assert steps.finish().rows, "it finds something"


def test_a_slice_does_no_more_than_it_should() -> None:
    things = Things(1000)
    steps = things.steps(Query("things", columns=("number", "colour"), sort="size"), slice_cells=100)
    slices = 0
    before = Counter[str]()
    while steps.step():
        slices += 1
        assert sum((Thing.computed - before).values()) <= 103
        before = Counter(Thing.computed)
    assert slices >= 40


def test_values_of_any_sort_have_an_order() -> None:
    values: list[object] = ["b", None, 2, {"x": 1}, "a", 1.5, True, [1]]
    ordered = sorted(values, key=sort_key)
    assert ordered[:6] == [None, True, 1.5, 2, "a", "b"]


def test_texts_and_patterns() -> None:
    assert contains("name", "QU").holds("the queue")
    assert not contains("name", "x").holds(None)
    assert matches("name", "^q.e").holds("queue")
    assert not matches("name", "^e").holds("queue")
    assert matches("count", "^12$").holds(12)
    with pytest.raises(PreconditionFailed, match="is no regular expression"):
        matches("name", "(")


def test_queues_that_come_and_go_while_they_are_listed() -> None:
    broker = core_broker()
    vhost = broker.vhosts["/"]
    for number in range(300):
        create_queue(vhost, f"q{number}")
    for sort in (None, "messages"):
        steps = select(broker, Query("queues", ("/",), ("name", "messages"), sort=sort), slice_cells=30)
        chance = random.Random(1)
        created = 0
        while steps.step():
            remove_queue(vhost, chance.choice(list(vhost.queues.values())))
            create_queue(vhost, f"new{sort}{created}")
            created += 1
        assert created > 10
        names = [row["name"] for row in steps.result.rows]
        assert len(names) == len(set(names))
        assert {f"q{number}" for number in range(300)} & vhost.queues.keys() <= set(names)
