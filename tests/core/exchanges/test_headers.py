"""The headers exchange: what matches what, and which bindings it refuses."""

from __future__ import annotations

import pytest

from tests.core.exchanges.targets import Target, names
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.binding import Binding
from warren.core.exchanges.registry import create
from warren.core.messages.field_table import FieldValue

Table = dict[str, FieldValue]

CASES: list[tuple[Table, Table | None, bool]] = [
    # arguments of the binding, headers of the message, whether they match
    ({}, None, True),
    ({}, {"a": 1}, True),
    ({"x-match": "all"}, None, True),
    ({"x-match": "any"}, None, False),
    ({"x-match": "any"}, {"a": 1}, False),
    ({"x-match": "all-with-x"}, None, True),
    ({"x-match": "any-with-x"}, {"x-match": "any-with-x"}, False),
    ({"a": 1}, None, False),
    ({"a": 1}, {"a": 1}, True),
    ({"a": 1}, {"a": 1, "b": 2}, True),
    ({"a": 1, "b": 2}, {"a": 1}, False),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
    ({"a": 1, "b": 2}, {"a": 1, "b": 3}, False),
    ({"x-match": "any", "a": 1, "b": 2}, {"a": 1}, True),
    ({"x-match": "any", "a": 1, "b": 2}, {"b": 2}, True),
    ({"x-match": "any", "a": 1, "b": 2}, {"a": 2, "b": 1}, False),
    ({"x-match": "any", "a": 1}, None, False),
    ({"a": 1, "x-b": 2}, {"a": 1}, True),
    ({"x-match": "all", "x-b": 2}, None, True),
    ({"x-match": "any", "x-b": 2}, {"x-b": 2}, False),
    ({"x-match": "all-with-x", "x-b": 2}, {"x-b": 2}, True),
    ({"x-match": "all-with-x", "x-b": 2}, {"a": 2}, False),
    ({"x-match": "all-with-x", "a": 1, "x-b": 2}, {"a": 1}, False),
    ({"x-match": "any-with-x", "x-b": 2}, {"x-b": 2}, True),
    ({"x-match": "any-with-x", "x-b": 2, "a": 1}, {"x-b": 3}, False),
    ({"x-match": "all-with-x", "x-match-more": 1}, {}, False),
    ({"x-match": "any-with-x", "x-match-more": 1}, {"x-match-more": 1}, True),
    ({"X-b": 2}, {}, False),
    ({"a": None}, {"a": 1}, True),
    ({"a": None}, {"a": None}, True),
    ({"a": None}, {"a": [{"b": 1}]}, True),
    ({"a": None}, {"b": None}, False),
    ({"a": None, "b": 2}, {"a": 5, "b": 2}, True),
    ({"a": None, "b": 2}, {"b": 2}, False),
    ({"x-match": "any", "a": None, "b": 2}, {"a": 5}, True),
    ({"x-match": "any", "a": None, "b": 2}, {"b": 2}, True),
    ({"x-match": "any", "a": None, "b": 2}, {"b": 3}, False),
    ({"a": 1}, {"a": None}, False),
    ({"a": 1}, {"a": 1.0}, False),
    ({"a": 1.0}, {"a": 1.0}, True),
    ({"a": "1"}, {"a": 1}, False),
    ({"a": True}, {"a": 1}, False),
    ({"a": 0}, {"a": False}, False),
    ({"a": b"raw"}, {"a": "raw"}, True),
    ({"a": [1, 2]}, {"a": [1, 2]}, True),
    ({"a": [1, 2]}, {"a": [1, True]}, False),
    ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}}, True),
    ({"A": 1}, {"a": 1}, False),
]


@pytest.mark.parametrize(("arguments", "headers", "expected"), CASES)
def test_matching(arguments: Table, headers: Table | None, expected: bool) -> None:
    exchange = create("headers", "x")
    exchange.add(Binding("x", Target("q"), "ignored", arguments))
    assert names(exchange.targets("any key", headers)) == (["q"] if expected else [])


@pytest.mark.parametrize("mode", ["all", "any", "all-with-x", "any-with-x"])
def test_the_four_modes_are_accepted(mode: str) -> None:
    assert create("headers", "x").add(Binding("x", Target("q"), "", {"x-match": mode}))


REFUSED: list[tuple[FieldValue, str]] = [
    ("some", 'Invalid x-match field value <<"some">>; expected all, any, all-with-x, or any-with-x'),
    ("ALL", 'Invalid x-match field value <<"ALL">>; expected all, any, all-with-x, or any-with-x'),
    ("", "Invalid x-match field value <<>>; expected all, any, all-with-x, or any-with-x"),
    (23, "Invalid x-match field type signedint (value 23); expected longstr"),
    (True, "Invalid x-match field type bool (value true); expected longstr"),
    (None, "Invalid x-match field type void (value undefined); expected longstr"),
    (b"all", 'Invalid x-match field type binary (value <<"all">>); expected longstr'),
    (1.5, "Invalid x-match field type double (value 1.5); expected longstr"),
    (["all"], "Invalid x-match field type array (value ['all']); expected longstr"),
    ({}, "Invalid x-match field type table (value {}); expected longstr"),
]


@pytest.mark.parametrize(("mode", "text"), REFUSED)
def test_other_modes_are_refused_and_change_nothing(mode: FieldValue, text: str) -> None:
    exchange = create("headers", "x")
    with pytest.raises(PreconditionFailed) as caught:
        exchange.add(Binding("x", Target("q"), "", {"x-match": mode}))
    assert caught.value.text == text
    assert (list(exchange.bindings), exchange.targets("", {})) == ([], ())


def test_only_the_headers_exchange_looks_at_headers() -> None:
    depends = {name: create(name, "x").depends_on_headers for name in ("direct", "fanout", "topic", "headers")}
    assert depends == {"direct": False, "fanout": False, "topic": False, "headers": True}
