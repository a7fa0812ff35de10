"""A pump that doesn't move all that comes: what the source is told of the rest, and what it is never told."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.plugins.bridging.fake_ends import FakeDestination, FakeSource
from tests.plugins.shovel.test_pump import becomes, pump, running
from warren.adapters.amqp091.client.incoming import Incoming
from warren.plugins.bridging.ends import Outcome


class Told:
    """What is told of messages that aren't moved."""

    def __init__(self) -> None:
        self.rejected: list[int] = []
        self.left_out = 0
        self.given_up = 0

    def reject(self, message: Incoming) -> None:
        self.rejected.append(message.tag)

    def count_left_out(self, count: int) -> None:
        self.left_out += count

    def count_given_up(self, count: int) -> None:
        self.given_up += count


def even(message: Incoming) -> bool:
    return message.tag % 2 == 0


@pytest.mark.parametrize("mode", ["on-confirm", "on-publish"])
async def test_what_is_left_out_is_rejected_at_once(mode: str) -> None:
    source, destination, told = FakeSource(), FakeDestination(), Told()
    working = pump(
        source,
        destination,
        wanted=even,
        rejects_unwanted=lambda message: True,
        reject=told.reject,
        passed_over=told.count_left_out,
        ack_mode=mode,
    )
    async with running(working):
        source.arrive(1, 2, 3)
        source.arrive(5)
        await wait_all_tasks_blocked()
        assert told.rejected == [1, 3, 5]
        assert source.acked == [2], "and nothing that was rejected is acknowledged, too"
        assert (working.forwarded, told.left_out) == (1, 3)


async def test_other_tasks_have_their_turn_between_few_that_take_long() -> None:
    seen: list[int] = []

    def slow(message: Incoming) -> bool:
        seen.append(message.tag)
        return False

    source, destination = FakeSource(), FakeDestination()
    async with running(pump(source, destination, wanted=slow, batch_max=2)):
        source.arrive(*range(1, 8))
        counts = [0]
        while counts[-1] < 7:
            await trio.lowlevel.checkpoint()
            counts.append(len(seen))
        assert max(after - before for before, after in pairwise(counts)) <= 2


async def test_what_is_refused_so_often_is_given_up_and_the_others_go_on(autojump_clock: MockClock) -> None:
    source, told = FakeSource(), Told()
    destination = FakeDestination(lambda body: "it is ugly" if body == b"2" else "")
    working = pump(source, destination, refusals_max=3, reject=told.reject, given_up=told.count_given_up)
    async with running(working):
        source.arrive(1, 2, 3)
        await becomes(lambda: told.rejected == [2])
        assert destination.bodies == [b"1", b"2", b"3", b"2", b"2"]
        await becomes(lambda: source.acked == [1, 3])
        assert working.blocked is None
        source.arrive(4)
        await becomes(lambda: source.acked == [1, 3, 4])
        assert (working.forwarded, told.given_up, working.pending) == (3, 1, 0)


async def test_what_is_given_up_at_once_holds_nothing_up() -> None:
    source, told = FakeSource(), Told()
    destination = FakeDestination(lambda body: "it is ugly" if body == b"1" else "")
    async with running(pump(source, destination, refusals_max=1, reject=told.reject)):
        source.arrive(1, 2)
        await wait_all_tasks_blocked()
        assert (told.rejected, source.acked) == ([1], [2])


async def test_a_destination_that_takes_nothing_for_now_gives_no_message_up(autojump_clock: MockClock) -> None:
    source, told, away = FakeSource(), Told(), True
    destination = FakeDestination(lambda body: None)
    working = pump(source, destination, refusals_max=1, reject=told.reject)
    async with running(working):
        source.arrive(1)
        for number in range(1, 6):
            await becomes(lambda number=number: len(destination.sent) == number)  # type: ignore[misc]
            destination.tell(Outcome(number, False, "it is away", away))
            await becomes(lambda: working.blocked == "it is away")
        await becomes(lambda: len(destination.sent) == 6)
        destination.tell(Outcome(6, False, None))
        await becomes(lambda: source.acked == [1])
        assert told.rejected == []
        assert working.blocked is None
