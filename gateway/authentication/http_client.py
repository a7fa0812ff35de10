"""HTTP/1.1 as a client, as much as asking a back-end takes: one request after the other on connections that are kept.

Everything is bounded: connecting and the whole exchange in time, the answer in bytes, idle connections in number and
age.  Redirects aren't followed: who is asked is in the configuration.  A kept connection that turns out to be closed
before an answer has begun is replaced by a new one, once.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

import h11
import trio

READ_BYTES: Final = 16 * 1024

HEAD_BYTES_MAX: Final = 16 * 1024

IDLE_S_MAX: Final = 30.0
"""Kept longer, a connection is likely to be closed by the other side."""


class HttpError(Exception):
    """No answer; the text says why, without what was asked."""


class HttpAnswer(NamedTuple):
    """status: such as 200.  body: all of it."""

    status: int
    body: bytes


class TlsFiles(NamedTuple):
    """ca_file: None for the system's authorities.  verify: whether the certificate has to be good."""

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    verify: bool = True


class HttpClient:
    """See the head of this file.  idle_max: connections that are kept."""

    def __init__(
        self,
        tls: TlsFiles,
        *,
        timeout_s: float,
        connection_timeout_s: float,
        body_bytes_max: int,
        idle_max: int = 8,
    ) -> None:
        self._tls = tls
        self._context: ssl.SSLContext | None = None
        self._timeout_s = timeout_s
        self._connection_timeout_s = connection_timeout_s
        self._body_bytes_max = body_bytes_max
        self._idle_max = idle_max
        self._idle: list[tuple[tuple[str, str, int], float, _Connection]] = []

    async def keep_open(self) -> None:
        """Keep connections, until cancelled."""
        try:
            await trio.sleep_forever()
        finally:
            idle, self._idle = self._idle, []
            for _, _, connection in idle:
                await trio.aclose_forcefully(connection.stream)

    async def get(self, url: str, query: str = "") -> HttpAnswer:
        """GET; query: what stands behind the `?`.  Raises HttpError."""
        parts = urlsplit(url)
        joined = "&".join(each for each in (parts.query, query) if each)
        target = (parts.path or "/") + (f"?{joined}" if joined else "")
        return await self._ask(parts, "GET", target, b"")

    async def post(self, url: str, form: str) -> HttpAnswer:
        """POST of a form.  Raises HttpError."""
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return await self._ask(parts, "POST", target, form.encode("ascii"))

    async def _ask(self, parts: SplitResult, method: str, target: str, body: bytes) -> HttpAnswer:
        with trio.move_on_after(self._timeout_s):
            return await self._ask_on_some(parts, method, target, body)
        raise HttpError(f"no answer within {self._timeout_s:g} s")

    async def _ask_on_some(self, parts: SplitResult, method: str, target: str, body: bytes) -> HttpAnswer:
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        place = (parts.scheme, host, port)
        headers = [("host", parts.netloc), ("accept", "*/*"), ("user-agent", "warren")]
        if method == "POST":
            headers += [("content-type", "application/x-www-form-urlencoded"), ("content-length", str(len(body)))]
        request = h11.Request(method=method, target=target, headers=headers)
        kept = self._take_idle(place)
        if kept is not None:
            try:
                return await self._exchange(kept, place, request, body)
            except _NotBegun:
                pass
        try:
            return await self._exchange(await self._connected(place), place, request, body)
        except _NotBegun:
            raise HttpError("it closed the connection without an answer") from None

    def _take_idle(self, place: tuple[str, str, int]) -> _Connection | None:
        now = trio.current_time()
        for number in range(len(self._idle) - 1, -1, -1):
            found, since, connection = self._idle[number]
            if found == place and now - since < IDLE_S_MAX:
                del self._idle[number]
                return connection
        return None

    async def _exchange(
        self, connection: _Connection, place: tuple[str, str, int], request: h11.Request, body: bytes
    ) -> HttpAnswer:
        reusable = False
        try:
            answer = await connection.exchange(request, body, self._body_bytes_max)
            reusable = connection.start_next()
        except (OSError, trio.BrokenResourceError, ssl.SSLError) as error:
            raise HttpError(f"the connection broke: {error}") from None
        except h11.RemoteProtocolError as error:
            raise HttpError(f"the answer isn't HTTP: {error}") from None
        finally:
            if not reusable:
                await trio.aclose_forcefully(connection.stream)
        await self._keep(place, connection)
        return answer

    async def _keep(self, place: tuple[str, str, int], connection: _Connection) -> None:
        self._idle.append((place, trio.current_time(), connection))
        while len(self._idle) > self._idle_max:
            await trio.aclose_forcefully(self._idle.pop(0)[2].stream)

    async def _connected(self, place: tuple[str, str, int]) -> _Connection:
        scheme, host, port = place
        with trio.move_on_after(self._connection_timeout_s):
            try:
                stream: trio.abc.Stream = await trio.open_tcp_stream(host, port)
                if scheme == "https":
                    stream = await self._with_tls(stream, host)
            except (OSError, trio.BrokenResourceError, ssl.SSLError, UnicodeError) as error:
                cause = error.__cause__ if isinstance(error, trio.BrokenResourceError) else error
                raise HttpError(f"{host} port {port} can't be reached: {cause}") from None
            return _Connection(stream)
        raise HttpError(f"{host} port {port} can't be reached within {self._connection_timeout_s:g} s")

    async def _with_tls(self, stream: trio.abc.Stream, host: str) -> trio.abc.Stream:
        if self._context is None:
            self._context = await trio.to_thread.run_sync(_context_of, self._tls)
        wrapped: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(stream, self._context, server_hostname=host)
        try:
            await wrapped.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return wrapped


class _NotBegun(Exception):
    """The other side has closed the connection before its answer began."""


class _Connection:
    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)

    async def exchange(self, request: h11.Request, body: bytes, body_bytes_max: int) -> HttpAnswer:
        data = self._http.send(request)
        data = (data or b"") + (self._http.send(h11.Data(body)) or b"") + (self._http.send(h11.EndOfMessage()) or b"")
        begun = False
        try:
            await self.stream.send_all(data)
        except (OSError, trio.BrokenResourceError):
            raise _NotBegun from None
        status = 0
        found = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                received = await self._receive(begun)
                begun = begun or bool(received)
                self._http.receive_data(received)
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                found += event.data
                if len(found) > body_bytes_max:
                    raise HttpError(f"the answer has more than {body_bytes_max} bytes")
            elif isinstance(event, h11.EndOfMessage):
                return HttpAnswer(status, bytes(found))
            elif isinstance(event, h11.ConnectionClosed):
                raise HttpError("it closed the connection without an answer")

    async def _receive(self, begun: bool) -> bytes:
        try:
            received = bytes(await self.stream.receive_some(READ_BYTES))
        except (OSError, trio.BrokenResourceError):
            if begun:
                raise
            raise _NotBegun from None
        if not received and not begun:
            raise _NotBegun
        return received

    def start_next(self) -> bool:
        """Whether another request can follow."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            return True
        return False


def _context_of(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=None if files.ca_file is None else str(files.ca_file))
    if not files.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if files.certificate_file is not None:
        context.load_cert_chain(files.certificate_file, files.key_file)
    return context
