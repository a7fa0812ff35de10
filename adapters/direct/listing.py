"""What list_connections and list_channels show of direct clients (spec F.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.adapters.direct.session import DirectSession


def describe_connection(session: DirectSession) -> dict[str, object]:
    """One row of list_connections; what a client without a socket doesn't have is empty."""
    client = session.client
    return {
        "pid": session.name,
        "name": session.name,
        "user_provided_name": session.provided_name,
        "host": "",
        "port": 0,
        "peer_host": "",
        "peer_port": 0,
        "ssl": False,
        "recv_oct": 0,
        "send_oct": 0,
        "state": "blocked" if session.publishes_waiting else "running",
        "channels": 1 + len(session.consumers),
        "protocol": client.protocol,
        "auth_mechanism": "",
        "user": client.user.name,
        "vhost": client.vhost.name,
        "timeout": 0,
        "frame_max": 0,
        "channel_max": 0,
        "client_properties": dict(client.properties),
        "connected_at": session.connected_at_ms,
    }


def describe_channels(session: DirectSession) -> list[dict[str, object]]:
    """Rows of list_channels: the client's own, which publishes and polls, and one for each consumer."""
    rows = [_row(session, 1, 0, len(session.unacked), 0)]
    rows[0]["confirm"] = True
    rows[0]["messages_unconfirmed"] = session.unconfirmed
    for consumer in session.consumers.values():
        rows.append(_row(session, consumer.number, 1, len(consumer.unacked), consumer.prefetch))
    return rows


def _row(session: DirectSession, number: int, consumers: int, unacked: int, prefetch: int) -> dict[str, object]:
    name = f"{session.name} ({number})"
    return {
        "pid": name,
        "connection": session.name,
        "name": name,
        "number": number,
        "user": session.client.user.name,
        "vhost": session.client.vhost.name,
        "transactional": False,
        "confirm": False,
        "consumer_count": consumers,
        "messages_unacknowledged": unacked,
        "messages_uncommitted": 0,
        "acks_uncommitted": 0,
        "messages_unconfirmed": 0,
        "prefetch_count": prefetch,
        "global_prefetch_count": 0,
        "state": "running",
    }
