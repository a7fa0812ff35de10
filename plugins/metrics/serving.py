"""HTTP/1.1 for who asks for metrics: GET and HEAD, an answer that is made while it is sent (RFC 9112).

A page of a broker with ten thousand queues has megabytes, so it is made piece by piece, each sent before the next one
is made: it takes no memory, a peer that reads slowly holds up its own answer alone, and messages have their turn
between two pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import h11
import trio

from warren.adapters.streams.host_names import MISDIRECTED, reason, stranger
from warren.adapters.streams.settings import StreamSettings
from warren.gateway.plugin import give_way
from warren.plugins.metrics.encoding import encoding_for
from warren.plugins.metrics.node import Node
from warren.plugins.metrics.pages import PAGES, PageError, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.gateway.plugin import ByteStream, Context
    from warren.plugins.metrics.settings import MetricsSettings

READ_BYTES: Final = 16 * 1024

HEAD_BYTES_MAX: Final = 16 * 1024
"""Of a request line and headers: the names of a hundred families and virtual hosts."""

QUERY_VALUES_MAX: Final = 200
"""Families and virtual hosts that one request may name."""

METHODS: Final = (b"GET", b"HEAD")

PLAIN: Final = "text/plain; charset=utf-8"

INDEX: Final = "Warren's metrics, in Prometheus' format:\n\n" + "".join(
    f"    {path:<28}{about}\n" for path, about in PAGES.items()
)


class MetricsServer:
    """For all connections of one run of the plugin."""

    def __init__(self, context: Context, settings: MetricsSettings) -> None:
        self._node = Node(context)
        self._settings = settings
        self._host_names = context.options.section(StreamSettings).host_names | {context.facts.host_name}
        self._scrapes = 0

    def counters(self) -> Mapping[str, float]:
        """What it has counted."""
        return {"scrapes": self._scrapes}

    async def serve(self, stream: ByteStream) -> None:
        """One connection to its end."""
        http = h11.Connection(h11.SERVER, HEAD_BYTES_MAX)
        while True:
            request = None
            with trio.move_on_after(self._settings.request_timeout_s):
                try:
                    request = await _next_request(http, stream)
                except h11.RemoteProtocolError as error:
                    if http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                        text = f"This is no HTTP request: {error}.\n"
                        await _send_text(http, stream, error.error_status_hint, text)
                    return
            if request is None:
                return
            await self._answer(http, stream, request)
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()

    async def _answer(self, http: h11.Connection, stream: ByteStream, request: h11.Request) -> None:
        with_body = request.method != b"HEAD"

        async def say(status: int, text: str, *headers: tuple[str, str]) -> None:
            await _send_text(http, stream, status, text, headers, with_body=with_body)

        if request.method not in METHODS:
            allowed = ", ".join(each.decode() for each in METHODS)
            await say(405, "There is nothing here to be changed: use GET.\n", ("Allow", allowed))
            return
        host = dict(request.headers).get(b"host")
        name = stranger(
            None if host is None else host.decode("latin-1"), stream.host, self._host_names, is_tls=stream.is_tls
        )
        if name is not None:
            await say(MISDIRECTED, f"There is nothing for you here: {reason(name)}.\n")
            return
        target = urlsplit(request.target.decode("ascii", "replace"))
        try:
            asked = parse_qs(target.query, max_num_fields=QUERY_VALUES_MAX)
        except ValueError:
            await say(400, f"A request may name no more than {QUERY_VALUES_MAX} values.\n")
            return
        path = target.path.rstrip("/") or "/"
        if path == "/":
            await say(200, INDEX)
            return
        await self._node.know_identity()
        encoding = encoding_for(dict(request.headers).get(b"accept", b"").decode("latin-1"))
        try:
            pieces = page(self._node, path, asked, encoding, per_object=self._settings.per_object)
        except PageError as error:
            await say(error.status, f"{error}\n")
            return
        self._scrapes += 1
        head = [("Content-Type", encoding.content_type), ("Cache-Control", "no-cache")]
        await stream.send_all(http.send(h11.Response(status_code=200, headers=head)) or b"")
        if with_body:
            await _send_pieces(http, stream, pieces)
        await stream.send_all(http.send(h11.EndOfMessage()) or b"")


async def _next_request(http: h11.Connection, stream: ByteStream) -> h11.Request | None:
    """The next request, its body thrown away; None when there is none."""
    request: h11.Request | None = None
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await stream.receive_some(READ_BYTES))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.EndOfMessage):
            return request
        elif isinstance(event, h11.ConnectionClosed):
            return None


async def _send_pieces(http: h11.Connection, stream: ByteStream, pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        if piece:
            await stream.send_all(http.send(h11.Data(piece)) or b"")
        await give_way()


async def _send_text(
    http: h11.Connection,
    stream: ByteStream,
    status: int,
    text: str,
    headers: Sequence[tuple[str, str]] = (),
    *,
    with_body: bool = True,
) -> None:
    body = text.encode()
    head = [("Content-Type", PLAIN), ("Content-Length", str(len(body))), *headers]
    data = http.send(h11.Response(status_code=status, headers=head)) or b""
    if with_body:
        data += http.send(h11.Data(body)) or b""
    data += http.send(h11.EndOfMessage()) or b""
    await stream.send_all(data)
