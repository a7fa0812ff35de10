"""Bindings: when two are the same, which are durable, and how they are named."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.exchanges.targets import Target
from warren.core.exchanges.binding import Binding, binding_key, canonical_arguments, canonical_value
from warren.core.exchanges.registry import create
from warren.core.messages.field_table import FieldValue, Timestamp, decode_table, encode_table

NAN = float("nan")

SAME: list[tuple[FieldValue, FieldValue]] = [
    ("a", "a"),
    ("a", b"a"),
    ("\udcff", b"\xff"),
    (1, 1),
    (5, Timestamp(5)),
    (0.0, -0.0),
    (NAN, float("nan")),
    (Decimal("1.5"), Decimal("1.5")),
    ([1, "a"], [1, "a"]),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({"a": [0.0]}, {"a": [-0.0]}),
    (None, None),
]

DIFFERENT: list[tuple[FieldValue, FieldValue]] = [
    (1, 1.0),
    (1, "1"),
    (1, True),
    (0, False),
    (0, None),
    (1.0, True),
    (1.0, "1.0"),
    (Decimal(1), 1),
    (Decimal(1), 1.0),
    (Decimal("1.0"), Decimal("1.00")),
    ("", None),
    ("a", "A"),
    (True, "true"),
    ([], {}),
    ([], None),
    ([1], [1.0]),
    ([1, 2], [2, 1]),
    ({"a": 1}, {"a": True}),
    ({"a": 1}, {"a": 1, "b": None}),
    (["table", []], {}),
    (NAN, "nan"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_values_that_count_as_the_same(one: FieldValue, other: FieldValue) -> None:
    assert canonical_value(one) == canonical_value(other)
    assert hash(canonical_value(one)) == hash(canonical_value(other))
    keyed = [Binding("x", Target("q"), "key", {"name": value}) for value in (one, other)]
    assert keyed[0].key == keyed[1].key
    assert keyed[0].properties_key == keyed[1].properties_key


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_values_that_differ(one: FieldValue, other: FieldValue) -> None:
    assert canonical_value(one) != canonical_value(other)
    keyed = [Binding("x", Target("q"), "key", {"name": value}) for value in (one, other)]
    assert keyed[0].key != keyed[1].key
    assert keyed[0].properties_key != keyed[1].properties_key


def test_the_order_of_arguments_does_not_count() -> None:
    arguments: dict[str, FieldValue] = {"a": 1, "b": "x", "c": None}
    reversed_arguments = dict(reversed(arguments.items()))
    assert canonical_arguments(arguments) == canonical_arguments(reversed_arguments)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(alphabet=st.characters(codec="utf-8"), max_size=8),
    st.binary(max_size=8),
)
names = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(names, values, max_size=4))
def test_a_binding_read_back_from_the_wire_is_the_same(arguments: dict[str, FieldValue]) -> None:
    raw = encode_table(arguments)
    decoded, _ = decode_table(raw, 0)
    sent = Binding("x", Target("q"), "key", arguments, raw)
    received = Binding("x", Target("q"), "key", decoded, raw)
    assert sent.key == received.key
    assert hash(sent.key) == hash(received.key)
    assert sent.properties_key == received.properties_key


def test_key_tells_kinds_names_and_routing_keys_apart() -> None:
    keys = {
        Binding("x", Target("a"), "k").key,
        Binding("x", Target("a", "exchange"), "k").key,
        Binding("x", Target("b"), "k").key,
        Binding("x", Target("a"), "l").key,
        Binding("x", Target("a"), "k", {"n": 1}).key,
    }
    assert len(keys) == 5
    assert Binding("x", Target("a"), "k", {"n": 1}).key == binding_key("queue", "a", "k", {"n": 1})


@pytest.mark.parametrize(
    ("source_durable", "target_durable", "expected"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_durable_when_both_ends_are(source_durable: bool, target_durable: bool, expected: bool) -> None:
    exchange = create("fanout", "x", durable=source_durable)
    binding = Binding("x", Target("q", durable=target_durable), "")
    exchange.add(binding)
    assert binding.durable is expected


@pytest.mark.parametrize(
    ("routing_key", "expected"),
    [("", "~"), ("a.b", "a.b"), ("~", "%7E"), ("a b/c", "a+b%2Fc"), ("\udcff", "%FF"), ("ä", "%C3%A4")],
)
def test_properties_key_without_arguments(routing_key: str, expected: str) -> None:
    assert Binding("x", Target("q"), routing_key).properties_key == expected


def test_properties_key_with_arguments_is_the_same_in_every_run() -> None:
    arguments: dict[str, FieldValue] = {"b": [1, None, {"z": True, "a": 2.5}], "a": "\udcff"}
    binding = Binding("x", Target("q"), "k~", arguments)
    assert binding.properties_key == "k%7E~CoeJJb9LqAFSjWbef6Y0rQ"
