"""SUBSCRIBE and UNSUBSCRIBE (MQTT 5 3.8, 3.10; spec C.4)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.errors import PacketError, ProtocolViolation
from warren.adapters.mqtt.codec.packets import SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe
from warren.adapters.mqtt.codec.topics import parse_filter
from warren.adapters.mqtt.errors import reason_of
from warren.adapters.mqtt.sessions.publishing import send_retained
from warren.adapters.mqtt.sessions.registry import queue_name_in
from warren.adapters.mqtt.sessions.subscription import MqttSubscription
from warren.core.errors import BrokerError

if TYPE_CHECKING:
    from warren.adapters.mqtt.agreed import Agreed
    from warren.adapters.mqtt.answers import Answers
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.subscriptions import Subscriptions

_log = logging.getLogger("warren.mqtt")

QUEUE_QOS_MAX: Final = 1
"""Granted for `$queue/NAME`: a message of QoS 2 is its client's alone (MQTT-4.8.2-5), and the queue would lose it."""


def subscribe(subscriptions: Subscriptions, answers: Answers, packet: Subscribe, *, hide_refusals: bool) -> None:
    """Each filter for itself; SUBACK first, then retained messages.

    hide_refusals: SUBACK says no more of a refusal than that it is one.  Raises PacketError for a filter that can't be
    one, where SUBACK can't say so.
    """
    agreed, client, session = answers.agreed, subscriptions.client, subscriptions.session
    if _in_use(answers, session, packet.packet_id):
        codes = (reason_codes.PACKET_IDENTIFIER_IN_USE,) * len(packet.subscriptions)
        answers.send(SubAck(packet.packet_id, codes))
        return
    identifiers = packet.properties.get("subscription_identifiers", [])
    identifier = identifiers[0] if identifiers else 0
    granted: list[int] = []
    wanting: list[MqttSubscription] = []
    texts: list[str] = []
    for each in packet.subscriptions:
        try:
            subscription = _subscription(agreed, each, identifier)
            session.registry.check_subscribe(client, agreed.client_id, subscription)
            is_new = session.subscribe(client, subscription)
        except BrokerError as error:
            _log.warning("connection %s: '%s' is refused: %s", client.name, each.filter, error.text)
            granted.append(_failure(agreed.level, each, reason_of(error), hide_refusals=hide_refusals))
            texts.append(error.text)
            continue
        except PacketError as error:
            if error.reason_code != reason_codes.TOPIC_FILTER_INVALID or agreed.level != versions.V5:
                raise
            granted.append(reason_codes.TOPIC_FILTER_INVALID)
            texts.append(error.text)
            continue
        granted.append(subscription.qos)
        subscriptions.changed(subscription)
        if subscription.is_own and (not each.retain_handling or (each.retain_handling == 1 and is_new)):
            wanting.append(subscription)
    answers.send(SubAck(packet.packet_id, tuple(granted)), "; ".join(texts))
    for subscription in wanting:
        send_retained(session, subscription)


def unsubscribe(subscriptions: Subscriptions, answers: Answers, packet: Unsubscribe) -> None:
    """UNSUBACK says which there were."""
    session = subscriptions.session
    if _in_use(answers, session, packet.packet_id):
        answers.send(UnsubAck(packet.packet_id, (reason_codes.PACKET_IDENTIFIER_IN_USE,) * len(packet.filters)))
        return
    codes = []
    for filter in packet.filters:
        subscriptions.leave_queue(filter)
        found = session.unsubscribe(filter)
        codes.append(reason_codes.SUCCESS if found is not None else reason_codes.NO_SUBSCRIPTION_EXISTED)
        if found is not None:
            subscriptions.taken_away()
    answers.send(UnsubAck(packet.packet_id, tuple(codes)))


def _subscription(agreed: Agreed, asked: Subscription, identifier: int) -> MqttSubscription:
    parsed = parse_filter(asked.filter, agreed.level)
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
        no_local=asked.no_local or (agreed.is_bridge and not parsed.share_name),
        retain_as_published=asked.retain_as_published or agreed.is_bridge,
        identifier=identifier,
    )


def _in_use(answers: Answers, session: MqttSession, packet_id: int) -> bool:
    """True when a message of QoS 2 has this packet identifier; MQTT 3 can't say so, and takes it (MQTT 5 2.4, 0x91)."""
    return answers.agreed.level == versions.V5 and packet_id in session.inbound


def _failure(level: int, asked: Subscription, code: int, *, hide_refusals: bool) -> int:
    """What SUBACK says.  MQTT 3.1 knows no failure: the client "will not be informed" (3.8 there), and gets nothing."""
    if level == versions.V3_1:
        return asked.qos
    if level != versions.V5 or hide_refusals:
        return reason_codes.UNSPECIFIED_ERROR
    return code
