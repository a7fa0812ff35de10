"""What a broker's operator decides about its connections of the stream protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from warren.adapters.first_bytes import no_hint
from warren.adapters.session.keys import (
    HANDSHAKE_TIMEOUT_S,
    MAX_MESSAGE_BYTES,
    PRODUCT,
    PRODUCT_VERSION,
    UNREAD_TIMEOUT_S,
)
from warren.core.configuration.key import Key, configured, milliseconds
from warren.core.configuration.values import size, text, whole_number
from warren.core.frozen import frozen

FRAME_BYTES_MAX: Final = 1_048_576
"""RabbitMQ's (spec H.2); a frame is held in memory as a whole, for each connection that is sending one."""

FIRST_FRAME_BYTES_MAX: Final = 8192
"""RabbitMQ's."""

_FRAME_BYTES_LEAST: Final = 1024
"""A login has to fit."""

_FRAME_BYTES_MOST: Final = 2**28

HEARTBEAT_S: Final = 60
"""RabbitMQ's."""

_HEARTBEAT_MOST_S: Final = 65_535
_PORT_MOST: Final = 65_535


def _without_limit(value: str) -> object:
    """In a rabbitmq.conf 0 is no limit: here the largest that there may be."""
    return _FRAME_BYTES_MOST if value == "0" else value


@frozen
class StreamProtocolSettings:
    """Limits, names and habits.

    unread_timeout_ms: how long a peer may leave its replies unread, once its commands wait for that.  cluster_name,
    own_version: for the properties of the broker.  hint: what a peer's first bytes look like, for the log.
    """

    frame_bytes_max: int = configured(
        Key(
            "stream_frame_max",
            size(_FRAME_BYTES_LEAST, _FRAME_BYTES_MOST),
            FRAME_BYTES_MAX,
            "Largest frame that a client of the stream protocol may send, in bytes; it may ask for less.",
            rabbitmq=("stream.frame_max",),
            from_rabbitmq=_without_limit,
        )
    )
    first_frame_bytes_max: int = configured(
        Key(
            "stream_initial_frame_max",
            size(_FRAME_BYTES_LEAST, _FRAME_BYTES_MOST),
            FIRST_FRAME_BYTES_MAX,
            "Largest frame before a client of the stream protocol has opened a virtual host, in bytes; its login is in "
            "one, which may be a token.",
            rabbitmq=("stream.initial_frame_max",),
        )
    )
    heartbeat_s: int = configured(
        Key(
            "stream_heartbeat_offered_s",
            whole_number(0, _HEARTBEAT_MOST_S, "seconds"),
            HEARTBEAT_S,
            "Seconds between heartbeats that clients of the stream protocol are offered; they say what it is to be. 0 "
            "is never.",
            rabbitmq=("stream.heartbeat",),
        )
    )
    advertised_host: str = configured(
        Key(
            "stream_advertised_host",
            text,
            "",
            "Host that clients of the stream protocol are told to connect to for publishing and consuming; empty: the "
            "address that they are connected to already.",
            rabbitmq=("stream.advertised_host",),
        )
    )
    advertised_port: int = configured(
        Key(
            "stream_advertised_port",
            whole_number(0, _PORT_MOST),
            0,
            "Port that goes with it, for connections without TLS; 0: the one that they are connected to.",
            rabbitmq=("stream.advertised_port",),
        )
    )
    advertised_tls_port: int = configured(
        Key(
            "stream_advertised_tls_port",
            whole_number(0, _PORT_MOST),
            0,
            "The same for connections over TLS.",
            rabbitmq=("stream.advertised_tls_port",),
        )
    )
    message_bytes_max: int = configured(MAX_MESSAGE_BYTES)
    product: str = configured(PRODUCT)
    version: str = configured(PRODUCT_VERSION)
    handshake_timeout_ms: int = configured(HANDSHAKE_TIMEOUT_S, milliseconds)
    unread_timeout_ms: int = configured(UNREAD_TIMEOUT_S, milliseconds)
    cluster_name: str = ""
    own_version: str = ""
    hint: Callable[[bytes], str] = no_hint
