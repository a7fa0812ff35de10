"""The credit of a whole channel (basic.qos with global), without a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from warren.adapters.amqp091.shared_credit import SharedCredit

if TYPE_CHECKING:
    from warren.adapters.amqp091.consumer import AmqpConsumer


class Taker:
    """A consumer as far as the credit knows one; and its queue."""

    def __init__(self) -> None:
        self.parked = False
        self.queue = self

    def park(self, taker: Taker) -> None:
        taker.parked = True

    def resume(self) -> None:
        self.parked = False


def made(count: int, limit: int) -> tuple[SharedCredit, list[Taker]]:
    takers = [Taker() for _ in range(count)]
    credit = SharedCredit({str(number): cast("AmqpConsumer", taker) for number, taker in enumerate(takers)})
    credit.set_limit(limit, 0)
    return credit, takers


def use(credit: SharedCredit, taker: Taker) -> bool:
    more = credit.use(cast("AmqpConsumer", taker))
    if not more:
        taker.parked = True
    return more


def test_the_last_of_it_parks_them_all() -> None:
    credit, takers = made(3, 2)
    assert use(credit, takers[0])
    assert not use(credit, takers[1])
    assert not credit.is_left
    assert [taker.parked for taker in takers] == [True, True, True]
    credit.give_back()
    assert credit.is_left
    assert [taker.parked for taker in takers] == [False, False, False]


def test_without_a_limit_there_is_always_some() -> None:
    credit, takers = made(1, 1)
    assert not use(credit, takers[0])
    credit.set_limit(0, 1)
    assert credit.is_left
    assert not takers[0].parked


def test_a_lower_limit_counts_what_is_under_way() -> None:
    credit, takers = made(2, 0)
    credit.set_limit(3, 5)
    assert not credit.is_left
    assert [taker.parked for taker in takers] == [True, True]
    for _ in range(3):
        credit.give_back()
    assert credit.is_left


def test_who_is_gone_is_not_waited_for() -> None:
    credit, takers = made(2, 1)
    assert not use(credit, takers[0])
    credit.forget(cast("AmqpConsumer", takers[1]))
    assert [id(each) for each in credit.starved] == [id(takers[0])]
    credit.clear()
    assert credit.starved == []
