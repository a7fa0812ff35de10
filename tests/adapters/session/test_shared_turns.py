"""Whose turn it is among consumers that share one credit."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from warren.adapters.session.shared_turns import FREE_MAX, SharedTurns
from warren.core.chores import Chores

if TYPE_CHECKING:
    from warren.core.queues.consumer import Consumer


pytestmark = pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")


class Taker:
    """A consumer as far as turns know one; and its queue, which has something ready or not.

    looked_at: how often it was asked what is ready.  hashed: how often one was put or looked for among others.
    """

    looked_at = 0
    hashed = 0

    def __init__(self, table: Table, name: str) -> None:
        self.table = table
        self.name = name
        self.parked = False
        self.sleeps = False
        self.queue = self
        self._ready_count = 1
        self.vhost = SimpleNamespace(broker=table)

    @property
    def ready_count(self) -> int:
        Taker.looked_at += 1
        return self._ready_count

    @ready_count.setter
    def ready_count(self, count: int) -> None:
        self._ready_count = count

    def __hash__(self) -> int:
        Taker.hashed += 1
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def park(self, taker: Taker) -> None:
        assert not taker.parked
        taker.parked = True
        self.table.said.append(f"park {taker.name}")

    def resume(self) -> None:
        """As its queue would have it: it is not among those that wait any more; or it sleeps."""
        if self.table.turns.may_go(cast("Consumer", self)):
            self.parked = False
            self.table.said.append(f"resume {self.name}")

    def sleep(self, taker: Taker) -> bool:
        assert taker.parked
        taker.sleeps = True
        self.table.said.append(f"sleep {taker.name}")
        return True


def _fail(error: Exception) -> None:
    raise error


class Table:
    """Consumers a, b, c with so much credit left; and what is put off to the end of the batch.  said: in order."""

    def __init__(self, names: Iterable[str], left: int = 1) -> None:
        self.said: list[str] = []
        self.takers = {name: Taker(self, name) for name in names}
        self.left = left
        self.put_off: list[Callable[[], None]] = []
        self.at_end_of_batch = self.put_off.append
        self.chores = Chores(_fail)
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

    def go_on(self) -> list[str]:
        """Some credit has come back, and the batch ends; who goes on before anybody takes anything."""
        self.turns.go_on()
        self.end_batch()
        return self.take()

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
    """Those first that had no turn yet, then who has waited longest; the others once those had theirs, if any."""
    table = Table("abc", left)
    table.starve("a")
    table.take()
    assert table.go_on() == ["resume b", "resume c", "resume a"][:left]
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
        (said,) = table.go_on()
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
    assert table.go_on() == ["resume b"]


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
    assert table.go_on() == ["resume b", "resume a"]
    table.starve("b")
    table.turns.clear()
    assert table.waiting == ""
    table.take()
    assert table.go_on() == []
    table.turns.wait(table.consumer("b"))
    table.turns.wait(table.consumer("a"))
    table.take()
    assert table.go_on() == ["resume b", "resume a"], "nobody has had a turn"


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
    assert table.go_on() == ["resume d"]
    table.left = 0
    table.starve("d")
    table.end_batch()
    table.left = 4
    assert table.go_on() == ["resume b", "resume c", "resume a", "resume d"]


def test_one_that_came_later_is_among_them() -> None:
    """In the place of one that is gone, too: their number says nothing."""
    table = Table("ab")
    table.starve("a")
    gone = table.consumer("b")
    del table.takers["b"]
    table.takers["c"] = Taker(table, "c")
    assert table.turns.may_go(table.consumer("c"))
    table.turns.forget(gone)
    table.starve("a")
    table.take()
    assert table.go_on() == ["resume c"]
    table.left = 0
    table.starve("c")
    table.end_batch()
    table.left = 1
    table.take()
    assert table.go_on() == ["resume a"]


def test_credit_that_comes_back_piece_by_piece_is_handed_out_once() -> None:
    """Not at each acknowledgement of a batch: it would look at all that wait, which may be thousands with nothing."""
    table = Table([f"c{number}" for number in range(500)], left=0)
    table.starve("c0")
    for taker in table.takers.values():
        taker.ready_count = 0
    table.take()
    Taker.looked_at = 0
    for _ in range(1000):
        table.left += 1
        table.turns.go_on()
    assert (Taker.looked_at, table.take()) == (0, [])
    assert table.end_batch() == 1
    assert Taker.looked_at == 500 + 500 - FREE_MAX, "those that may not all go are asked whether they sleep"
    said = table.take()
    assert [each.split()[0] for each in said] == ["resume"] * FREE_MAX + ["sleep"] * (500 - FREE_MAX)


def test_it_goes_to_those_that_have_something_first() -> None:
    """Of what came back in the whole batch, each that has something gets one message before anybody gets more."""
    table = Table("abcd", left=0)
    table.starve("a")
    table.take()
    table.takers["b"].ready_count = 0
    for _ in range(2):
        table.left += 1
        table.turns.go_on()
    assert table.end_batch() == 1
    assert table.take() == ["resume c", "resume d"]
    table.left = 0
    assert table.end_batch() == 1
    assert (table.take(), table.waiting) == ([], "ab")


def test_giving_way_looks_at_no_more_than_who_is_next() -> None:
    """A share of the credit may be a single delivery."""
    table = Table([f"c{number}" for number in range(500)], left=100)
    Taker.hashed = 0
    assert table.turns.give_way(table.consumer("c499"))
    assert Taker.hashed < 10
