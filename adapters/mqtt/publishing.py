"""PUBLISH from a client: from topic to routed message, and how it is answered (MQTT 5 3.3, 4.3).

The first PUBLISH to a topic comes through `publish`.  When nothing about the topic varies from message to message, a
`KnownRoute` is left behind for the fast path of reading.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import clauses, reason_codes, versions
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.packets import PubAck, PubRec
from warren.adapters.mqtt.codec.publish import QOS_MASK, QOS_SHIFT, RETAIN, read_publish_properties
from warren.adapters.mqtt.codec.sender import check_client_properties
from warren.adapters.mqtt.codec.short_answers import PUBACK, PUBCOMP, PUBREC, short_answer
from warren.adapters.mqtt.codec.topics import check_topic_name, topic_name
from warren.adapters.mqtt.errors import Refusal, reason_of
from warren.adapters.mqtt.known_topics import remember
from warren.adapters.mqtt.properties import properties_of
from warren.adapters.mqtt.sessions.publishing import QUEUE_PREFIX, address_of, with_topic, without_own
from warren.core.errors import AccessRefused, BrokerError
from warren.core.messages.message import Message
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.vhost import Outcome

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection
    from warren.core.messages.properties import Properties
    from warren.core.routing.route import Route

SYSTEM_PREFIX: Final = "$SYS"


def publish(
    connection: MqttConnection, flags: int, raw_topic: bytes, packet_id: int, raw_properties: bytes, payload: bytes
) -> None:
    """A whole PUBLISH that the fast path doesn't know."""
    level = connection.level
    mqtt = read_publish_properties(raw_properties)
    check_client_properties(mqtt)
    response_topic = mqtt.get("response_topic")
    if response_topic is not None:
        check_topic_name(response_topic, level)
    qos = (flags & QOS_MASK) >> QOS_SHIFT
    retain = bool(flags & RETAIN)
    topic = _topic(connection, raw_topic, mqtt.get("topic_alias", 0))
    if qos == 2 and packet_id in connection.session.inbound:
        answer(connection, 2, packet_id, reason_codes.SUCCESS, stored=connection.session.stores)
        return
    if qos:
        if level == versions.V5 and packet_id in connection.session.inbound:
            in_use = f"the packet identifier {packet_id} is in use by a message of QoS 2"
            answer(connection, qos, packet_id, reason_codes.PACKET_IDENTIFIER_IN_USE, stored=False, text=in_use)
            return
        check_receive_maximum(connection)
    try:
        exchange, key = check_publish(connection, topic)
        properties = with_topic(properties_of(connection.world.names, mqtt, qos, retain=retain), topic, key)
        route = _route(connection, exchange, key, topic, properties)
    except BrokerError as error:
        refuse(connection, qos, packet_id, reason_of(error), error.text)
        return
    except ValueError as error:
        refuse(connection, qos, packet_id, reason_codes.IMPLEMENTATION_SPECIFIC_ERROR, str(error))
        return
    _deliver(connection, route, topic, properties, payload, qos, packet_id, retain=retain)
    if len(raw_properties) < 2 and not retain and raw_topic:
        remember(connection, raw_topic, route)


def _topic(connection: MqttConnection, raw: bytes, alias: int) -> str:
    """The topic's name, by its alias if it comes without (MQTT 5 3.3.2.3.4)."""
    level = connection.level
    aliases = connection.aliases
    if alias:
        if alias > connection.settings.topic_alias_max:
            raise ProtocolViolation(
                reason_codes.TOPIC_ALIAS_INVALID,
                "MQTT-3.3.2-9",
                f"the topic alias {alias} is more than {connection.settings.topic_alias_max}, the maximum",
            )
        if not raw:
            known = aliases.get(alias) if aliases is not None else None
            if known is None:
                raise ProtocolViolation(
                    reason_codes.PROTOCOL_ERROR, "MQTT-3.3.2-7", f"the topic alias {alias} stands for nothing yet"
                )
            return known
        topic = topic_name(raw, level)
        if aliases is None:
            aliases = connection.aliases = {}
        aliases[alias] = topic
        return topic
    if not raw and level == versions.V5:
        raise ProtocolViolation(
            reason_codes.PROTOCOL_ERROR,
            clauses.TOPIC_OR_ALIAS.of(level),
            "the topic name is empty and there is no alias",
        )
    return topic_name(raw, level)


