"""HTTP/1.1 on a connection, for an ASGI application: h11 knows the protocol, and this the stream (RFC 9112, ASGI 3).

    the next request's head    in time, and no larger than it may be
    the application            as part of the connection's own task: it reads the body when it asks for it
    what it left unread        read and thrown away, in time, so that the answer isn't lost by a reset (RFC 9112, 9.6)

A ready-made server brings HTTP/2, WebSocket and multiprocessing with it: 3.3 MiB that no request needs, and a driver
that sends shielded from being cancelled, so that a peer that doesn't read would hold up the broker's stop.  Here one
task is all there is of a connection.  Whoever offers another version goes on with what it speaks (RFC 9110, 7.8).  A
peer that reads nothing is cut off by the hub, as in every protocol (gateway/network/unread.py).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import h11
import trio

from warren.adapters.websocket.responses import date
from warren.plugins.management.answers import HEADERS, JSON_TYPE, encode
from warren.plugins.management.application import STREAM, Application
from warren.plugins.management.errors import BAD_REQUEST, INTERNAL

if TYPE_CHECKING:
    import logging

    from starlette.types import ASGIApp, Message, Scope

    from warren.gateway.plugin import ByteStream, Context
    from warren.plugins.management.settings import ManagementSettings

READ_BYTES: Final = 64 * 1024

HEAD_BYTES_MAX: Final = 16 * 1024
"""Of a request line and headers: names of 255 bytes, encoded twice, three of them."""

WITHOUT_BODY: Final = (204, 304)
"""Answers that have none, whatever the application sends (RFC 9110, 6.4.1)."""


class HttpServer:
    """For all connections of one run of the plugin."""

    def __init__(self, context: Context, settings: ManagementSettings) -> None:
        self._application = Application(context, settings)
        self._log = context.log
        self._timeout_s = settings.request_timeout_s

    def counters(self) -> Mapping[str, float]:
        """What it has counted."""
        return self._application.counters()

    async def serve(self, stream: ByteStream) -> None:
        """One connection to its end."""
        await serve(stream, self._application, self._log, self._timeout_s)


async def serve(stream: ByteStream, application: ASGIApp, log: logging.Logger, timeout_s: float) -> None:
    """Serve the requests of a connection until one of both sides has had enough.

    timeout_s: for a head to come, and for what nobody has read of a body.
    """
    http = h11.Connection(h11.SERVER, HEAD_BYTES_MAX)
    while True:
        exchange = None
        with trio.move_on_after(timeout_s):
            exchange = await _next(http, stream)
        if exchange is None:
            return
        await exchange.carry_out(application, log)
        with trio.move_on_after(timeout_s):
            await exchange.read_to_the_end()
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
            return
        http.start_next_cycle()


async def _next(http: h11.Connection, stream: ByteStream) -> _Exchange | None:
    """The next request; None where none comes any more, or something that is none, which is told."""
    try:
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await stream.receive_some(READ_BYTES))
            elif isinstance(event, h11.Request):
                return _Exchange(http, stream, event)
            else:
                return None
    except h11.RemoteProtocolError as error:
        if http.our_state is h11.IDLE:
            await stream.send_all(_refusal(http, error.error_status_hint, BAD_REQUEST, f"this is no request: {error}"))
        return None


class _Exchange:
    """One request and its answer."""

    def __init__(self, http: h11.Connection, stream: ByteStream, request: h11.Request) -> None:
        self._http = http
        self._stream = stream
        self._request = request
        self._has_body = request.method != b"HEAD"
        self._head: h11.Response | None = None

    async def carry_out(self, application: ASGIApp, log: logging.Logger) -> None:
        """Have the application answer; the catch-all of an exchange."""
        http = self._http
        try:
            await application(self._scope(), self._receive, self._send)
        except trio.BrokenResourceError:
            raise
        except Exception:
            log.exception("a request failed: %s %s", self._request.method.decode(), self._request.target.decode())
        if http.our_state is h11.SEND_RESPONSE:
            is_lost = http.their_state is h11.ERROR
            reason = "the body is no body of HTTP" if is_lost else "a bug in the broker; its log has the details"
            status, error = (400, BAD_REQUEST) if is_lost else (500, INTERNAL)
            await self._stream.send_all(_refusal(http, status, error, reason))

    async def read_to_the_end(self) -> None:
        """Throw away what nobody has read of the body; whoever waits to be asked for it isn't asked."""
        if not self._http.they_are_waiting_for_100_continue:
            while self._http.their_state is h11.SEND_BODY:
                await self._next_event()

    def _scope(self) -> Scope:
        stream, request = self._stream, self._request
        path, _, query = request.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": request.http_version.decode(),
            "method": request.method.decode(),
            "scheme": "https" if stream.is_tls else "http",
            "path": path.decode(),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": list(request.headers),
            "client": (stream.peer_host, stream.peer_port),
            "server": (stream.host, stream.port),
            STREAM: stream,
        }

    async def _receive(self) -> Message:
        http = self._http
        if http.they_are_waiting_for_100_continue:
            try:
                await self._stream.send_all(http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            except trio.BrokenResourceError:
                return {"type": "http.disconnect"}
        while http.their_state is h11.SEND_BODY:
            event = await self._next_event()
            if isinstance(event, h11.Data):
                return {"type": "http.request", "body": bytes(event.data), "more_body": True}
            if isinstance(event, h11.EndOfMessage):
                return {"type": "http.request", "body": b"", "more_body": False}
        if http.their_state is not h11.ERROR:
            await self._until_gone()
        return {"type": "http.disconnect"}

    async def _next_event(self) -> object:
        """Something of the body; None where there is nothing to be expected any more."""
        http = self._http
        try:
            while (event := http.next_event()) is h11.NEED_DATA:
                http.receive_data(await self._stream.receive_some(READ_BYTES))
        except h11.RemoteProtocolError:
            return None
        return event

    async def _until_gone(self) -> None:
        """Until the peer has: the next requests wait meanwhile, and if they are many, nobody reads them."""
        waiting, is_over = self._http.trailing_data
        size = len(waiting)
        while not is_over:
            if size > READ_BYTES:
                await trio.sleep_forever()
            data = await self._stream.receive_some(READ_BYTES)
            self._http.receive_data(data)
            size += len(data)
            is_over = not data

    async def _send(self, message: Message) -> None:
        http = self._http
        if message["type"] == "http.response.start":
            status = message["status"]
            self._has_body = self._has_body and status not in WITHOUT_BODY
            self._head = h11.Response(status_code=status, headers=[*message.get("headers", ()), *self._own_headers()])
            return
        data = b""
        if self._head is not None:
            data, self._head = http.send(self._head) or b"", None
        body = message.get("body", b"")
        if body and self._has_body:
            data += http.send(h11.Data(body)) or b""
        if not message.get("more_body", False):
            data += http.send(h11.EndOfMessage()) or b""
        if data:
            await self._stream.send_all(data)

    def _own_headers(self) -> list[tuple[bytes, bytes]]:
        closing = [(b"connection", b"close")] if self._stream.shares_port else []
        return [(b"date", date(int(time.time() * 1000)).encode()), *closing]


def _refusal(http: h11.Connection, status: int, error: str, reason: str) -> Any:
    """The last that is said on a connection, as bytes."""
    body = encode({"error": error, "reason": reason})
    headers = {**HEADERS, "content-type": JSON_TYPE, "content-length": str(len(body)), "connection": "close"}
    head = h11.Response(status_code=status, headers=list(headers.items()))
    return b"".join(http.send(each) or b"" for each in (head, h11.Data(body), h11.EndOfMessage()))
