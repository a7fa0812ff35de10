"""Very many consumers that share one credit: what a batch looks at is bounded, and all have their turn."""

from __future__ import annotations

import pytest

from tests.adapters.session.test_shared_turns import Table, Taker
from warren.adapters.session.shared_turns import FREE_MAX, LOOKED_AT_MAX

pytestmark = pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")


def many(count: int, left: int = 0, *, ready: int = 0) -> Table:
    """So many that wait, the first of them with something to take; each has come when the others were there."""
    table = Table([], left)
    for number in range(count):
        taker = Taker(table, f"c{number}")
        taker.parked = True
        taker.ready_count = int(number < ready)
        table.takers[taker.name] = taker
        table.turns.wait(table.consumer(taker.name))
    return table


def test_no_more_are_available_than_can_be_parked_at_once() -> None:
    table = Table([])
    for number in range(3 * FREE_MAX):
        taker = Taker(table, str(number))
        taker.parked = True
        taker.ready_count = 0
        table.takers[taker.name] = taker
        taker.resume()
    assert len([each for each in table.takers.values() if not each.parked]) == FREE_MAX
    assert len([each for each in table.takers.values() if each.sleeps]) == 2 * FREE_MAX
    table.take()
    table.starve("0")
    assert len(table.take()) == FREE_MAX - 1
    assert all(each.parked for each in table.takers.values())


def test_one_with_something_takes_the_place_of_one_with_nothing() -> None:
    """Which sleeps; of one with something to take, which waits for its turn."""
    table = Table([str(number) for number in range(FREE_MAX)], left=9)
    table.takers["0"].ready_count = 0
    for name in "ab":
        taker = table.takers[name] = Taker(table, name)
        taker.parked = True
        taker.resume()
    assert table.take() == ["park 0", "sleep 0", "resume a", "park 1", "resume b"]
    assert table.waiting == "1"
    assert table.end_batch() == 1
    assert table.take() == ["park 2", "resume 1"]


def test_a_batch_looks_at_so_many_and_a_later_turn_at_more() -> None:
    count = 3 * LOOKED_AT_MAX
    table = many(count, left=10)
    Taker.looked_at = 0
    table.turns.go_on()
    assert table.end_batch() == 1
    assert Taker.looked_at <= 2 * LOOKED_AT_MAX
    assert len(table.take()) == LOOKED_AT_MAX
    rounds = 0
    while table.chores:
        table.chores.do_one_slice()
        assert len(table.take()) <= LOOKED_AT_MAX
        rounds += 1
    assert rounds == 2
    assert not table.turns.are_waiting


def test_that_ends_where_the_credit_does() -> None:
    table = many(2 * LOOKED_AT_MAX, left=1, ready=1)
    table.turns.go_on()
    table.left = 0
    assert table.end_batch() == 1
    assert table.take() == []
    assert not table.chores
    table.left = 1
    table.turns.go_on()
    table.end_batch()
    assert table.take()[0] == "resume c0"
    table.left = 0
    table.chores.do_one_slice()
    assert not table.chores


def test_all_of_many_have_their_turn() -> None:
    """With credit for one at a time, and something for everybody."""
    count = LOOKED_AT_MAX + 50
    table = many(count, left=1, ready=count)
    served = []
    for _ in range(count):
        table.turns.go_on()
        table.end_batch()
        (said,) = table.take()
        served.append(said.removeprefix("resume "))
        table.left = 0
        table.starve(served[-1])
        table.end_batch()
        assert table.take() == []
        table.left = 1
    assert len(set(served)) == count
