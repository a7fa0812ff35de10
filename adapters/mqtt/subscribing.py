"""SUBSCRIBE and UNSUBSCRIBE (MQTT 5 3.8, 3.10; spec C.4)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.errors import PacketError, ProtocolViolation
from warren.adapters.mqtt.codec.packets import SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe
from warren.adapters.mqtt.codec.topics import parse_filter
from warren.adapters.mqtt.consuming import leave_queue, subscribed, unsubscribed
from warren.adapters.mqtt.errors import reason_of
from warren.adapters.mqtt.sessions.publishing import send_retained
from warren.adapters.mqtt.sessions.registry import queue_name_in
from warren.adapters.mqtt.sessions.subscription import MqttSubscription
from warren.core.errors import BrokerError

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection

_log = logging.getLogger("warren.mqtt")

QUEUE_QOS_MAX: Final = 1
"""Granted for `$queue/NAME`: a message of QoS 2 is its client's alone (MQTT-4.8.2-5), and the queue would lose it."""


def subscribe(connection: MqttConnection, packet: Subscribe) -> None:
    """Each filter for itself; SUBACK first, then retained messages."""
    if _in_use(connection, packet.packet_id):
        codes = (reason_codes.PACKET_IDENTIFIER_IN_USE,) * len(packet.subscriptions)
        connection.send(SubAck(packet.packet_id, codes))
        return
    identifiers = packet.properties.get("subscription_identifiers", [])
    identifier = identifiers[0] if identifiers else 0
    granted: list[int] = []
    wanting: list[MqttSubscription] = []
    texts: list[str] = []
    for each in packet.subscriptions:
        try:
            subscription = _subscription(connection, each, identifier)
            connection.sessions.check_subscribe(connection.logged_in, connection.client_id, subscription)
            is_new = connection.session.subscribe(connection.logged_in, subscription)
        except BrokerError as error:
            _log.warning("connection %s: '%s' is refused: %s", connection.name, each.filter, error.text)
            granted.append(_failure(connection, each, reason_of(error)))
            texts.append(error.text)
            continue
        except PacketError as error:
            if error.reason_code != reason_codes.TOPIC_FILTER_INVALID or connection.level != versions.V5:
                raise
            granted.append(reason_codes.TOPIC_FILTER_INVALID)
            texts.append(error.text)
            continue
        granted.append(subscription.qos)
        subscribed(connection, subscription)
        if subscription.is_own and (not each.retain_handling or (each.retain_handling == 1 and is_new)):
            wanting.append(subscription)
    connection.send(SubAck(packet.packet_id, tuple(granted)), "; ".join(texts))
    for subscription in wanting:
        send_retained(connection.session, subscription)


def unsubscribe(connection: MqttConnection, packet: Unsubscribe) -> None:
    """UNSUBACK says which there were."""
    if _in_use(connection, packet.packet_id):
        connection.send(UnsubAck(packet.packet_id, (reason_codes.PACKET_IDENTIFIER_IN_USE,) * len(packet.filters)))
        return
    codes = []
    for filter in packet.filters:
        leave_queue(connection, filter)
        found = connection.session.unsubscribe(filter)
        codes.append(reason_codes.SUCCESS if found is not None else reason_codes.NO_SUBSCRIPTION_EXISTED)
        if found is not None:
            unsubscribed(connection)
    connection.send(UnsubAck(packet.packet_id, tuple(codes)))


def _subscription(connection: MqttConnection, asked: Subscription, identifier: int) -> MqttSubscription:
    parsed = parse_filter(asked.filter, connection.level)
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
        qos=min(asked.qos, QUEUE_QOS_MAX) if queue_name else asked.qos,
        no_local=asked.no_local or (connection.is_bridge and not parsed.share_name),
        retain_as_published=asked.retain_as_published or connection.is_bridge,
        identifier=identifier,
    )


def _in_use(connection: MqttConnection, packet_id: int) -> bool:
    """True when a message of QoS 2 has this packet identifier; MQTT 3 can't say so, and takes it (MQTT 5 2.4, 0x91)."""
    return connection.level == versions.V5 and packet_id in connection.session.inbound


def _failure(connection: MqttConnection, asked: Subscription, code: int) -> int:
    """What SUBACK says.  MQTT 3.1 knows no failure: the client "will not be informed" (3.8 there), and gets nothing."""
    if connection.level == versions.V3_1:
        return asked.qos
    if connection.level != versions.V5 or connection.settings.hide_refusals:
        return reason_codes.UNSPECIFIED_ERROR
    return code
