"""CONNECT and CONNACK between bytes and objects (MQTT 5 3.1, 3.2).

CONNECT says which version the rest of the connection is in, so its own rules depend on what has been read of it.  MQTT
3.1 is read as liberally as it is written: bits without a meaning aren't looked at, and a user name that the flags
announce may be missing (3.1, "User name and password flags").
"""

from __future__ import annotations

from typing import Final

from warren.adapters.mqtt.codec import clauses, reason_codes, versions, writer
from warren.adapters.mqtt.codec.errors import PacketError, ProtocolViolation
from warren.adapters.mqtt.codec.packets import ConnAck, Connect, Will
from warren.adapters.mqtt.codec.properties import WILL, Properties
from warren.adapters.mqtt.codec.reader import Reader
from warren.adapters.mqtt.codec.topics import check_topic_name
from warren.adapters.mqtt.codec.wire_properties import read_properties, write_properties

RESERVED: Final = 0x01
CLEAN_START: Final = 0x02
WILL_FLAG: Final = 0x04
WILL_QOS_SHIFT: Final = 3
WILL_QOS_MASK: Final = 0x18
WILL_RETAIN: Final = 0x20
PASSWORD: Final = 0x40
USERNAME: Final = 0x80

BRIDGE: Final = 0x80
"""Set in the level of an MQTT 3 CONNECT by Mosquitto's bridges; not in any specification."""

SESSION_PRESENT: Final = 0x01

_levels = {(name, level): level for level, name in versions.PROTOCOL_NAMES.items()}


def read_connect(reader: Reader, flags: int) -> Connect:
    """The CONNECT that `reader` stands at the body of; flags: the lower half of its first byte.

    An error's `level` is set as soon as the version is known.
    """
    level, is_bridge = _read_level(reader)
    reader.level = level
    try:
        return _read_connect(reader, flags, level, is_bridge)
    except PacketError as error:
        error.level = level
        raise


def _read_level(reader: Reader) -> tuple[int, bool]:
    name = reader.text()
    if name not in versions.PROTOCOL_NAMES.values():
        raise _unsupported(clauses.PROTOCOL_NAME.v5, "the protocol's name is not MQTT", versions.UNKNOWN)
    number = reader.byte()
    is_bridge = number in (BRIDGE | versions.V3_1, BRIDGE | versions.V3_1_1)
    level = _levels.get((name, number & ~BRIDGE if is_bridge else number))
    if level is None:
        newest = versions.V5 if number > versions.V5 else versions.V3_1_1
        raise _unsupported(clauses.PROTOCOL_LEVEL.v5, f"there is no version {number} of {name}", newest)
    return level, is_bridge


def _unsupported(clause: str, text: str, level: int) -> ProtocolViolation:
    error = ProtocolViolation(reason_codes.UNSUPPORTED_PROTOCOL_VERSION, clause, text)
    error.level = level
    return error


def _read_connect(reader: Reader, header_flags: int, level: int, is_bridge: bool) -> Connect:
    flags = reader.byte()
    if level != versions.V3_1:
        if header_flags:
            raise reader.malformed(clauses.HEADER_FLAGS, "reserved bits of CONNECT's first byte are set")
        _check_flags(reader, flags)
    if flags & WILL_FLAG and flags & WILL_QOS_MASK == WILL_QOS_MASK:
        raise reader.malformed(clauses.WILL_QOS, "there is no QoS 3 for a will")
    if flags & PASSWORD and not flags & USERNAME and level != versions.V5:
        raise reader.violation(clauses.PASSWORD_WITHOUT_USERNAME, "a password without a user name")
    keep_alive_s = reader.two_bytes()
    properties = read_properties(reader, versions.CONNECT) if level == versions.V5 else Properties()
    client_id = reader.text()
    will = _read_will(reader, flags) if flags & WILL_FLAG else None
    username = reader.text() if _has(reader, flags & USERNAME) else None
    password = reader.binary() if _has(reader, flags & PASSWORD) else None
    reader.finish()
    clean_start = bool(flags & CLEAN_START)
    return Connect(client_id, level, clean_start, keep_alive_s, will, username, password, is_bridge, properties)


def _has(reader: Reader, flag: int) -> bool:
    """Whether a field is there: MQTT 3.1 lets the length decide against the flag."""
    return bool(flag) and (reader.level != versions.V3_1 or reader.remaining > 0)


