"""PUBLISH from a client: from topic to routed message, and how it is answered (MQTT 5 3.3, 4.3).

The first PUBLISH to a topic comes through `publish`.  When nothing about the topic varies from message to message, the
client's Inflow remembers it for the fast path of reading.py.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.publish import QOS_MASK, QOS_SHIFT, RETAIN, read_publish_properties
from warren.adapters.mqtt.codec.sender import check_client_properties
from warren.adapters.mqtt.codec.topics import check_topic_name
from warren.adapters.mqtt.errors import Refusal, reason_of
from warren.adapters.mqtt.properties import HEADER_BYTES_MAX, properties_of
from warren.adapters.mqtt.sessions.publishing import apart_from_own, with_topic
from warren.adapters.mqtt.sessions.rights import check_write
from warren.core.errors import AccessRefused, BrokerError
from warren.core.messages.message import Message
from warren.core.routing.publish import slow_down
from warren.core.routing.vhost import Outcome

if TYPE_CHECKING:
    from warren.adapters.mqtt.inflow import Inflow
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.sessions.world import MqttWorld
    from warren.core.clients.client import Client
    from warren.core.messages.properties import Properties
    from warren.core.routing.receipt import Receipt
    from warren.core.routing.route import Route

_log = logging.getLogger("warren.mqtt")

SYSTEM_PREFIX: Final = "$SYS"

BRIDGE_PREFIX: Final = "$SYS/broker/connection/"
BRIDGE_SUFFIX: Final = "/state"
"""Around a bridge's identifier: where Mosquitto's bridges say, retained and by will, whether they are connected."""

NOT_TAKEN: Final = "a queue has not taken it"
"""The reason string for a message whose way isn't at hand any more."""

NO_PROPERTIES_BYTES_MAX: Final = 1
"""Raw properties of one byte are their length alone, which is 0; MQTT 3's have none."""


RETAINED_COMMANDS: Final = 3
"""A message that is retained is as much work as so many commands more."""


def publish(
    inflow: Inflow,
    flags: int,
    raw_topic: bytes,
    packet_id: int,
    raw_properties: bytes,
    payload: bytes,
    *,
    refusal_ends: bool,
) -> None:
    """A whole PUBLISH that the fast path doesn't know.

    raw_topic, raw_properties, payload: as they came.  packet_id: 0 with QoS 0.  refusal_ends: a message that isn't
    taken ends the connection where its publisher can't be told otherwise.  Raises PacketError, and Refusal then.
    """
    session, answers = inflow.session, inflow.answers
    level = inflow.agreed.level
    mqtt = read_publish_properties(raw_properties)
    check_client_properties(mqtt)
    response_topic = mqtt.get("response_topic")
    if response_topic is not None:
        check_topic_name(response_topic, level)
    qos = (flags & QOS_MASK) >> QOS_SHIFT
    retain = bool(flags & RETAIN)
    is_bare = len(raw_properties) <= NO_PROPERTIES_BYTES_MAX and len(raw_topic) > 0
    known = inflow.known_retained(flags, raw_topic) if retain and is_bare else None
    topic = inflow.topic(raw_topic, mqtt.get("topic_alias", 0)) if known is None else known.topic
    if qos == 2 and packet_id in session.inbound:
        unanswered = session.unanswered.get(packet_id) if session.unanswered else None
        if unanswered is not None:
            answers.answer_publish_late(unanswered, 2, packet_id, reason_codes.SUCCESS, NOT_TAKEN)
        else:
            answers.answer_publish(2, packet_id, reason_codes.SUCCESS, stored=session.stores)
        return
    if qos:
        if level == versions.V5 and packet_id in session.inbound:
            in_use = f"the packet identifier {packet_id} is in use by a message of QoS 2"
            answers.answer_publish(qos, packet_id, reason_codes.PACKET_IDENTIFIER_IN_USE, stored=False, text=in_use)
            return
        inflow.check_receive_maximum()
    if known is not None:
        if not _deliver(inflow, known.route, topic, known.properties, payload, qos, packet_id, retain=retain):
            _refuse(inflow, qos, packet_id, reason_codes.QUOTA_EXCEEDED, known.route.refusal, ends=refusal_ends)
        return
    world = answers.world
    try:
        exchange, key = check_publish(world, inflow.client, answers.client_id, topic)
        properties = with_topic(properties_of(world.names, mqtt, qos, retain=retain), topic, key)
        route = inflow.client.vhost.route(exchange, key, properties.headers, (), properties)
    except BrokerError as error:
        world.broker.limit_hits.count_error(error)
        _refuse(inflow, qos, packet_id, reason_of(error), error.text, ends=refusal_ends)
        return
    except ValueError as unfit:
        code = reason_codes.IMPLEMENTATION_SPECIFIC_ERROR
        _refuse(inflow, qos, packet_id, code, str(unfit), ends=refusal_ends)
        return
    if len(raw_properties) > HEADER_BYTES_MAX:
        world.broker.limit_hits.warn(
            "bytes of user properties",
            answers.client_id,
            _log,
            "client '%s' publishes user properties of %d bytes: AMQP and STOMP clients get the first %d of them",
            answers.client_id,
            len(raw_properties),
            HEADER_BYTES_MAX,
        )
    usual = properties
    if session.no_local_count:
        route, properties = apart_from_own(route, session, topic, properties)
    if not _deliver(inflow, route, topic, properties, payload, qos, packet_id, retain=retain):
        _refuse(inflow, qos, packet_id, reason_codes.QUOTA_EXCEEDED, route.refusal, ends=refusal_ends)
    if not is_bare or properties is not usual:
        return
    if retain:
        inflow.remember_retained(flags, raw_topic, route, topic, properties)
    else:
        inflow.remember(raw_topic, route)


