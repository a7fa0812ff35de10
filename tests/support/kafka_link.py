"""A faulty link to a Kafka cluster, which would lead its clients around it: answers tell where brokers are.

The address of the one broker is exchanged for the link's in what it sends, whole answers at a time; nothing else is
touched, as a host and a port take the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

LOOPBACK = b"127.0.0.1"
SIZE = struct.Struct(">i")
READ_BYTES = 65_536


@asynccontextmanager
async def renamed(target_port: int, shown_port: int) -> AsyncIterator[int]:
    """A port that leads to the broker at `target_port`, whose answers have it at `shown_port`."""
    (listener,) = await trio.open_tcp_listeners(0, host=LOOPBACK.decode())

    async def handle(near: trio.SocketStream) -> None:
        try:
            far = await trio.open_tcp_stream(LOOPBACK.decode(), target_port)
        except OSError:
            await trio.aclose_forcefully(near)
            return
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(_pass, near, far, nursery)
            nursery.start_soon(_answers, far, near, nursery, SIZE.pack(target_port), SIZE.pack(shown_port))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, [listener])
        yield int(listener.socket.getsockname()[1])
        nursery.cancel_scope.cancel()


async def _pass(source: trio.SocketStream, destination: trio.SocketStream, nursery: trio.Nursery) -> None:
    try:
        while data := await source.receive_some(READ_BYTES):
            await destination.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    nursery.cancel_scope.cancel()


async def _answers(
    source: trio.SocketStream, destination: trio.SocketStream, nursery: trio.Nursery, real: bytes, shown: bytes
) -> None:
    came = b""
    try:
        while data := await source.receive_some(READ_BYTES):
            came += data
            while len(came) >= SIZE.size and len(came) >= (end := SIZE.size + SIZE.unpack_from(came)[0]):
                await destination.send_all(came[:end].replace(LOOPBACK + real, LOOPBACK + shown))
                came = came[end:]
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    nursery.cancel_scope.cancel()
