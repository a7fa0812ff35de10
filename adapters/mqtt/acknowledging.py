"""What the client says of messages under way: PUBACK, PUBREC, PUBREL and PUBCOMP (MQTT 5 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.packets import PubComp, PubRec, PubRel
from warren.adapters.mqtt.codec.short_answers import PUBCOMP, PUBREL, short_answer
from warren.adapters.mqtt.outflow import window_opened

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection


def acknowledged(connection: MqttConnection, packet_id: int, reason_code: int) -> None:
    """PUBACK."""
    outgoing = connection.session.outgoing.get(packet_id)
    if outgoing is None:
        return
    if outgoing.qos != 1:
        raise ProtocolViolation(
            reason_codes.PROTOCOL_ERROR, "4.3.3", f"PUBACK for the packet identifier {packet_id}, which has QoS 2"
        )
    if reason_code >= reason_codes.FAILURE and outgoing.queue is not None and outgoing.message is not None:
        outgoing.queue.discard(outgoing.message)
        outgoing.queue = None
    connection.session.acknowledge(packet_id)
    window_opened(connection)


def received(connection: MqttConnection, packet: PubRec) -> None:
    """PUBREC, answered by PUBREL unless it says no."""
    session = connection.session
    outgoing = session.outgoing.get(packet.packet_id)
    if outgoing is not None and outgoing.qos != 2:
        raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "4.3.2", f"PUBREC for {packet.packet_id}, which has QoS 1")
    if packet.reason_code >= reason_codes.FAILURE:
        if outgoing is not None:
            session.acknowledge(packet.packet_id)
            window_opened(connection)
        return
    outgoing = session.release(packet.packet_id)
    if outgoing is None and connection.level == versions.V5:
        connection.send(PubRel(packet.packet_id, reason_codes.PACKET_IDENTIFIER_NOT_FOUND))
    else:
        stored = outgoing is not None and session.stores
        connection.world.answers_sent += 1
        connection.after_flush.send(short_answer(PUBREL, packet.packet_id), stored=stored)


def released(connection: MqttConnection, packet: PubRel) -> None:
    """PUBREL: the packet identifier of a message that came is free again.

    PUBCOMP waits for the disk also where there is none such: it may have been released on an earlier connection, and
    a client that uses it again must not find it taken after a crash.
    """
    session = connection.session
    answer: bytes | None = short_answer(PUBCOMP, packet.packet_id)
    if not session.forget_inbound(packet.packet_id) and connection.level == versions.V5:
        answer = connection.encoded(PubComp(packet.packet_id, reason_codes.PACKET_IDENTIFIER_NOT_FOUND))
    if answer is not None:
        connection.world.answers_sent += 1
        connection.after_flush.send(answer, stored=session.stores)


def completed(connection: MqttConnection, packet: PubComp) -> None:
    """PUBCOMP: the packet identifier of a message that went is free again."""
    if connection.session.complete(packet.packet_id) is not None:
        window_opened(connection)
