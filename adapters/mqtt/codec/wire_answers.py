"""PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT and AUTH between bytes and objects (MQTT 5 3.4 to 3.7, 3.14, 3.15).

All are a reason code with properties, the first four behind a packet identifier.  In MQTT 5 what is usual may be left
out from the end: no properties, and then a reason code of 0.  In MQTT 3 there is neither, and no AUTH.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from warren.adapters.mqtt.codec import clauses, reason_codes, versions, writer
from warren.adapters.mqtt.codec.errors import ProtocolViolation
from warren.adapters.mqtt.codec.packets import Auth, Disconnect, PubAck, PubComp, PubRec, PubRel
from warren.adapters.mqtt.codec.properties import Properties
from warren.adapters.mqtt.codec.reader import Reader
from warren.adapters.mqtt.codec.wire_properties import read_properties, write_properties

PublishAnswer: TypeAlias = PubAck | PubRec | PubRel | PubComp

_classes: Final[dict[int, type[PubAck] | type[PubRec] | type[PubRel] | type[PubComp]]] = {
    versions.PUBACK: PubAck,
    versions.PUBREC: PubRec,
    versions.PUBREL: PubRel,
    versions.PUBCOMP: PubComp,
}

PUBREL_FLAGS: Final = 0x02
"""The reserved bits of PUBREL's first byte (MQTT-3.6.1-1)."""


def read_publish_answer(reader: Reader, packet: int) -> PublishAnswer:
    """The PUBACK, PUBREC, PUBREL or PUBCOMP (`packet` says which) that `reader` stands at the body of."""
    packet_id = reader.packet_id(clauses.PUBLISH_ACK_ID)
    if reader.position == reader.end:
        return _classes[packet](packet_id)
    code, properties = _read_outcome(reader, packet, clauses.PUBLISH_ACK_CODE[packet])
    return _classes[packet](packet_id, code, properties)


def write_publish_answer(answer: PublishAnswer, packet: int, level: int) -> bytes:
    """One of the four as bytes; in MQTT 3 its identifier alone."""
    flags = PUBREL_FLAGS if packet == versions.PUBREL else 0
    packet_id = writer.packet_id(answer.packet_id)
    if level != versions.V5:
        return bytes((packet << 4 | flags, 2)) + packet_id
    outcome = _written_outcome(answer.reason_code, answer.properties, packet)
    return writer.packet(packet << 4 | flags, packet_id + outcome)


def read_disconnect(reader: Reader) -> Disconnect:
    """The DISCONNECT that `reader` stands at the body of."""
    if reader.position == reader.end:
        return Disconnect()
    return Disconnect(*_read_outcome(reader, versions.DISCONNECT, clauses.DISCONNECT_CODE))


def write_disconnect(disconnect: Disconnect, level: int) -> bytes:
    """A DISCONNECT as bytes; in MQTT 3 it says nothing."""
    if level != versions.V5:
        return bytes((versions.DISCONNECT << 4, 0))
    outcome = _written_outcome(disconnect.reason_code, disconnect.properties, versions.DISCONNECT)
    return writer.packet(versions.DISCONNECT << 4, outcome)


def read_auth(reader: Reader) -> Auth:
    """The AUTH that `reader` stands at the body of.

    Without a body it is a success without properties (3.15.2.1); with one, it names the authentication method.
    """
    if reader.position == reader.end:
        return Auth()
    auth = Auth(*_read_outcome(reader, versions.AUTH, clauses.AUTH_CODE))
    if "authentication_method" not in auth.properties:
        raise ProtocolViolation(
            reason_codes.PROTOCOL_ERROR, clauses.AUTH_METHOD, "an AUTH without an authentication method"
        )
    return auth


def write_auth(auth: Auth, level: int) -> bytes:
    """An AUTH as bytes; ValueError in MQTT 3, and without a method unless there is nothing to say at all."""
    if level != versions.V5:
        raise ValueError("there is no AUTH in MQTT 3")
    if "authentication_method" not in auth.properties and (auth.reason_code or auth.properties):
        raise ValueError("an AUTH without an authentication method")
    return writer.packet(versions.AUTH << 4, _written_outcome(auth.reason_code, auth.properties, versions.AUTH))


def _read_outcome(reader: Reader, packet: int, clause: str) -> tuple[int, Properties]:
    """Reason code and properties, to the end of the packet; there are none in MQTT 3."""
    if reader.level != versions.V5:
        reader.finish()
    code = reader.byte()
    properties: Properties = {}
    if reader.position < reader.end:
        properties = read_properties(reader, packet)
        reader.finish()
    if code not in reason_codes.ALLOWED[packet]:
        raise ProtocolViolation(
            reason_codes.PROTOCOL_ERROR,
            clause,
            f"{versions.TYPE_NAMES[packet]} can't carry the reason code 0x{code:02X}",
        )
    return code, properties


def _written_outcome(code: int, properties: Properties, packet: int) -> bytes:
    if code not in reason_codes.ALLOWED[packet]:
        raise ValueError(f"{versions.TYPE_NAMES[packet]} can't carry the reason code 0x{code:02X}")
    if properties:
        return bytes((code,)) + write_properties(properties, packet)
    return bytes((code,)) if code else b""
