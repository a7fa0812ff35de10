"""What a CONNECT and its CONNACK settle for as long as the connection lasts (MQTT 5 3.1, 3.2).

Most of it is the client's word, cut to what the operator allows (settings.py); CONNACK tells the client where the two
differ.  Made from the CONNECT; before it, and for a CONNECT that can't be read, `NOTHING_AGREED` stands in.  Clients
that agree on the same share it, as there are few kinds of clients and many of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.properties import RECEIVE_MAXIMUM_DEFAULT
from warren.adapters.mqtt.sessions.session import EXPIRY_NEVER
from warren.adapters.mqtt.settings import KEEP_ALIVE_MAX_S
from warren.core.declaring.names import unguessable

if TYPE_CHECKING:
    from warren.adapters.mqtt.codec.packets import Connect
    from warren.adapters.mqtt.codec.properties import Properties
    from warren.adapters.mqtt.settings import MqttSettings


@dataclass(frozen=True, slots=True)
class Agreed:
    """The terms of one connection.

    level: the protocol level, UNKNOWN before CONNECT.
    is_bridge: see codec.packets.Connect.  keep_alive_ms: something comes from the client at least so often, 0 for no
    such promise.  session_expiry_s: how long its session outlives the connection, unless DISCONNECT says otherwise.
    in_flight_max: messages of QoS 1 and 2 that may be under way to the client.  receive_maximum: the same from it, with
    MQTT 5.  packet_bytes_max: the longest packet that it takes.  problem_information: it wants reason strings.
    alias_max: topic aliases that it takes.  client_alias_max: topic aliases that it may give.
    """

    level: int = versions.UNKNOWN
    is_bridge: bool = False
    keep_alive_ms: int = 0
    session_expiry_s: int = 0
    in_flight_max: int = 0
    receive_maximum: int = 0
    packet_bytes_max: int = versions.PACKET_BYTES_MAX
    problem_information: bool = True
    alias_max: int = 0
    client_alias_max: int = 0


NOTHING_AGREED: Final = Agreed()

SHARED_MAX: Final = 1024
"""Kinds of terms that are kept to be shared; with more of them it begins anew."""

_shared: Final[dict[Agreed, Agreed]] = {}


def client_id_of(connect: Connect) -> str:
    """The client's own identifier, or one that is made up for it."""
    return connect.client_id or f"auto-{unguessable()}"


def agree(connect: Connect, settings: MqttSettings) -> Agreed:
    """What follows from a CONNECT."""
    agreed = _agreed(connect, settings)
    shared = _shared.get(agreed)
    if shared is None:
        if len(_shared) >= SHARED_MAX:
            _shared.clear()
        shared = _shared[agreed] = agreed
    return shared


def _agreed(connect: Connect, settings: MqttSettings) -> Agreed:
    properties = connect.properties
    return Agreed(
        level=connect.level,
        is_bridge=connect.is_bridge,
        keep_alive_ms=_keep_alive_s(connect, settings) * 1000,
        session_expiry_s=_session_expiry_s(connect, settings),
        in_flight_max=min(properties.get("receive_maximum", RECEIVE_MAXIMUM_DEFAULT), settings.in_flight_max),
        receive_maximum=settings.receive_maximum,
        packet_bytes_max=properties.get("maximum_packet_size", versions.PACKET_BYTES_MAX),
        problem_information=properties.get("request_problem_information", True),
        alias_max=min(properties.get("topic_alias_maximum", 0), settings.topic_alias_max),
        client_alias_max=settings.topic_alias_max,
    )


def effective_expiry_s(settings: MqttSettings, asked_s: int) -> int:
    """How long a session outlives its connection that asks for so much, in seconds."""
    return min(asked_s, settings.session_expiry_max_s, EXPIRY_NEVER)


def connack_properties(agreed: Agreed, client_id: str, connect: Connect, settings: MqttSettings) -> Properties:
    """What CONNACK has to tell the client, since it isn't what the client asked for or takes for granted (3.2.2.3)."""
    if agreed.level != versions.V5:
        return {}
    answer: Properties = {
        "receive_maximum": agreed.receive_maximum,
        "maximum_packet_size": settings.packet_bytes_max,
    }
    if agreed.client_alias_max:
        answer["topic_alias_maximum"] = agreed.client_alias_max
    if agreed.session_expiry_s != connect.properties.get("session_expiry_interval", 0):
        answer["session_expiry_interval"] = agreed.session_expiry_s
    if not connect.client_id:
        answer["assigned_client_identifier"] = client_id
    if agreed.keep_alive_ms != connect.keep_alive_s * 1000:
        answer["server_keep_alive"] = agreed.keep_alive_ms // 1000
    if connect.properties.get("request_response_information"):
        answer["response_information"] = f"response/{_without_wildcards(client_id)}"
    return answer


def _keep_alive_s(connect: Connect, settings: MqttSettings) -> int:
    """The client's, but with MQTT 5 no longer than the operator's; MQTT 3 can't be told of another."""
    asked_s, most_s = connect.keep_alive_s, settings.keep_alive_max_s
    if connect.level != versions.V5 or most_s >= KEEP_ALIVE_MAX_S:
        return asked_s
    return min(asked_s or most_s, most_s)


def _session_expiry_s(connect: Connect, settings: MqttSettings) -> int:
    if connect.level != versions.V5:
        return 0 if connect.clean_start else settings.session_expiry_max_s
    return effective_expiry_s(settings, connect.properties.get("session_expiry_interval", 0))


def _without_wildcards(client_id: str) -> str:
    """What a topic name can be made from."""
    return client_id.replace("+", "%2B").replace("#", "%23")
