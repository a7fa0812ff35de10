"""What list_connections and list_channels show of STOMP sessions: a connection with one channel (spec B.2, F.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.session.rows import describe_transport, listed_protocol

if TYPE_CHECKING:
    from warren.adapters.stomp.session import StompSession


def describe_connection(session: StompSession) -> dict[str, object]:
    """One row of list_connections."""
    transport = session.transport
    client = session.client
    return {
        "pid": session.name,
        "name": session.name,
        "user_provided_name": "",
        **describe_transport(transport),
        "state": "blocked" if session.held_back else session.state,
        "channels": 1 if client else 0,
        "protocol": listed_protocol(client.protocol if client else "STOMP", transport),
        "auth_mechanism": session.mechanism,
        "user": client.user.name if client else "",
        "vhost": client.vhost.name if client else "",
        "timeout": session.heartbeat_ms // 1000,
        "frame_max": session.settings.frame_bytes_max,
        "channel_max": 1,
        "client_properties": {},
        "connected_at": session.connected_at_ms,
    }


def describe_channel(session: StompSession) -> dict[str, object]:
    """One row of list_channels, for a session that is logged in."""
    client = session.logged_in
    return {
        "pid": session.channel_name,
        "connection": session.name,
        "name": session.channel_name,
        "number": 1,
        "user": client.user.name,
        "vhost": client.vhost.name,
        "transactional": bool(session.transactions),
        "confirm": True,
        "consumer_count": len(session.subscriptions),
        "messages_unacknowledged": len(session.unacked),
        "messages_uncommitted": sum(len(actions) for actions in session.transactions.values()),
        "acks_uncommitted": 0,
        "messages_unconfirmed": session.receipts.waiting,
        "prefetch_count": 0,
        "global_prefetch_count": 0,
        "state": session.state,
    }
