"""The plugin: listeners `metrics` are served from its start on, with what is imported when the first connection comes.

The library that writes the format takes a quarter of a second to import and some mebibytes of memory, which a broker
that nobody measures doesn't spend.  It is imported in a thread, so that messages go on meanwhile.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import trio

from warren.gateway.plugin import ByteStream, Context, Plugin, keys_of
from warren.plugins.metrics.settings import MetricsSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.plugins.metrics.serving import MetricsServer

LISTENER: Final = "metrics"

PACKAGE: Final = "prometheus_client"
"""What is imported with the first connection."""

if find_spec(PACKAGE) is None:
    raise ImportError("it needs the package prometheus-client: pip install 'warren-mq[metrics]'")

BUSY_TEXT: Final = b"There are too many connections (metrics_connections_max); try again later.\n"

BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\n"
    b"Connection: close\r\n\r\n"
) % len(BUSY_TEXT) + BUSY_TEXT
"""What a connection gets that is one too many, whatever it asks for."""


class MetricsPlugin(Plugin):
    """See the head of this file."""

    name = "metrics"
    about = "metrics for Prometheus, under RabbitMQ's names"
    keys = tuple(keys_of(MetricsSettings))

    def __init__(self) -> None:
        self._connections = 0
        self._served = 0
        self._server: MetricsServer | None = None
        self._importing = trio.Lock()

    def counters(self) -> Mapping[str, float]:
        found = {"connections": self._connections, "connections_served": self._served}
        return {**found, **(self._server.counters() if self._server is not None else {})}

    async def start(self, context: Context) -> None:
        settings = context.options.section(MetricsSettings)

        async def connection(stream: ByteStream) -> None:
            if self._connections >= settings.connections_max:
                context.broker.limit_hits.count("metrics_connections_max")
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

    async def _load(self, context: Context, settings: MetricsSettings) -> MetricsServer:
        async with self._importing:
            if self._server is None:
                make = await trio.to_thread.run_sync(_import_server)
                self._server = make(context, settings)
        return self._server


def _import_server() -> type[MetricsServer]:
    from warren.plugins.metrics.serving import MetricsServer

    return MetricsServer
