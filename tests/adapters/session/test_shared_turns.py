"""Whose turn it is among consumers that share one credit."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from warren.adapters.session.shared_turns import SharedTurns

if TYPE_CHECKING:
    from warren.core.queues.consumer import Consumer


class Taker:
    """A consumer as far as turns know one; and its queue, which has something ready or not."""

    def __init__(self, table: Table, name: str) -> None:
        self.table = table
        self.name = name
        self.parked = False
        self.queue = self
        self.ready_count = 1
        self.vhost = SimpleNamespace(broker=table)

    def park(self, taker: Taker) -> None:
        assert not taker.parked
        taker.parked = True
        self.table.said.append(f"park {taker.name}")

    def resume(self) -> None:
        """As its queue would have it: it is not among those that wait any more."""
        self.parked = False
        self.table.said.append(f"resume {self.name}")


class Table:
    """Consumers a, b, c with so much credit left; and what is put off to the end of the batch.  said: in order."""

    def __init__(self, names: str, left: int = 1) -> None:
        self.said: list[str] = []
        self.takers = {name: Taker(self, name) for name in names}
        self.left = left
        self.put_off: list[Callable[[], None]] = []
        self.at_end_of_batch = self.put_off.append
        self.turns = SharedTurns(cast("dict[str, Consumer]", self.takers), lambda: self.left)

    def consumer(self, name: str) -> Consumer:
        return cast("Consumer", self.takers[name])

    def starve(self, name: str | None) -> None:
        """`name` took the last, and its queue parks it; nobody: the limit was lowered."""
        self.turns.starve(None if name is None else self.consumer(name))
        if name is not None:
            self.takers[name].parked = True

    def take(self) -> list[str]:
        said, self.said[:] = list(self.said), []
        return said

    @property
    def waiting(self) -> str:
        return "".join(sorted(cast("Taker", each).name for each in self.turns.waiting))

    def end_batch(self) -> int:
        calls, self.put_off[:] = list(self.put_off), []
        for call in calls:
            call()
        return len(calls)


def test_all_others_are_parked_but_those_that_are() -> None:
    table = Table("abc")
    table.takers["c"].parked = True
    table.starve("a")
    assert table.take() == ["park b"], "its own queue parks a, and c was"
    assert table.waiting == "ab"


def test_nobody_took_the_last() -> None:
    table = Table("ab")
    table.starve(None)
    assert (table.take(), table.waiting) == (["park a", "park b"], "ab")


@pytest.mark.parametrize("left", [1, 2, 3])
def test_as_many_go_on_as_there_is_credit(left: int) -> None:
    """Those first that had no turn yet, then who has waited longest; the others at the end of the batch, if any."""
    table = Table("abc", left)
    table.starve("a")
    table.take()
    table.turns.go_on()
    assert table.take() == ["resume b", "resume c", "resume a"][:left]
    assert table.waiting == ["ac", "a", ""][left - 1]
    assert table.end_batch() == (left < 3)
    assert table.take() == [["resume c", "resume a"], ["resume a"], []][left - 1]
    assert table.waiting == ""


def test_it_goes_round() -> None:
    table = Table("abc")
    served = ["a"]
    for _ in range(6):
        table.starve(served[-1])
        table.take()
        table.turns.go_on()
        (said,) = table.take()
        served.append(said.removeprefix("resume "))
        table.left = 0
        table.end_batch()
        assert table.take() == [], "nothing was left"
        table.left = 1
    assert served == ["a", "b", "c", "a", "b", "c", "a"]


def test_alone_there_are_no_turns() -> None:
    table = Table("a")
    for _ in range(2):
        table.starve("a")
        assert (table.take(), table.waiting) == ([], "a")
        table.turns.go_on()
        assert (table.take(), table.waiting) == (["resume a"], "")


def test_who_was_alone_and_served_comes_behind_who_is_new() -> None:
    """b waits for its first turn, and comes before a, which has had one."""
    table = Table("a")
    table.starve("a")
    table.takers["b"] = Taker(table, "b")
    table.turns.wait(table.consumer("b"))
    table.turns.go_on()
    assert table.take() == ["resume b"]


def test_a_single_one_that_waits_is_asked_nothing() -> None:
    table = Table("ab", left=0)
    table.turns.wait(table.consumer("b"))
    table.takers["b"].ready_count = 0
    table.turns.go_on()
    assert (table.take(), table.waiting, table.end_batch()) == (["resume b"], "", 0)


def test_who_has_nothing_to_take_is_asked_once_at_the_end() -> None:
    table = Table("abc")
    table.starve("a")
    table.take()
    for taker in table.takers.values():
        taker.ready_count = 0
    table.turns.go_on()
    table.turns.go_on()
    assert (table.take(), table.waiting) == ([], "abc")
    assert table.end_batch() == 1, "one for all, however often"
    assert (table.take(), table.waiting) == (["resume b", "resume c", "resume a"], "")
    table.starve("b")
    table.take()
    table.turns.go_on()
    assert table.end_batch() == 1, "and once more in the next batch"


def test_giving_way() -> None:
    """Only to somebody who could take something; then behind all others."""
    table = Table("abc", left=5)
    table.takers["b"].parked = table.takers["c"].parked = True
    assert not table.turns.give_way(table.consumer("a"))
    assert (table.waiting, table.end_batch()) == ("", 0)
    table.takers["c"].parked = False
    assert table.turns.give_way(table.consumer("a"))
    assert (table.waiting, table.take()) == ("a", [])
    table.turns.wait(table.consumer("b"))
    table.turns.wait(table.consumer("c"))
    assert table.end_batch() == 1
    assert (table.take(), table.waiting) == (["resume b", "resume c", "resume a"], "")


def test_who_is_gone_has_no_turn() -> None:
    table = Table("abc", left=5)
    table.starve("b")
    table.starve("a")
    table.take()
    gone = table.consumer("c")
    del table.takers["c"]
    table.turns.forget(gone)
    assert table.waiting == "ab"
    table.turns.go_on()
    assert table.take() == ["resume b", "resume a"]
    table.starve("b")
    table.turns.clear()
    assert table.waiting == ""
    table.turns.go_on()
    table.turns.wait(table.consumer("b"))
    table.turns.wait(table.consumer("a"))
    table.take()
    table.turns.go_on()
    assert table.take() == ["resume b", "resume a"], "nobody has had a turn"


def test_who_is_gone_is_let_go_of() -> None:
    table = Table("ab")
    table.starve("a")
    gone = weakref.ref(table.takers["b"])
    table.turns.forget(cast("Consumer", table.takers.pop("b")))
    gc.collect()
    assert gone() is None


def test_who_has_not_been_there_yet_comes_before_those_that_wait() -> None:
    table = Table("abc")
    table.starve("a")
    table.takers["d"] = Taker(table, "d")
    table.turns.wait(table.consumer("d"))
    table.take()
    table.turns.go_on()
    assert table.take() == ["resume d"]
    table.starve("d")
    table.left = 4
    table.turns.go_on()
    assert table.take() == ["resume b", "resume c", "resume a", "resume d"]


def test_one_that_came_later_is_among_them() -> None:
    """In the place of one that is gone, too: their number says nothing."""
    table = Table("ab")
    table.starve("a")
    gone = table.consumer("b")
    del table.takers["b"]
    table.takers["c"] = Taker(table, "c")
    table.turns.forget(gone)
    table.starve("a")
    table.take()
    table.turns.go_on()
    assert table.take() == ["resume c"]
    table.starve("c")
    table.take()
    table.turns.go_on()
    assert table.take() == ["resume a"]
