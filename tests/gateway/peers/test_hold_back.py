"""A peer that sends faster than anybody takes is held back: the socket isn't read, and that is no silence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock, lockstep_stream_pair, wait_all_tasks_blocked

from warren.adapters.peers.client_half import ClientHalf
from warren.adapters.peers.errors import PeerError
from warren.gateway.peers.peer import READ_BYTES_MAX, UNTAKEN_BYTES_MAX, Peer, now_ms

PIECE = b"x" * READ_BYTES_MAX
HEARD_EVERY_MS = 1000


class Half(ClientHalf):
    """Everything that comes is a message, and something comes every second."""

    def __init__(self) -> None:
        super().__init__(now_ms(), b"beat")
        self.opened = True
        self.arrived: list[bytes] = []
        self._heard_every_ms = self._beat_every_ms = HEARD_EVERY_MS

    def close(self) -> None:
        self.end(PeerError("closed here"))

    def _parse(self, data: bytes) -> int:
        self.arrived.append(data)
        return len(data)

    def _missing_bytes(self, rest: bytes) -> int:
        return 1

    def _lost_unopened(self, reason: str) -> str:
        return reason


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Peer[Half], trio.abc.Stream]]:
    ours, theirs = lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        peer = Peer(ours, Half())
        nursery.start_soon(peer.run)
        nursery.start_soon(_read_all, theirs)
        try:
            yield peer, theirs
        finally:
            await peer.aclose()
            nursery.cancel_scope.cancel()


async def _read_all(stream: trio.abc.ReceiveStream) -> None:
    while await stream.receive_some():
        pass


async def send_much(stream: trio.abc.SendStream, sent: list[int]) -> None:
    for _ in range(3 * UNTAKEN_BYTES_MAX // len(PIECE)):
        await stream.send_all(PIECE)
        sent.append(len(PIECE))


async def test_no_more_than_so_much_waits_to_be_taken() -> None:
    async with connected() as (peer, stream), trio.open_nursery() as nursery:
        half = peer.connection
        peer.hold_back(lambda: half.arrived)
        sent: list[int] = []
        nursery.start_soon(send_much, stream, sent)
        await wait_all_tasks_blocked()
        taken = 0
        while sum(sent) < 3 * UNTAKEN_BYTES_MAX // len(PIECE) * len(PIECE) or half.arrived:
            assert sum(map(len, half.arrived)) <= UNTAKEN_BYTES_MAX + len(PIECE)
            taken += sum(map(len, half.arrived))
            half.arrived.clear()
            peer.taken()
            await wait_all_tasks_blocked()
        assert taken == sum(sent)


async def test_who_is_held_back_isnt_silent(autojump_clock: MockClock) -> None:
    async with connected() as (peer, stream), trio.open_nursery() as nursery:
        half = peer.connection
        peer.hold_back(lambda: half.arrived)
        sent: list[int] = []
        nursery.start_soon(send_much, stream, sent)
        await trio.sleep(100)
        assert half.closed is None
        assert sum(sent) < 2 * UNTAKEN_BYTES_MAX
        while sum(sent) < 2 * UNTAKEN_BYTES_MAX:
            half.arrived.clear()
            peer.taken()
            await trio.sleep(0.1)
        half.arrived.clear()
        peer.taken()
        await trio.sleep(100)
        assert half.closed is not None
        assert "silent" in half.closed.text


async def test_heart_beats_alone_hold_nothing_back(autojump_clock: MockClock) -> None:
    async with connected() as (peer, stream):
        peer.hold_back(lambda: False)
        for _ in range(2 * UNTAKEN_BYTES_MAX // len(PIECE)):
            with trio.fail_after(1):
                await stream.send_all(PIECE)


async def test_taking_leave_reads_on() -> None:
    async with connected() as (peer, stream), trio.open_nursery() as nursery:
        half = peer.connection
        peer.hold_back(lambda: half.arrived)
        nursery.start_soon(send_much, stream, [])
        await wait_all_tasks_blocked()
        await peer.aclose()
        assert half.closed is not None
        nursery.cancel_scope.cancel()
