"""What the client says of messages under way: PUBACK, PUBREC, PUBREL and PUBCOMP (MQTT 5 4.3).

    messages to the client      QoS 1: PUBLISH, PUBACK <-       QoS 2: PUBLISH, PUBREC <-, PUBREL, PUBCOMP <-
    messages from it            QoS 2: PUBLISH <-, PUBREC, PUBREL <-, PUBCOMP

`<-` comes from the client, and is handled here but for PUBLISH.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.packets import PubComp, PubRec, PubRel
from warren.adapters.mqtt.codec.short_answers import (
    ANSWER_BYTES,
    PUBACK,
    PUBCOMP,
    PUBREL,
    peek_short_answer,
    short_answer,
)
from warren.adapters.mqtt.sessions.rejecting import reject

if TYPE_CHECKING:
    from warren.adapters.mqtt.inflow import Inflow
    from warren.adapters.mqtt.outflow import Outflow


def acknowledged(outflow: Outflow, packet_id: int, reason_code: int) -> None:
    """PUBACK; ProtocolViolation for a message of QoS 2."""
    session = outflow.session
    outgoing = session.find_outgoing(packet_id)
    if outgoing is None:
        return
    if outgoing.qos != 1:
        raise ProtocolViolation(
            reason_codes.PROTOCOL_ERROR, "4.3.3", f"PUBACK for the packet identifier {packet_id}, which has QoS 2"
        )
    if reason_code >= reason_codes.FAILURE:
        _refused(outflow, packet_id)
        return
    session.acknowledge(packet_id)
    outflow.window_opened()


def acknowledged_row(outflow: Outflow, data: bytes, position: int, end: int) -> int:
    """PUBACKs of four bytes, one behind the other from `position` on: how many; 0 for what is cut, or longer, or wrong.

    Raises as `acknowledged`.
    """
    count = 0
    session = outflow.session
    while position < end and data[position] == PUBACK:
        taken = session.acknowledge_row(data, position, end)
        if taken:
            outflow.window_opened(taken)
            count += taken
            position += taken * ANSWER_BYTES
            continue
        packet_id = peek_short_answer(data, position, end)
        if not packet_id:
            break
        acknowledged(outflow, packet_id, 0)
        count += 1
        position += ANSWER_BYTES
    return count


def received(outflow: Outflow, packet: PubRec) -> None:
    """PUBREC, answered by PUBREL unless it says no; ProtocolViolation for a message of QoS 1."""
    session, answers = outflow.session, outflow.answers
    outgoing = session.outgoing.get(packet.packet_id)
    if outgoing is not None and outgoing.qos != 2:
        raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "4.3.2", f"PUBREC for {packet.packet_id}, which has QoS 1")
    if packet.reason_code >= reason_codes.FAILURE:
        _refused(outflow, packet.packet_id)
        return
    outgoing = session.release(packet.packet_id)
    if outgoing is None and outflow.level == versions.V5:
        answers.send(PubRel(packet.packet_id, reason_codes.PACKET_IDENTIFIER_NOT_FOUND))
    else:
        stored = outgoing is not None and session.stores
        answers.send_in_order(short_answer(PUBREL, packet.packet_id), stored=stored)


def _refused(outflow: Outflow, packet_id: int) -> None:
    """The client doesn't take a message, of whatever QoS: a dead letter, if its queue has such."""
    if reject(outflow.session, packet_id) is not None:
        outflow.counts.returned += 1
        outflow.window_opened()


def released(inflow: Inflow, packet: PubRel) -> None:
    """PUBREL: the packet identifier of a message that came is free again.

    PUBCOMP waits for the disk also where there is none such: it may have been released on an earlier connection, and
    a client that uses it again must not find it taken after a crash.
    """
    session, answers = inflow.session, inflow.answers
    answer: bytes | None = short_answer(PUBCOMP, packet.packet_id)
    if not session.forget_inbound(packet.packet_id) and inflow.agreed.level == versions.V5:
        answer = answers.encoded(PubComp(packet.packet_id, reason_codes.PACKET_IDENTIFIER_NOT_FOUND))
    if answer is not None:
        answers.send_in_order(answer, stored=session.stores)


def completed(outflow: Outflow, packet: PubComp) -> None:
    """PUBCOMP: the packet identifier of a message that went is free again, or one that was in doubt."""
    if outflow.session.complete(packet.packet_id) is not None:
        outflow.window_opened()
    else:
        outflow.freed(packet.packet_id)
