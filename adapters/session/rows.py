"""What list_connections shows of whatever carries a connection, the same for every protocol (spec D, F.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.clients.transport import TlsState, Transport


def describe_transport(transport: Transport) -> dict[str, object]:
    """The columns for the two ends, TLS and the bytes so far."""
    return {
        "host": transport.host,
        "port": transport.port,
        "peer_host": transport.peer_host,
        "peer_port": transport.peer_port,
        **_describe_tls(transport.tls),
        "recv_oct": transport.received_bytes,
        "send_oct": transport.sent_bytes,
    }


def listed_protocol(name: str, transport: Transport) -> str:
    """A protocol's name and version, such as `MQTT 5-0`; in a WebSocket `Web MQTT 5-0`, as RabbitMQ has it."""
    return f"Web {name}" if transport.is_websocket else name


def _describe_tls(tls: TlsState | None) -> dict[str, object]:
    if tls is None:
        return {"ssl": False}
    return {
        "ssl": True,
        "ssl_protocol": tls.protocol,
        "ssl_cipher": tls.cipher,
        "peer_cert_subject": tls.peer_subject,
        "peer_cert_issuer": tls.peer_issuer,
        "peer_cert_validity": tls.peer_validity,
    }
