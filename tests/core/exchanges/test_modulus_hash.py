"""The exchange x-modulus-hash."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.core.exchanges.targets import Target, names
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding
from warren.core.exchanges.registry import create

KEYS = [f"key-{number}" for number in range(3000)]


def bound(*target_names: str, key: str = "") -> Exchange:
    made = create("x-modulus-hash", "x")
    for name in target_names:
        made.add(Binding("x", Target(name), key))
    return made


def placed(made: Exchange) -> list[str]:
    return [name for key in KEYS for name in names(made.targets(key, None))]


def test_without_targets_nothing_is_routed() -> None:
    made = bound("a")
    made.remove(next(iter(made.bindings)).key)
    assert names(made.targets("k", None)) == []


@given(st.permutations(["a", "b", "c", "d", "e"]))
def test_the_order_of_binding_does_not_matter(order: list[str]) -> None:
    assert placed(bound(*order)) == placed(bound("a", "b", "c", "d", "e"))


def test_every_target_gets_about_the_same() -> None:
    counts = Counter(placed(bound("a", "b", "c", "d", key="ignored")))
    assert sum(counts.values()) == len(KEYS)
    assert all(abs(count - len(KEYS) / 4) < 0.1 * len(KEYS) for count in counts.values())


def test_a_target_counts_once_however_often_it_is_bound() -> None:
    made = bound("a", "b")
    target = Target("c")
    for key in ("1", "2", "3"):
        made.add(Binding("x", target, key))
    assert placed(made) == placed(bound("a", "b", "c"))
    made.remove_target(target)
    assert placed(made) == placed(bound("a", "b"))


def test_only_the_first_routing_key_counts() -> None:
    assert create("x-modulus-hash", "x").picks_one
