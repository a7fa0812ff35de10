"""What list_connections, list_channels and list_consumers show of AMQP connections (spec F.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.session.rows import describe_transport, listed_protocol

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel
    from warren.adapters.amqp091.connection import Connection


def describe_connection(connection: Connection) -> dict[str, object]:
    """One row of list_connections."""
    transport = connection.transport
    client = connection.client
    return {
        "pid": connection.name,
        "name": connection.name,
        "user_provided_name": connection.provided_name,
        **describe_transport(transport),
        "state": connection.reported_state,
        "channels": len(connection.channels),
        "protocol": listed_protocol("AMQP 0-9-1", transport),
        "auth_mechanism": connection.mechanism,
        "user": client.user.name if client else "",
        "vhost": client.vhost.name if client else "",
        "timeout": connection.heartbeat_s,
        "frame_max": connection.frame_max,
        "channel_max": connection.channel_max,
        "client_properties": dict(connection.client_properties),
        "connected_at": connection.connected_at_ms,
    }


def describe_channel(channel: Channel) -> dict[str, object]:
    """One row of list_channels."""
    confirms = channel.confirms
    transaction = channel.transaction
    return {
        "pid": channel.name,
        "connection": channel.connection.name,
        "name": channel.name,
        "number": channel.number,
        "user": channel.client.user.name,
        "vhost": channel.client.vhost.name,
        "transactional": transaction is not None,
        "confirm": confirms is not None,
        "consumer_count": len(channel.consumers),
        "messages_unacknowledged": len(channel.unacked),
        "messages_uncommitted": len(transaction.publishes) if transaction else 0,
        "acks_uncommitted": transaction.uncommitted_acks if transaction else 0,
        "messages_unconfirmed": confirms.published - confirms.confirmed if confirms else 0,
        "prefetch_count": channel.prefetch,
        "global_prefetch_count": channel.global_limit,
        "state": "closing" if channel.closing else "running",
    }
