"""A connection to an HTTP service, kept for one request after the other, and made anew where the service closes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from warren.adapters.http.client.exchange import END, Exchanges, Head, Response
from warren.adapters.peers.errors import PeerError
from warren.gateway.peers.streams import open_stream

if TYPE_CHECKING:
    from warren.adapters.http.client.exchange import Came, Headers
    from warren.adapters.http.client.uri import HttpUri

READ_BYTES_MAX: Final = 256 * 1024
"""Taken from the socket at once, as the hub does."""

LEFTOVER_BYTES_MAX: Final = 64 * 1024
"""Of an answer's body that nobody wants: beyond that a new connection costs less."""


class HttpPeer:
    """One connection at most at a time, for one task."""

    def __init__(self, uri: HttpUri) -> None:
        self._uri = uri
        self._stream: trio.abc.Stream | None = None
        self._exchanges = Exchanges()
        self._kept = False
        self._unsent_because: BaseException | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as this side knows."""
        return self._stream is not None

    async def connect(self) -> None:
        """Have a connection; PeerError, in words, when there is none within the URI's connection timeout."""
        await self.aclose()
        uri = self._uri
        with trio.move_on_after(uri.connection_timeout_ms / 1000):
            self._stream = await open_stream(uri)
            self._exchanges = Exchanges()
            self._kept = False
            return
        raise PeerError(f"{uri.host} port {uri.port} didn't answer within {uri.connection_timeout_ms / 1000:g} s")

    async def exchange(
        self, method: str, target: str, headers: Headers, body: bytes, *, timeout_s: float, body_bytes_max: int
    ) -> Response:
        """Ask, on the connection that there is, and wait for the whole answer.

        A connection that was kept may have been closed by the service meanwhile; then the request goes out once more,
        on a new one.  timeout_s: until the answer is whole.  body_bytes_max: of a body, what is wanted.  PeerError when
        there is no answer, in time or at all; then there is no connection, either.
        """
        kept = self._kept
        with trio.move_on_after(timeout_s):
            try:
                return await self._whole(method, target, headers, body, body_bytes_max)
            except PeerError:
                if not kept or self._exchanges.heard:
                    raise
            await self.connect()
            return await self._whole(method, target, headers, body, body_bytes_max)
        await self.aclose()
        raise PeerError(f"{self._uri.host} port {self._uri.port} didn't answer within {timeout_s:g} s")

    async def ask(self, method: str, target: str, headers: Headers, body: bytes = b"") -> None:
        """Send a request on the connection that there is; what becomes of it is told by `came`."""
        assert self._stream is not None
        request = self._exchanges.request(method, target, headers, body)
        self._kept = True
        self._unsent_because = None
        try:
            await self._stream.send_all(request)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            # It may have answered before it hung up, which is told by what is read.
            self._unsent_because = error.__cause__ or error
            await trio.lowlevel.checkpoint()
        except BaseException:
            await self.aclose()
            raise

    async def came(self) -> list[Came]:
        """What has come of the answer since, waited for; PeerError when nothing more will."""
        assert self._stream is not None
        try:
            data = bytes(await self._stream.receive_some(READ_BYTES_MAX))
            found = list(self._exchanges.receive(data))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            await self.aclose()
            why = self._unsent_because or error.__cause__ or error
            raise PeerError(f"the connection was lost: {why or type(why).__name__}") from error
        except BaseException:
            await self.aclose()
            raise
        if found and found[-1] is END and not self._exchanges.reusable:
            await self.aclose()
        return found

    async def aclose(self) -> None:
        """Hang up, which is how HTTP takes leave."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await trio.aclose_forcefully(stream)

    # Below

    async def _whole(self, method: str, target: str, headers: Headers, body: bytes, body_bytes_max: int) -> Response:
        head: Head | None = None
        parts: list[bytes] = []
        size = 0
        await self.ask(method, target, headers, body)
        while True:
            for came in await self.came():
                if isinstance(came, Head):
                    head = came
                elif isinstance(came, bytes):
                    if size < body_bytes_max:
                        parts.append(came[: body_bytes_max - size])
                    size += len(came)
                elif head is not None:
                    return Response(head, b"".join(parts), size)
            if head is not None and size > body_bytes_max + LEFTOVER_BYTES_MAX:
                await self.aclose()
                return Response(head, b"".join(parts), size)
