"""Where the broker listens."""

from __future__ import annotations

from typing import Final

from warren.adapters.session.keys import HANDSHAKE_TIMEOUT_S, UNREAD_TIMEOUT_S
from warren.core.configuration.key import Key, configured, milliseconds
from warren.core.frozen import frozen
from warren.gateway.network.addresses import LOCALHOST, Change, Listener, listener_changes, listeners
from warren.gateway.protocols import PROTOCOLS

PORT: Final = 5672
"""Registered with IANA for AMQP."""

STOMP_PORT: Final = 61613
"""What STOMP brokers and clients take for granted."""

MQTT_PORT: Final = 1883
"""Registered with IANA for MQTT."""


STREAM_PORT: Final = 5552
STREAM_TLS_PORT: Final = 5551
"""RabbitMQ's, which clients take for granted."""

WEB_STOMP_PORT: Final = 15674
WEB_MQTT_PORT: Final = 15675
"""Where RabbitMQ's plugins have STOMP and MQTT over WebSocket; here both are on either."""

TLS_PORT: Final = 5671
"""Registered with IANA for AMQP over TLS."""

STOMP_TLS_PORT: Final = 61614
"""What STOMP brokers and clients take for granted."""

MQTT_TLS_PORT: Final = 8883
"""Registered with IANA for MQTT over TLS."""

WEB_STOMP_TLS_PORT: Final = 15673
WEB_MQTT_TLS_PORT: Final = 15676
"""The same over TLS, as RabbitMQ's documentation has them."""

DEFAULT_LISTENERS: Final[tuple[Listener, ...]] = (
    Listener("amqp", LOCALHOST, PORT),
    Listener("stomp", LOCALHOST, STOMP_PORT),
    Listener("mqtt", LOCALHOST, MQTT_PORT),
    Listener("stream", LOCALHOST, STREAM_PORT),
    Listener("ws", LOCALHOST, WEB_STOMP_PORT),
    Listener("ws", LOCALHOST, WEB_MQTT_PORT),
)

DEFAULT_TLS_LISTENERS: Final[tuple[Listener, ...]] = (
    Listener("amqp", LOCALHOST, TLS_PORT, tls=True),
    Listener("stomp", LOCALHOST, STOMP_TLS_PORT, tls=True),
    Listener("mqtt", LOCALHOST, MQTT_TLS_PORT, tls=True),
    Listener("stream", LOCALHOST, STREAM_TLS_PORT, tls=True),
    Listener("ws", LOCALHOST, WEB_STOMP_TLS_PORT, tls=True),
    Listener("ws", LOCALHOST, WEB_MQTT_TLS_PORT, tls=True),
)
"""In addition, when there is a certificate."""


_NO_CHANGES: Final[tuple[Change, ...]] = ()


@frozen
class NetworkSettings:
    """Addresses (listeners.py), and how long what comes before a session may take (pipeline.py).

    listeners: all of them, after the changes.  changes: what `listen_by_protocol` says.
    first_bytes_timeout_ms: what a PROXY header, or the first bytes on a listener for everything, may take.
    unread_timeout_ms: how long a peer may read nothing while bytes wait for it.
    """

    listeners: tuple[Listener, ...] = configured(
        Key(
            "listen",
            listeners(PROTOCOLS),
            DEFAULT_LISTENERS,
            "All addresses to listen on, as `PROTOCOL=HOST:PORT`: only what is named listens, and the last source that "
            "names any address names all of them. Also `--listen-only`, which can be repeated; `--listen` is "
            "`listen_by_protocol`. "
            "Port 0 is any free port, IPv6 addresses stand in brackets, `localhost` is both 127.0.0.1 and "
            "::1, `*` every address of both families. The protocols are "
            "`amqp` (0-9-1 and 1.0), `amqp10` (1.0 alone), `stomp`, `mqtt`, `stream` (RabbitMQ's "
            "stream protocol) and `ws` (WebSocket); `http` and `metrics`, "
            "which the plugins `management` and "
            "`metrics` serve; each with an `s` over TLS (`amqps`, `amqp10s`, `stomps`, `mqtts`, `streams`, `wss`, "
            "`https`, `metricss`); and "
            "`auto`, which takes all of them but these two on one port, over TLS or not. `?proxy_protocol=true` after "
            "the port is for listeners behind a proxy; with `?optional=true` the broker starts without the listener "
            "where its address can't be had. With a `tls_certificate_file`, and without this key, the same "
            "is there over TLS as well, on the "
            "ports 5671, 61614, 8883, 5551, 15673 and 15676. Without this key, the plugin `management` is on "
            "localhost:15672, and over TLS on 15671, the plugin `metrics` on 15692 and 15691; these are optional. See "
            "[tls.md](tls.md).",
            also=("listeners", "listen_only"),
        )
    )
    changes: tuple[Change, ...] = configured(
        Key(
            "listen_by_protocol",
            listener_changes(PROTOCOLS),
            _NO_CHANGES,
            "Addresses of single protocols, in place of those that they have by default or by `listen`; all others "
            "stay as they are. Written as in `listen`; several of one protocol are all that it has, and "
            "`mqtt=none` is without MQTT. A protocol over TLS is one of its own (`mqtts`). `auto` has no address by "
            "default, so it comes beside the others. "
            "Also `--listen`, which can be repeated. Each source adds to the ones before it, protocol by "
            "protocol, but a later source that names all listeners (`listen`) takes them back.",
        )
    )
    first_bytes_timeout_ms: int = configured(HANDSHAKE_TIMEOUT_S, milliseconds)
    unread_timeout_ms: int = configured(UNREAD_TIMEOUT_S, milliseconds)
