"""A link between two programs that goes wrong: a TCP proxy that cuts, resets and stalls connections, by a seed.

`target` may change while it runs, as a program that is restarted gets another port; None refuses connections, as when
nobody listens.  While `faults` is None it is a good link.
"""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

LOOPBACK = "127.0.0.1"

CHUNK_BYTES_MAX = 65_536

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time at all: closing sends RST."""


@dataclass(frozen=True)
class Faults:
    """bytes_max: a connection goes wrong after so many bytes at most, in both directions together."""

    bytes_max: int
    ways: tuple[str, ...] = ("cut", "reset", "stall")


class FaultyLink:
    """happened: how often each fault struck."""

    def __init__(self, seed: int) -> None:
        self.target: tuple[str, int] | None = None
        self.faults: Faults | None = None
        self.happened = {"cut": 0, "reset": 0, "stall": 0}
        self.port = 0
        self._random = random.Random(seed)
        self._went_wrong = trio.Event()
        self._scopes: set[trio.CancelScope] = set()
        self._passages: set[_Passage] = set()

    def stall(self) -> None:
        """Nothing comes through any more on the connections that there are; neither end is told."""
        for passage in self._passages:
            passage.stall()

    async def go_wrong(self) -> None:
        """Wait until a fault has struck, however little has come through: if none has, the next bytes on each
        connection are its last.
        """
        if not self._went_wrong.is_set():
            ways = Faults.ways if self.faults is None else self.faults.ways
            self.faults = Faults(bytes_max=1, ways=ways)
            for passage in self._passages:
                passage.end_soon()
            await self._went_wrong.wait()

    def heal(self) -> None:
        """A good link from now on; what is stalled is cut."""
        if self.faults is not None:
            self.faults = None
            for scope in self._scopes:
                scope.cancel()

    async def serve(self, listener: trio.SocketListener) -> None:
        await trio.serve_listeners(self._handle, [listener])

    async def _handle(self, near: trio.SocketStream) -> None:
        if self.target is None:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            await trio.aclose_forcefully(near)
            return
        try:
            far = await trio.open_tcp_stream(*self.target)
        except OSError:
            await trio.aclose_forcefully(near)
            return
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            passage = _Passage(self, near, far, scope)
            self._passages.add(passage)
            await passage.run()
        self._scopes.discard(scope)
        self._passages.discard(passage)

    def strike(self) -> tuple[int, str]:
        """After how many bytes a new connection goes wrong, and how."""
        if self.faults is None:
            return 1 << 62, ""
        return self._random.randrange(self.faults.bytes_max), self._random.choice(self.faults.ways)

    def struck(self, way: str) -> None:
        """A fault has."""
        self.happened[way] += 1
        self._went_wrong.set()


class _Passage:
    """One connection through the link."""

    def __init__(
        self, link: FaultyLink, near: trio.SocketStream, far: trio.SocketStream, scope: trio.CancelScope
    ) -> None:
        self._link = link
        self._ends = (near, far)
        self._scope = scope
        self._left, self._way = link.strike()

    def stall(self) -> None:
        self._left, self._way = 0, "stall"

    def end_soon(self) -> None:
        """With the next bytes."""
        self._left, self._way = self._link.strike()

    async def run(self) -> None:
        near, far = self._ends
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pass, near, far)
                nursery.start_soon(self._pass, far, near)
        finally:
            for end in self._ends:
                if self._way == "reset" and self._left <= 0:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.socket.close()

    async def _pass(self, source: trio.SocketStream, destination: trio.SocketStream) -> None:
        try:
            while data := await source.receive_some(CHUNK_BYTES_MAX):
                part = bytes(data[: max(self._left, 0)])
                self._left -= len(data)
                if part:
                    await destination.send_all(part)
                if self._left <= 0:
                    self._link.struck(self._way)
                    if self._way == "stall":
                        await trio.sleep_forever()
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            pass
        self._scope.cancel()


@asynccontextmanager
async def faulty_link(seed: int) -> AsyncIterator[FaultyLink]:
    """A link on a free port of loopback."""
    link = FaultyLink(seed)
    (listener,) = await trio.open_tcp_listeners(0, host=LOOPBACK)
    link.port = listener.socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.serve, listener)
        yield link
        nursery.cancel_scope.cancel()
