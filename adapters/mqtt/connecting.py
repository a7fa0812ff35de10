"""CONNECT: who is there, which session, what was agreed on (MQTT 5 3.1, 3.2; spec C.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt import authentication
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import Auth, ConnAck, Connect
from warren.adapters.mqtt.codec.properties import RECEIVE_MAXIMUM_DEFAULT
from warren.adapters.mqtt.codec.topics import check_topic_name
from warren.adapters.mqtt.consuming import begin
from warren.adapters.mqtt.errors import Refusal, reason_of
from warren.adapters.mqtt.logging_in import log_in
from warren.adapters.mqtt.properties import properties_of
from warren.adapters.mqtt.publishing import check_publish
from warren.adapters.mqtt.sessions.session import EXPIRY_NEVER
from warren.adapters.mqtt.sessions.wills import WillMessage
from warren.core.clients.client import Client
from warren.core.declaring.names import unguessable
from warren.core.errors import BrokerError, NotAllowed, NotFound

if TYPE_CHECKING:
    from warren.adapters.mqtt.codec.properties import Properties
    from warren.adapters.mqtt.connection import MqttConnection
    from warren.adapters.mqtt.settings import MqttSettings
    from warren.core.access.accounts import User
    from warren.core.routing.vhost import VirtualHost

PROTOCOLS: Final = {versions.V3_1: "MQTT 3-1", versions.V3_1_1: "MQTT 3-1-1", versions.V5: "MQTT 5-0"}


def connect(connection: MqttConnection, packet: Connect) -> None:
    """Log in, or begin to; Refusal says why not."""
    _read_limits(connection, packet)
    client_id, assigned = _client_id(packet)
    connection.client_id = client_id
    if connection.broker.alarms.blocked is not None:
        raise Refusal(reason_codes.SERVER_BUSY, f"the broker is {connection.broker.alarms.blocked}; try again later")
    method = packet.properties.get("authentication_method")
    if method is not None:
        authentication.begin(connection, packet, method, assigned)
        return
    user, vhost = log_in(connection, packet)
    enter(connection, packet, user, vhost, assigned=assigned, properties={})


def authenticate_further(connection: MqttConnection, packet: Auth) -> None:
    """AUTH: the next step of an authentication, or a new one (MQTT 5 4.12)."""
    authentication.go_on(connection, packet)


def enter(
    connection: MqttConnection,
    packet: Connect,
    user: User,
    vhost: VirtualHost,
    *,
    assigned: bool,
    properties: Properties,
) -> None:
    """The client is who it says: give it its session and CONNACK."""
    broker = connection.broker
    try:
        broker.open_vhost(user, vhost.name)
        connection.world.of(vhost).check_exchange()
        client = Client(connection.name, user, vhost, PROTOCOLS[packet.level], {"client_id": connection.client_id})
    except NotAllowed as error:
        raise Refusal(reason_codes.QUOTA_EXCEEDED, error.text) from None
    except NotFound as error:
        raise Refusal(reason_codes.SERVER_UNAVAILABLE, error.text) from None
    try:
        client.open_channel()
        connection.client = client
        will = _will(connection, packet)
    except NotAllowed as error:
        connection.client = None
        client.close()
        raise Refusal(reason_codes.QUOTA_EXCEEDED, error.text) from None
    except BaseException:
        connection.client = None
        client.close()
        raise
    connection.client = None
    sessions = connection.sessions = connection.world.of(vhost)
    expiry_s = _expiry_s(connection, packet)
    if packet.clean_start:
        holder = sessions.sessions.get(connection.client_id)
        if holder is not None and holder.holder is not None:
            holder.holder.taken_over()
        sessions.wills.session_ended(connection.client_id)
    session, present = sessions.open(connection.client_id, clean_start=packet.clean_start, expiry_s=expiry_s)
    sessions.wills.cancel(connection.client_id)
    connection.session = session
    session.attach(connection, expiry_s)
    connection.session_expiry_s = expiry_s
    connection.will = will
    if packet.will is not None:
        connection.will_delay_s = packet.will.properties.get("will_delay_interval", 0)
    connection.running(client)
    connection.send(ConnAck(0, present, _answer(connection, packet, expiry_s, assigned, properties)))
    begin(connection, session)


def _read_limits(connection: MqttConnection, packet: Connect) -> None:
    settings = connection.settings
    properties = packet.properties
    connection.is_bridge = packet.is_bridge
    keep_alive_s = packet.keep_alive_s
    if packet.level == versions.V5 and (not keep_alive_s or keep_alive_s > settings.keep_alive_max_s):
        keep_alive_s = settings.keep_alive_max_s if settings.keep_alive_max_s < 65_535 else keep_alive_s
    connection.keep_alive_ms = keep_alive_s * 1000
    connection.window = connection.window_max = min(
        properties.get("receive_maximum", RECEIVE_MAXIMUM_DEFAULT), settings.in_flight_max
    )
    connection.packet_bytes_max = properties.get("maximum_packet_size", versions.PACKET_BYTES_MAX)
    connection.problem_information = properties.get("request_problem_information", True)
    connection.alias_max = min(properties.get("topic_alias_maximum", 0), settings.topic_alias_max)


def _client_id(packet: Connect) -> tuple[str, bool]:
    """The client identifier, and whether it was assigned here (MQTT-3.1.3-6 to -9)."""
    if packet.client_id:
        return packet.client_id, False
    if packet.level != versions.V5 and not packet.clean_start:
        raise Refusal(
            reason_codes.CLIENT_IDENTIFIER_NOT_VALID, "a persistent session needs a client identifier of its own"
        )
    return f"auto-{unguessable()}", True


def _will(connection: MqttConnection, packet: Connect) -> WillMessage | None:
    """The will, checked as if it were published now."""
    will = packet.will
    if will is None:
        return None
    check_topic_name(will.topic, packet.level)
    try:
        check_publish(connection, will.topic)
        properties = properties_of(connection.world.names, will.properties, will.qos, retain=will.retain)
    except BrokerError as error:
        raise Refusal(reason_of(error), f"the will can't be published: {error.text}") from None
    except ValueError as error:
        raise Refusal(reason_codes.IMPLEMENTATION_SPECIFIC_ERROR, f"the will can't be published: {error}") from None
    return WillMessage(will.topic, will.payload, properties, retain=will.retain)


def _expiry_s(connection: MqttConnection, packet: Connect) -> int:
    if packet.level != versions.V5:
        return 0 if packet.clean_start else connection.settings.session_expiry_max_s
    return effective_expiry_s(connection.settings, packet.properties.get("session_expiry_interval", 0))


def effective_expiry_s(settings: MqttSettings, asked_s: int) -> int:
    """How long a session lives that asks for so much."""
    return min(asked_s, settings.session_expiry_max_s, EXPIRY_NEVER)


def _answer(
    connection: MqttConnection, packet: Connect, expiry_s: int, assigned: bool, properties: Properties
) -> Properties:
    if packet.level != versions.V5:
        return {}
    settings = connection.settings
    answer: Properties = {
        **properties,
        "receive_maximum": settings.receive_maximum,
        "maximum_packet_size": settings.packet_bytes_max,
    }
    if settings.topic_alias_max:
        answer["topic_alias_maximum"] = settings.topic_alias_max
    if expiry_s != packet.properties.get("session_expiry_interval", 0):
        answer["session_expiry_interval"] = expiry_s
    if assigned:
        answer["assigned_client_identifier"] = connection.client_id
    if connection.keep_alive_ms != packet.keep_alive_s * 1000:
        answer["server_keep_alive"] = connection.keep_alive_ms // 1000
    if packet.properties.get("request_response_information"):
        answer["response_information"] = f"response/{_without_wildcards(connection.client_id)}"
    return answer


def _without_wildcards(client_id: str) -> str:
    """What a topic name can be made from."""
    return client_id.replace("+", "%2B").replace("#", "%23")
