"""SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK between bytes and objects (MQTT 5 3.8 to 3.11)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, TypeVar

from warren.adapters.mqtt.codec import clauses, reason_codes, versions, writer
from warren.adapters.mqtt.codec.clauses import Clause
from warren.adapters.mqtt.codec.errors import PacketError
from warren.adapters.mqtt.codec.packets import SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe
from warren.adapters.mqtt.codec.properties import Properties
from warren.adapters.mqtt.codec.reader import Reader
from warren.adapters.mqtt.codec.topics import SHARE_PREFIX, SHARE_WORD, check_filter, parse_filter, usual_filters
from warren.adapters.mqtt.codec.wire_properties import read_properties, write_properties

Read = TypeVar("Read")

QOS_MASK: Final = 0x03
NO_LOCAL: Final = 0x04
RETAIN_AS_PUBLISHED: Final = 0x08
RETAIN_HANDLING_SHIFT: Final = 4
RETAIN_HANDLING_MASK: Final = 0x30
RESERVED_V5: Final = 0xC0
RESERVED_V3: Final = 0xFC

FILTERS_PER_SLICE: Final = 1024
"""Filters that are read before others may have a turn: a microsecond each, at most three."""

HEADER_FLAGS: Final = 0x02
"""The reserved bits of SUBSCRIBE's and UNSUBSCRIBE's first byte (MQTT-3.8.1-1, MQTT-3.10.1-1)."""


def _at_once(slices: Generator[None, None, Read]) -> Read:
    while True:
        try:
            next(slices)
        except StopIteration as end:
            result: Read = end.value
            return result


def read_subscribe(reader: Reader) -> Subscribe:
    """The SUBSCRIBE that `reader` stands at the body of.

    In MQTT 3 a filter that would be a bad shared one is only a filter with odd words: the session may refuse it alone.
    """
    return _at_once(read_subscribe_in_slices(reader))


def read_subscribe_in_slices(reader: Reader) -> Generator[None, None, Subscribe]:
    """The same for a packet that may be long: others may have a turn at each yield."""
    packet_id = reader.packet_id(clauses.PACKET_ID)
    properties = _read_properties(reader, versions.SUBSCRIBE)
    if reader.position == reader.end:
        raise reader.violation(clauses.SUBSCRIBE_EMPTY, "a SUBSCRIBE without a topic filter")
    subscriptions: list[Subscription] = []
    while reader.position < reader.end:
        if subscriptions:
            yield
        _read_some(reader, subscriptions)
    return Subscribe(packet_id, tuple(subscriptions), properties)


def _read_some(reader: Reader, subscriptions: list[Subscription]) -> None:
    """Read the next ones; those that are as most are, without a closer look."""
    raw: list[bytes] = []
    options: list[int] = []
    data, end, position = reader.data, reader.end, reader.position
    for _ in range(FILTERS_PER_SLICE):
        start = position + 2
        if start >= end:
            break
        stop = start + (data[position] << 8 | data[position + 1])
        if stop >= end or data[stop] >= QOS_MASK:
            break
        raw.append(data[start:stop])
        options.append(data[stop])
        position = stop + 1
    filters = usual_filters(raw)
    if filters:
        reader.position = position
        subscriptions += map(Subscription, filters, options)
        return
    for _ in range(FILTERS_PER_SLICE):
        if reader.position == reader.end:
            break
        subscriptions.append(_read_subscription(reader))


def _read_subscription(reader: Reader) -> Subscription:
    topic_filter = _read_filter(reader)
    options = reader.byte()
    if reader.level == versions.V3_1:
        options &= QOS_MASK  # the other bits have no meaning there
    if options & (RESERVED_V5 if reader.level == versions.V5 else RESERVED_V3):
        raise reader.malformed(clauses.SUBSCRIBE_RESERVED, "reserved bits of the subscription options are set")
    qos = options & QOS_MASK
    if qos == QOS_MASK:
        raise _bad_option(reader, clauses.SUBSCRIBE_QOS, "there is no QoS 3")
    if options & RETAIN_HANDLING_MASK == RETAIN_HANDLING_MASK:
        raise reader.violation(clauses.RETAIN_HANDLING, "there is no retain handling 3")
    no_local = bool(options & NO_LOCAL)
    if no_local and topic_filter.startswith(SHARE_PREFIX):
        raise reader.violation(clauses.SHARED_NO_LOCAL, "no local with a shared subscription")
    return Subscription(
        topic_filter,
        qos,
        no_local,
        bool(options & RETAIN_AS_PUBLISHED),
        (options & RETAIN_HANDLING_MASK) >> RETAIN_HANDLING_SHIFT,
    )


def _bad_option(reader: Reader, clause: Clause, text: str) -> Exception:
    """MQTT 3.1.1 calls a reserved QoS malformed, MQTT 5 a protocol error."""
    return reader.violation(clause, text) if reader.level == versions.V5 else reader.malformed(clause, text)


def _read_filter(reader: Reader) -> str:
    text = reader.text()
    if not text or "+" in text or "#" in text or text.startswith(SHARE_WORD):
        _check_filter(text, reader.level)
    return text


def _check_filter(text: str, level: int) -> None:
    if level == versions.V5 and text.startswith(SHARE_WORD):
        parse_filter(text, level)
    else:
        check_filter(text, level)


def _written_filter(text: str, level: int) -> bytes:
    try:
        _check_filter(text, level)
    except PacketError as error:
        raise ValueError(error.text) from None
    return writer.text(text)


def write_subscribe(subscribe: Subscribe, level: int) -> bytes:
    """A SUBSCRIBE as bytes; MQTT 3 has no options but the QoS."""
    if not subscribe.subscriptions:
        raise ValueError("a SUBSCRIBE without a topic filter")
    parts = [
        writer.packet_id(subscribe.packet_id),
        _written_properties(subscribe.properties, versions.SUBSCRIBE, level),
    ]
    for subscription in subscribe.subscriptions:
        parts += (_written_filter(subscription.filter, level), bytes((_options_of(subscription, level),)))
    return writer.packet(versions.SUBSCRIBE << 4 | HEADER_FLAGS, b"".join(parts))


def _options_of(subscription: Subscription, level: int) -> int:
    if not 0 <= subscription.qos <= 2 or not 0 <= subscription.retain_handling <= 2:
        raise ValueError(f"{subscription} has an option out of range")
    if level != versions.V5:
        return subscription.qos
    if subscription.no_local and subscription.filter.startswith(SHARE_PREFIX):
        raise ValueError("no local with a shared subscription")
    return (
        subscription.qos
        | (NO_LOCAL if subscription.no_local else 0)
        | (RETAIN_AS_PUBLISHED if subscription.retain_as_published else 0)
        | subscription.retain_handling << RETAIN_HANDLING_SHIFT
    )


def read_suback(reader: Reader) -> SubAck:
    """The SUBACK that `reader` stands at the body of."""
    packet_id = reader.packet_id(clauses.SUBSCRIBE_ACK_ID)
    properties = _read_properties(reader, versions.SUBACK)
    codes = reader.rest()
    if not codes:
        raise reader.violation(clauses.SUBACK_EMPTY, "a SUBACK without a code")
    allowed = reason_codes.ALLOWED[versions.SUBACK] if reader.level == versions.V5 else _subscribe_return_codes
    _check_codes(reader, codes, allowed, clauses.SUBACK_CODE)
    return SubAck(packet_id, tuple(codes), properties)


_subscribe_return_codes = frozenset({0, 1, 2, reason_codes.SUBSCRIBE_FAILURE_V3})


def write_suback(suback: SubAck, level: int) -> bytes:
    """A SUBACK as bytes; every failure is 0x80 in MQTT 3."""
    if not suback.reason_codes:
        raise ValueError("a SUBACK without a code")
    codes = suback.reason_codes
    if not reason_codes.ALLOWED[versions.SUBACK].issuperset(codes):
        raise ValueError(f"a SUBACK can't carry all of the codes {codes}")
    if level != versions.V5:
        codes = tuple(min(code, reason_codes.SUBSCRIBE_FAILURE_V3) for code in codes)
    body = writer.packet_id(suback.packet_id) + _written_properties(suback.properties, versions.SUBACK, level)
    return writer.packet(versions.SUBACK << 4, body + bytes(codes))


def read_unsubscribe(reader: Reader) -> Unsubscribe:
    """The UNSUBSCRIBE that `reader` stands at the body of."""
    return _at_once(read_unsubscribe_in_slices(reader))


def read_unsubscribe_in_slices(reader: Reader) -> Generator[None, None, Unsubscribe]:
    """The same for a packet that may be long: others may have a turn at each yield."""
    packet_id = reader.packet_id(clauses.PACKET_ID)
    properties = _read_properties(reader, versions.UNSUBSCRIBE)
    if reader.position == reader.end:
        raise reader.violation(clauses.UNSUBSCRIBE_EMPTY, "an UNSUBSCRIBE without a topic filter")
    filters: list[str] = []
    while reader.position < reader.end:
        if filters:
            yield
        _read_some_filters(reader, filters)
    return Unsubscribe(packet_id, tuple(filters), properties)


def _read_some_filters(reader: Reader, filters: list[str]) -> None:
    """As `_read_some`, without options."""
    raw: list[bytes] = []
    data, end, position = reader.data, reader.end, reader.position
    for _ in range(FILTERS_PER_SLICE):
        start = position + 2
        if start > end:
            break
        stop = start + (data[position] << 8 | data[position + 1])
        if stop > end:
            break
        raw.append(data[start:stop])
        position = stop
    usual = usual_filters(raw)
    if usual:
        reader.position = position
        filters += usual
        return
    for _ in range(FILTERS_PER_SLICE):
        if reader.position == reader.end:
            break
        filters.append(_read_filter(reader))


def write_unsubscribe(unsubscribe: Unsubscribe, level: int) -> bytes:
    """An UNSUBSCRIBE as bytes."""
    if not unsubscribe.filters:
        raise ValueError("an UNSUBSCRIBE without a topic filter")
    properties = _written_properties(unsubscribe.properties, versions.UNSUBSCRIBE, level)
    filters = b"".join(_written_filter(text, level) for text in unsubscribe.filters)
    body = writer.packet_id(unsubscribe.packet_id) + properties + filters
    return writer.packet(versions.UNSUBSCRIBE << 4 | HEADER_FLAGS, body)


def read_unsuback(reader: Reader) -> UnsubAck:
    """The UNSUBACK that `reader` stands at the body of; it has no codes in MQTT 3."""
    packet_id = reader.packet_id(clauses.SUBSCRIBE_ACK_ID)
    if reader.level != versions.V5:
        reader.finish()
        return UnsubAck(packet_id)
    properties = _read_properties(reader, versions.UNSUBACK)
    codes = reader.rest()
    if not codes:
        raise reader.violation(clauses.UNSUBACK_CODE, "an UNSUBACK without a code")
    _check_codes(reader, codes, reason_codes.ALLOWED[versions.UNSUBACK], clauses.UNSUBACK_CODE)
    return UnsubAck(packet_id, tuple(codes), properties)


def write_unsuback(unsuback: UnsubAck, level: int) -> bytes:
    """An UNSUBACK as bytes; without codes in MQTT 3."""
    packet_id = writer.packet_id(unsuback.packet_id)
    if level != versions.V5:
        return writer.packet(versions.UNSUBACK << 4, packet_id)
    if not unsuback.reason_codes or not reason_codes.ALLOWED[versions.UNSUBACK].issuperset(unsuback.reason_codes):
        raise ValueError(f"an UNSUBACK can't carry the codes {unsuback.reason_codes}")
    body = packet_id + write_properties(unsuback.properties, versions.UNSUBACK) + bytes(unsuback.reason_codes)
    return writer.packet(versions.UNSUBACK << 4, body)


def _check_codes(reader: Reader, codes: bytes, allowed: frozenset[int], clause: Clause) -> None:
    wrong = set(codes) - allowed
    if wrong:
        raise reader.violation(clause, f"there is no reason code 0x{min(wrong):02X} here")


def _read_properties(reader: Reader, packet: int) -> Properties:
    return read_properties(reader, packet) if reader.level == versions.V5 else {}


def _written_properties(properties: Properties, packet: int, level: int) -> bytes:
    return write_properties(properties, packet) if level == versions.V5 else b""
