"""The row of slots of x-consistent-hash, against a plain list of slots; and what it costs, in a row of holes too."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.exchanges import hash_slots
from warren.core.exchanges.hash_slots import HOLES_MAX, TRIES_MAX, HashSlots, Runs
from warren.core.exchanges.stable_hash import jump_bucket, stable_hash

KEYS = [stable_hash(str(number)) for number in range(3000)]


class Model:
    """Slots one by one."""

    def __init__(self) -> None:
        self.slots: list[str | None] = []

    def enter(self, target: str, weight: int) -> list[int]:
        holes = [number for number, each in enumerate(self.slots) if each is None]
        numbers = holes[:weight]
        numbers += range(len(self.slots), len(self.slots) + weight - len(numbers))
        self.slots += [None] * (max(numbers) + 1 - len(self.slots))
        for number in numbers:
            self.slots[number] = target
        return numbers

    def leave(self, target: str) -> None:
        self.slots = [None if each == target else each for each in self.slots]
        while self.slots and self.slots[-1] is None:
            self.slots.pop()


def numbers_of(runs: Runs) -> list[int]:
    return [number for first, count in runs for number in range(first, first + count)]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 5)), max_size=60))
def test_it_is_as_a_list_of_slots(steps: list[tuple[int, int]]) -> None:
    row: HashSlots[str] = HashSlots()
    model = Model()
    there: dict[str, Runs] = {}
    for number, weight in steps:
        name = str(number)
        if name in there:
            row.leave(name)
            model.leave(name)
            del there[name]
        else:
            there[name] = row.enter(name, weight)
            assert numbers_of(there[name]) == model.enter(name, weight)
        assert len(row) == len(model.slots)
    again: HashSlots[str] = HashSlots()
    for name, runs in sorted(there.items(), reverse=True):
        assert again.enter(name, len(numbers_of(runs)), runs) == runs
    for key in KEYS[:50]:
        found = row.find(key)
        assert again.find(key) == found
        if not there:
            assert found is None
        elif (first := model.slots[jump_bucket(key, len(model.slots))]) is not None:
            assert found == first


@pytest.mark.parametrize(
    "wanted",
    [((0, 2),), ((3, 1),), ((1, 2),), ((0, 1), (3, 1)), ((5, 1), (5, 1)), ((6, 1), (4, 1)), ((4, 2), (7, 0))],
)
def test_what_is_taken_or_no_run_isnt_given(wanted: Runs) -> None:
    """The row has a hole at 1; 0, 2 and 3 are taken, and it ends there."""
    row: HashSlots[str] = HashSlots()
    for name in "abcd":
        row.enter(name, 1)
    row.leave("b")
    assert row.enter("e", 2, wanted) == ((1, 1), (4, 1))


def test_what_was_had_before_is_given_again() -> None:
    row: HashSlots[str] = HashSlots()
    assert row.enter("late", 3, ((4, 2), (9, 1))) == ((4, 2), (9, 1))
    assert len(row) == 10
    assert row.enter("early", 2, ((0, 1), (6, 1))) == ((0, 1), (6, 1))
    assert row.enter("other", 4) == ((1, 3), (7, 1))
    row.leave("late")
    assert len(row) == 8


def test_a_heavy_target_costs_no_more_than_a_light_one() -> None:
    row: HashSlots[int] = HashSlots()
    assert row.enter(0, 100_000) == ((0, 100_000),)
    assert len(row._taken.firsts) == 1
    row.leave(0)
    assert (len(row), row._taken.firsts, row._holes.firsts) == (0, [], [])


def test_it_is_given_so_many_holes_and_no_more() -> None:
    row: HashSlots[str] = HashSlots()
    for number in range(4 * HOLES_MAX):
        row.enter(str(number), 1)
    for number in range(0, 4 * HOLES_MAX - 1, 2):
        row.leave(str(number))
    runs = row.enter("heavy", 1000)
    assert len(runs) == HOLES_MAX + 1
    assert sum(count for _, count in runs) == 1000


def test_keys_are_tried_so_often_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    row: HashSlots[str] = HashSlots()
    row.enter("gone", 100_000)
    row.enter("left", 1)
    row.leave("gone")
    tried: list[int] = []

    def counted(key: int, count: int) -> int:
        tried.append(key)
        return jump_bucket(key, count)

    monkeypatch.setattr(hash_slots, "jump_bucket", counted)
    for key in KEYS[:50]:
        tried.clear()
        assert row.find(key) == "left"
        assert len(tried) <= TRIES_MAX + 1


def test_who_is_left_has_a_share_by_weight() -> None:
    row: HashSlots[str] = HashSlots()
    row.enter("gone", 10_000)
    for name, weight in (("one", 1), ("three", 3), ("six", 6)):
        row.enter(name, weight)
    row.leave("gone")
    shares = Counter(row.find(key) for key in KEYS)
    for name, share in (("one", 0.1), ("three", 0.3), ("six", 0.6)):
        assert shares[name] / len(KEYS) == pytest.approx(share, abs=0.05)
