"""What a broker's operator decides about its WebSocket listeners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.session.keys import HANDSHAKE_TIMEOUT_S
from warren.adapters.websocket.forwarded import networks, proxies
from warren.core.configuration.key import Key, configured, milliseconds
from warren.core.configuration.values import boolean, names, number, seconds_of
from warren.core.frozen import frozen

if TYPE_CHECKING:
    from warren.adapters.websocket.forwarded import Network

MESSAGE_BYTES_MAX_BEFORE_LOGIN: Final = 64 * 1024 + 4096
"""What one WebSocket message may hold of somebody who has not logged in (spec D)."""

MESSAGE_SLACK_BYTES: Final = 64 * 1024
"""What one WebSocket message may hold beyond the largest frame or packet of the protocol in it: the small ones around
it."""


@frozen
class WebSocketSettings:
    """Limits and habits.

    request_timeout_ms: what an HTTP request, and the first bytes on a WebSocket, may take, in milliseconds.
    """

    idle_timeout_ms: int = configured(
        Key(
            "websocket_idle_timeout_s",
            number(0, 86_400, "seconds"),
            60.0,
            "How long a WebSocket client may be silent, in seconds; after half of it, it is sent a "
            "ping, which browsers answer by themselves. 0 is for ever.",
            rabbitmq=("web_stomp.ws_opts.idle_timeout", "web_mqtt.ws_opts.idle_timeout"),
            from_rabbitmq=seconds_of,
        ),
        milliseconds,
    )
    compress: bool = configured(
        Key(
            "websocket_compress",
            boolean,
            True,
            "Whether WebSocket messages may be compressed (permessage-deflate), for clients that can.",
            rabbitmq=("web_stomp.ws_opts.compress", "web_mqtt.ws_opts.compress"),
        )
    )
    allow_origins: frozenset[str] = configured(
        Key(
            "websocket_allow_origins",
            names,
            frozenset[str](),
            "Origins, such as https://shop.example:8443, whose web pages may connect over WebSocket; "
            "`*` is all. With none named, all may on addresses that other machines reach, and on loopback addresses "
            "those of this machine alone, unless a proxy passes them on (X-Forwarded-For). Programs that aren't "
            "browsers send no origin, and may always.",
        )
    )
    use_http_auth: bool = configured(
        Key(
            "websocket_use_http_auth",
            boolean,
            False,
            "Whether HTTP Basic on the WebSocket's request says who connects, instead of the headers "
            "of STOMP's CONNECT or, where it is given, the credentials of MQTT's. STOMP without it is "
            "the default user's.",
            also=("web_stomp.use_http_auth",),
            rabbitmq=("web_stomp.use_http_auth",),
        )
    )
    trusted_proxies: tuple[Network, ...] = configured(
        Key(
            "websocket_trusted_proxies",
            proxies,
            frozenset[str](),
            "HTTP proxies, by their addresses or networks, whose header X-Forwarded-For says who the "
            "client is, for WebSocket and the management API; from everybody else it is ignored, but that a request "
            "to the API with one from this machine isn't local. A client whose address they don't tell is "
            "`unknown`, and never local. See [tls.md](tls.md#behind-an-http-proxy).",
        ),
        networks,
    )
    request_timeout_ms: int = configured(HANDSHAKE_TIMEOUT_S, milliseconds)
