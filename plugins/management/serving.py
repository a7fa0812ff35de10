"""HTTP/1.1 on a connection: Hypercorn's parser and ASGI side, driven here.

Hypercorn's own driver of a connection sends shielded from being cancelled, so that a peer that doesn't read would hold
up the broker's stop, and speaks HTTP/2, where one connection may ask for a hundred things at a time.  This one does
neither.  A request's head has to be there in time, its body is bounded by the application, and a peer that reads
nothing is cut off by the hub, as in every protocol (gateway/network/unread.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any, Final, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup, _handle
from hypercorn.trio.worker_context import WorkerContext

from warren.plugins.management.application import STREAM, Application

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from warren.gateway.plugin import ByteStream, Context
    from warren.plugins.management.settings import ManagementSettings

READ_BYTES: Final = 64 * 1024

DISCONNECT: Final = "http.disconnect"
"""The last that an application is told (ASGI)."""

HEAD_BYTES_MAX: Final = 16 * 1024
"""Of a request line and headers: names of 255 bytes, encoded twice, three of them."""


class HttpServer:
    """For all connections of one run of the plugin."""

    def __init__(self, context: Context, settings: ManagementSettings) -> None:
        self._application = Application(context, settings)
        self._timeout_s = settings.request_timeout_s
        self._config = config = Config()
        config.h11_max_incomplete_size = HEAD_BYTES_MAX
        config.include_server_header = False
        config.errorlog = context.log
        self._only_one = Config()
        vars(self._only_one).update(vars(config))
        self._only_one.keep_alive_max_requests = 1
        self._worker = WorkerContext(None)

    def counters(self) -> Mapping[str, float]:
        """What it has counted."""
        return self._application.counters()

    async def serve(self, stream: ByteStream) -> None:
        """One connection to its end."""
        config = self._only_one if stream.shares_port else self._config
        await _Connection(self._application, config, self._worker, stream, self._timeout_s).run()


class _Http1(H11Protocol):
    async def _check_protocol(self, event: Any) -> None:
        """Whoever offers HTTP/2 goes on with what it speaks (RFC 9110, 7.8)."""


class _Tasks(TaskGroup):
    """Hypercorn's, but for bodies that an application leaves unread: what comes of one is thrown away.

    Otherwise it would fill the channel to the application, and nothing of the connection were read any more.  And an
    application that is cancelled says nothing at its end: half of its answer may be out, and Hypercorn would begin
    another one.
    """

    async def spawn_app(self, app: Any, config: Config, scope: Any, send: Any) -> Any:
        to_application, received = trio.open_memory_channel[Any](config.max_app_queue_size)

        async def say(event: Any) -> None:
            if event is not None or trio.current_effective_deadline() != -inf:
                await send(event)

        async def run() -> None:
            with received:
                await _handle(app, config, scope, received.receive, say, trio.to_thread.run_sync, trio.from_thread.run)

        async def put(event: Any) -> None:
            try:
                if event["type"] == DISCONNECT:
                    # It may be the application itself that says so, by having answered.
                    to_application.send_nowait(event)
                else:
                    await to_application.send(event)
            except trio.WouldBlock:
                received.close()
            except trio.BrokenResourceError:
                pass

        self.spawn(run)
        return put


class _Connection:
    def __init__(
        self, application: Application, config: Config, worker: WorkerContext, stream: ByteStream, timeout_s: float
    ) -> None:
        self._application = application
        self._config = config
        self._worker = worker
        self._stream = stream
        self._timeout_s = timeout_s
        self._idle_until_s = trio.current_time() + timeout_s
        self._reading = trio.CancelScope()
        self._sending = trio.Lock()
        self._protocol: _Http1

    async def run(self) -> None:
        stream = self._stream
        async with _Tasks() as tasks:
            self._protocol = _Http1(
                cast("Any", ASGIWrapper(cast("Any", self._answer))),
                self._config,
                cast("Any", self._worker),
                tasks,
                cast("Any", {}),
                stream.is_tls,
                (stream.peer_host, stream.peer_port),
                (stream.host, stream.port),
                self._send,
            )
            await self._protocol.initiate()
            await self._read()
            await self._protocol.handle(Closed())
        await stream.aclose()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application({**scope, STREAM: self._stream}, receive, send)

    async def _read(self) -> None:
        """Until the peer has gone, or has been idle for too long."""
        while True:
            with trio.CancelScope(deadline=self._idle_until_s) as self._reading:
                try:
                    data = await self._stream.receive_some(READ_BYTES)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return
            if self._reading.cancelled_caught:
                return
            await self._protocol.handle(RawData(data))
            if not data:
                return

    async def _send(self, event: Event) -> None:
        if isinstance(event, RawData):
            async with self._sending:
                try:
                    await self._stream.send_all(event.data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._protocol.handle(Closed())
        elif isinstance(event, Closed):
            await self._stream.aclose()
            await self._protocol.handle(Closed())
        elif isinstance(event, Updated):
            self._idle_until_s = trio.current_time() + self._timeout_s if event.idle else inf
            self._reading.deadline = self._idle_until_s