def check_publish(connection: MqttConnection, topic: str) -> tuple[str, str]:
    """The address that a topic stands for; AccessRefused (403) when the user may not publish there."""
    client = connection.logged_in
    users = client.vhost.broker.users
    if topic.startswith(SYSTEM_PREFIX) and topic[len(SYSTEM_PREFIX) : len(SYSTEM_PREFIX) + 1] in ("", "/"):
        raise AccessRefused(f"'{topic}': topics below $SYS are the broker's own")
    exchange, key = address_of(connection.world.names, topic)
    users.check(client.user.name, client.vhost.name, "exchange", exchange, "write")
    if not topic.startswith(QUEUE_PREFIX):
        variables = {"client_id": connection.client_id}
        users.check_topic(client.user.name, client.vhost.name, exchange, key, "write", variables)
    return exchange, key


def _route(connection: MqttConnection, exchange: str, key: str, topic: str, properties: Properties) -> Route:
    """Where a message goes, but not to a publisher that doesn't want its own (MQTT-3.8.3-3)."""
    route = connection.logged_in.vhost.route(exchange, key, properties.headers, (), properties)
    return without_own(route, connection.session, topic) if connection.has_no_local else route


def _deliver(
    connection: MqttConnection,
    route: Route,
    topic: str,
    properties: Properties,
    payload: bytes,
    qos: int,
    packet_id: int,
    *,
    retain: bool,
) -> None:
    vhost = connection.logged_in.vhost
    broker = connection.broker
    session = connection.session
    message = Message(broker.next_sequence(), route.address, properties, payload, 0, len(payload), 0, broker.now_ms)
    grouped = qos == 2 and session.stores
    if grouped:
        broker.store.begin_group()
    try:
        outcome = vhost.publish(route, message)
        if outcome is Outcome.REFUSED and not _may_drop(connection, route):
            refuse(connection, qos, packet_id, reason_codes.QUOTA_EXCEEDED, "a queue is full and refuses messages")
            return
        if qos == 2:
            session.note_inbound(packet_id)
    finally:
        if grouped:
            broker.store.end_group()
    code = reason_codes.SUCCESS if route.routed else reason_codes.NO_MATCHING_SUBSCRIBERS
    if retain:
        if not connection.sessions.retained.put(topic, message, connection.client_id):
            code = reason_codes.QUOTA_EXCEEDED
        elif qos and broker.definitions.durable:
            answer(connection, qos, packet_id, code, stored=True)
            return
    if qos:
        answer(connection, qos, packet_id, code, stored=outcome is Outcome.STORED or grouped)


def _may_drop(connection: MqttConnection, route: Route) -> bool:
    """True when nothing but full sessions refused a message of MQTT 3, which can't be told.

    Without an answer it would come again and again, and its publisher stand still for one client that is away.  Queues
    that refuse because somebody has said so are another matter (spec C.3).
    """
    if connection.level == versions.V5:
        return False
    return not any(isinstance(queue, ClassicQueue) and queue.rules.refuses for queue in route.queues)


def answer(connection: MqttConnection, qos: int, packet_id: int, code: int, *, stored: bool, text: str = "") -> None:
    """PUBACK or PUBREC, when what it answers is on disk."""
    connection.world.answers_sent += 1
    if not code or connection.level != versions.V5:
        packet = short_answer(PUBACK if qos == 1 else PUBREC, packet_id)
        connection.after_flush.send(packet, stored=stored)
        return
    made = (PubAck if qos == 1 else PubRec)(packet_id, code)
    encoded = connection.encoded(made, text)
    if encoded is not None:
        connection.after_flush.send(encoded, stored=stored)


def refuse(connection: MqttConnection, qos: int, packet_id: int, code: int, text: str) -> None:
    """A message isn't taken: said in the answer where there is one, else by ending the connection."""
    if qos and connection.level == versions.V5:
        answer(connection, qos, packet_id, code, stored=False, text=text)
    elif code == reason_codes.QUOTA_EXCEEDED:
        # MQTT 3 has no way to say so; the message stays unanswered and will be sent again (spec C.3).
        return
    elif connection.settings.disconnect_on_unauthorized:
        raise Refusal(code, text)
    elif qos:
        answer(connection, qos, packet_id, code, stored=False)


def check_receive_maximum(connection: MqttConnection) -> None:
    """One more message of QoS 1 or 2 comes: Refusal 0x93 when it is too many at once (MQTT-3.3.4-7)."""
    if connection.level != versions.V5:
        return
    most = connection.settings.receive_maximum
    after_flush = connection.after_flush
    unreleased = len(connection.session.inbound)
    if after_flush.count + unreleased >= most and after_flush.count_of(_is_last) + unreleased >= most:
        raise Refusal(
            reason_codes.RECEIVE_MAXIMUM_EXCEEDED,
            f"more than {most} messages are not acknowledged, the receive maximum",
        )


def _is_last(answer: bytes) -> bool:
    """Whether this answer is a PUBACK or PUBCOMP, which lets the client send one message more."""
    return answer[0] in (PUBACK, PUBCOMP)
