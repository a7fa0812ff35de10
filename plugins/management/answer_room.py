"""How much of long answers is kept for readers at a time: made by a few at once, and held within a bound.

A list is kept as bytes until its reader has taken them, and has a tag of all of it, so it can't be made while it is
read.  Two hundred readers of a list of twenty thousand queues would hold gigabytes; so only some lists are in the
making at a time, the others wait for that, and what is made counts until it has been taken.  Where there is no room for
another one, the reader who is furthest behind (`ByteStream.behind_s`) is cut off if that is more than a little;
else the latest request is refused for now, so that those before come to their end.  What fits into one piece
(answers.py) doesn't count: as many as there are connections fit anyway.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Final

import trio

from warren.plugins.management.errors import UNAVAILABLE, ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.gateway.plugin import ByteStream

MAKING_MAX: Final = 3
"""Long answers in the making at a time: while two are large, a third one comes to its end.  A row of a queue with all
its columns takes a kilobyte and a half."""

LIMIT: Final = "management_answers_bytes_max"
"""The key of the bound, and what it is counted as."""

RETRY_AFTER_S: Final = 30
"""When a reader who is refused may come again: slow ones will have gone by then."""


class AnswerRoom:
    """Of one run of the plugin.

    bytes_max: of answers that wait for their readers; one alone may have more.  wait_s: for how long a request waits
    for its turn to be made.  cut_off: ends the slowest of these streams, if one is slow, and gives it.
    refused: counts one that was.
    """

    def __init__(
        self,
        bytes_max: int,
        wait_s: float,
        cut_off: Callable[[list[ByteStream]], ByteStream | None],
        refused: Callable[[], None],
    ) -> None:
        self.bytes_max = bytes_max
        self.held_bytes = 0
        self._wait_s = wait_s
        self._cut_off = cut_off
        self._refused = refused
        self._making = trio.CapacityLimiter(MAKING_MAX)
        self._places: dict[Place, None] = {}
        self._in_the_making: dict[Place, None] = {}

    def place(self, stream: ByteStream | None) -> Place:
        """For one request, for the length of a block.  stream: the connection that it came by."""
        return Place(self, stream)

    async def turn(self, place: Place) -> None:
        """Wait until another long answer may be made; ApiError if that takes too long, or there is no room for it."""
        with trio.move_on_after(self._wait_s) as limit:
            await self._making.acquire_on_behalf_of(place)
            self._in_the_making[place] = None
        if limit.cancelled_caught:
            raise self._busy()
        if self.held_bytes >= self.bytes_max and not self._has_ended_one(place):
            self.over(place)
            raise self._busy()

    def over(self, place: Place) -> None:
        """The answer is made, or won't be."""
        if place in self._in_the_making:
            del self._in_the_making[place]
            self._making.release_on_behalf_of(place)

    def hold(self, place: Place, size_bytes: int) -> None:
        """So much more is held; ApiError if there is no room, unless it is promised or nobody else holds anything."""
        if place.is_refused:
            raise self._busy()
        self.held_bytes += size_bytes
        place.held_bytes += size_bytes
        self._places[place] = None
        while self.held_bytes > max(self.bytes_max, place.held_bytes):
            if self._has_ended_one(place):
                continue
            latest = next((each for each in reversed(self._in_the_making) if not each.promised), None)
            if latest is None and place.promised:
                return
            if latest is None or latest is place:
                raise self._busy()
            latest.is_refused = True
            self.let_go(latest, latest.held_bytes)
            self.over(latest)

    def let_go(self, place: Place, size_bytes: int) -> None:
        """So much of it is held no more."""
        size_bytes = min(size_bytes, place.held_bytes)
        self.held_bytes -= size_bytes
        place.held_bytes -= size_bytes
        if not place.held_bytes:
            self._places.pop(place, None)

    def _has_ended_one(self, newcomer: Place) -> bool:
        """Whether a slow reader was cut off, so that there is more room."""
        by_stream = {each.stream: each for each in self._places if each.stream is not None and each is not newcomer}
        ended = self._cut_off(list(by_stream))
        if ended is None:
            return False
        self.let_go(by_stream[ended], by_stream[ended].held_bytes)
        return True

    def _busy(self) -> ApiError:
        self._refused()
        return ApiError(
            503,
            UNAVAILABLE,
            f"too much of other long answers waits for its readers ({LIMIT}); ask for pages, or come again later",
            {"retry-after": str(RETRY_AFTER_S)},
        )


class Place:
    """What one request has of the room.

    promised: the request has changed something, or is about to, so that its answer isn't refused any more.
    is_refused: it has to make room for one that was begun earlier, and finds that out when it goes on.
    """

    def __init__(self, room: AnswerRoom, stream: ByteStream | None) -> None:
        self.stream = stream
        self.promised = False
        self.is_refused = False
        self.held_bytes = 0
        self._room = room

    async def turn(self) -> None:
        """Before a long answer is made; raises ApiError."""
        await self._room.turn(self)

    def hold(self, size_bytes: int) -> None:
        """So much more of it is made; raises ApiError."""
        self._room.hold(self, size_bytes)

    def made(self) -> None:
        """All of it is made."""
        self._room.over(self)

    def let_go(self, size_bytes: int) -> None:
        """So much of it was taken."""
        self._room.let_go(self, size_bytes)

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._room.over(self)
        self._room.let_go(self, self.held_bytes)
