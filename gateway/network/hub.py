"""The hub: one Trio task that owns every client socket and drives the broker in turns.

A selector (epoll, kqueue) holds all sockets; the task itself waits for the selector's own descriptor, which costs a
third of what a task per connection does.  A turn reads once from each ready socket, lets the broker dispatch, sends
once to each connection that has something, and begins a commit if something waits for the disk.  What one socket
and one turn may do is bounded, and every turn ends in a checkpoint, so neither a connection nor the hub starves
anybody.

A small commit that a turn has begun is mostly on disk before the scheduler has come round.  Where the disk is known to
be quick, the turn looks at the sockets once more for at most `NEAR_S`, so that the confirm goes out without another
round of the scheduler; any socket that gets ready ends that, so nobody waits for the disk.  Who has waited for
that confirm alone mostly sends at once what comes next: the turn takes that along, too, for `TOGETHER_S` altogether.

`settle` is the second half of a turn alone: whoever else calls into the broker (timers, commits, the control
socket) calls it afterwards.  Who does so often, as clients within this process do, calls `request_turn` instead: what
all tasks do until the scheduler comes round is settled once.

Without a selector that can be waited on (Windows), `poll_interval_s` makes the hub look at its sockets at short
intervals instead: correct, slower.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Final, Protocol

import trio

from warren.gateway.network.link import READ_BYTES_FIRST, READ_BYTES_MAX, Link
from warren.gateway.network.sockets import Sockets

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.gateway.network.clock import Clock
    from warren.gateway.network.stall_watch import StallWatch

POLL_INTERVAL_S: Final = 0.002
"""Between two looks at the sockets where the selector can't be waited on."""

NEAR_S: Final = 0.001
"""How long a turn waits for a commit that should be there at once, and for sockets; Trio's other tasks wait, too."""

NEXT_S: Final = 0.001
"""How long it waits, after such a commit, for what the client sends next that has its confirm now."""

TOGETHER_S: Final = 0.002
"""How long a turn goes on with that: Trio's other tasks get their turn then, whoever goes on sending."""

UNWATCHED_BYTES: Final = 1 << 62
"""What may be read where nobody watches it."""


class InputWatch(Protocol):
    """Who watches what is read and written, as it may fill memory and disk (gateway.process.resources)."""

    def input_read(self) -> None:
        """As much was read as may be; set `Hub.input_left_bytes` anew."""

    def before_write(self) -> None:
        """A commit is about to be written."""

    def after_write(self) -> None:
        """It is written."""


