"""Messages to the client: their packets, and for QoS 1 and 2 how many may be under way and what is sent again.

`window` counts how many more messages of QoS 1 and 2 the client takes (its receive maximum).  A consumer that finds it
used up waits in `starved`.  Messages of an earlier connection that the client wasn't done with wait in `resending` for
their turn to be sent again, before anything new is (MQTT-4.4.0-1, MQTT-4.6.0-1).  What an earlier connection was still
waiting for the disk with waits for it here too: its packet identifier, or its release, may not be there yet.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.publish import join_publish, publish_head
from warren.adapters.mqtt.codec.short_answers import PUBREL, short_answer
from warren.adapters.mqtt.plan import encode_delivery, plan_without_subscription, planned, with_alias
from warren.adapters.mqtt.sessions.outgoing import RELEASED_BY_CLIENT, SENT, WAITING, Outgoing
from warren.adapters.mqtt.sessions.publishing import topic_of_message
from warren.core.queues.dead_letter import REJECTED

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection
    from warren.adapters.mqtt.consumer import MqttConsumer
    from warren.adapters.mqtt.plan import Plan
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue

PACKET_ID_BYTES: Final = 2

ALIAS_BYTES: Final = 3
"""What an alias costs; topics that aren't longer save nothing by it."""


def publish_packet(connection: MqttConnection, plan: Plan, message: Message) -> bytes:
    """A PUBLISH of QoS 0, whose flags and properties may need making."""
    if not message.properties.special and connection.level != versions.V5:
        return join_publish(0, plan.topic, 0, b"", message.body)
    return _packet_of(connection, plan, message, None, duplicate=False)


def _packet_of(
    connection: MqttConnection, plan: Plan, message: Message, outgoing: Outgoing | None, *, duplicate: bool
) -> bytes:
    """The PUBLISH, in as few bytes as the client's topic aliases allow.

    What is sent again has a plan that nobody keeps, so it is given no alias.
    """
    broker = connection.broker
    flags, properties = encode_delivery(
        plan,
        message,
        outgoing,
        names=connection.world.names,
        level=connection.level,
        duplicate=duplicate,
        now_ms=broker.now_ms,
    )
    packet_id = outgoing.packet_id if outgoing is not None else 0
    if connection.alias_max and connection.level == versions.V5:
        if plan.alias:
            return join_publish(flags, b"", packet_id, with_alias(properties, plan.alias), message.body)
        if connection.aliases_given < connection.alias_max and len(plan.topic) > ALIAS_BYTES and not duplicate:
            alias = connection.aliases_given + 1
            packet = join_publish(flags, plan.topic, packet_id, with_alias(properties, alias), message.body)
            if len(packet) <= connection.packet_bytes_max:
                connection.aliases_given = plan.alias = alias
                return packet
    return join_publish(flags, plan.topic, packet_id, properties, message.body)


def is_too_large(connection: MqttConnection, plan: Plan, message: Message) -> bool:
    """True for a message that the client doesn't take, whatever its QoS (MQTT-3.1.2-24)."""
    broker = connection.broker
    _, properties = encode_delivery(
        plan,
        message,
        None,
        names=connection.world.names,
        level=connection.level,
        duplicate=False,
        now_ms=broker.now_ms,
    )
    topic = b"" if plan.alias else plan.topic
    if plan.alias:
        properties = with_alias(properties, plan.alias)
    room = connection.packet_bytes_max - PACKET_ID_BYTES
    return len(publish_head(0, topic, 0, properties, message.body_size)) + message.body_size > room


def give_up(connection: MqttConnection, queue: Queue, message: Message) -> None:
    """A message is too large for the client: it is as if it had been sent (MQTT-3.1.2-25), but dead letters are kept.

    One that comes back to a queue for the same reason goes for good.
    """
    connection.world.dropped += 1
    deaths = (message.properties.headers or {}).get("x-death")
    for death in deaths if isinstance(deaths, list) else ():
        if isinstance(death, dict) and death.get("queue") == queue.name and death.get("reason") == REJECTED:
            queue.acknowledge(message)
            return
    queue.discard(message)


def send_outgoing(connection: MqttConnection, outgoing: Outgoing, plan: Plan, *, duplicate: bool) -> bool:
    """Send a message of QoS 1 or 2; False when it turns out to be too large, and is done with."""
    message = outgoing.message
    if message is None:
        return True
    outgoing.state = SENT
    packet = _packet_of(connection, plan, message, outgoing, duplicate=duplicate)
    if len(packet) > connection.packet_bytes_max:
        if outgoing.queue is not None:
            give_up(connection, outgoing.queue, message)
            outgoing.queue = None
        connection.session.acknowledge(outgoing.packet_id)
        return False
    connection.outbox.write(packet)
    connection.sent_count += 1
    return True


def send_waiting(connection: MqttConnection, outgoing: Outgoing, plan: Plan) -> None:
    """Its packet identifier is on disk: send it, if it still is to be sent."""
    if _is_due(connection, outgoing) and not send_outgoing(connection, outgoing, plan, duplicate=False):
        window_opened(connection)


def _is_due(connection: MqttConnection, outgoing: Outgoing) -> bool:
    return not connection.closed and connection.session.outgoing.get(outgoing.packet_id) is outgoing


def window_opened(connection: MqttConnection) -> None:
    """The client is done with one message: it takes one more."""
    if connection.window < connection.window_max:
        connection.window += 1
    if connection.resending:
        resend(connection)
    if connection.starved and connection.window > 0:
        starved = connection.starved
        connection.starved = None
        for consumer in starved:
            consumer.resume()


def starve(connection: MqttConnection, consumer: MqttConsumer) -> None:
    """The client takes nothing more for now: `consumer` waits for that."""
    if connection.starved is None:
        connection.starved = []
    if consumer not in connection.starved:
        connection.starved.append(consumer)


def resend(connection: MqttConnection) -> None:
    """Go on with what an earlier connection left, in the order of the first time, as far as the client takes it."""
    resending = connection.resending
    session = connection.session
    while resending and connection.window > 0:
        outgoing = resending.popleft()
        if session.outgoing.get(outgoing.packet_id) is not outgoing:
            continue
        connection.window -= 1
        session.count(outgoing)
        if outgoing.state == RELEASED_BY_CLIENT:
            packet = short_answer(PUBREL, outgoing.packet_id)
            connection.world.answers_sent += 1
            connection.after_flush.send(packet, stored=session.stores)
        elif outgoing.state == WAITING:
            connection.after_flush.call(partial(_send_waiting_again, connection, outgoing))
        elif not _send_again(connection, outgoing, duplicate=True):
            connection.window += 1
    if not resending:
        connection.resending = None


def _send_waiting_again(connection: MqttConnection, outgoing: Outgoing) -> None:
    if _is_due(connection, outgoing) and not _send_again(connection, outgoing, duplicate=False):
        window_opened(connection)


def _send_again(connection: MqttConnection, outgoing: Outgoing, *, duplicate: bool) -> bool:
    session, message = connection.session, outgoing.message
    if message is None:
        return True
    subscription = session.subscriptions.get(outgoing.source) if outgoing.source else None
    topic = topic_of_message(connection.world.names, message)
    plan = planned(session, subscription, topic)
    if plan.qos < 0:
        plan = plan_without_subscription(topic)
    return send_outgoing(connection, outgoing, plan, duplicate=duplicate)
