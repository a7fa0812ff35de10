"""Every exchange type against a naive model: a list of bindings, all of them tried for every message."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.exchanges.targets import Target, names
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding
from warren.core.exchanges.registry import create
from warren.core.messages.field_table import FieldValue

Table = dict[str, FieldValue]
Matcher = Callable[[str, Table, str, Table], bool]
"""(binding key, binding arguments, routing key, headers) -> whether the message goes by the binding."""


def direct_matches(key: str, arguments: Table, routing_key: str, headers: Table) -> bool:
    return key == routing_key


def fanout_matches(key: str, arguments: Table, routing_key: str, headers: Table) -> bool:
    return True


def topic_matches(key: str, arguments: Table, routing_key: str, headers: Table) -> bool:
    """By a regular expression over the key with a dot before each word."""
    pattern = "".join(
        {"*": r"\.[^.]*", "#": r"(\.[^.]*)*"}.get(word, re.escape("." + word))
        for word in (key.split(".") if key else [])
    )
    return re.fullmatch(pattern, "." + routing_key if routing_key else "") is not None


def headers_match(key: str, arguments: Table, routing_key: str, headers: Table) -> bool:
    mode = arguments.get("x-match", "all")
    skipped = "x-match" if mode in ("all-with-x", "any-with-x") else "x-"
    results = [
        name in headers and (value is None or is_same(value, headers[name]))
        for name, value in arguments.items()
        if not name.startswith(skipped)
    ]
    return all(results) if mode in ("all", "all-with-x") else any(results)


def is_same(one: FieldValue, other: FieldValue) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


MODELS: dict[str, Matcher] = {
    "direct": direct_matches,
    "fanout": fanout_matches,
    "topic": topic_matches,
    "headers": headers_match,
}

routing_keys = st.lists(st.sampled_from(["a", "b", ""]), max_size=3).map(".".join)
binding_keys = st.one_of(
    st.sampled_from(["a", "b"]), st.lists(st.sampled_from(["a", "b", "", "*", "#"]), max_size=3).map(".".join)
)
scalars: st.SearchStrategy[FieldValue] = st.sampled_from([None, 0, 1, 1.0, math.nan, "1", True, False])
tables = st.dictionaries(st.sampled_from(["p", "q", "x-r"]), scalars, max_size=3)
modes = st.sampled_from([None, "all", "any", "all-with-x", "any-with-x"])
arguments_of_bindings = st.tuples(tables, modes).map(
    lambda parts: parts[0] | ({"x-match": parts[1]} if parts[1] else {})
)
target_numbers = st.integers(0, 3)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), target_numbers, binding_keys, arguments_of_bindings),
        st.tuples(st.just("add"), target_numbers, binding_keys, arguments_of_bindings),
        st.tuples(st.just("remove"), target_numbers, binding_keys, arguments_of_bindings),
        st.tuples(st.just("remove nth"), st.integers(0, 9), st.just(""), st.just({})),
        st.tuples(st.just("remove target"), target_numbers, st.just(""), st.just({})),
        st.tuples(st.just("publish"), target_numbers, routing_keys, tables),
    ),
    max_size=30,
)


class Model:
    """An exchange and what it should hold."""

    def __init__(self, type_name: str) -> None:
        self.exchange = create(type_name, "x")
        self.matches = MODELS[type_name]
        self.targets = [Target("a"), Target("b"), Target("a", "exchange"), Target("c", "exchange")]
        self.bindings: list[Binding] = []

    def step(self, action: str, number: int, key: str, table: Table) -> None:
        if action == "publish":
            self.check_publish(key, table)
        elif action == "remove target":
            self.remove_target(self.targets[number])
        elif action == "remove nth":
            if number < len(self.bindings):
                self.remove(self.bindings[number])
        elif action == "remove":
            self.remove(Binding("x", self.targets[number], key, table))
        else:
            self.add(Binding("x", self.targets[number], key, table))

    def add(self, binding: Binding) -> None:
        is_new = all(known.key != binding.key for known in self.bindings)
        assert self.exchange.add(binding) == is_new
        if is_new:
            self.bindings.append(binding)

    def remove(self, binding: Binding) -> None:
        found = [known for known in self.bindings if known.key == binding.key]
        assert self.exchange.get(binding.key) is (found[0] if found else None)
        assert self.exchange.remove(binding.key) == bool(found)
        self.bindings = [known for known in self.bindings if known.key != binding.key]

    def remove_target(self, target: Target) -> None:
        found = [known for known in self.bindings if known.target is target]
        assert list(self.exchange.bindings_to(target)) == found
        assert self.exchange.remove_target(target) == found
        assert self.exchange.remove_target(target) == []
        self.bindings = [known for known in self.bindings if known.target is not target]

    def check_publish(self, routing_key: str, headers: Table) -> None:
        expected = [
            binding.target
            for binding in self.bindings
            if self.matches(binding.routing_key, dict(binding.arguments), routing_key, headers)
        ]
        found = self.exchange.targets(routing_key, headers or None)
        assert list(found) == list(dict.fromkeys(expected))

    def check_bindings(self) -> None:
        assert list(self.exchange.bindings) == self.bindings


@pytest.mark.parametrize("type_name", sorted(MODELS))
@given(steps=steps, routing_key=routing_keys, headers=tables)
def test_like_the_model(
    type_name: str, steps: list[tuple[str, int, str, Table]], routing_key: str, headers: Table
) -> None:
    model = Model(type_name)
    for action, number, key, table in steps:
        model.step(action, number, key, table)
        model.check_bindings()
        model.check_publish(routing_key, headers)
    for binding in list(model.bindings):
        model.remove(binding)
    model.check_bindings()
    model.check_publish(routing_key, headers)


@pytest.mark.parametrize("type_name", sorted(MODELS))
def test_the_same_target_bound_in_two_ways_is_found_once_and_until_both_are_gone(type_name: str) -> None:
    exchange = create(type_name, "x")
    target = Target("q")
    bindings = [Binding("x", target, "k", {"x-n": number}) for number in (1, 2)]
    assert [exchange.add(binding) for binding in bindings] == [True, True]
    assert not exchange.add(Binding("x", target, "k", {"x-n": 1}))
    assert names(exchange.targets("k", None)) == ["q"]
    assert exchange.remove(bindings[0].key)
    assert names(exchange.targets("k", None)) == ["q"]
    assert exchange.remove(bindings[1].key)
    assert names(exchange.targets("k", None)) == []


@pytest.mark.parametrize("type_name", sorted(MODELS))
def test_a_change_counts_for_the_next_message(type_name: str) -> None:
    exchange = create(type_name, "x")
    seen = [names(exchange.targets("k", None))]
    for name in ("a", "b"):
        exchange.add(Binding("x", Target(name), "k"))
        seen.append(names(exchange.targets("k", None)))
    for name in ("a", "b"):
        exchange.remove_target(Target(name))
        seen.append(names(exchange.targets("k", None)))
    assert seen == [[], ["a"], ["a", "b"], ["b"], []]


def test_topic_targets_come_in_the_order_of_binding() -> None:
    exchange = create("topic", "x")
    patterns = ["a.b", "#", "*.b", "a.*", "a.#", "#.b", "*.*", "#.#", "a.b.#"]
    for pattern in [*patterns, *reversed(patterns)]:
        exchange.add(Binding("x", Target(pattern), pattern, {"n": len(exchange.bindings)}))
    assert names(exchange.targets("a.b", None)) == [*patterns, *reversed(patterns)]


@pytest.mark.parametrize("type_name", sorted(MODELS))
def test_nothing_is_kept_of_bindings_that_are_gone(type_name: str) -> None:
    exchange = create(type_name, "x")
    empty = leftovers(exchange)
    for number in range(4):
        exchange.add(Binding("x", Target(f"q{number % 2}"), f"k{number}"))
        exchange.targets(f"k{number}", None)
        exchange.targets(f"unbound{number}", None)
    exchange.remove_target(Target("q0"))
    for binding in list(exchange.bindings):
        exchange.remove(binding.key)
    assert exchange.targets("k1", None) == ()
    assert leftovers(exchange) == empty


def leftovers(exchange: Exchange) -> dict[str, int]:
    """The sizes of all containers in an exchange's slots."""
    slots = [name for base in type(exchange).__mro__ for name in getattr(base, "__slots__", ())]
    values = {name: getattr(exchange, name) for name in slots}
    return {name: len(value) for name, value in values.items() if hasattr(value, "__len__")}


@pytest.mark.parametrize("type_name", ["direct", "fanout"])
def test_targets_are_prepared_once(type_name: str) -> None:
    exchange = create(type_name, "x")
    exchange.add(Binding("x", Target("q"), "k"))
    assert exchange.targets("k", None) is exchange.targets("k", None)


def test_removing_a_target_does_not_visit_the_bindings_of_others() -> None:
    exchange = create("direct", "x")
    compared = 0

    class CountedName(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    for number in range(500):
        exchange.add(Binding("x", Target(CountedName(f"q{number}")), "k"))
    compared = 0
    assert len(exchange.remove_target(Target("q250"))) == 1
    assert compared < 50
    assert len(exchange.bindings) == 499
