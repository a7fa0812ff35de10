"""WebSocket as an adapter: what the registry loads, light enough for every start.

It carries the other adapters' sessions, and serves the page in `page/` to browsers.  The parsers of HTTP and WebSocket
(h11, wsproto) take longer to import than the rest of a start, so that this waits for the first connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.interface import Adapter, Beginning
from warren.adapters.websocket.settings import WebSocketSettings
from warren.adapters.websocket.subprotocols import Endpoints

if TYPE_CHECKING:
    from warren.adapters.interface import AcceptCarrier, Options
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Carrier, Session

HTTP_METHODS: Final = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI")
"""RFC 9110, 9.1, RFC 5789, and the preface of HTTP/2, which is refused in terms of HTTP."""

_REFUSAL_BODY: Final = b"This port speaks TLS: use https:// or wss://\n"

REFUSAL_WITHOUT_TLS: Final = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\n"
    b"Connection: close\r\n\r\n"
) % len(_REFUSAL_BODY) + _REFUSAL_BODY
"""What HTTP in plain gets on a port for TLS."""


def configure(options: Options) -> AcceptCarrier:
    """What makes the stage of HTTP, from which a WebSocket begins; see adapters.interface.Configure."""
    settings = options.section(WebSocketSettings)
    endpoints = Endpoints(options)

    def accept(broker: Broker, carrier: Carrier) -> tuple[Session, Outbox]:
        from warren.adapters.websocket.http_stage import HttpStage

        stage = HttpStage(broker, carrier, settings, endpoints)
        return stage, stage.outbox

    return accept


def begins(data: bytes) -> Beginning:
    """HTTP: a method, a space, and what it asks for (RFC 9110, 9).

    STOMP has a CONNECT, too, which ends with its line; so has what people type (`GET` alone).
    """
    for method in HTTP_METHODS:
        if data.startswith(method + b" "):
            after = data[len(method) + 1 : len(method) + 2]
            if not after:
                return Beginning.MORE
            return Beginning.OTHER if after in b" \r\n" else Beginning.MINE
        if method.startswith(data):
            return Beginning.MORE
    return Beginning.OTHER


ADAPTER: Final = Adapter(
    configure,
    settings=(WebSocketSettings,),
    first_bytes=begins,
    speaks=("warren.adapters.websocket.http_stage",),
    on_demand=True,
    title="HTTP",
    elsewhere="HTTP: WebSocket has a listener of its own",
    needs_tls=REFUSAL_WITHOUT_TLS,
)
