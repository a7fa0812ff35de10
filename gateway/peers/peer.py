"""A connection to another broker, driven by Trio: one task reads, one writes, one watches the time.

None of them raises: what ends the connection is in its `closed`, and whoever waits for something of the peer is woken
and raises it.  So a link is one task's straight code, whatever happens to its peers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

import trio

from warren.adapters.peers.client_half import ClientHalf
from warren.adapters.peers.errors import PeerError

READ_BYTES_MAX: Final = 256 * 1024
"""Taken from the socket at once, as the hub does."""

OUTGOING_BYTES_MAX: Final = 1024 * 1024
"""So much may wait to be written before who publishes has to wait: a slow link doesn't fill the memory."""

LEAVE_S: Final = 3.0
"""How long the peer has to answer a farewell, and to read what was written before it."""

ANSWER_S: Final = 60.0
"""How long the peer may take to answer a question, a declaration or a subscription: one that is there, and speaks, but
never answers, would be waited for for ever."""

IDLE_LOOK_S: Final = 1.0
"""How often a connection without heart-beats is looked at, which costs next to nothing."""

UNTAKEN_BYTES_MAX: Final = 4 * 1024 * 1024
"""Read, and not taken by who consumes: beyond that, the socket isn't read, and the peer has to wait (`hold_back`)."""

SHORTEST_WAIT_S: Final = 0.001


Half = TypeVar("Half", bound=ClientHalf)


class Peer(Generic[Half]):
    """Its tasks go on, whatever is cancelled around them, until `aclose` has taken leave."""

    def __init__(self, stream: trio.abc.Stream, connection: Half) -> None:
        self.connection = connection
        self._stream = stream
        self._scope = trio.CancelScope(shield=True)
        self._came = trio.lowlevel.ParkingLot()
        self._to_write = trio.lowlevel.ParkingLot()
        self._written = trio.lowlevel.ParkingLot()
        self._over = trio.Event()
        self._taken = trio.lowlevel.ParkingLot()
        self._untaken_bytes = 0
        self._has_untaken: Callable[[], object] = _nothing
        self._leaving = False

    # What links use

    async def opened(self) -> None:
        """Wait for the end of the handshake; PeerError if it ends badly."""
        while not self.connection.opened and self.connection.closed is None:
            await self._came.park()
        if self.connection.closed is not None:
            raise self.connection.closed

    async def progress(self) -> None:
        """Wait until something has come; PeerError when the connection is over."""
        if self.connection.closed is not None:
            await trio.lowlevel.checkpoint()
            raise self.connection.closed
        await self._came.park()

    @contextmanager
    def answering(self, asked: str) -> Iterator[None]:
        """Wait in here for the peer's answer; PeerError when there is none in time.  asked: what was, in words."""
        with trio.move_on_after(ANSWER_S) as limit:
            yield
        if limit.cancelled_caught:
            raise PeerError(f"the peer is there, but didn't answer {asked} within {ANSWER_S:g} s")

    async def room(self) -> None:
        """Wait until little enough is left to be written."""
        await trio.lowlevel.checkpoint()
        while self.connection.outgoing_bytes > OUTGOING_BYTES_MAX and self.connection.closed is None:
            self.flush()
            await self._written.park()

    def flush(self) -> None:
        """Have written what there is to say; to be called after a batch of calls to the connection."""
        self._to_write.unpark_all()

    def hold_back(self, has_untaken: Callable[[], object]) -> None:
        """Read no more while too much has come that nobody has taken: for who consumes, and tells by `taken`.

        has_untaken: whether anything waits to be taken; by default nothing ever does.
        """
        self._has_untaken = has_untaken

    def taken(self) -> None:
        """All that had come has been taken."""
        self._untaken_bytes = 0
        self._taken.unpark_all()

    def wake(self) -> None:
        """Something has come, or has become known here: whoever waits for progress looks."""
        self._came.unpark_all()
        self._to_write.unpark_all()
        if self.connection.closed is not None:
            self._written.unpark_all()
            self._taken.unpark_all()

    async def aclose(self) -> None:
        """Take leave if the peer is still there, and end the tasks, also when cancelled."""
        with trio.CancelScope(shield=True):
            with trio.move_on_after(LEAVE_S):
                # Its last word may lie behind much that nobody takes any more.
                self._leaving = True
                self._taken.unpark_all()
                self.connection.close()
                self.flush()
                await self._over.wait()
            self.connection.end(PeerError("the connection was closed here"))
            self._scope.cancel()
            await self._over.wait()

    # The tasks

    async def run(self) -> None:
        """Everything that moves bytes, until the connection is over and its last words are written."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._watch)
                    nursery.start_soon(self._read)
                    await self._write()
                    nursery.cancel_scope.cancel()
        finally:
            self._lost("the broker stops")
            self._over.set()
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(self._stream)

    async def _read(self) -> None:
        while self.connection.closed is None:
            try:
                data = await self._stream.receive_some(READ_BYTES_MAX)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self._lost(str(error.__cause__ or error))
                return
            if not data:
                self._lost("the peer closed the socket")
                return
            self.connection.receive(bytes(data), now_ms())
            self.wake()
            self._untaken_bytes += len(data)
            if self._untaken_bytes > UNTAKEN_BYTES_MAX:
                await self._until_taken()

    async def _until_taken(self) -> None:
        while self._holds_back:
            await self._taken.park()
        self._untaken_bytes = 0

    @property
    def _holds_back(self) -> bool:
        """Nothing is read for now."""
        return bool(
            self._untaken_bytes > UNTAKEN_BYTES_MAX
            and not self._leaving
            and self.connection.closed is None
            and self._has_untaken()
        )

    async def _write(self) -> None:
        connection = self.connection
        while True:
            data = connection.take()
            if data:
                try:
                    await self._stream.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                    self._lost(str(error.__cause__ or error))
                    return
                self._written.unpark_all()
            elif connection.closed is not None:
                return
            else:
                await self._to_write.park()

    async def _watch(self) -> None:
        """Heart-beats, and a peer that is silent."""
        while self.connection.closed is None:
            next_at_ms = self.connection.next_at_ms()
            wait_s = IDLE_LOOK_S if next_at_ms is None else (next_at_ms - now_ms()) / 1000
            await trio.sleep(min(max(SHORTEST_WAIT_S, wait_s), IDLE_LOOK_S))
            if self._holds_back:
                self.connection.not_reading(now_ms())
            self.connection.advance(now_ms())
            # What was due may be something to hear of, not only something to say.
            due = next_at_ms is not None and next_at_ms <= self.connection.now_ms
            if due or self.connection.closed is not None or self.connection.outgoing_bytes:
                self.wake()

    def _lost(self, reason: str) -> None:
        self.connection.lost(reason)
        self.wake()


def _nothing() -> None:
    return


def now_ms() -> int:
    """Trio's clock in milliseconds, so that a test's virtual time counts."""
    return int(trio.current_time() * 1000)