def _is_state_of_bridge(topic: str) -> bool:
    """True for the one topic of the broker's own that others write to, if they may write there at all."""
    return (
        topic.startswith(BRIDGE_PREFIX)
        and topic.endswith(BRIDGE_SUFFIX)
        and len(topic) > len(BRIDGE_PREFIX) + len(BRIDGE_SUFFIX)
    )


def check_publish(world: MqttWorld, client: Client, client_id: str, topic: str) -> tuple[str, str]:
    """The exchange and the routing key of a topic; AccessRefused (403) when the user may not publish there."""
    if (
        topic.startswith(SYSTEM_PREFIX)
        and topic[len(SYSTEM_PREFIX) : len(SYSTEM_PREFIX) + 1] in ("", "/")
        and not _is_state_of_bridge(topic)
    ):
        raise AccessRefused(f"'{topic}': topics below $SYS are the broker's own")
    return check_write(world.names, client.user, client.vhost, client_id, topic)


def _deliver(
    inflow: Inflow,
    route: Route,
    topic: str,
    properties: Properties,
    payload: bytes,
    qos: int,
    packet_id: int,
    *,
    retain: bool,
) -> bool:
    """Give the message to its queues, retain it if it says so, and answer; False when it is refused, and isn't."""
    vhost, session, answers = inflow.client.vhost, inflow.session, inflow.answers
    broker = vhost.broker
    message = Message(broker.next_sequence(), route.address, properties, payload, 0, len(payload), 0, broker.now_ms)
    counts = inflow.client.counts.own
    grouped = qos == 2 and session.stores
    receipt = route.receipt if qos else None
    if grouped:
        broker.store.begin_group()
    try:
        counts.published(route, len(payload))
        outcome = vhost.publish(route, message, inflow.client, 0, receipt)
        slow_down(inflow.client, route)
        if outcome is Outcome.REFUSED and not _may_drop(inflow.agreed.level, route):
            return False
        if qos == 2:
            session.note_inbound(packet_id)
    finally:
        if grouped:
            broker.store.end_group()
    code = reason_codes.SUCCESS if route.routed else reason_codes.NO_MATCHING_SUBSCRIBERS
    stored = outcome is Outcome.STORED or grouped
    if retain:
        if inflow.client.ration is not None:
            inflow.client.ration.spend(RETAINED_COMMANDS)
        if session.registry.retained.put(topic, message, answers.client_id):
            stored = stored or broker.definitions.durable
        else:
            code = reason_codes.QUOTA_EXCEEDED
    if receipt is not None and receipt.pending and outcome is not Outcome.REFUSED:
        if qos == 2:
            _expect_answer(session, packet_id, receipt)
        if code < reason_codes.FAILURE:
            receipt.then(counts.confirmed_late)
        answers.answer_publish_late(receipt, qos, packet_id, code, route.refusal)
    elif qos:
        if code < reason_codes.FAILURE:
            counts.confirmed(1)
        answers.answer_publish(qos, packet_id, code, stored=stored)
    return True


def _expect_answer(session: MqttSession, packet_id: int, receipt: Receipt) -> None:
    """Queues say later whether they take a message of QoS 2; if one doesn't, it has not come."""

    def answered(taken: bool) -> None:
        if session.unanswered is not None and session.unanswered.get(packet_id) is receipt:
            del session.unanswered[packet_id]
            if not taken:
                session.forget_inbound(packet_id)

    if session.unanswered is None:
        session.unanswered = {}
    session.unanswered[packet_id] = receipt
    receipt.then(answered)


def _may_drop(level: int, route: Route) -> bool:
    """True when nothing but full sessions refused a message of MQTT 3, which can't be told.

    Without an answer it would come again and again, and its publisher stand still for one client that is away.  Queues
    that refuse because somebody has said so are another matter (spec C.3).
    """
    if level == versions.V5:
        return False
    return not any(queue.guarded and queue.refuses_as_asked for queue in route.queues)


def _refuse(inflow: Inflow, qos: int, packet_id: int, code: int, text: str, *, ends: bool) -> None:
    """A message isn't taken: said in the answer where there is one, else by ending the connection if that `ends`."""
    if qos and inflow.agreed.level == versions.V5:
        inflow.answers.answer_publish(qos, packet_id, code, stored=False, text=text)
        if code == reason_codes.NOT_AUTHORIZED:
            inflow.answers.refused()
    elif code == reason_codes.QUOTA_EXCEEDED:
        # MQTT 3 has no way to say so; the message stays unanswered and will be sent again (spec C.3).
        return
    elif ends:
        raise Refusal(code, text)
    else:
        if qos:
            inflow.answers.answer_publish(qos, packet_id, code, stored=False)
        inflow.answers.refused()
