"""HTTP/1.1 on an accepted connection: the page for browsers, and the upgrade to WebSocket (RFC 9112).

Theory of operation
-------------------
h11 parses requests and frames answers.  One request is answered at a time, in order; the next one, which may have come
with it, is looked at when the peer has taken most of the answers before.  GET and HEAD serve files that lie in memory;
a body, which nobody has a reason to send, is thrown away up to a limit.

An accepted upgrade ends this stage: a WebSocketStage takes its place on the connection.  So does a request of the
management API, where that is served (management.py).

A request has `request_timeout_ms` from its first byte to its last (408), so has the first one on a connection from the
beginning; a connection without a request is kept for `KEPT_MS`.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import h11

from warren.adapters.first_bytes import CLIENT_HELLO, TLS_REFUSED
from warren.adapters.session.ration import Ration
from warren.adapters.session.read_gate import UNREAD_REPLIES
from warren.adapters.stage import Stage
from warren.adapters.websocket.forwarded import HEADER, client_host
from warren.adapters.websocket.management import hand_over, is_for_management, served_path
from warren.adapters.websocket.page_files import PageFile, read_page
from warren.adapters.websocket.responses import Response, date, page_file, sentence
from warren.adapters.websocket.stage import WebSocketStage
from warren.adapters.websocket.upgrade import USE_WEBSOCKET, UpgradeRefused, check_upgrade, is_upgrade, path_of
from warren.core.clients.outbox import HIGH_WATER_BYTES
from warren.core.clients.transport import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.adapters.websocket.settings import WebSocketSettings
    from warren.adapters.websocket.subprotocols import Endpoints
    from warren.adapters.websocket.upgrade import Upgrade
    from warren.core.broker import Broker
    from warren.core.clients.transport import Carrier
    from warren.core.deadlines import Deadline

_log = logging.getLogger("warren.websocket")

HEAD_BYTES_MAX: Final = 16 * 1024
"""Request line and headers; browsers send a few hundred bytes, and cookies of other services on the same host."""

BODY_BYTES_MAX: Final = 64 * 1024
"""Of a request's body, before the connection is closed on it."""

KEPT_MS: Final = 60_000
"""How long a connection is kept for its next request."""

ANSWERS_WAIT_BYTES: Final = 256 * 1024
"""While this much of earlier answers isn't taken by the peer, its further requests wait."""

TEXT_SHOWN: Final = 200
"""How much is repeated of what the peer has sent."""

EVENT_COMMANDS: Final = 5
"""What h11 takes for a part of a request, in commands of a ration: some 30 µs."""

_BOTH_LENGTHS: Final = {b"content-length", b"transfer-encoding"}
TWO_LENGTHS: Final = sentence(400, "The body's length is said twice: send Content-Length or Transfer-Encoding.")
"""What a proxy may have read differently, so that nothing behind it can be believed (RFC 9112, 6.1)."""

NO_BODY: Final = sentence(413, "This server takes no request bodies.")

_page: dict[str, PageFile] = {}


