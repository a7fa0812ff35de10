"""What only a client may send, or only a server (MQTT 5 2.1.2, table 3-10): the codec itself can't know who it reads.

Call the check for the other side on what decode gave; for a PUBLISH that was only peeked at, `check_client_properties`.
"""

from __future__ import annotations

from typing import Final

from warren.adapters.mqtt.codec import clauses, reason_codes, versions
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.packets import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    Publish,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
)
from warren.adapters.mqtt.codec.properties import Properties

DISCONNECT_BY_CLIENT: Final = frozenset({0x00, 0x04, *range(0x80, 0x84), 0x90, *range(0x93, 0x9A)})
"""The reason codes that a client's DISCONNECT may carry (table 3-10)."""


def check_from_client(packet: Packet, level: int) -> None:
    """ProtocolViolation when a client may not send `packet`."""
    if isinstance(packet, ConnAck | SubAck | UnsubAck | PingResp):
        raise _not_by("client", packet, level)
    if isinstance(packet, Publish):
        check_client_properties(packet.properties)
    elif isinstance(packet, Disconnect) and packet.reason_code not in DISCONNECT_BY_CLIENT:
        raise _code(clauses.DISCONNECT_CODE, "client", packet.reason_code)
    elif isinstance(packet, Auth) and packet.reason_code == reason_codes.SUCCESS:
        raise _code(clauses.AUTH_CODE, "client", packet.reason_code)


def check_client_properties(properties: Properties) -> None:
    """ProtocolViolation when a client's PUBLISH has subscription identifiers (MQTT-3.3.4-6)."""
    if "subscription_identifiers" in properties:
        raise ProtocolViolation(
            reason_codes.PROTOCOL_ERROR, "MQTT-3.3.4-6", "a client's message has a subscription identifier"
        )


def check_from_server(packet: Packet, level: int) -> None:
    """ProtocolViolation when a server may not send `packet`."""
    if isinstance(packet, Connect | Subscribe | Unsubscribe | PingReq):
        raise _not_by("server", packet, level)
    if isinstance(packet, Disconnect):
        _check_server_disconnect(packet, level)
    elif isinstance(packet, Auth) and packet.reason_code == reason_codes.REAUTHENTICATE:
        raise _code(clauses.AUTH_CODE, "server", packet.reason_code)


def _check_server_disconnect(packet: Disconnect, level: int) -> None:
    if level != versions.V5:
        raise _not_by("server", packet, level)
    if packet.reason_code == reason_codes.DISCONNECT_WITH_WILL:
        raise _code(clauses.DISCONNECT_CODE, "server", packet.reason_code)
    if "session_expiry_interval" in packet.properties:
        raise ProtocolViolation(
            reason_codes.PROTOCOL_ERROR, "MQTT-3.14.2-2", "a server's DISCONNECT has a session expiry interval"
        )


def _not_by(who: str, packet: Packet, level: int) -> ProtocolViolation:
    return ProtocolViolation(
        reason_codes.PROTOCOL_ERROR,
        clauses.PACKET_TYPE.of(level),
        f"a {who} may not send {type(packet).__name__.upper()}",
    )


def _code(clause: str, who: str, code: int) -> ProtocolViolation:
    return ProtocolViolation(
        reason_codes.PROTOCOL_ERROR, clause, f"a {who} may not send the reason code 0x{code:02X} here"
    )
