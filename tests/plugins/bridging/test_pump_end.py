"""The end of a pump: what the destination has isn't sent again, whatever was under way beside it."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.plugins.bridging.fake_ends import FakeDestination, FakeSource
from warren.adapters.amqp091.client.incoming import Incoming
from warren.adapters.peers.errors import PeerError
from warren.core.messages.properties import Properties
from warren.plugins.bridging.ack_modes import ON_CONFIRM
from warren.plugins.bridging.ends import Outcome
from warren.plugins.bridging.pump import PATIENCE_S, Pump


class Unchanged:
    """Implements ends.Rewriting."""

    def address(self, message: Incoming) -> tuple[str, str]:
        return message.exchange, message.routing_key

    def properties(self, message: Incoming) -> Properties:
        return message.properties


def pump(source: FakeSource, destination: FakeDestination) -> Pump[Incoming]:
    return Pump(source, destination, Unchanged(), ack_mode=ON_CONFIRM)


async def test_what_was_confirmed_behind_a_gap_is_acknowledged_alone() -> None:
    source, destination = FakeSource(), FakeDestination(lambda body: None)
    working = pump(source, destination)

    async def fail() -> None:
        await wait_all_tasks_blocked()
        destination.tell(Outcome(2, False, None), Outcome(4, False, None))
        await wait_all_tasks_blocked()
        assert (source.acked, source.acked_alone) == ([], [])
        destination.fail("the link broke")

    source.arrive(1, 2, 3, 4)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)
        with pytest.raises(PeerError, match="the link broke"):
            await working.run()
    assert (source.acked, source.acked_alone) == ([], [2, 4])
    assert working.forwarded == 2
    assert working.pending == 2


async def test_what_was_confirmed_with_the_last_bytes_counts() -> None:
    source, destination = FakeSource(), FakeDestination(lambda body: None)

    async def fail() -> None:
        await wait_all_tasks_blocked()
        destination.tell(Outcome(3, True, None))
        destination.fail("the link broke")

    source.arrive(1, 2, 3, 4)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)
        with pytest.raises(PeerError):
            await pump(source, destination).run()
    assert source.acked == [3]


async def test_a_source_that_fails_is_told_what_is_known() -> None:
    """It may be the queue alone that is gone, and what it is told may still count."""
    source, destination = FakeSource(), FakeDestination(lambda body: None)

    async def fail() -> None:
        await wait_all_tasks_blocked()
        destination.tell(Outcome(2, False, None))
        source.fail("the consumer was cancelled")

    source.arrive(1, 2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)
        with pytest.raises(PeerError, match="cancelled"):
            await pump(source, destination).run()
    assert source.acked_alone == [2]


async def test_a_source_that_fails_is_told_what_the_destination_says_soon_after(autojump_clock: MockClock) -> None:
    """What is on its way to disk will be there: who fetches it again can leave it out."""
    source, destination = FakeSource(), FakeDestination(lambda body: None)

    async def fail() -> None:
        await wait_all_tasks_blocked()
        source.fail("the link broke")
        await trio.sleep(PATIENCE_S / 2)
        destination.tell(Outcome(2, True, None))

    source.arrive(1, 2)
    working = pump(source, destination)
    working.grace_s = PATIENCE_S
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)
        with pytest.raises(PeerError, match="the link broke"):
            await working.run()
    assert source.acked == [2]


async def test_each_is_told_of_though_the_source_cant_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    source, destination = FakeSource(), FakeDestination(lambda body: None)
    told: list[int] = []

    def unreachable(message: Incoming) -> None:
        told.append(message.tag)
        raise PeerError("the link broke")

    async def fail() -> None:
        await wait_all_tasks_blocked()
        destination.tell(Outcome(1, False, None), Outcome(3, False, None), Outcome(5, False, None))
        source.fail("the link broke")

    monkeypatch.setattr(source, "ack", unreachable)
    monkeypatch.setattr(source, "ack_alone", unreachable)
    source.arrive(1, 2, 3, 4, 5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)
        with pytest.raises(PeerError):
            await pump(source, destination).run()
    assert told == [1, 3, 5]


async def stopped_with(destination: FakeDestination, source: FakeSource, answers_after_s: float) -> float:
    """Cancel a pump with two messages under way, of which the destination tells so much later; how long it takes."""
    source.arrive(1, 2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump(source, destination).run)
        await wait_all_tasks_blocked()

        async def answer() -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(answers_after_s)
                destination.tell(Outcome(2, True, None))

        nursery.start_soon(answer)
        began_s = trio.current_time()
        await trio.sleep(0)
        nursery.cancel_scope.cancel()
    return trio.current_time() - began_s


async def test_one_that_is_stopped_waits_for_the_destinations_word(autojump_clock: MockClock) -> None:
    source = FakeSource()
    took_s = await stopped_with(FakeDestination(lambda body: None), source, PATIENCE_S / 2)
    assert source.acked == [2]
    assert took_s == pytest.approx(PATIENCE_S / 2)


async def test_but_not_for_ever(autojump_clock: MockClock) -> None:
    source = FakeSource()
    await stopped_with(FakeDestination(lambda body: None), source, PATIENCE_S * 2)
    assert (source.acked, source.acked_alone) == ([], [])


async def test_and_not_for_one_that_takes_nothing(autojump_clock: MockClock) -> None:
    source, destination = FakeSource(), FakeDestination(lambda body: None)
    source.arrive(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump(source, destination).run)
        await wait_all_tasks_blocked()
        destination.blocked = "low on memory"
        began_s = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() == began_s
