"""What operators speak to: the control socket, and the management API."""

from __future__ import annotations

import functools
import json
from typing import Final, cast

import trio
from trio.testing import memory_stream_pair

from tests.fuzz.judging import Failed, no_tracebacks, pieces
from tests.gateway.control.control_target import Asker
from tests.plugins.management.api import open_api
from warren.gateway.control.server import _serve
from warren.gateway.control.target import Control
from warren.gateway.control.word import Remote
from warren.gateway.control.words.built_in import WORDS

BETWEEN: Final = b"\x1e"
"""Requests of one input, each of which has a connection of its own."""

PATIENCE_S: Final = 60.0

WATCHED_S: Final = 2.0
"""Some words wait for something, for as long as they are told to."""


def control(data: bytes) -> None:
    """The control socket, but for words that read or write files where the broker is."""
    with no_tracebacks():
        trio.run(_control, data)


async def _control(data: bytes) -> None:
    asker = Asker()
    for request in data[1:].split(BETWEEN) if data else []:
        if _is_for_this_machine(request):
            continue
        theirs, ours = memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_serve_one, asker.control, cast("trio.SocketStream", ours))
            for piece in pieces(data[:1] + request):
                await theirs.send_all(piece)
            await theirs.send_eof()
            with trio.move_on_after(WATCHED_S):
                if not await _all_of(theirs) and request:
                    raise Failed("no answer")
            nursery.cancel_scope.cancel()


async def _serve_one(control: Control, stream: trio.SocketStream) -> None:
    async with stream:
        await _serve(control, stream)


def _is_for_this_machine(request: bytes) -> bool:
    try:
        asked = json.loads(request.partition(b"\n")[0])
    except ValueError:
        return False
    name = asked.get("command") if isinstance(asked, dict) else None
    word = WORDS.get(name) if isinstance(name, str) else None
    return word is not None and (word.remote is Remote.NOBODY or word.writes_file or word.reads_files)


async def _all_of(stream: trio.abc.ReceiveStream) -> bytes:
    found = bytearray()
    while piece := await stream.receive_some(65_536):
        found += piece
        if found.endswith(b"\n"):
            break
    return bytes(found)


def management(data: bytes) -> None:
    """The management API's listener, over a socket; the kept inputs log in."""
    with no_tracebacks():
        trio.run(_management, data)


async def _management(data: bytes) -> None:
    async with open_api() as api:
        stream = await trio.open_tcp_stream("127.0.0.1", api.port)
        with trio.fail_after(PATIENCE_S):
            async with stream, trio.open_nursery() as nursery:
                nursery.start_soon(functools.partial(_send, stream, data))
                try:
                    while await stream.receive_some(65_536):
                        pass
                except trio.BrokenResourceError:
                    pass
                nursery.cancel_scope.cancel()


async def _send(stream: trio.SocketStream, data: bytes) -> None:
    try:
        for piece in pieces(data):
            await stream.send_all(piece)
        await stream.send_eof()
    except trio.BrokenResourceError:
        pass
