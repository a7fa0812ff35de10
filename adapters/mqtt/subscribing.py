"""SUBSCRIBE and UNSUBSCRIBE (MQTT 5 3.8, 3.10; spec C.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.mqtt.codec import reason_codes, versions
from adapters.mqtt.codec.errors import PacketError, ProtocolViolation
from adapters.mqtt.codec.packets import SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe
from adapters.mqtt.codec.topics import parse_filter
from adapters.mqtt.errors import reason_of
from core.errors import AccessRefused, BrokerError
from core.mqtt_sessions.publishing import send_retained
from core.mqtt_sessions.registry import queue_name_in
from core.mqtt_sessions.subscription import MqttSubscription
from core.mqtt_sessions.topics import binding_key_of, fits_key

if TYPE_CHECKING:
    from adapters.mqtt.connection import MqttConnection


def subscribe(connection: MqttConnection, packet: Subscribe) -> None:
    """Each filter for itself; SUBACK first, then retained messages."""
    identifiers = packet.properties.get("subscription_identifiers", [])
    identifier = identifiers[0] if identifiers else 0
    codes: list[int] = []
    wanting: list[MqttSubscription] = []
    texts: list[str] = []
    unauthorized = False
    for each in packet.subscriptions:
        try:
            subscription = _subscription(connection, each, identifier)
            connection.sessions.check_subscribe(connection.logged_in, connection.client_id, subscription)
            is_new = connection.session.subscribe(connection.logged_in, subscription)
        except BrokerError as error:
            unauthorized = unauthorized or isinstance(error, AccessRefused)
            codes.append(_failure(connection, reason_of(error)))
            texts.append(error.text)
            continue
        except PacketError as error:
            if error.reason_code != reason_codes.TOPIC_FILTER_INVALID or connection.level != versions.V5:
                raise
            codes.append(reason_codes.TOPIC_FILTER_INVALID)
            texts.append(error.text)
            continue
        codes.append(subscription.qos)
        connection.subscribed(subscription)
        if subscription.is_own and (not each.retain_handling or (each.retain_handling == 1 and is_new)):
            wanting.append(subscription)
    connection.send(SubAck(packet.packet_id, tuple(codes)), "; ".join(texts))
    for subscription in wanting:
        send_retained(connection.session, subscription)
    if unauthorized and connection.level == versions.V3_1:
        # MQTT 3.1 has no code for that in SUBACK.
        connection.disconnect(reason_codes.NOT_AUTHORIZED, "a subscription was refused")


def unsubscribe(connection: MqttConnection, packet: Unsubscribe) -> None:
    """UNSUBACK says which there were."""
    codes = []
    for filter in packet.filters:
        found = connection.session.unsubscribe(filter)
        codes.append(reason_codes.SUCCESS if found is not None else reason_codes.NO_SUBSCRIPTION_EXISTED)
        if found is not None:
            connection.unsubscribed(found)
    connection.send(UnsubAck(packet.packet_id, tuple(codes)))


def _subscription(connection: MqttConnection, asked: Subscription, identifier: int) -> MqttSubscription:
    parsed = parse_filter(asked.filter, connection.level)
    if not fits_key(binding_key_of(parsed.filter)):
        raise ProtocolViolation(
            reason_codes.TOPIC_FILTER_INVALID, "3.8.4", "the topic filter is longer than 255 bytes as a binding key"
        )
    if parsed.share_name and asked.no_local:
        raise ProtocolViolation(
            reason_codes.PROTOCOL_ERROR, "MQTT-3.8.3-4", "a shared subscription can't have the option no local"
        )
    queue_name = queue_name_in(parsed.filter) if not parsed.share_name else ""
    return MqttSubscription(
        asked.filter,
        parsed.filter,
        group=parsed.share_name,
        queue_name=queue_name,
        qos=asked.qos,
        no_local=asked.no_local or (connection.is_bridge and not parsed.share_name),
        retain_as_published=asked.retain_as_published or connection.is_bridge,
        identifier=identifier,
    )


def _failure(connection: MqttConnection, code: int) -> int:
    if connection.level != versions.V5 or connection.settings.hide_refusals:
        return reason_codes.UNSPECIFIED_ERROR
    return code