def _check_flags(reader: Reader, flags: int) -> None:
    if flags & RESERVED:
        raise reader.malformed(clauses.CONNECT_RESERVED, "the reserved connect flag is set")
    if flags & WILL_FLAG:
        return
    if flags & WILL_QOS_MASK:
        raise reader.malformed(clauses.NO_WILL_QOS, "a QoS of the will without a will")
    if flags & WILL_RETAIN:
        raise reader.malformed(clauses.NO_WILL_RETAIN, "a will to retain without a will")


def _read_will(reader: Reader, flags: int) -> Will:
    properties = read_properties(reader, WILL) if reader.level == versions.V5 else Properties()
    topic = reader.text()
    check_topic_name(topic, reader.level)
    qos = (flags & WILL_QOS_MASK) >> WILL_QOS_SHIFT
    return Will(topic, reader.binary(), qos, bool(flags & WILL_RETAIN), properties)


def write_connect(connect: Connect) -> bytes:
    """A CONNECT as bytes, in its own version; ValueError when it isn't one."""
    level = connect.level
    if level not in versions.PROTOCOL_NAMES or (connect.is_bridge and level == versions.V5):
        raise ValueError(f"no CONNECT of level {level}, is_bridge {connect.is_bridge}")
    if connect.password is not None and connect.username is None and level != versions.V5:
        raise ValueError("MQTT 3 has no password without a user name")
    parts = [
        writer.text(versions.PROTOCOL_NAMES[level]),
        bytes((level | BRIDGE if connect.is_bridge else level, _flags_of(connect))),
        writer.two_bytes(connect.keep_alive_s),
        write_properties(connect.properties, versions.CONNECT) if level == versions.V5 else b"",
        writer.text(connect.client_id),
    ]
    if connect.will is not None:
        parts += _will_parts(connect.will, level)
    if connect.username is not None:
        parts.append(writer.text(connect.username))
    if connect.password is not None:
        parts.append(writer.binary(connect.password))
    return writer.packet(versions.CONNECT << 4, b"".join(parts))


def _flags_of(connect: Connect) -> int:
    flags = CLEAN_START if connect.clean_start else 0
    will = connect.will
    if will is not None:
        if not 0 <= will.qos <= 2:
            raise ValueError(f"there is no QoS {will.qos}")
        flags |= WILL_FLAG | will.qos << WILL_QOS_SHIFT | (WILL_RETAIN if will.retain else 0)
    if connect.username is not None:
        flags |= USERNAME
    if connect.password is not None:
        flags |= PASSWORD
    return flags


def _will_parts(will: Will, level: int) -> list[bytes]:
    if not will.topic or "+" in will.topic or "#" in will.topic:
        raise ValueError(f"'{will.topic}' is no topic name")
    parts = [write_properties(will.properties, WILL)] if level == versions.V5 else []
    return [*parts, writer.text(will.topic), writer.binary(will.payload)]


def read_connack(reader: Reader) -> ConnAck:
    """The CONNACK that `reader` stands at the body of."""
    level = reader.level
    acknowledge_flags = reader.byte()
    code = reader.byte()
    properties = read_properties(reader, versions.CONNACK) if level == versions.V5 else Properties()
    reader.finish()
    if level == versions.V3_1:
        acknowledge_flags = 0  # the byte is reserved and unused there
    if acknowledge_flags & ~SESSION_PRESENT:
        raise reader.malformed(clauses.CONNACK_FLAGS, "reserved acknowledge flags are set")
    allowed = code in reason_codes.ALLOWED[versions.CONNACK] if level == versions.V5 else code <= _return_code_max
    if not allowed:
        raise reader.violation(clauses.CONNACK_CODE, f"a CONNACK can't carry the code 0x{code:02X}")
    if acknowledge_flags and code:
        raise reader.violation(clauses.SESSION_PRESENT_REFUSED, "a session is present though the connection is refused")
    return ConnAck(code, bool(acknowledge_flags), properties)


_return_code_max = reason_codes.RETURN_CODE_MAX


def write_connack(connack: ConnAck, level: int) -> bytes:
    """A CONNACK as bytes; MQTT 5's reason codes become return codes in MQTT 3."""
    code = connack.reason_code
    if code and connack.session_present:
        raise ValueError("no session is present when the connection is refused")
    present = SESSION_PRESENT if connack.session_present and level != versions.V3_1 else 0
    if level != versions.V5:
        return writer.packet(versions.CONNACK << 4, bytes((present, reason_codes.connack_return_code(code))))
    if code not in reason_codes.ALLOWED[versions.CONNACK]:
        raise ValueError(f"a CONNACK can't carry the code 0x{code:02X}")
    body = bytes((present, code)) + write_properties(connack.properties, versions.CONNACK)
    return writer.packet(versions.CONNACK << 4, body)
