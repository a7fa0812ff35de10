"""How list_connections names what a connection speaks, the same for every protocol (spec D, F.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.transport import Transport


def listed_protocol(name: str, transport: Transport) -> str:
    """A protocol's name and version, such as `MQTT 5-0`; in a WebSocket `Web MQTT 5-0`, as RabbitMQ has it."""
    return f"Web {name}" if transport.is_websocket else name
