"""Packets to bytes: the fixed header is written with the rest by whoever knows the packet (MQTT 5 2.1, chapter 3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
)
from warren.adapters.mqtt.codec.properties import Properties
from warren.adapters.mqtt.codec.publish import write_publish
from warren.adapters.mqtt.codec.wire_answers import write_auth, write_disconnect, write_publish_answer
from warren.adapters.mqtt.codec.wire_connect import write_connack, write_connect
from warren.adapters.mqtt.codec.wire_subscribe import write_suback, write_subscribe, write_unsuback, write_unsubscribe

PINGREQ: Final = bytes((versions.PINGREQ << 4, 0))
PINGRESP: Final = bytes((versions.PINGRESP << 4, 0))
"""They have nothing behind the fixed header (3.12, 3.13)."""

_answers: Final = {
    PubAck: versions.PUBACK,
    PubRec: versions.PUBREC,
    PubRel: versions.PUBREL,
    PubComp: versions.PUBCOMP,
}


def encode(packet: Packet, level: int) -> bytes:
    """The packet as a connection of `level` carries it.  CONNECT is written in its own level.

    What MQTT 3 has no field for is left out, and its codes take the place of MQTT 5's.  ValueError for a packet that
    can't be written: fields out of range, strings with U+0000 or lone surrogates, an AUTH in MQTT 3.
    """
    if isinstance(packet, PubAck | PubRec | PubRel | PubComp):
        return write_publish_answer(packet, _answers[type(packet)], level)
    if isinstance(packet, Publish):
        return write_publish(packet, level)
    if isinstance(packet, SubAck):
        return write_suback(packet, level)
    if isinstance(packet, UnsubAck):
        return write_unsuback(packet, level)
    if isinstance(packet, ConnAck):
        return write_connack(packet, level)
    if isinstance(packet, Disconnect):
        return write_disconnect(packet, level)
    if isinstance(packet, Auth):
        return write_auth(packet, level)
    return _encode_request(packet, level)


def _encode_request(packet: Packet, level: int) -> bytes:
    if isinstance(packet, Connect):
        return write_connect(packet)
    if isinstance(packet, Subscribe):
        return write_subscribe(packet, level)
    if isinstance(packet, Unsubscribe):
        return write_unsubscribe(packet, level)
    return PINGREQ if isinstance(packet, PingReq) else PINGRESP


def encode_within(
    packet: ConnAck | PubAck | PubRec | PubRel | PubComp | SubAck | UnsubAck | Disconnect | Auth,
    level: int,
    packet_bytes_max: int,
) -> bytes | None:
    """The packet in at most `packet_bytes_max` bytes, if need be without its user properties and its reason string.

    None when it is too long even so.  The rule for every packet that may carry the two (MQTT-3.2.2-19 and -20,
    MQTT-3.4.2-2 and -3, and so on): they may not make it longer than what the receiver takes.
    """
    encoded = encode(packet, level)
    properties: Properties = {**packet.properties}
    for name in ("user_properties", "reason_string"):
        if len(encoded) <= packet_bytes_max:
            break
        if name == "user_properties":
            properties.pop("user_properties", None)
        else:
            properties.pop("reason_string", None)
        encoded = encode(replace(packet, properties=properties), level)
    return encoded if len(encoded) <= packet_bytes_max else None
