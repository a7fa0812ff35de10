"""HTTP as asking a back-end takes it: connections to other services (gateway/peers/http.py) that are kept for the next.

Everything is bounded: connecting and the whole exchange in time, the answer in bytes, idle connections in number and
age.  Redirects aren't followed: who is asked is in the configuration.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from warren.adapters.http.client.uri import HttpUri, parse_http_uri
from warren.adapters.peers.errors import PeerError
from warren.gateway.peers.http import HttpPeer

if TYPE_CHECKING:
    from warren.adapters.http.client.exchange import Headers
    from warren.adapters.peers.uri import TlsParameters

IDLE_S_MAX: Final = 30.0
"""Kept longer, a connection is likely to be closed by the other side."""

FORM: Final = "application/x-www-form-urlencoded"

_MS_PER_S: Final = 1000


class HttpError(Exception):
    """No answer; the text says why, without what was asked."""


class HttpAnswer(NamedTuple):
    """status: such as 200.  body: all of it."""

    status: int
    body: bytes


class HttpClient:
    """See the head of this file.  tls: for https.  idle_max: connections that are kept."""

    def __init__(
        self,
        tls: TlsParameters,
        *,
        timeout_s: float,
        connection_timeout_s: float,
        body_bytes_max: int,
        idle_max: int = 8,
    ) -> None:
        self._tls = tls
        self._timeout_s = timeout_s
        self._connection_timeout_s = connection_timeout_s
        self._body_bytes_max = body_bytes_max
        self._idle_max = idle_max
        self._idle: list[tuple[HttpUri, float, HttpPeer]] = []

    async def keep_open(self) -> None:
        """Keep connections, until cancelled."""
        try:
            await trio.sleep_forever()
        finally:
            idle, self._idle = self._idle, []
            for _, _, peer in idle:
                await peer.aclose()

    async def get(self, url: str, query: str = "") -> HttpAnswer:
        """GET; query: what stands behind the `?`.  Raises HttpError."""
        uri = self._uri(url)
        joined = f"{uri.target}{'&' if '?' in uri.target else '?'}{query}" if query else uri.target
        return await self._ask(uri, "GET", joined, b"")

    async def post(self, url: str, form: str) -> HttpAnswer:
        """POST of a form.  Raises HttpError."""
        uri = self._uri(url)
        return await self._ask(uri, "POST", uri.target, form.encode("ascii"))

    def _uri(self, url: str) -> HttpUri:
        uri = parse_http_uri(url)
        return replace(
            uri,
            tls=self._tls if uri.tls is not None else None,
            connection_timeout_ms=round(self._connection_timeout_s * _MS_PER_S),
        )

    async def _ask(self, uri: HttpUri, method: str, target: str, body: bytes) -> HttpAnswer:
        headers: Headers = (("host", uri.authority), ("accept", "*/*"), ("user-agent", "warren"))
        if method == "POST":
            headers = (*headers, ("content-type", FORM), ("content-length", str(len(body))))
        place = replace(uri, target="/")
        peer = self._take_idle(place) or HttpPeer(place)
        answer = None
        try:
            with trio.move_on_after(self._timeout_s):
                answer = await self._exchange(peer, method, target, headers, body)
        finally:
            if answer is None:
                await peer.aclose()
        if answer is None:
            raise HttpError(f"no answer within {self._timeout_s:g} s")
        if peer.connected:
            await self._keep(place, peer)
        return answer

    async def _exchange(self, peer: HttpPeer, method: str, target: str, headers: Headers, body: bytes) -> HttpAnswer:
        wanted = self._body_bytes_max
        try:
            if not peer.connected:
                await peer.connect()
            found = await peer.exchange(method, target, headers, body, timeout_s=self._timeout_s, body_bytes_max=wanted)
        except PeerError as error:
            raise HttpError(str(error)) from None
        if found.body_bytes > wanted:
            raise HttpError(f"the answer has more than {wanted} bytes")
        return HttpAnswer(found.head.status, found.body)

    def _take_idle(self, place: HttpUri) -> HttpPeer | None:
        now_s = trio.current_time()
        for number in range(len(self._idle) - 1, -1, -1):
            found, since_s, peer = self._idle[number]
            if found == place and now_s - since_s < IDLE_S_MAX:
                del self._idle[number]
                return peer
        return None

    async def _keep(self, place: HttpUri, peer: HttpPeer) -> None:
        self._idle.append((place, trio.current_time(), peer))
        while len(self._idle) > self._idle_max:
            await self._idle.pop(0)[2].aclose()
