"""The protocols that a listener can speak, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.amqp091.connection import Connection
from adapters.amqp091.settings import Amqp091Settings
from gateway.version import WARREN_VERSION

if TYPE_CHECKING:
    from core.broker import Broker
    from core.outbox import Outbox
    from core.transport import Session, Transport
    from gateway.config import Config
    from gateway.listeners import Accept


def accept_by_protocol(config: Config) -> dict[str, Accept]:
    """For each protocol name, what makes the session of an accepted connection."""
    settings = Amqp091Settings(
        frame_max_bytes=config.frame_max,
        channel_max=config.channel_max,
        heartbeat_s=config.heartbeat_s,
        handshake_timeout_ms=int(config.handshake_timeout_s * 1000),
        message_bytes_max=config.max_message_bytes,
        product=config.product,
        version=config.product_version,
        own_version=WARREN_VERSION,
        cluster_name=config.cluster_name,
    )

    def accept_amqp(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
        connection = Connection(broker, transport, settings)
        return connection, connection.outbox

    return {"amqp": accept_amqp}