class Hub:
    """Owns the sockets and drives the broker in turns.  buffer: what all links read into.

    input_left_bytes: what may be read before `input_watch` is asked.
    begin_commit: begins a commit at the end of a turn, when something waits for the disk, and says True when it is
    finished already; None while one is under way.  is_commit_near: it should be on disk within `NEAR_S`.
    stall_watch: who sees when one has held the thread for long.
    unread_timeout_ms: how long a peer may read nothing while something waits for it, 0 for ever (unread.py).
    """

    def __init__(self, broker: Broker, clock: Clock, *, unread_timeout_ms: int = 0) -> None:
        self.unread_timeout_ms = unread_timeout_ms
        self.broker = broker
        self.clock = clock
        self.buffer = memoryview(bytearray(READ_BYTES_FIRST))
        self.on_released: Callable[[], None] = _nothing
        self.input_left_bytes = UNWATCHED_BYTES
        self.input_watch: InputWatch | None = None
        self.sockets = Sockets()
        self.begin_commit: Callable[[], bool] | None = None
        self.is_commit_near = False
        self.stall_watch: StallWatch | None = None
        self._timer_parking = trio.lowlevel.ParkingLot()
        self._timer_at_ms: int | None = None
        self._more_to_do = False
        self._turn_parking = trio.lowlevel.ParkingLot()
        self._turn_requested = False
        self._release_parking = trio.lowlevel.ParkingLot()

    # Sockets

    @property
    def links(self) -> set[Link]:
        """The open ones."""
        return set(self.sockets.links())

    def released(self, link: Link) -> None:
        """A link has closed its socket."""
        self._release_parking.unpark_all()
        self.on_released()

    def widen_buffer(self) -> None:
        """Somebody has filled the buffer: from now on it has the size that makes a turn's fixed costs small."""
        if len(self.buffer) < READ_BYTES_MAX:
            self.buffer = memoryview(bytearray(READ_BYTES_MAX))

    def ask_for_input(self) -> None:
        """As much was read as may be without asking; called before the last of it is worked on."""
        if self.input_watch is None:
            self.input_left_bytes = UNWATCHED_BYTES
        else:
            self.input_watch.input_read()

    # Turns

    async def run(self) -> None:
        """Drive the broker until cancelled."""
        descriptor = self.sockets.descriptor()
        while True:
            if self._more_to_do:
                await trio.lowlevel.checkpoint()
            elif descriptor is not None:
                await trio.lowlevel.wait_readable(descriptor)
            else:
                await trio.sleep(POLL_INTERVAL_S)
            self.turn()

    def turn(self) -> None:
        """One turn: read, dispatch, send."""
        self.broker.now_ms = max(self.broker.now_ms, self.clock())
        self.sockets.poll()
        self._settle()
        if self.is_commit_near and not (self._more_to_do or self._turn_requested):
            self._await_commit()

    def _await_commit(self) -> None:
        """What gets ready soon is a part of this turn: the commit that is near, most likely, and what comes next."""
        until_s = perf_counter() + TOGETHER_S
        wait_s = NEAR_S
        while True:
            self.is_commit_near = False
            if _others_are_ready():
                wait_s = 0.0
            if not self.sockets.poll(wait_s):
                return
            self.note_time()
            self._settle()
            if self._more_to_do or self._turn_requested or perf_counter() >= until_s:
                return
            if self.is_commit_near:
                wait_s = NEAR_S
            elif self.begin_commit is not None:
                wait_s = NEXT_S
            else:
                return

    def settle(self) -> None:
        """End the broker's turn, then see whether the disk or a timer is due."""
        self._settle()
        if self._more_to_do:
            self.request_turn()

    def note_time(self) -> None:
        """Let the broker know what time it is, before something is done in it."""
        self.broker.now_ms = max(self.broker.now_ms, self.clock())

    def request_turn(self) -> None:
        """Have what was done in the broker settled soon."""
        if not self._turn_requested:
            self._turn_requested = True
            self._turn_parking.unpark_all()

    async def run_requested_turns(self) -> None:
        """Settle whenever somebody requested it and no turn has done so since, until cancelled."""
        while True:
            if not self._turn_requested:
                await self._turn_parking.park()
            await trio.lowlevel.checkpoint()  # a hub whose sockets are ready has its turn first
            if self._turn_requested:
                self.settle()

    def _settle(self) -> None:
        self._turn_requested = False
        broker = self.broker
        self._more_to_do = broker.end_turn()
        if self.begin_commit is not None and broker.commit_wanted and self.begin_commit():
            self._more_to_do = broker.end_turn() or broker.commit_wanted or self._more_to_do
        if broker.cluster is not None and broker.cluster.end_of_turn():
            self._more_to_do = True
        next_at_ms = broker.deadlines.next_at_ms
        if next_at_ms is not None and (self._timer_at_ms is None or next_at_ms < self._timer_at_ms):
            self._timer_at_ms = next_at_ms
            self._timer_parking.unpark_all()

    # Who waits for turns

    async def kept(self) -> None:
        """Return when all that is declared until now is there after a power failure."""
        if not self.broker.unkept.is_anything:
            await trio.lowlevel.checkpoint()
            return
        is_kept = trio.Event()
        self.broker.unkept.when_kept(is_kept.set)
        self.request_turn()
        await is_kept.wait()

    async def run_timers(self) -> None:
        """Call the broker whenever a deadline is due, until cancelled."""
        deadlines = self.broker.deadlines
        while True:
            self._timer_at_ms = deadlines.next_at_ms
            if self._timer_at_ms is None:
                await self._timer_parking.park()
                continue
            with trio.move_on_after(self.clock.seconds_until(self._timer_at_ms)):
                await self._timer_parking.park()
                continue
            self.broker.advance(self.clock())
            self.settle()

    async def link_released(self) -> None:
        """Return when the next link has closed its socket."""
        await self._release_parking.park()

    def close(self) -> None:
        """Release the selector; all links are closed."""
        self.sockets.close()


def _nothing() -> None:
    return


def _others_are_ready() -> bool:
    """Whether tasks of Trio's, such as a shovel's, wait for the turn to end."""
    return trio.lowlevel.current_statistics().tasks_runnable > 0
