"""AMQP 0-9-1 as an adapter: what the registry loads when a listener names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.amqp091.connection import Connection
from warren.adapters.amqp091.settings import Amqp091Settings

if TYPE_CHECKING:
    from warren.adapters.interface import Accept, Options
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Session, Transport


def configure(options: Options) -> Accept:
    """See adapters.interface.Configure."""
    settings = Amqp091Settings(
        frame_max_bytes=options.integer("frame_max"),
        channel_max=options.integer("channel_max"),
        heartbeat_s=options.integer("heartbeat_s"),
        handshake_timeout_ms=int(options.number("handshake_timeout_s") * 1000),
        message_bytes_max=options.integer("max_message_bytes"),
        product=options.text("product"),
        version=options.text("product_version"),
        own_version=options.text("warren_version"),
        cluster_name=options.text("cluster_name"),
        prefetch_default=options.integer("default_consumer_prefetch"),
    )

    def accept(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
        connection = Connection(broker, transport, settings)
        return connection, connection.outbox

    return accept
