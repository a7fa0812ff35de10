"""What listings show of a connection (spec F.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.mqtt.codec import versions
from warren.adapters.session.rows import describe_transport, listed_protocol

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection

_PROTOCOLS = {versions.V3_1: "MQTT 3-1", versions.V3_1_1: "MQTT 3-1-1", versions.V5: "MQTT 5-0"}


def describe_connection(connection: MqttConnection) -> dict[str, object]:
    """One row of list_connections."""
    transport = connection.transport
    client = connection.client
    return {
        "pid": connection.name,
        "name": connection.name,
        "user_provided_name": connection.client_id,
        **describe_transport(transport),
        "state": "blocked" if connection.held_back else connection.state,
        "channels": 1 if client else 0,
        "protocol": listed_protocol(_PROTOCOLS.get(connection.level, "MQTT"), transport),
        "auth_mechanism": "",
        "user": client.user.name if client else "",
        "vhost": client.vhost.name if client else "",
        "timeout": connection.keep_alive_ms // 1000,
        "frame_max": connection.settings.packet_bytes_max,
        "channel_max": 1,
        "client_properties": {"client_id": connection.client_id},
        "connected_at": connection.connected_at_ms,
    }


def describe_channel(connection: MqttConnection) -> dict[str, object]:
    """One row of list_channels, for a connection that is logged in."""
    client = connection.logged_in
    name = f"{connection.name} (1)"
    return {
        "pid": name,
        "connection": connection.name,
        "name": name,
        "number": 1,
        "user": client.user.name,
        "vhost": client.vhost.name,
        "transactional": False,
        "confirm": True,
        "consumer_count": connection.consumer_count,
        "messages_unacknowledged": len(connection.session.outgoing),
        "messages_uncommitted": 0,
        "acks_uncommitted": 0,
        "messages_unconfirmed": connection.after_flush.count,
        "prefetch_count": connection.window_max,
        "global_prefetch_count": 0,
        "state": connection.state,
    }
