"""Room for long answers: so many in the making at a time, so much held, and who has to go for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest
import trio
import trio.testing

from warren.gateway.plugin import ByteStream
from warren.plugins.management.answer_room import MAKING_MAX, RETRY_AFTER_S, AnswerRoom
from warren.plugins.management.errors import ApiError


@dataclass(eq=False)
class Reader:
    """A connection as far as the room looks at it."""

    behind_s: float = 0.0
    aborted: bool = False


def stream(reader: Reader) -> ByteStream:
    return cast("ByteStream", reader)


class Counting(AnswerRoom):
    """Cuts off who is a minute behind, and counts who is refused."""

    def __init__(self, bytes_max: int) -> None:
        self.refusals = 0
        super().__init__(bytes_max, 5.0, self._slowest, self._count)

    def _slowest(self, streams: list[ByteStream]) -> ByteStream | None:
        found = max(cast("list[Reader]", streams), key=lambda each: each.behind_s, default=None)
        if found is None or found.behind_s < 60:
            return None
        found.aborted = True
        return stream(found)

    def _count(self) -> None:
        self.refusals += 1


def test_what_is_held_is_bounded_and_given_back() -> None:
    room = Counting(100)
    with room.place(stream(Reader())) as first:
        first.hold(60)
        with pytest.raises(ApiError) as refused, room.place(stream(Reader())) as second:
            second.hold(60)
        assert (refused.value.status, refused.value.headers) == (503, {"retry-after": str(RETRY_AFTER_S)})
        assert (room.held_bytes, room.refusals) == (60, 1)
        first.let_go(40)
        with room.place(stream(Reader())) as third:
            third.hold(60)
            assert room.held_bytes == 80
        assert room.held_bytes == 20
    assert room.held_bytes == 0


def test_one_alone_may_hold_more() -> None:
    room = Counting(100)
    with room.place(stream(Reader())) as only:
        for _ in range(10):
            only.hold(60)
        assert room.held_bytes == 600


def test_the_slowest_goes_for_another_one() -> None:
    room = Counting(100)
    fast, slow, slower = Reader(1.0), Reader(61.0), Reader(90.0)
    with room.place(stream(fast)) as one, room.place(stream(slow)) as two, room.place(stream(slower)) as three:
        for each in (one, two, three):
            each.hold(30)
        with room.place(stream(Reader())) as another:
            another.hold(30)
            assert [each.aborted for each in (fast, slow, slower)] == [False, False, True]
            assert room.held_bytes == 90
            three.let_go(30)
            assert room.held_bytes == 90, "it has no place any more"


async def test_of_those_in_the_making_the_latest_is_refused() -> None:
    room = Counting(100)
    with room.place(None) as first, room.place(None) as second, room.place(None) as third:
        for each in (first, second, third):
            await each.turn()
            each.hold(30)
        first.hold(30)
        assert (room.held_bytes, room.refusals) == (90, 0)
        second.hold(10)
        with pytest.raises(ApiError):
            third.hold(0)
        with pytest.raises(ApiError):
            second.hold(10)
        assert room.refusals == 2
        first.hold(1000)


def test_what_is_promised_is_never_refused() -> None:
    room = Counting(100)
    with room.place(stream(Reader())) as first, room.place(stream(Reader())) as second:
        first.hold(90)
        second.promised = True
        second.hold(60)
        assert (room.held_bytes, room.refusals) == (150, 0)


async def test_no_more_are_made_at_a_time_than_may_be() -> None:
    room = Counting(100)
    making = most = 0

    async def make() -> None:
        nonlocal making, most
        with room.place(None) as place:
            await place.turn()
            making += 1
            most = max(most, making)
            await trio.lowlevel.checkpoint()
            making -= 1
            place.made()
            place.made()

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(make)
    assert (making, most, room.refusals) == (0, MAKING_MAX, 0)


async def test_who_waits_for_too_long_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    room = Counting(100)
    places = [room.place(None) for _ in range(MAKING_MAX)]
    for each in places:
        await each.turn()
    with pytest.raises(ApiError) as refused, room.place(None) as late:
        await late.turn()
    assert refused.value.status == 503
    places[0].made()
    with room.place(None) as another:
        await another.turn()


async def test_nothing_is_made_where_there_is_no_room_for_it() -> None:
    room = Counting(100)
    slow = Reader()
    with room.place(stream(slow)) as first:
        first.hold(100)
        for _ in range(2 * MAKING_MAX):
            with pytest.raises(ApiError), room.place(stream(Reader())) as second:
                await second.turn()
        slow.behind_s = 100.0
        with room.place(stream(Reader())) as third:
            await third.turn()
        assert slow.aborted
