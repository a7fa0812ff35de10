"""The plugin: listeners `http` are served from its start on, with what is imported when the first connection comes.

What serves HTTP and JSON takes a third of a second to import and some mebibytes of memory, which a broker that nobody
manages doesn't spend.  It is imported in a thread, so that messages go on meanwhile.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import trio

from warren.gateway.plugin import ByteStream, Context, Plugin, keys_of
from warren.plugins.management.oauth_settings import OAuthSettings
from warren.plugins.management.settings import ManagementSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.plugins.management.serving import HttpServer

LISTENER: Final = "http"

PACKAGES: Final = ("hypercorn", "starlette", "msgspec")
"""What is imported with the first connection."""

for _package in PACKAGES:
    if find_spec(_package) is None:
        raise ImportError(f"it needs the package {_package}: pip install 'warren-mq[management]'")

BUSY_BODY: Final = b'{"error":"service_unavailable","reason":"too many connections (management_connections_max)"}'

BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: %d\r\n"
    b"Connection: close\r\n\r\n"
) % len(BUSY_BODY) + BUSY_BODY
"""What a connection gets that is one too many, whatever it asks for."""


class ManagementPlugin(Plugin):
    """See the head of this file."""

    name = "management"
    about = "RabbitMQ's HTTP API"
    keys = (*keys_of(ManagementSettings), *keys_of(OAuthSettings))

    def __init__(self) -> None:
        self._connections = 0
        self._served = 0
        self._server: HttpServer | None = None
        self._importing = trio.Lock()

    def counters(self) -> Mapping[str, float]:
        found = {"connections": self._connections, "connections_served": self._served}
        return {**found, **(self._server.counters() if self._server is not None else {})}

    async def start(self, context: Context) -> None:
        settings = context.options.section(ManagementSettings)

        async def connection(stream: ByteStream) -> None:
            if self._connections >= settings.connections_max:
                context.broker.limit_hits.count("management_connections_max")
                await stream.send_all(BUSY)
                return
            self._connections += 1
            self._served += 1
            try:
                server = await self._load(context, settings)
                await server.serve(stream)
            finally:
                self._connections -= 1

        await context.serve(LISTENER, connection)

    async def _load(self, context: Context, settings: ManagementSettings) -> HttpServer:
        async with self._importing:
            if self._server is None:
                make = await trio.to_thread.run_sync(_import_server)
                self._server = make(context, settings)
        return self._server


def _import_server() -> type[HttpServer]:
    from warren.plugins.management.serving import HttpServer

    return HttpServer
