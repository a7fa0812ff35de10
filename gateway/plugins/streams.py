"""Connections of a listener as Trio's streams, for the plugin that serves them (gateway.plugin.Context.serve)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from math import inf
from typing import TYPE_CHECKING, Final

import trio

from warren.adapters.streams.desk import desk_of
from warren.adapters.streams.session import CLOSED_BY_PEER, StreamSession

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.gateway.plugin import ByteStream

PIECE_BYTES: Final = 64 * 1024
"""Given to the connection at a time; the next one follows when the socket has taken it."""

PACE_BYTES: Final = 64 * 1024
"""What a peer takes in a second, or it gets behind: a tenth of what a telephone has where it has little."""


async def serve(
    broker: Broker,
    listener: str,
    handler: Callable[[ByteStream], Awaitable[None]],
    changed: Callable[[], None],
    log: logging.Logger,
    path: str = "",
) -> None:
    """See gateway.plugin.Context.serve.  changed: asks for a turn."""
    try:
        desk = desk_of(broker, listener)
    except KeyError:
        raise ValueError(f"connections of the listener '{listener}' aren't for plugins to serve") from None
    async with trio.open_nursery() as nursery:

        def take(session: StreamSession) -> None:
            nursery.start_soon(_handle, SessionStream(session, changed), handler, log)

        desk.serve(take, path)
        try:
            await trio.sleep_forever()
        finally:
            desk.withdraw(take)


async def _handle(stream: SessionStream, handler: Callable[[ByteStream], Awaitable[None]], log: logging.Logger) -> None:
    """One connection to its end; the catch-all of it."""
    try:
        await handler(stream)
    except trio.BrokenResourceError as error:
        log.debug("connection %s:%s: %s", stream.peer_host, stream.peer_port, error)
    except Exception:
        log.exception("connection %s:%s: internal error; closing it", stream.peer_host, stream.peer_port)
    finally:
        stream.close()


class SessionStream(trio.abc.Stream):
    """One connection; implements gateway.plugin.ByteStream."""

    def __init__(self, session: StreamSession, changed: Callable[[], None]) -> None:
        self._session = session
        self._changed = changed
        self._parking = trio.lowlevel.ParkingLot()
        self._closed = False
        self._behind_s = 0.0
        self._waits_since_s = inf
        session.on_change = self._wake
        transport = session.transport
        self.peer_host, self.peer_port = transport.peer_host, transport.peer_port
        self.host, self.port = transport.host, transport.port
        self.is_tls = transport.tls is not None
        self.shares_port = session.shares_port

    @property
    def behind_s(self) -> float:
        return self._behind_s + max(0.0, trio.current_time() - self._waits_since_s)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        while True:
            self._check_open()
            data = self._session.take(PIECE_BYTES if max_bytes is None else max_bytes)
            if data:
                return data
            if self._session.ended is not None:
                return self._end()
            await self._parking.park()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        view = memoryview(data)
        for start in range(0, len(view), PIECE_BYTES):
            await self.wait_send_all_might_not_block()
            piece = bytes(view[start : start + PIECE_BYTES])
            self._session.write(piece)
            self._behind_s = max(0.0, self._behind_s - len(piece) / PACE_BYTES)
            self._changed()
        await self.wait_send_all_might_not_block()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()
        self._waits_since_s = trio.current_time()
        try:
            while True:
                self._check_open()
                if self._session.ended is not None:
                    raise trio.BrokenResourceError(self._session.ended)
                if self._session.has_room:
                    return
                await self._parking.park()
        finally:
            self._behind_s, self._waits_since_s = self.behind_s, inf

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    def abort(self) -> None:
        self._session.abort()
        self._changed()

    def close(self) -> None:
        """What `aclose` does, without a checkpoint."""
        if not self._closed:
            self._closed = True
            self._session.close()
            self._changed()
            self._wake()

    def _wake(self) -> None:
        self._parking.unpark_all()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the connection was closed here")

    def _end(self) -> bytes:
        if self._session.ended != CLOSED_BY_PEER:
            raise trio.BrokenResourceError(self._session.ended)
        return b""
