"""What a broker's operator decides about its AMQP 0-9-1 connections."""

from __future__ import annotations

from dataclasses import dataclass

from warren.adapters.amqp091.codec.constants import (
    CHANNEL_MAX_DEFAULT,
    FRAME_MAX_DEFAULT_BYTES,
    HEARTBEAT_DEFAULT_S,
)


@dataclass(frozen=True, slots=True)
class Amqp091Settings:
    """Limits and names offered in connection.start and connection.tune.

    frame_max_bytes, channel_max, heartbeat_s: proposed in connection.tune.  handshake_timeout_ms: from the accepted
    socket to connection.open-ok.  unread_timeout_ms: how long a peer may leave its replies unread, once its commands
    wait for that.  message_bytes_max: largest body.  product, version: server-properties; clients look for RabbitMQ's.
    anonymous_user: offer the mechanism ANONYMOUS, which logs in as this user.  prefetch_default: of consumers on
    channels that have set none, 0 for any number.
    """

    frame_max_bytes: int = FRAME_MAX_DEFAULT_BYTES
    channel_max: int = CHANNEL_MAX_DEFAULT
    heartbeat_s: int = HEARTBEAT_DEFAULT_S
    handshake_timeout_ms: int = 10_000
    unread_timeout_ms: int = 30_000
    message_bytes_max: int = 16 * 1024 * 1024
    product: str = "RabbitMQ"
    version: str = "3.13.7"
    own_version: str = ""
    cluster_name: str = "warren@localhost"
    anonymous_user: str | None = None
    prefetch_default: int = 0
