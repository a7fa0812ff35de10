"""Arguments in JSON: what RabbitMQ writes for each type, and what becomes of it on the way back."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.administration.definitions_json.field_values import from_json, table_from_json, table_to_json, to_json
from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import FieldValue, encode_table
from warren.core.messages.timestamp import Timestamp
from warren.core.storage.definitions.store import JSON

WRITTEN: list[tuple[FieldValue, JSON]] = [
    ("text", "text"),
    ("grün", "grün"),
    (5, 5),
    (True, True),
    (1.5, 1.5),
    (None, "undefined"),
    (Timestamp(1_700_000_000), 1_700_000_000),
    (Decimal("1.5"), 1.5),
    (float("inf"), "inf"),
    (b"bytes", "bytes"),
    (b"ab\xff", "Not UTF-8, base64 is: YWL/"),
    ("ab\udcff", "Not UTF-8, base64 is: YWL/"),
    ([1, ["a", None]], [1, ["a", "undefined"]]),
    ({"a": {"b": True}}, {"a": {"b": True}}),
]


@pytest.mark.parametrize(("value", "expected"), WRITTEN)
def test_written(value: FieldValue, expected: JSON) -> None:
    written = to_json(value)
    assert written == expected
    assert type(written) is type(expected)


READ: list[tuple[JSON, FieldValue]] = [
    ("undefined", None),
    (None, None),
    ("Not UTF-8, base64 is: YWL/", b"ab\xff"),
    ("Not UTF-8, base64 is: *", "Not UTF-8, base64 is: *"),
    ("Not UTF-8, base64 is: ä", "Not UTF-8, base64 is: ä"),
    ([1, {"a": "undefined"}], [1, {"a": None}]),
]


@pytest.mark.parametrize(("value", "expected"), READ)
def test_read(value: JSON, expected: FieldValue) -> None:
    assert from_json(value) == expected


def test_tables() -> None:
    assert table_from_json(None) == table_from_json([]) == table_from_json({}) == {}
    for wrong in ("x", 1, [1], True):
        with pytest.raises(PreconditionFailed, match="arguments must be a JSON object"):
            table_from_json(wrong)
    with pytest.raises(PreconditionFailed, match="doesn't fit into 64 bits"):
        table_from_json({"a": [2**63]})
    nested: JSON = 1
    for _ in range(100):
        nested = [nested]
    with pytest.raises(PreconditionFailed, match="nested more than"):
        table_from_json({"a": nested})


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60).filter(lambda text: text != "undefined")
floats = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(texts, values, max_size=4))
def test_there_and_back(table: dict[str, FieldValue]) -> None:
    text = json.dumps(table_to_json(table))
    assert table_from_json(json.loads(text)) == table


@given(st.dictionaries(st.text("abc", max_size=3), values, max_size=4))
def test_what_is_read_can_be_encoded(table: dict[str, FieldValue]) -> None:
    encode_table(table_from_json(json.loads(json.dumps(table_to_json(table)))))
