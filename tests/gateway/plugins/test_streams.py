"""Connections of a listener that a plugin serves: bytes both ways, waiting, ends, and nobody who serves."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from tests.gateway.plugins.running import becomes, plugin_of, running
from tests.gateway.plugins.samples import Sample
from warren.adapters.streams.desk import WAIT_MS, WAITING_MAX, desk_of
from warren.adapters.streams.session import RECEIVED_BYTES_MAX
from warren.gateway.configuration.config import Config
from warren.gateway.network.addresses import Listener
from warren.gateway.plugin import ByteStream, Context, Plugin
from warren.gateway.server import Server, open_server

LISTENERS = (Listener("http", "127.0.0.1", 0),)

Handler = Callable[[ByteStream], Awaitable[None]]


def serving(handler: Handler) -> Callable[[Plugin, Context], Awaitable[None]]:
    """A run of the sample plugin that serves with this."""

    async def run(plugin: Plugin, context: Context) -> None:
        await context.serve("http", handler)

    return run


async def echo(stream: ByteStream) -> None:
    while data := await stream.receive_some():
        await stream.send_all(data)


async def connect(server: Server) -> trio.SocketStream:
    host, port = server.listening["http"][0]
    return await trio.open_tcp_stream(host, port)


async def exactly(stream: trio.SocketStream, size: int) -> bytes:
    received = b""
    while len(received) < size:
        received += await stream.receive_some(size - len(received))
    return received


@asynccontextmanager
async def serves(handler: Handler) -> AsyncIterator[Server]:
    Sample.reset(serving(handler))
    async with running("sample", listeners=LISTENERS) as server:
        yield server


async def test_bytes_go_both_ways_whatever_their_number() -> None:
    async with serves(echo) as server:
        stream = await connect(server)
        body = bytes(range(256)) * 4096
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, body)
            assert await exactly(stream, len(body)) == body
        await stream.aclose()


async def test_the_two_ends_are_known_and_tls_is() -> None:
    seen: list[ByteStream] = []

    async def note(stream: ByteStream) -> None:
        seen.append(stream)
        await stream.send_all(b"x")

    async with serves(note) as server:
        stream = await connect(server)
        assert await exactly(stream, 1) == b"x"
        host, port = server.listening["http"][0]
        (found,) = seen
        assert (found.host, found.port, found.is_tls) == (host, port, False)
        assert (found.peer_host, found.peer_port) == stream.socket.getsockname()
        assert await stream.receive_some() == b"", "the handler has returned"
        await stream.aclose()


async def test_what_nobody_takes_stops_the_reading() -> None:
    """The peer waits, and no more is kept than one read beyond the bound."""
    going_on = trio.Event()

    async def late(stream: ByteStream) -> None:
        await going_on.wait()
        await echo(stream)

    async with serves(late) as server:
        stream = await connect(server)
        body = b"x" * (32 * RECEIVED_BYTES_MAX)
        (link,) = await links(server)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, body)
            await becomes_quiet(lambda: link.received_bytes)
            assert RECEIVED_BYTES_MAX <= link.received_bytes < len(body)
            going_on.set()
            assert await exactly(stream, len(body)) == body
        await stream.aclose()


async def links(server: Server) -> list:  # type: ignore[type-arg]
    """The connections, once there is one."""
    assert server._run is not None
    while not server._run.hub.links:
        await trio.sleep(0)
    return list(server._run.hub.links)


async def becomes_quiet(count: Callable[[], int]) -> None:
    """Let others work until a count has come to rest."""
    rest, before = 0, -1
    while rest < 200:
        await trio.sleep(0)
        rest = rest + 1 if count() == before and before else 0
        before = count()


async def test_an_error_ends_one_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(stream: ByteStream) -> None:
        data = await stream.receive_some()
        if data == b"bad":
            raise ZeroDivisionError("in a handler")
        await stream.send_all(data)

    async with serves(fails) as server:
        good, bad = await connect(server), await connect(server)
        await bad.send_all(b"bad")
        assert await bad.receive_some() == b""
        await good.send_all(b"good")
        assert await exactly(good, 4) == b"good"
        assert plugin_of(server).state == "running"
        await good.aclose()
        await bad.aclose()
    assert "ZeroDivisionError: in a handler" in caplog.text


async def test_a_peer_that_is_gone_ends_the_stream() -> None:
    ends: list[object] = []
    over = trio.Event()

    async def note(stream: ByteStream) -> None:
        try:
            ends.append(await stream.receive_some())
            with pytest.raises(trio.BrokenResourceError):
                await stream.send_all(b"x")
        finally:
            over.set()

    async with serves(note) as server:
        stream = await connect(server)
        await stream.aclose()
        await over.wait()
    assert ends == [b""]


async def test_connections_wait_for_who_serves_them() -> None:
    Sample.reset()
    async with running("sample", listeners=LISTENERS) as server:
        stream = await connect(server)
        await stream.send_all(b"early")
        await links(server)
        desk = desk_of(server.broker, "http")
        while not desk._waiting:
            await trio.sleep(0)
        taken: list[bytes] = []
        desk.serve(lambda session: taken.append(session.take(100)))
        assert taken == [b"early"] or taken == [b""], "it was handed over"
        with pytest.raises(ValueError, match="are served already"):
            desk.serve(lambda session: None)
        await stream.aclose()


async def test_nobody_comes_for_them(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with open_server(Config(in_memory=True, listeners=LISTENERS)) as server:
        stream = await connect(server)
        await links(server)
        began = trio.current_time()
        assert await stream.receive_some() == b""
        assert trio.current_time() - began == pytest.approx(WAIT_MS / 1000, abs=1.5)
        await stream.aclose()
    assert "nobody serves the listener 'http'; closing it" in caplog.text


async def test_no_more_wait_than_may() -> None:
    async with open_server(Config(in_memory=True, listeners=LISTENERS)) as server:
        streams = [await connect(server) for _ in range(WAITING_MAX + 1)]
        assert await streams[0].receive_some() == b"", "the one that has waited longest"
        assert len(desk_of(server.broker, "http")._waiting) == WAITING_MAX
        for stream in streams:
            await stream.aclose()


async def test_a_name_that_is_not_for_plugins(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)

    async def run(plugin: Plugin, context: Context) -> None:
        await context.serve("mqtt", echo)

    Sample.reset(run)
    async with running("sample") as server:
        await becomes(lambda: plugin_of(server).restarts == 1)
    assert "connections of the listener 'mqtt' aren't for plugins to serve" in caplog.text


async def test_resources_and_what_is_kept() -> None:
    found: list[object] = []

    async def run(plugin: Plugin, context: Context) -> None:
        await context.kept()
        found.append(context.resources())

    Sample.reset(run)
    async with running("sample") as server:
        await becomes(lambda: plugin_of(server).state == "ended")
    (resources,) = found
    assert resources.memory_used > 2**20  # type: ignore[attr-defined]
    assert resources.disk_free is None  # type: ignore[attr-defined]
    assert 0 < resources.descriptors_used < resources.descriptors_max  # type: ignore[attr-defined]
