"""HTTP services that a test holds in its hands: they note what they are asked, and answer what it says."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11
import trio

LOOPBACK = "127.0.0.1"


@dataclass
class Asked:
    """A request.  headers: by names in small letters."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """hangs_up: the connection is closed behind it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hangs_up: bool = False


class Service:
    """asked: all requests.  answer: what is answered; None for never anything, `Exception` for hanging up.

    stream: what is sent behind the head of an answer with the type of an event stream, until it is over.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Answer | type[Exception] | None] = lambda asked: Answer()
        self.connections = 0
        self.at_once = 0
        self.at_once_most = 0
        self.port = 0
        self.scheme = "http"
        self.stream: Callable[[trio.abc.Stream], object] | None = None

    def url(self, path: str = "/in", user: str = "") -> str:
        return f"{self.scheme}://{user}{LOOPBACK}:{self.port}{path}"

    @property
    def bodies(self) -> list[bytes]:
        return [each.body for each in self.asked]

    async def serve(self, stream: trio.abc.Stream) -> None:
        self.connections += 1
        http = h11.Connection(h11.SERVER)
        try:
            async with stream:
                while await self._one(stream, http):
                    http.start_next_cycle()
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            pass

    async def _one(self, stream: trio.abc.Stream, http: h11.Connection) -> bool:
        asked: Asked | None = None
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(bytes(await stream.receive_some()))
            elif isinstance(event, h11.Request):
                headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
                asked = Asked(event.method.decode(), event.target.decode(), headers, b"")
            elif isinstance(event, h11.Data):
                assert asked is not None
                asked.body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return False
        assert asked is not None
        self.asked.append(asked)
        self.at_once += 1
        self.at_once_most = max(self.at_once_most, self.at_once)
        try:
            await trio.lowlevel.checkpoint()
            answer = self.answer(asked)
            if answer is None:
                await trio.sleep_forever()
            if not isinstance(answer, Answer):
                return False
        finally:
            self.at_once -= 1
        headers_sent = [*answer.headers.items()]
        if answer.headers.get("content-type") != "text/event-stream":
            headers_sent.append(("content-length", str(len(answer.body))))
        await stream.send_all(http.send(h11.Response(status_code=answer.status, headers=headers_sent)) or b"")
        await stream.send_all(http.send(h11.Data(data=answer.body)) or b"")
        await stream.send_all(http.send(h11.EndOfMessage()) or b"")
        return not answer.hangs_up and http.our_state is h11.DONE


@asynccontextmanager
async def service(tls: ssl.SSLContext | None = None) -> AsyncIterator[Service]:
    """A service on a free port of loopback."""
    found = Service()
    (listener,) = await trio.open_tcp_listeners(0, host=LOOPBACK)
    found.port = listener.socket.getsockname()[1]
    found.scheme = "http" if tls is None else "https"

    async def serve(stream: trio.SocketStream) -> None:
        await found.serve(stream if tls is None else trio.SSLStream(stream, tls, server_side=True))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield found
        nursery.cancel_scope.cancel()
