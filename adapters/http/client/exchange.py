"""One request and its response on a connection that may have more of them (RFC 9112), without a socket.

    Exchanges.request(...) -> bytes to send
    Exchanges.receive(bytes) -> the response's head, parts of its body, its end

h11 frames and parses; what is added is what this side does with it: heads and bodies are bounded, an interim response
is skipped, and whatever the peer does wrong is a PeerError in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import h11

from warren.adapters.peers.errors import PeerError
from warren.core.frozen import frozen

HEAD_BYTES_MAX: Final = 64 * 1024
"""Of a response's status line and headers: services behind proxies send a few thousand bytes."""

Headers: TypeAlias = Sequence[tuple[str, str]]


@frozen
class Head:
    """A response's beginning.  headers: with names in small letters."""

    status: int
    reason: str
    headers: Headers

    def header(self, name: str) -> str | None:
        """The first header of this name, which is given in small letters; None without one."""
        return next((value for each, value in self.headers if each == name), None)


class Response(NamedTuple):
    """A whole one.  body: as much of it as was wanted.  body_bytes: how much there was at least."""

    head: Head
    body: bytes
    body_bytes: int


class _End:
    """The response is over."""


END: Final = _End()

Came: TypeAlias = Head | bytes | _End


class Exchanges:
    """The requests of one connection, one after the other.  heard: the peer has sent something since the last one."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT, HEAD_BYTES_MAX)
        self.heard = False
        self._at_end = False

    def request(self, method: str, target: str, headers: Headers, body: bytes) -> bytes:
        """What is to be sent; ValueError for headers that no request can have.  Headers include Host and lengths."""
        self.heard = False
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        try:
            head = self._http.send(h11.Request(method=method, target=target, headers=encoded)) or b""
            data = (self._http.send(h11.Data(data=body)) or b"") if body else b""
            return head + data + (self._http.send(h11.EndOfMessage()) or b"")
        except h11.LocalProtocolError as error:
            raise ValueError(f"a request can't be made: {error}") from None

    def receive(self, data: bytes) -> Iterator[Came]:
        """What is whole of the response, as it comes; empty data for the end of the peer's bytes.

        PeerError for what isn't HTTP, and for a response that breaks off.
        """
        self.heard = self.heard or bool(data)
        self._at_end = not data
        if self._at_end and not self.heard:
            raise PeerError("the peer closed the connection without an answer")
        try:
            self._http.receive_data(data)
            while True:
                event = self._http.next_event()
                if isinstance(event, h11.Response):
                    yield _head(event)
                elif isinstance(event, h11.Data):
                    yield bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    yield END
                    return
                elif event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return
        except h11.RemoteProtocolError as error:
            what = "broke off its answer" if not data else "answered what isn't HTTP"
            raise PeerError(f"the peer {what}: {error}") from None

    @property
    def reusable(self) -> bool:
        """Whether another request may follow; asked when a response is over, and then made so."""
        if self._at_end:
            return False
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return self._http.our_state is h11.IDLE and self._http.their_state is h11.IDLE


def _head(event: h11.Response) -> Head:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
    return Head(event.status_code, event.reason.decode("latin-1"), headers)
