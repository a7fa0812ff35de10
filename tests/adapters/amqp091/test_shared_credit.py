"""The credit of a whole channel (basic.qos with global), without a connection."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from warren.adapters.amqp091.shared_credit import SharedCredit

if TYPE_CHECKING:
    from warren.adapters.amqp091.consumer import AmqpConsumer


pytestmark = pytest.mark.interpreted("gives in stand-ins, which the compiled form refuses")


class Batch:
    """What is put off to the end of the batch."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []
        self.at_end_of_batch = self.calls.append

    def end(self) -> None:
        calls, self.calls[:] = list(self.calls), []
        for call in calls:
            call()


class Taker:
    """A consumer as far as the credit knows one; and its queue, which has something ready or not."""

    def __init__(self, batch: Batch, tag: str) -> None:
        self.parked = False
        self.active = True
        self.queue = self
        self.ready_count = 1
        self.tag = tag
        self.credit: SharedCredit | None = None
        self.vhost = SimpleNamespace(broker=batch)

    def park(self, taker: Taker) -> None:
        taker.parked = True

    def resume(self) -> None:
        """As a consumer does it."""
        assert self.credit is None or self.credit.may_go(cast("AmqpConsumer", self))
        self.parked = False


def made(count: int, limit: int) -> tuple[SharedCredit, list[Taker], Batch]:
    batch = Batch()
    takers = [Taker(batch, str(number)) for number in range(count)]
    credit = SharedCredit({taker.tag: cast("AmqpConsumer", taker) for taker in takers})
    for taker in takers:
        taker.credit = credit
    credit.set_limit(limit, 0)
    return credit, takers, batch


def use(credit: SharedCredit, taker: Taker) -> bool:
    assert not taker.parked
    more = credit.use(cast("AmqpConsumer", taker))
    if not more:
        taker.parked = True
    return more


def free(takers: list[Taker]) -> list[str]:
    return [taker.tag for taker in takers if not taker.parked]


def test_the_last_of_it_parks_them_all() -> None:
    credit, takers, batch = made(3, 2)
    assert not use(credit, takers[0]), "a third of it, and others can take something"
    assert not use(credit, takers[1])
    assert not credit.is_left
    assert free(takers) == []
    batch.end()
    assert free(takers) == []


def test_what_comes_back_goes_round() -> None:
    """Whoever had nothing yet comes first, then who has waited longest."""
    credit, takers, batch = made(3, 1)
    use(credit, takers[0])
    for served in (1, 2, 0, 1, 2, 0):
        credit.give_back()
        assert free(takers) == [], "not before the batch ends"
        batch.end()
        assert free(takers) == [str(served)]
        assert not use(credit, takers[served])
        batch.end()


def test_a_queue_with_nothing_to_give_is_passed_over() -> None:
    credit, takers, batch = made(3, 1)
    use(credit, takers[0])
    takers[1].ready_count = 0
    credit.give_back()
    batch.end()
    assert free(takers) == ["2"]


def test_and_waits_for_the_end_of_the_batch() -> None:
    """Then whatever is left is for all; nothing if all was used."""
    credit, takers, batch = made(3, 1)
    use(credit, takers[0])
    for taker in takers:
        taker.ready_count = 0
    credit.give_back()
    assert free(takers) == []
    batch.end()
    assert free(takers) == ["0", "1", "2"]


def test_a_share_of_much_credit() -> None:
    """Of 6 for 2 each has 3, one after the other, and gives way; alone it would take all."""
    credit, (first, second), batch = made(2, 6)
    assert [use(credit, first) for _ in range(3)] == [True, True, False]
    assert free([first, second]) == ["1"]
    assert [use(credit, second) for _ in range(2)] == [True, True]
    batch.end()
    assert free([first, second]) == ["0", "1"]
    second.parked = True
    assert use(credit, first) is False, "the last of six"


def test_only_what_is_taken_in_a_row_is_a_share() -> None:
    credit, (first, second), _ = made(2, 6)
    assert [use(credit, taker) for taker in (first, second, first, second, first)] == [True] * 5


def test_a_share_begins_anew_when_it_was_had() -> None:
    """Whether others made use of theirs or not."""
    credit, (first, second), batch = made(2, 12)
    assert [use(credit, first) for _ in range(6)] == [True] * 5 + [False]
    batch.end()
    assert free([first, second]) == ["0", "1"]
    assert [use(credit, first) for _ in range(6)] == [True] * 5 + [False]


def test_and_when_all_was_used_up() -> None:
    credit, (first, second), batch = made(2, 6)
    credit.set_limit(6, 3)
    assert [use(credit, first) for _ in range(3)] == [True, True, False]
    for _ in range(6):
        assert credit.give_back()
    batch.end()
    assert free([first, second]) == ["0", "1"]
    assert [use(credit, first) for _ in range(3)] == [True, True, False]


def test_that_another_is_gone_is_no_new_share() -> None:
    credit, takers, _ = made(3, 9)
    assert [use(credit, takers[0]) for _ in range(2)] == [True, True]
    credit.forget(cast("AmqpConsumer", takers[2]))
    assert not use(credit, takers[0])


def test_nobody_gives_way_to_nobody() -> None:
    credit, (first, second), _ = made(2, 6)
    second.parked = True
    assert [use(credit, first) for _ in range(6)] == [True] * 5 + [False]


def test_without_a_limit_there_is_always_some() -> None:
    credit, takers, _ = made(1, 1)
    assert not use(credit, takers[0])
    credit.set_limit(0, 1)
    assert credit.is_left
    assert not takers[0].parked


def test_a_lower_limit_counts_what_is_under_way() -> None:
    credit, takers, batch = made(2, 0)
    credit.set_limit(3, 5)
    assert not credit.is_left
    assert free(takers) == []
    for _ in range(3):
        credit.give_back()
    assert credit.is_left
    batch.end()
    assert free(takers) == ["0"], "one message, so one consumer"


def test_who_is_gone_is_let_go_of() -> None:
    takers = [Taker(Batch(), str(number)) for number in range(2)]
    consumers = {taker.tag: cast("AmqpConsumer", taker) for taker in takers}
    credit = SharedCredit(consumers)
    credit.set_limit(6, 0)
    assert use(credit, takers[0])
    gone = weakref.ref(takers.pop(0))
    credit.forget(consumers.pop("0"))
    gc.collect()
    assert gone() is None


def test_a_single_consumer_waits_until_there_is_less_than_the_limit() -> None:
    credit, takers, _ = made(1, 0)
    credit.set_limit(1, 3)
    for left in ([], [], ["0"]):
        credit.give_back()
        assert free(takers) == left


def test_before_there_is_a_limit() -> None:
    credit = SharedCredit({})
    assert (credit.limit, credit.outstanding, credit.is_left, credit.waiting_tags) == (0, 0, True, [])


def test_who_is_gone_is_not_waited_for() -> None:
    credit, takers, _ = made(2, 1)
    assert not use(credit, takers[0])
    credit.forget(cast("AmqpConsumer", takers[1]))
    assert credit.waiting_tags == ["0"]
    credit.clear()
    assert credit.waiting_tags == []
    credit.give_back()


def test_who_has_settled_waits_only_where_others_do() -> None:
    credit, takers, batch = made(2, 3)
    assert use(credit, takers[0])
    assert not credit.give_back(), "nobody waits"
    credit.set_limit(1, 0)
    assert not use(credit, takers[0])
    assert credit.give_back()
    batch.end()
    assert not use(credit, takers[1])
    batch.end()
    credit.forget(cast("AmqpConsumer", takers[1]))
    assert not credit.give_back(), "the only one goes on at once"