class HttpStage(Stage):
    """HTTP on one accepted connection, until a WebSocket takes its place.  endpoints: what that can carry."""

    def __init__(self, broker: Broker, below: Carrier, settings: WebSocketSettings, endpoints: Endpoints) -> None:
        super().__init__(broker, below)
        self.settings = settings
        self._endpoints = endpoints
        self._http = h11.Connection(h11.SERVER, HEAD_BYTES_MAX)
        self._request: h11.Request | None = None
        self._body_bytes = 0
        self._head = b""
        self._ration = Ration(broker, self.read_gate, self)
        self._waiting_for_peer = False
        self._idle = False
        self._deadline: Deadline | None = None
        self._wait_until(broker.now_ms + settings.request_timeout_ms)

    # warren.adapters.stage

    def receive(self, data: bytes) -> None:
        """Parse what came, and answer the requests that are whole; a TLS handshake is told that there is none."""
        if self.closing or not data:
            return
        if data[0] == CLIENT_HELLO[0] and not self.below.sent_bytes and not self._http.trailing_data[0]:
            _log.warning("connection %s: a TLS handshake, but this listener has no TLS; closing it", self.name)
            self.outbox.write(TLS_REFUSED)
            self._close()
            return
        if self._is_for_management(data):
            return
        self._http.receive_data(self._head + data)
        self._head = b""
        if not self._ration.waits:
            self._serve()

    def _is_for_management(self, data: bytes) -> bool:
        """Whether a request begins that isn't this stage's, or may not be: then nothing is to be done here (yet)."""
        between_requests = self._http.their_state is h11.IDLE and not self._http.trailing_data[0]
        path = served_path(self.broker) if between_requests else b""
        if not path:
            return False
        decided = is_for_management(self._head + data, path)
        if decided is None:
            self._head += data
        elif decided:
            self._stop_waiting()
            hand_over(self, self._head + data)
        return decided is not False

    def go_on(self) -> None:
        """It is this connection's turn again: go on with requests that waited for that."""
        if self._waiting_for_peer:
            return
        try:
            self._serve()
        except Exception:
            # This is in nobody's `receive`, whose errors end one connection.
            _log.exception("connection %s: internal error; closing the connection", self.name)
            self.below.abort()

    def drained(self) -> None:
        """The peer has taken all answers: go on with requests that waited for that."""
        if self._waiting_for_peer and not self.closing:
            self._waiting_for_peer = False
            self.read_gate.open(UNREAD_REPLIES)
            if not self._ration.waits:
                self._serve()

    def connection_lost(self, reason: str) -> None:
        """The connection is gone: nothing is waited for any more."""
        self._stop_waiting()
        super().connection_lost(reason)

    def _close(self) -> None:
        """Send what there is, and close; a peer that doesn't take it is cut off."""
        self._wait_until(self.broker.now_ms + self.settings.request_timeout_ms)
        self.close_early()

    # Requests

    def _serve(self) -> None:
        """Answer what requests are whole, one after the other, as far as the ration of the turn goes."""
        ration = self._ration
        ration.begin()
        while not self.closing:
            if ration.left <= 0:
                ration.wait()
                return
            ration.left -= EVENT_COMMANDS
            if self.outbox.room < HIGH_WATER_BYTES - ANSWERS_WAIT_BYTES:
                self._waiting_for_peer = True
                self.read_gate.close(UNREAD_REPLIES)
                self._wait_until(self.broker.now_ms + self.settings.request_timeout_ms)
                return
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                self._refuse_request(error)
                return
            if event is h11.NEED_DATA:
                self._wait_for_more()
                return
            if isinstance(event, h11.Request):
                self._begin(event)
            elif isinstance(event, h11.Data):
                self._body_bytes += len(event.data)
                if self._body_bytes > BODY_BYTES_MAX:
                    self.broker.limit_hits.count("bytes of an HTTP body")
                    self._answer(NO_BODY, last=True)
            elif isinstance(event, h11.EndOfMessage):
                if self._complete():
                    return
            else:
                return

    def _begin(self, request: h11.Request) -> None:
        self._request = request
        self._body_bytes = 0
        if not request.http_version.startswith(b"1."):
            self._answer(sentence(505, "This port speaks HTTP/1.1 and WebSocket."), last=True)
            return
        names = {name for name, _ in request.headers}
        size = len(request.target) + sum(len(name) + len(value) + 4 for name, value in request.headers)
        if size > HEAD_BYTES_MAX:
            self.broker.limit_hits.count("bytes of HTTP headers")
            self._answer(sentence(431, f"The request's headers are longer than {HEAD_BYTES_MAX} bytes."), last=True)
        elif names >= _BOTH_LENGTHS:
            self._answer(TWO_LENGTHS, last=True)
        elif self._http.they_are_waiting_for_100_continue:
            self._answer(_for_method(request.method) or NO_BODY, last=True)

    def _complete(self) -> bool:
        """Answer the request that has come as a whole.  True when it was an upgrade, and this stage is done."""
        request = self._request
        assert request is not None
        headers = _joined(request)
        target = request.target.decode("ascii")
        path = path_of(target)
        if is_upgrade(headers) and request.method == b"GET":
            try:
                if request.http_version != b"1.1":
                    raise UpgradeRefused(sentence(400, "WebSocket needs HTTP/1.1."), "HTTP/1.0")
                upgrade = check_upgrade(path, headers, self.settings, self._endpoints, self.below.host)
            except UpgradeRefused as refusal:
                _log.warning(
                    "connection %s: WebSocket at %s refused (HTTP %d): %s",
                    self.name,
                    target[:TEXT_SHOWN],
                    refusal.response.status,
                    refusal,
                )
                self._answer(refusal.response, logged=True)
            else:
                self._find_client(headers.get(HEADER))
                self._upgrade(upgrade)
                return True
        else:
            self._answer(self._response(request.method, path, headers))
        return False

    def _response(self, method: bytes, path: str, headers: Mapping[str, str]) -> Response:
        refusal = _for_method(method)
        if refusal is not None:
            return refusal
        file = _page_files().get(path)
        if file is not None:
            return page_file(file, headers.get("if-none-match", ""))
        if self._endpoints.has_path(path):
            return USE_WEBSOCKET
        return sentence(404, "There is nothing at this path. The page is at /, WebSocket clients connect to /ws.")

    def _find_client(self, header: str | None) -> None:
        """From here on the connection is one client's: have it come from where that is, if a proxy may say so."""
        host = client_host(header, self.below.peer_host, self.settings.trusted_proxies)
        if host is not None:
            _log.debug("connection %s: for %s, by X-Forwarded-For %r", self.name, host, (header or "")[:TEXT_SHOWN])
            self.below.peer_host = host
        elif header is not None and is_loopback(self.below.peer_host):
            self.broker.rationed_log.warning(
                _log,
                ("websocket_trusted_proxies", self.below.peer_host),
                self.broker.now_ms,
                "connection %s: behind a proxy on this host (X-Forwarded-For), so that it counts as local, and users "
                "of loopback_users may log in from anywhere; name the proxy in websocket_trusted_proxies",
                self.name,
            )

    def _upgrade(self, upgrade: Upgrade) -> None:
        response = h11.InformationalResponse(
            status_code=HTTPStatus.SWITCHING_PROTOCOLS,
            headers=list(upgrade.headers),
            reason=HTTPStatus.SWITCHING_PROTOCOLS.phrase.encode(),
        )
        answer = self._http.send(response) or b""
        rest, _ = self._http.trailing_data
        self._stop_waiting()
        stage = WebSocketStage(
            self.broker, self.below, self.settings, self._endpoints, upgrade.protocol, upgrade.window_bits
        )
        if upgrade.credentials is not None:
            stage.credentials = upgrade.credentials
        for chunk in [*self.outbox.take(), answer]:
            stage.outbox.write(chunk)
        self.below.start(stage, stage.outbox)
        stage.begin()
        if rest:
            stage.receive(bytes(rest))

    # Answers

    def _refuse_request(self, error: h11.RemoteProtocolError) -> None:
        """What came is no HTTP, or too long."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self._close()
        elif error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            self.broker.limit_hits.count("bytes of HTTP headers")
            self._answer(sentence(431, f"The request's headers are longer than {HEAD_BYTES_MAX} bytes."), last=True)
        else:
            text = f"This is no HTTP request: {str(error)[:TEXT_SHOWN]}. This port speaks HTTP and WebSocket."
            self._answer(sentence(error.error_status_hint, text), last=True)

    def _answer(self, response: Response, *, last: bool = False, logged: bool = False) -> None:
        """Send an answer, and make ready for the next request unless this is the `last` answer.

        logged: there is a log line about it already.
        """
        http = self._http
        method = self._request.method if self._request is not None else b"-"
        headers = [("Date", date(self.broker.now_ms)), *response.headers]
        if response.status != HTTPStatus.NOT_MODIFIED:
            headers.append(("Content-Length", str(len(response.body))))
        if last and not any(name == "Connection" for name, _ in headers):
            headers.append(("Connection", "close"))
        sent = http.send(h11.Response(status_code=response.status, headers=headers, reason=response.reason.encode()))
        parts = [sent or b""]
        if method != b"HEAD" and response.body:
            parts.append(http.send(h11.Data(data=response.body)) or b"")
        parts.append(http.send(h11.EndOfMessage()) or b"")
        self.outbox.write(b"".join(parts))
        if response.status >= 400 and not logged:
            self._log(response)
        self._request = None
        self._stop_waiting()
        if last or http.our_state is not h11.DONE:
            self._close()
        elif http.their_state is h11.DONE:
            http.start_next_cycle()

    def _log(self, response: Response) -> None:
        request = self._request
        what = "" if request is None else f" to {request.method.decode('ascii')} {request.target.decode('ascii')[:200]}"
        text = response.body.decode().rstrip()
        _log.info("connection %s: HTTP %d%s: %s", self.name, response.status, what, text)

    # Time

    def _wait_for_more(self) -> None:
        """A request that has begun must end in time; else there may be another one some time."""
        begun = self._request is not None or bool(self._http.trailing_data[0])
        if begun and (self._deadline is None or self._idle):
            self._wait_until(self.broker.now_ms + self.settings.request_timeout_ms)
        elif not begun and self._deadline is None:
            self._wait_until(self.broker.now_ms + KEPT_MS)
            self._idle = True

    def _wait_until(self, at_ms: int) -> None:
        self._stop_waiting()
        self._deadline = self.broker.deadlines.schedule(at_ms, self._time_is_up)

    def _stop_waiting(self) -> None:
        self._idle = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _time_is_up(self, now_ms: int) -> None:
        idle, self._deadline = self._idle, None
        if self.closing or self._waiting_for_peer:
            self.broker.limit_hits.count("handshake_timeout_s")
            _log.info("connection %s: the peer doesn't read what it asked for; cutting it off", self.name)
            self.below.abort()
        elif idle:
            self.broker.limit_hits.count("idle HTTP connections")
            _log.info("connection %s: no further request for %d s; closing it", self.name, KEPT_MS // 1000)
            self._close()
        elif not (self._request or self._head or self._http.trailing_data[0]):
            self.broker.limit_hits.count("handshake_timeout_s")
            _log.info("connection %s: no request; closing it", self.name)
            self._close()
        else:
            self.broker.limit_hits.count("handshake_timeout_s")
            seconds = self.settings.request_timeout_ms / 1000
            self._answer(sentence(408, f"The request wasn't complete within {seconds:g} s."), last=True)


def _for_method(method: bytes) -> Response | None:
    """The refusal of a method that nothing here takes."""
    if method in (b"GET", b"HEAD"):
        return None
    return sentence(405, "This server answers GET and HEAD.", (("Allow", "GET, HEAD"),))


def _joined(request: h11.Request) -> dict[str, str]:
    """Headers by their names in lower case; what comes several times is one list (RFC 9110, 5.3)."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.headers:
        name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _page_files() -> Mapping[str, PageFile]:
    """The page, read for the first request."""
    if not _page:
        _page.update(read_page())
    return _page
