"""A pump between ends that a test holds in its hands: what the source is told, and what happens when one end won't."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.plugins.bridging.fake_ends import FakeDestination, FakeSource
from warren.adapters.amqp091.client.incoming import Incoming
from warren.adapters.peers.errors import PeerError
from warren.plugins.bridging.ends import Destination, Outcome
from warren.plugins.bridging.pump import BATCH_MAX, Pump
from warren.plugins.shovel.definition import read_definition
from warren.plugins.shovel.rewriting import Rewriting


def pump(source: FakeSource, destination: Destination, **options: object) -> Pump[Incoming]:
    definition = read_definition({"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://"})
    rewriting = Rewriting(
        definition,
        name="s",
        vhost="/",
        kind="dynamic",
        cluster_name="c",
        source_uri="amqp://",
        destination_uri="amqp://",
    )
    return Pump(source, destination, rewriting, **{"ack_mode": "on-confirm", **options})  # type: ignore[arg-type]


@asynccontextmanager
async def running(pump: Pump[Incoming]) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump.run)
        yield
        nursery.cancel_scope.cancel()


async def becomes(holds: Callable[[], bool]) -> None:
    with trio.fail_after(1000):
        while not holds():
            await trio.sleep(0.05)


async def test_the_source_is_told_only_of_what_the_destination_has() -> None:
    source, destination = FakeSource(), FakeDestination(lambda body: None)
    async with running(pump(source, destination)):
        source.arrive(1, 2, 3, 4)
        await wait_all_tasks_blocked()
        assert destination.bodies == [b"1", b"2", b"3", b"4"]
        assert source.acked == []
        destination.tell(Outcome(2, False, None))
        await wait_all_tasks_blocked()
        assert source.acked == [], "1 may still be refused, and one acknowledgement settles all before it"
        destination.tell(Outcome(3, True, None))
        await wait_all_tasks_blocked()
        assert source.acked == [3]


@pytest.mark.parametrize(("mode", "acked"), [("on-publish", [2, 3]), ("no-ack", [2, 3])])
async def test_other_modes_wait_for_nobody(mode: str, acked: list[int]) -> None:
    source, destination = FakeSource(), FakeDestination(lambda body: None)
    working = pump(source, destination, ack_mode=mode)
    async with running(working):
        source.arrive(1, 2)
        source.arrive(3)
        await wait_all_tasks_blocked()
        assert destination.bodies == [b"1", b"2", b"3"]
        assert source.acked == acked
        assert working.forwarded == 3
        assert working.pending == 0


async def test_what_is_refused_is_tried_again_ever_more_rarely_and_nothing_overtakes(
    autojump_clock: MockClock,
) -> None:
    full = True
    source = FakeSource()
    destination = FakeDestination(lambda body: "it is full" if full and body == b"2" else "")
    working = pump(source, destination)
    async with running(working):
        source.arrive(1, 2, 3)
        await becomes(lambda: len(destination.sent) == 8)
        assert destination.bodies == [b"1", b"2", b"3", *[b"2"] * 5]
        times = [at for _, body, at in destination.sent if body == b"2"]
        pauses = [round(after - before, 3) for before, after in pairwise(times)]
        assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0]
        assert working.blocked == "it is full"
        assert source.acked == [1], "3 is there already, but comes behind 2"
        source.arrive(4)
        await trio.sleep(1)
        assert b"4" not in destination.bodies, "a destination that is full isn't sent more"
        full = False
        await becomes(lambda: source.acked[-1] == 4)
        assert destination.bodies[-1] == b"4"
        assert working.blocked is None
        assert working.forwarded == 4


async def test_pauses_end_at_half_a_minute(autojump_clock: MockClock) -> None:
    source, destination = FakeSource(), FakeDestination(lambda body: "never")
    async with running(pump(source, destination)):
        source.arrive(1)
        await trio.sleep(600)
        times = [at for _, _, at in destination.sent]
        assert round(times[-1] - times[-2], 3) == 30.0
        assert len(times) < 30


async def test_what_is_blocked_gets_nothing() -> None:
    source, destination = FakeSource(), FakeDestination()
    working = pump(source, destination)
    async with running(working):
        destination.blocked = "low on memory"
        source.arrive(1)
        await wait_all_tasks_blocked()
        assert destination.sent == []
        assert working.blocked == "low on memory"
        destination.unblock()
        await wait_all_tasks_blocked()
        assert source.acked == [1]


@pytest.mark.parametrize("end", ["source", "destination"])
@pytest.mark.parametrize("mode", ["on-confirm", "on-publish", "no-ack"])
async def test_an_end_that_fails_ends_the_pump_with_its_words(end: str, mode: str) -> None:
    source, destination = FakeSource(), FakeDestination()
    (source if end == "source" else destination).fail("gone")
    with pytest.raises(PeerError, match=r"^gone$"):
        await pump(source, destination, ack_mode=mode).run()


@pytest.mark.parametrize("mode", ["on-publish", "no-ack"])
async def test_outcomes_that_nobody_waits_for_dont_pile_up(mode: str) -> None:
    source, destination = FakeSource(), FakeDestination()
    async with running(pump(source, destination, ack_mode=mode)):
        for number in range(100):
            source.arrive(number)
        await wait_all_tasks_blocked()
        assert len(destination.sent) == 100
        assert destination.untaken == 0


async def test_nothing_overtakes_while_a_destination_that_was_blocked_refuses() -> None:
    full = True
    source = FakeSource()
    destination = FakeDestination(lambda body: "it is full" if full else "")
    async with running(pump(source, destination)):
        source.arrive(1)
        destination.blocked = "low on memory"
        source.arrive(2)
        await wait_all_tasks_blocked()
        destination.unblock()
        await wait_all_tasks_blocked()
        assert destination.bodies == [b"1"], "2 waits, since 1 was refused meanwhile"


async def test_a_message_that_cant_be_sent_ends_the_pump_and_stays() -> None:
    source, destination = FakeSource(), FakeDestination()

    def refuse(*message: object) -> int:
        raise ValueError("properties of 200000 bytes don't fit")

    destination.publish = refuse  # type: ignore[assignment, method-assign]
    source.arrive(1)
    with pytest.raises(PeerError, match="can't be sent to the destination: properties of 200000 bytes"):
        await pump(source, destination).run()
    assert source.acked == []


@pytest.mark.parametrize("mode", ["on-confirm", "on-publish"])
async def test_exactly_so_many_are_moved(mode: str) -> None:
    source, destination = FakeSource(), FakeDestination()
    working = pump(source, destination, ack_mode=mode, remaining=3)
    source.arrive(1, 2)
    source.arrive(3, 4, 5)
    await working.run()
    assert destination.bodies == [b"1", b"2", b"3"]
    assert source.acked[-1] == 3
    assert working.remaining == 0
    assert working.pending == 0


async def test_the_last_confirm_is_waited_for() -> None:
    source, destination = FakeSource(), FakeDestination(lambda body: None)
    working = pump(source, destination, remaining=1)
    over = trio.Event()

    async def run() -> None:
        await working.run()
        over.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        source.arrive(1)
        await wait_all_tasks_blocked()
        assert not over.is_set()
        destination.tell(Outcome(1, False, None))
        await over.wait()
    assert source.acked == [1]


async def test_a_rate_is_kept(autojump_clock: MockClock) -> None:
    source, destination = FakeSource(), FakeDestination()
    async with running(pump(source, destination, rate_max=50)):
        source.arrive(*range(1, 301))
        began_at = trio.current_time()
        await becomes(lambda: len(destination.sent) == 300)
        assert 5.8 <= trio.current_time() - began_at <= 6.2
        per_second = [sum(begin <= at - began_at < begin + 1 for _, _, at in destination.sent) for begin in range(5)]
        assert all(45 <= count <= 55 for count in per_second), per_second


async def test_others_have_their_turn_between_batches() -> None:
    source, destination = FakeSource(), FakeDestination()
    seen: list[int] = []

    async def look() -> None:
        while len(destination.sent) < 10 * BATCH_MAX:
            seen.append(len(destination.sent))
            await trio.lowlevel.checkpoint()

    async with running(pump(source, destination)):
        source.arrive(*range(1, 10 * BATCH_MAX + 1))
        await look()
    assert max(after - before for before, after in pairwise(seen)) <= BATCH_MAX


@pytest.mark.parametrize(("grace_s", "acked"), [(0.0, []), (1.0, [2])])
async def test_a_source_that_remembers_hears_what_the_destination_says_after_it_has_failed(
    autojump_clock: MockClock, grace_s: float, acked: list[int]
) -> None:
    source, destination = FakeSource(), FakeDestination(lambda body: None)
    working = pump(source, destination)
    working.grace_s = grace_s

    async def confirm_late() -> None:
        await trio.sleep(0.9)
        destination.tell(Outcome(2, True, None))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(confirm_late)
        source.arrive(1, 2, 3)
        source.fail("gone")
        with pytest.raises(PeerError, match=r"^gone$"):
            await working.run()
    assert source.acked == acked


async def test_what_isnt_answered_is_bounded_whatever_the_source_sends() -> None:
    """QoS 0 of MQTT has no prefetch, and a broker may take no notice of one."""
    source, destination = FakeSource(), FakeDestination(lambda body: None)
    async with running(pump(source, destination, in_flight_max=1000)):
        for start in range(1, 10 * BATCH_MAX, BATCH_MAX):
            source.arrive(*range(start, start + BATCH_MAX))
        await wait_all_tasks_blocked()
        assert 1000 <= len(destination.sent) < 1000 + BATCH_MAX
        while len(destination.sent) < 10 * BATCH_MAX:
            destination.tell(Outcome(len(destination.sent), True, None))
            await wait_all_tasks_blocked()
        assert destination.bodies == [b"%d" % number for number in range(1, 10 * BATCH_MAX + 1)]


async def test_what_is_refused_frees_its_place_when_it_is_taken(autojump_clock: MockClock) -> None:
    full = True
    source = FakeSource()
    destination = FakeDestination(lambda body: "it is full" if full else "")
    async with running(pump(source, destination, in_flight_max=2)):
        source.arrive(1, 2, 3)
        source.arrive(4)
        await trio.sleep(5)
        assert b"4" not in destination.bodies
        full = False
        await becomes(lambda: source.acked[-1:] == [4])
