"""A plugin that serves a listener's connections, with what it needs imported when the first one comes.

What serves HTTP takes a quarter or a third of a second to import, and some mebibytes of memory, which a broker that
nobody asks doesn't spend.  It is imported in a thread, so that messages go on meanwhile.
"""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

import trio

from warren.gateway.plugin import ByteStream, Context, Plugin


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
        self._connections = 0
        self._served = 0
        self._server: StreamServer | None = None
        self._importing = trio.Lock()

    @abstractmethod
    def connections_max(self, context: Context) -> int:
        """The value of that key."""

    @abstractmethod
    def load(self) -> Callable[[Context], StreamServer]:
        """Import what serves, in a thread, and give what makes it."""

    def counters(self) -> Mapping[str, float]:
        found = {"connections": self._connections, "connections_served": self._served}
        return {**found, **(self._server.counters() if self._server is not None else {})}

    async def start(self, context: Context) -> None:
        connections_max = self.connections_max(context)

        async def connection(stream: ByteStream) -> None:
            if self._connections >= connections_max:
                context.broker.limit_hits.count(self.limit)
                await stream.send_all(self.busy)
                return
            self._connections += 1
            self._served += 1
            try:
                server = await self._loaded(context)
                await server.serve(stream)
            finally:
                self._connections -= 1

        await context.serve(self.listener, connection)

    async def _loaded(self, context: Context) -> StreamServer:
        async with self._importing:
            if self._server is None:
                make = await trio.to_thread.run_sync(self.load)
                self._server = make(context)
        return self._server


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
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
