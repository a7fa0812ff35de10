"""Messages that a pump doesn't send on: they go at the source, in their turn, and nothing else goes with them."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.plugins.bridging.fake_ends import FakeDestination, FakeSource
from tests.plugins.shovel.test_pump import becomes, pump, running
from warren.adapters.amqp091.client.incoming import Incoming
from warren.plugins.bridging.ends import Outcome


def is_even(message: Incoming) -> bool:
    return message.tag % 2 == 0


async def test_what_isnt_wanted_is_acknowledged_behind_what_was_sent_before_it() -> None:
    source, destination = FakeSource(), FakeDestination(lambda body: None)
    moved: list[int] = []
    passed: list[int] = []
    working = pump(source, destination, wanted=is_even, moved=moved.append, passed_over=passed.append)
    async with running(working):
        source.arrive(1, 2, 3, 4, 5)
        await wait_all_tasks_blocked()
        assert destination.bodies == [b"2", b"4"]
        assert source.acked == [1], "what is before all that was sent is done with at once"
        destination.tell(Outcome(2, False, None))
        await wait_all_tasks_blocked()
        assert source.acked == [1]
        destination.tell(Outcome(1, False, None))
        await wait_all_tasks_blocked()
        assert source.acked == [1, 5]
        assert (moved, sum(passed)) == ([2], 3)
        assert (working.forwarded, working.passed_over, working.pending) == (2, 3, 0)


async def test_nothing_wanted_leaves_nothing_under_way() -> None:
    source, destination = FakeSource(), FakeDestination()
    working = pump(source, destination, wanted=lambda message: False, in_flight_max=2)
    async with running(working):
        for first in range(0, 100, 2):
            source.arrive(first, first + 1)
        await wait_all_tasks_blocked()
        assert source.acked[-1] == 99
        assert destination.sent == []
        assert working.pending == 0


@pytest.mark.parametrize(("mode", "acked"), [("on-publish", [3, 5]), ("no-ack", [3, 5])])
async def test_other_modes_acknowledge_as_ever(mode: str, acked: list[int]) -> None:
    source, destination = FakeSource(), FakeDestination(lambda body: None)
    working = pump(source, destination, ack_mode=mode, wanted=is_even)
    async with running(working):
        source.arrive(1, 2, 3)
        source.arrive(5)
        await wait_all_tasks_blocked()
        assert destination.bodies == [b"2"]
        assert source.acked == acked
        assert working.forwarded == 1


async def test_it_counts_for_the_end_but_not_as_forwarded() -> None:
    source, destination = FakeSource(), FakeDestination()
    working = pump(source, destination, wanted=is_even, remaining=4)
    source.arrive(1, 2, 3, 5, 7)
    with trio.fail_after(60):
        await working.run()
    assert destination.bodies == [b"2"]
    assert source.acked[-1] == 5
    assert (working.forwarded, working.remaining) == (1, 0)


async def test_it_isnt_held_by_the_rate_limit(autojump_clock: MockClock) -> None:
    source, destination = FakeSource(), FakeDestination()
    began_s = trio.current_time()
    async with running(pump(source, destination, wanted=is_even, rate_max=10.0)):
        source.arrive(*range(1, 1000, 2))
        source.arrive(2)
        await becomes(lambda: destination.bodies == [b"2"])
    assert trio.current_time() - began_s < 1


async def test_what_is_turned_away_in_between_keeps_its_place(autojump_clock: MockClock) -> None:
    source = FakeSource()
    answers = iter(["full", "", ""])
    destination = FakeDestination(lambda body: next(answers))
    async with running(pump(source, destination, wanted=is_even)):
        source.arrive(2, 3, 4, 5)
        await becomes(lambda: source.acked == [5])
        assert destination.bodies == [b"2", b"4", b"2"]


async def test_at_the_end_each_is_acknowledged_alone() -> None:
    source, destination = FakeSource(), FakeDestination(lambda body: None)
    working = pump(source, destination, wanted=is_even)
    working.patience_s = 0.0
    async with running(working):
        source.arrive(2, 3, 4)
        await wait_all_tasks_blocked()
        destination.tell(Outcome(2, False, None))
        await wait_all_tasks_blocked()
    assert source.acked == []
    assert source.acked_alone == [3, 4]
    assert working.forwarded == 1
