"""From a read's bytes to handled packets.

`parse` is one loop over the packets of a read.  It knows by heart a PUBLISH of QoS 0 or 1, without properties or flags,
to a topic that this connection published to before (known_topics.py), and a PUBACK of four bytes.  Everything else goes
through the codec and `_packet`, which is also where every error comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.mqtt import connecting, subscribing
from warren.adapters.mqtt.acknowledging import acknowledged, completed, received, released
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.encode import PINGRESP
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.packets import (
    Auth,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PubAck,
    PubComp,
    PubRec,
    PubRel,
    Subscribe,
    Unsubscribe,
)
from warren.adapters.mqtt.codec.publish import peek_publish
from warren.adapters.mqtt.codec.sender import check_from_client
from warren.adapters.mqtt.codec.short_answers import PUBACK, peek_short_answer, short_answer
from warren.adapters.mqtt.ending import disconnected
from warren.adapters.mqtt.holding_back import hold, holds
from warren.adapters.mqtt.known_topics import known_topics_now
from warren.adapters.mqtt.plan import FRAMED_FOR_LEVEL
from warren.adapters.mqtt.publishing import check_receive_maximum, publish
from warren.adapters.mqtt.sessions.publishing import PERSISTENT
from warren.adapters.mqtt.settings import PACKET_BYTES_MAX_BEFORE_LOGIN
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection


def parse(connection: MqttConnection, data: bytes) -> int:
    """Handle all packets that are whole; the position of what is left."""
    end = len(data)
    position = 0
    if connection.level == versions.UNKNOWN:
        position = _first(connection, data)
        if connection.level == versions.UNKNOWN:
            return position
    broker = connection.broker
    level = connection.level
    packet_max = connection.settings.packet_bytes_max
    plain_framed = FRAMED_FOR_LEVEL + max(level, versions.V3_1_1)
    is_v5 = level == versions.V5
    start = position
    taken = answered = acknowledgements = other_bytes = 0
    others = 1 if position else 0
    running = connection.client is not None
    known_topics = known_topics_now(connection)
    unread = connection.unread
    while position < end and not connection.closed and not unread.suspended:
        first = data[position]
        if (first == 0x30 or first == 0x32) and end - position > 4 and known_topics:
            length = data[position + 1]
            at = position + 2
            if length > 0x7F:
                length = length & 0x7F | (data[at] & 0x7F) << 7
                at = at + 1 if 0 < data[at] < 0x80 else end
            stop = at + length
            if stop <= end and length > 4 and stop - position <= packet_max:
                topic_at = at + 2
                topic_end = topic_at + (data[at] << 8 | data[at + 1])
                known = known_topics.get(data[topic_at:topic_end])
                body = topic_end if first == 0x30 else topic_end + 2
                if is_v5:
                    body += 1
                if known is not None and body <= stop and not (is_v5 and data[body - 1]):
                    if first == 0x30:
                        packet = data[position:stop]
                        broker.sequence = sequence = broker.sequence + 1
                        message = Message(
                            sequence,
                            known.address,
                            EMPTY,
                            packet,
                            body - position,
                            stop - body,
                            plain_framed,
                            broker.now_ms,
                        )
                        for queue in known.queues:
                            queue.append(message)
                        position = stop
                        taken += 1
                        continue
                    packet_id = data[topic_end] << 8 | data[topic_end + 1]
                    if packet_id and (not is_v5 or (known.routed and packet_id not in connection.session.inbound)):
                        if is_v5:
                            check_receive_maximum(connection)
                        broker.sequence = sequence = broker.sequence + 1
                        message = Message(
                            sequence, known.address, PERSISTENT, data[body:stop], 0, stop - body, 0, broker.now_ms
                        )
                        for queue in known.queues:
                            queue.append(message)
                        if known.store_ids:
                            broker.store.append(message, known.store_ids)
                            connection.after_flush.send(short_answer(PUBACK, packet_id), stored=True)
                        else:
                            connection.after_flush.send(short_answer(PUBACK, packet_id), stored=False)
                        position = stop
                        answered += 1
                        continue
        elif first == PUBACK and running:
            packet_id = peek_short_answer(data, position, end)
            if packet_id:
                acknowledged(connection, packet_id, 0)
                acknowledgements += 1
                position += 4
                continue
        next_position = _next(connection, data, position, end)
        if next_position < 0:
            break
        others += 1
        if first >> 4 != versions.PUBLISH:
            other_bytes += next_position - position
        position = next_position
        running = connection.client is not None
        known_topics = known_topics_now(connection)
    world = connection.world
    world.packets_received += taken + answered + acknowledgements + others
    world.publish_received += taken + answered
    world.answers_sent += answered
    world.publish_bytes_received += position - start - 4 * acknowledgements - other_bytes
    return position


def _first(connection: MqttConnection, data: bytes) -> int:
    """The CONNECT that has to come first."""
    found = decode(data, 0, len(data), versions.UNKNOWN, PACKET_BYTES_MAX_BEFORE_LOGIN)
    if found is None:
        return 0
    packet, position = found
    if not isinstance(packet, Connect):
        raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "MQTT-3.1.0-1", "the first packet is no CONNECT")
    connection.level = packet.level
    connecting.connect(connection, packet)
    return position


def _next(connection: MqttConnection, data: bytes, position: int, end: int) -> int:
    """Handle the packet at `position`; where the next one begins, -1 when it isn't all there."""
    kind = data[position] >> 4
    packet_max = (
        connection.settings.packet_bytes_max if connection.client is not None else PACKET_BYTES_MAX_BEFORE_LOGIN
    )
    if connection.client is not None and holds(connection, kind):
        return hold(connection, data, position, end)
    if kind == versions.PUBLISH:
        if connection.client is None:
            raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "4.12", "a PUBLISH before the login is through")
        peeked = peek_publish(data, position, end, connection.level, packet_max)
        if peeked is None:
            return -1
        flags, topic, packet_id, properties, payload_at, packet_end = peeked
        connection.world.publish_received += 1
        publish(connection, flags, topic, packet_id, properties, data[payload_at:packet_end])
        return packet_end
    found = decode(data, position, end, connection.level, packet_max)
    if found is None:
        return -1
    _packet(connection, found[0])
    return found[1]


def _packet(connection: MqttConnection, packet: Packet) -> None:
    """Handle any packet but PUBLISH."""
    check_from_client(packet, connection.level)
    if isinstance(packet, Auth):
        connecting.authenticate_further(connection, packet)
        return
    if isinstance(packet, Disconnect):
        disconnected(connection, packet)
        return
    if connection.client is None:
        raise ProtocolViolation(
            reason_codes.PROTOCOL_ERROR, "MQTT-3.1.2-30", "the login isn't through: only AUTH is allowed"
        )
    if isinstance(packet, PubAck):
        acknowledged(connection, packet.packet_id, packet.reason_code)
    elif isinstance(packet, PubRec):
        received(connection, packet)
    elif isinstance(packet, PubRel):
        released(connection, packet)
    elif isinstance(packet, PubComp):
        completed(connection, packet)
    elif isinstance(packet, PingReq):
        connection.outbox.write(PINGRESP)
        connection.world.answers_sent += 1
    elif isinstance(packet, Subscribe):
        subscribing.subscribe(connection, packet)
    elif isinstance(packet, Unsubscribe):
        subscribing.unsubscribe(connection, packet)
    else:
        raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "MQTT-3.1.0-2", "a second CONNECT")
