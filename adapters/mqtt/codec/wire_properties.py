"""A packet's properties between bytes and a dict (MQTT 5 2.2.2): a length, then identifier and value of each."""

from __future__ import annotations

from typing import Any, cast

from warren.adapters.mqtt.codec import clauses, reason_codes, versions, writer
from warren.adapters.mqtt.codec.errors import MalformedPacket, PacketError, ProtocolViolation
from warren.adapters.mqtt.codec.properties import RULE_BY_IDENTIFIER, RULE_BY_NAME, WILL, Kind, Properties, PropertyRule
from warren.adapters.mqtt.codec.reader import Reader

_FLAG = Kind.FLAG
_TWO_BYTES = Kind.TWO_BYTES
_FOUR_BYTES = Kind.FOUR_BYTES
_VARIABLE = Kind.VARIABLE
_STRING = Kind.STRING
_BINARY = Kind.BINARY
_PAIR = Kind.PAIR
"""Globals, because looking up an enum's member costs more than reading a property's value."""

_METHOD_MISSING = "authentication data without an authentication method"


def read_properties(reader: Reader, packet: int) -> Properties:
    """The properties of a packet of type `packet` (or WILL), which begin where `reader` stands.

    MalformedPacket for what can't be read or has no place in such a packet, ProtocolViolation for what comes twice or
    is out of its bounds.
    """
    length = reader.variable()
    if not length:
        return {}
    if length > reader.remaining:
        raise reader.too_short()
    section = Reader(reader.data, reader.position, reader.position + length, reader.level)
    reader.position = section.end
    values: dict[str, Any] = {}
    while section.position < section.end:
        _read_one(section, packet, values)
    if "authentication_data" in values and "authentication_method" not in values:
        raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "3.1.2.11.10", _METHOD_MISSING)
    return cast(Properties, values)


def write_properties(properties: Properties, packet: int) -> bytes:
    """The properties as a packet of type `packet` (or WILL) carries them, behind their length.

    ValueError for a property that such a packet can't carry, or a value that is out of its bounds.
    """
    if not properties:
        return b"\0"
    if "authentication_data" in properties and "authentication_method" not in properties:
        raise ValueError(_METHOD_MISSING)
    body = b"".join(_written(name, value, packet) for name, value in properties.items())
    return writer.variable(len(body)) + body


def _read_one(section: Reader, packet: int, values: dict[str, Any]) -> None:
    identifier = section.variable()
    rule = RULE_BY_IDENTIFIER.get(identifier)
    if rule is None or packet not in rule.packets:
        raise MalformedPacket(reason_codes.MALFORMED_PACKET, clauses.PROPERTIES, _misplaced(identifier, rule, packet))
    value = _read_value(section, rule)
    if rule.is_repeatable and (packet != versions.SUBSCRIBE or rule.kind is _PAIR):
        values.setdefault(rule.name, []).append(value)
    elif rule.name in values:
        raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, rule.section, f"{rule.name} comes more than once")
    else:
        values[rule.name] = [value] if rule.is_repeatable else value


def _misplaced(identifier: int, rule: PropertyRule | None, packet: int) -> str:
    if rule is None:
        return f"there is no property {identifier}"
    return f"{rule.name} has no place in {_owner(packet)}"


def _owner(packet: int) -> str:
    return "a will" if packet == WILL else versions.TYPE_NAMES[packet]


def _read_value(section: Reader, rule: PropertyRule) -> Any:
    kind = rule.kind
    if kind is _PAIR:
        return section.text(), section.text()
    if kind is _STRING:
        text = section.text()
        if rule.name == "response_topic":
            _check_response_topic(text)
        return text
    if kind is _BINARY:
        return section.binary()
    number = _read_number(section, kind)
    if not rule.minimum <= number <= rule.maximum:
        raise _out_of_bounds(rule, number)
    if kind is _FLAG:
        return number == 1
    return number


def _read_number(section: Reader, kind: Kind) -> int:
    if kind is _FOUR_BYTES:
        return section.four_bytes()
    if kind is _TWO_BYTES:
        return section.two_bytes()
    if kind is _VARIABLE:
        return section.variable()
    return section.byte()


def _out_of_bounds(rule: PropertyRule, number: int) -> ProtocolViolation:
    return ProtocolViolation(rule.reason_code, rule.bounds_clause, f"{rule.name} may not be {number}")


def _check_response_topic(topic: str) -> None:
    if not topic:
        raise ProtocolViolation(reason_codes.PROTOCOL_ERROR, "MQTT-4.7.3-1", "the response topic is empty")
    if "+" in topic or "#" in topic:
        raise ProtocolViolation(
            reason_codes.PROTOCOL_ERROR, "MQTT-3.3.2-14", f"the response topic '{topic}' contains a wildcard"
        )


def _written(name: str, value: Any, packet: int) -> bytes:
    rule = RULE_BY_NAME.get(name)
    if rule is None or packet not in rule.packets:
        raise ValueError(f"{name} has no place in {_owner(packet)}")
    if not rule.is_repeatable:
        return bytes((rule.identifier,)) + _write_value(rule, value)
    if packet == versions.SUBSCRIBE and rule.kind is _VARIABLE and len(value) > 1:
        raise ValueError("a SUBSCRIBE has one subscription identifier at most")
    return b"".join(bytes((rule.identifier,)) + _write_value(rule, item) for item in value)


def _write_value(rule: PropertyRule, value: Any) -> bytes:
    kind = rule.kind
    if kind is _PAIR:
        return writer.text(value[0]) + writer.text(value[1])
    try:
        if kind is _STRING:
            if rule.name == "response_topic":
                _check_response_topic(value)
            return writer.text(value)
        if kind is _BINARY:
            return writer.binary(value)
    except PacketError as error:
        raise ValueError(error.text) from None
    if not rule.minimum <= value <= rule.maximum:
        raise ValueError(f"{rule.name} may not be {value}")
    if kind is _FOUR_BYTES:
        return writer.number(value, 4)
    if kind is _TWO_BYTES:
        return writer.two_bytes(value)
    if kind is _VARIABLE:
        return writer.variable(value)
    return writer.number(int(value), 1)
