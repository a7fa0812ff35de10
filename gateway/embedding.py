"""A broker inside a Trio program: for tests that want a real one, and for programs that bring their own.

    async with gateway.open_broker() as broker:
        host, port = broker.address("amqp")
        async with broker.connect() as client:
            await client.publish("amq.topic", "house.started", b"")

Entering the block starts the broker; leaving it, also by an exception or cancellation, closes its connections with 320
and its stores in good order.  It shares the program's event loop and does nothing to the rest of the process: no
signals, no log configuration, no garbage collector settings.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from warren.gateway.configuration.config import Config
from warren.gateway.network.addresses import format_address
from warren.gateway.network.addresses import listeners as listeners_of
from warren.gateway.process.errors import sole_error
from warren.gateway.protocols import PROTOCOLS
from warren.gateway.server import Server, open_server

if TYPE_CHECKING:
    from warren.gateway.client.client import BrokerClient


class EmbeddedBroker:
    """A running broker, as the block of `open_broker` sees it."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def listening(self) -> Mapping[str, Sequence[tuple[str, int]]]:
        """The addresses that connections are accepted on, by protocol."""
        return self._server.listening

    def address(self, protocol: str = "amqp") -> tuple[str, int]:
        """Host and port of the first listener of a protocol.  Raises KeyError when there is none."""
        return self._server.listening[protocol][0]

    def url(self, protocol: str = "amqp") -> str:
        """`amqp://HOST:PORT` for clients that take one; without a path, which every client takes for the vhost `/`."""
        host, port = self.address(protocol)
        return f"{protocol}://{format_address(host, port)}"

    def connect(
        self, user: str | None = None, vhost: str = "/", *, name: str = "embedding program"
    ) -> AbstractAsyncContextManager[BrokerClient]:
        """A client without a socket, for an `async with` block; what it can do is in gateway.client.client.

        user: whose permissions it has; None is the broker itself, which may do everything.  name: what it calls itself
        in list_connections.  Raises StorageError while the broker is stopped, NotFound for an unknown user, NotAllowed
        for a virtual host that isn't there or isn't the user's, or when a limit is reached.
        """
        return self._server.clients.connect(user, vhost, name)

    def inspect(self, what: str, vhost: str | None = None) -> list[dict[str, object]]:
        """Rows of queues, exchanges, bindings, connections, channels, consumers or vhosts, as `warren ctl` has them."""
        return self._server.broker.inspect(what, vhost)

    def set_alarm(self, resource: str, raised: bool) -> None:
        """Raise or clear the "memory" or "disk" alarm by hand, to see how clients cope with connection.blocked."""
        self._server.broker.alarms.set(resource, raised, source="program")
        self._server.changed()


_parse_listeners = listeners_of(PROTOCOLS)


def _check_loop() -> None:
    """RuntimeError, with what to do, where there is no Trio to run in."""
    if trio.lowlevel.in_trio_run():
        return
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        raise RuntimeError("open_broker runs within a Trio program: write an `async def` and give it to trio.run")
    raise RuntimeError(
        "open_broker runs on Trio, and this is asyncio. Beside an asyncio program a broker is a process of its own: "
        "`warren serve`, or in tests the fixture warren_url (docs/testing.md)"
    )


@asynccontextmanager
async def open_broker(
    data_directory: str | PathLike[str] | None = None,
    *,
    listen: Sequence[str] = ("amqp=127.0.0.1:0",),
    config: Config | None = None,
) -> AsyncIterator[EmbeddedBroker]:
    """Run a broker for the length of an `async with` block.

    data_directory: where it keeps its data; None keeps everything in memory.  listen: addresses such as
    `amqp=127.0.0.1:0` (port 0: any free one), `amqps=...` for TLS, `auto=...` for everything; none for a program that
    uses `connect` alone.  config: everything else, certificates among it; its directory and listeners are replaced.
    Raises StorageError when the directory or an address can't be used, ConfigError for certificates that can't,
    RuntimeError outside of Trio.
    """
    _check_loop()
    base = config if config is not None else Config(in_memory=True)
    chosen = base.replace(
        data_directory=Path(data_directory) if data_directory is not None else None,
        in_memory=data_directory is None,
        listeners=_parse_listeners(list(listen)) if listen else (),
        listen_by_protocol=(),
    )
    try:
        async with open_server(chosen) as server:
            yield EmbeddedBroker(server)
    except BaseExceptionGroup as group:
        # The broker's tasks are its own affair: an error of the program, or the one of a failed start, arrives bare.
        raise sole_error(group) from None
