"""A plugin that serves a listener's connections, with what it needs imported when the first one comes.

What serves HTTP takes a quarter or a third of a second to import, and some mebibytes of memory, which a broker that
nobody asks doesn't spend.  It is imported in a thread, so that messages go on meanwhile.
"""

from __future__ import annotations

import importlib.util
import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Final, Protocol

import trio

from warren.gateway import memory
from warren.gateway.plugin import ByteStream, Context, Plugin

PATIENCE_S: Final = 30.0
"""How far behind a peer has to be to be cut off for somebody else: Prometheus gives up after ten seconds, and people
who look at a page do, too."""

TRIMMED_BYTES_MAX: Final = 128 * 1024 * 1024
"""A process that is larger gives back no more when something was imported: malloc_trim holds up whoever wants memory
meanwhile, some milliseconds for so much."""


class StreamServer(Protocol):
    """Serves all connections of one run of the plugin."""

    async def serve(self, stream: ByteStream) -> None:
        """One connection to its end."""

    def counters(self) -> Mapping[str, float]:
        """What it has counted."""


class ServingPlugin(Plugin):
    """The base of such a plugin.

    listener: the name of the listeners that it serves.  limit: the key of how many connections it serves at a time,
    under which further ones are counted.  busy: what such a one gets, whatever it asks for (`refused_connection`).
    """

    listener: ClassVar[str]
    limit: ClassVar[str]
    busy: ClassVar[bytes]

    def __init__(self) -> None:
        self._streams: dict[ByteStream, None] = {}
        self._served = 0
        self._server: StreamServer | None = None
        self._importing = trio.Lock()

    @abstractmethod
    def connections_max(self, context: Context) -> int:
        """The value of that key."""

    def path(self, context: Context) -> str:
        """Where what it serves is on ports that others share, such as `/api`; empty: it isn't there."""
        return ""

    @abstractmethod
    def load(self) -> Callable[[Context], StreamServer]:
        """Import what serves, in a thread, and give what makes it."""

    def counters(self) -> Mapping[str, float]:
        found = {"connections": len(self._streams), "connections_served": self._served}
        return {**found, **(self._server.counters() if self._server is not None else {})}

    async def start(self, context: Context) -> None:
        connections_max = self.connections_max(context)

        async def connection(stream: ByteStream) -> None:
            if len(self._streams) >= connections_max:
                context.broker.limit_hits.count(self.limit)
                slowest = cut_off_slowest(self._streams, context.log, self.limit)
                if slowest is None:
                    await stream.send_all(self.busy)
                    return
                del self._streams[slowest]
            self._streams[stream] = None
            self._served += 1
            try:
                server = await self._loaded(context)
                await server.serve(stream)
            finally:
                self._streams.pop(stream, None)

        await context.serve(self.listener, connection, self.path(context))

    async def _loaded(self, context: Context) -> StreamServer:
        async with self._importing:
            if self._server is None:
                make = await trio.to_thread.run_sync(self._load_in_little)
                self._server = make(context)
        return self._server

    def _load_in_little(self) -> Callable[[Context], StreamServer]:
        """As `load`, without what compiling and importing have left free."""
        make = self.load()
        if memory.resident_bytes() <= TRIMMED_BYTES_MAX:
            memory.give_back()
        return make


def cut_off_slowest(streams: Iterable[ByteStream], log: logging.Logger, limit: str) -> ByteStream | None:
    """Cut off the peer that is furthest behind with reading, for somebody else; None where nobody is far behind.

    limit: why somebody has to go, for the log.
    """
    slowest = max(streams, key=lambda each: each.behind_s, default=None)
    if slowest is None or slowest.behind_s < PATIENCE_S:
        return None
    log.warning(
        "connection %s:%d: the peer is %d s behind with reading its answer, and others wait; cutting it off (%s)",
        slowest.peer_host,
        slowest.peer_port,
        slowest.behind_s,
        limit,
    )
    slowest.abort()
    return slowest


def need_packages(*modules: str) -> None:
    """ImportError, with what to do, unless all of these can be imported, which isn't done here."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ImportError(f"it needs the package {module}: pip install {module}")


def refused_connection(content_type: str, body: bytes) -> bytes:
    """The answer of HTTP to a connection that is one too many."""
    head = (
        "HTTP/1.1 503 Service Unavailable\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"Retry-After: {PATIENCE_S:.0f}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
