"""A message of AMQP 1.0 as the broker keeps it: properties, body, and what of it other protocols have no room for.

The table of docs/conversions.md is done here in one direction and in writing.py in the other.  The bare message isn't
changed: what stands before the body stays with the message as the bytes that came (kept.py), and the body is the
content of its data section, so that consumers of AMQP 0-9-1 and others get what they expect.  Any other body is the
sections as they are, and says so by the type `amqp-1.0`, as in RabbitMQ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from warren.adapters.amqp10 import kept
from warren.adapters.amqp10.addresses import TOPIC_EXCHANGE, encoded
from warren.adapters.amqp10.codec.composites import decode_composite
from warren.adapters.amqp10.codec.decoding import decode
from warren.adapters.amqp10.codec.errors import INVALID_FIELD, Level, PeerMistake, Undecodable
from warren.adapters.amqp10.codec.sections import (
    APPLICATION_PROPERTIES,
    DATA,
    DATA_LONG,
    DATA_SHORT,
    FOOTER,
    HEADER,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    VALUE,
    MessageHeader,
    MessageProperties,
    Section,
    sections_of,
)
from warren.adapters.amqp10.codec.values import (
    Byte,
    Decimal,
    Described,
    Float,
    Int,
    Milliseconds,
    Short,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)
from warren.core.messages.field_table import SHORT_STRING_BYTES_MAX, Typed
from warren.core.messages.internal_headers import internal_headers
from warren.core.messages.properties import PropertyChanges, encode_properties
from warren.core.messages.timestamp import Timestamp

if TYPE_CHECKING:
    from warren.core.messages.field_table import Encodable
    from warren.core.messages.properties import Properties

AMQP_TYPE: Final = "amqp-1.0"
"""The type of a message whose body is sections of AMQP 1.0."""

URN: Final = "urn:uuid:"

REPLY_TOPIC_HEADER: Final = "x-reply-to-topic"
"""MQTT's response topic, as a routing key; RabbitMQ's name."""

QUEUES: Final = "/queues/"
TOPICS: Final = f"/exchanges/{TOPIC_EXCHANGE}/"

BASIC_TYPE: Final = "x-basic-type"
COPIES: Final = "x-cc"

DELIVERY_TIME: Final = "x-opt-delivery-time"
DELIVERY_DELAY: Final = "x-opt-delivery-delay"
"""Annotations by which a publisher, or a receiver that gives a message back, says when it is to be delivered."""

DEATHS: Final = "x-opt-deaths"
_BROKERS_OWN: Final = frozenset({"x-exchange", "x-routing-key", DEATHS, "x-death"})
"""Annotations that say what the broker has done with a message: its word alone."""

_TAGS: Final[dict[type, str]] = {
    UByte: "B",
    UShort: "u",
    UInt: "i",
    Byte: "b",
    Short: "s",
    Int: "I",
    int: "l",
}

_LONG_MOST: Final = 2**63 - 1


class Incoming:
    """A message that came.

    properties: as consumers of any protocol may see them.  kept: headers of kept.py.  to, subject: of the message.
    delivery_time, delivery_delay: when it is to be delivered, in milliseconds since 1970 or from now on.
    """

    __slots__ = ("body", "delivery_delay", "delivery_time", "kept", "properties", "subject", "to")

    def __init__(self) -> None:
        self.properties: Properties = encode_properties()
        self.kept: dict[str, bytes] = {}
        self.body = b""
        self.to: str | None = None
        self.subject: str | None = None
        self.delivery_time: int | None = None
        self.delivery_delay: int | None = None

    def due_at_ms(self, now_ms: int) -> int | None:
        """When it is to be delivered; None for at once."""
        at_ms = self.delivery_time
        if at_ms is None and self.delivery_delay is not None:
            at_ms = now_ms + self.delivery_delay
        return at_ms if at_ms is not None and at_ms > now_ms else None


def read_message(data: bytes) -> Incoming:
    """The message whose sections these are; Undecodable, which ends the link, when they are none."""
    sections = sections_of(data)
    by_code = {section.code: section for section in reversed(sections)}
    try:
        header: MessageHeader = _list(data, by_code.get(HEADER)) or MessageHeader()
        properties: MessageProperties | None = _list(data, by_code.get(PROPERTIES))
        annotations = _map(data, by_code.get(MESSAGE_ANNOTATIONS))
        applications = _map(data, by_code.get(APPLICATION_PROPERTIES))
    except Undecodable as error:
        error.level = Level.LINK
        raise
    made = Incoming()
    if annotations:
        made.delivery_time = delivery_ms(annotations, DELIVERY_TIME)
        made.delivery_delay = delivery_ms(annotations, DELIVERY_DELAY)
    is_data = _take_body(made, data, sections)
    _keep(made, data, by_code)
    fields = _fields_of(header)
    headers = _headers_of(annotations, applications)
    if properties is not None:
        made.to = properties.to if isinstance(properties.to, str) else None
        made.subject = properties.subject
        _take_properties(properties, fields, headers)
    basic_type = headers.pop(BASIC_TYPE, None)
    if not is_data:
        fields["type"] = AMQP_TYPE
    elif isinstance(basic_type, str):
        fields["type"] = _short(basic_type)
    if headers:
        fields["headers"] = headers
    try:
        made.properties = encode_properties(**cast("PropertyChanges", fields))
    except ValueError as unfit:
        raise Undecodable(str(unfit), clause="3.2", level=Level.LINK) from None
    return made


def read_body(data: bytes, sections: list[Section]) -> tuple[bytes, bool]:
    """The body of a message with these sections, as other protocols know it, and whether a plain one ends the message.

    For who knows the properties; nothing in front of the body is decoded.
    """
    made = Incoming()
    _take_body(made, data, sections)
    return made.body, kept.BODY not in made.kept and sections[-1].code == DATA


def delivery_ms(annotations: dict[Value, Value], name: str) -> int | None:
    """A time or a delay among annotations; PeerMistake for what is no number of milliseconds."""
    value = annotations.get(name)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise PeerMistake(INVALID_FIELD, f"the annotation {name} is a number of milliseconds", Level.LINK, clause="3.2.3")


def _take_body(made: Incoming, data: bytes, sections: list[Section]) -> bool:
    """Whether the body is the content of data sections, as other protocols know it."""
    body = [section for section in sections if DATA <= section.code <= VALUE]
    if not body:
        made.kept[kept.BODY] = b""
        return True
    if len(body) > 1 or body[0].code != DATA:
        made.body = data[body[0].at : body[-1].end]
        made.kept[kept.BODY] = b""
        return False
    section = body[0]
    content_at = section.value_at + (2 if data[section.value_at] == 0xA0 else 5)
    made.body = data[content_at : section.end]
    begin = data[section.at : content_at]
    if begin != data_head(len(made.body)):
        made.kept[kept.BODY] = begin
    return True


def data_head(size: int) -> bytes:
    """What stands before the content of a data section, in its shortest form."""
    return DATA_SHORT + bytes((size,)) if size <= 0xFF else DATA_LONG + size.to_bytes(4, "big")


def _keep(made: Incoming, data: bytes, by_code: dict[int, Section]) -> None:
    bare = b"".join(
        [data[by_code[code].at : by_code[code].end] for code in (PROPERTIES, APPLICATION_PROPERTIES) if code in by_code]
    )
    annotations = by_code.get(MESSAGE_ANNOTATIONS)
    footer = by_code.get(FOOTER)
    if annotations is not None:
        made.kept[kept.ANNOTATIONS] = data[annotations.value_at : annotations.end]
    if footer is not None:
        made.kept[kept.FOOTER] = data[footer.at : footer.end]
    if bare or made.kept:
        made.kept[kept.BARE] = bare


def _fields_of(header: MessageHeader) -> dict[str, object]:
    fields: dict[str, object] = {}
    if header.durable:
        fields["delivery_mode"] = 2
    if header.priority is not None:
        fields["priority"] = header.priority
    if header.ttl is not None:
        fields["expiration"] = str(header.ttl)
    return fields


def _headers_of(annotations: dict[Value, Value], applications: dict[Value, Value]) -> dict[str, Encodable]:
    headers = headers_of_annotations(annotations)
    internal = internal_headers()
    for key, value in applications.items():
        if isinstance(key, str) and key not in internal and key not in ("CC", "BCC"):
            _add(headers, key, value)
    return headers


def headers_of_annotations(annotations: dict[Value, Value]) -> dict[str, Encodable]:
    """The headers that annotations are in AMQP 0-9-1."""
    headers: dict[str, Encodable] = {}
    internal = internal_headers()
    for key, value in annotations.items():
        if not isinstance(key, str) or not key.startswith("x-") or key in _BROKERS_OWN or key in internal:
            continue
        if key == COPIES:
            if isinstance(value, list):
                headers["CC"] = [each for each in value if isinstance(each, str)]
        else:
            _add(headers, key, value)
    return headers


def _add(headers: dict[str, Encodable], key: str, value: Value) -> None:
    """An entry of the headers, unless 0-9-1 has nothing that it could be."""
    if len(key.encode()) <= SHORT_STRING_BYTES_MAX and not isinstance(value, Decimal | Described):
        headers[key] = field_of(value)


def field_of(value: Value) -> Encodable:
    """A value as one of AMQP 0-9-1's; what there is nothing for within others becomes nothing."""
    kind: type = type(value)  # asked first: of what it knows for an int, the compiler makes a plain one
    if value is None or isinstance(value, bool | Float):
        return Typed("f", value) if isinstance(value, Float) else value
    if isinstance(value, Milliseconds):
        return Timestamp(value // 1000) if value >= 0 else Typed("l", int(value))
    if isinstance(value, ULong):
        return Typed("l", int(value)) if value <= _LONG_MOST else str(int(value))
    if isinstance(value, int):
        return Typed(_TAGS.get(kind, "l"), int(value))
    if isinstance(value, str):
        return str(value)
    if isinstance(value, UUID):
        return URN + str(value)
    if isinstance(value, Decimal | Described):
        return None
    if isinstance(value, dict):
        return {
            key: field_of(each)
            for key, each in value.items()
            if isinstance(key, str) and len(key.encode()) <= SHORT_STRING_BYTES_MAX
        }
    if isinstance(value, list):
        return [field_of(each) for each in value]
    return value


def _take_properties(properties: MessageProperties, fields: dict[str, object], headers: dict[str, Encodable]) -> None:
    _take_id("message_id", "x-message-id", properties.message_id, fields, headers)
    _take_id("correlation_id", "x-correlation-id", properties.correlation_id, fields, headers)
    if properties.user_id is not None:
        fields["user_id"] = _short(properties.user_id.decode("utf-8", "surrogateescape"))
    fields["content_type"] = _short(properties.content_type)
    fields["content_encoding"] = _short(properties.content_encoding)
    fields["app_id"] = _short(properties.group_id)
    if properties.creation_time is not None and properties.creation_time >= 0:
        fields["timestamp"] = properties.creation_time // 1000
    reply_to = properties.reply_to
    if isinstance(reply_to, str):
        if reply_to.startswith(TOPICS):
            headers[REPLY_TOPIC_HEADER] = name_of(reply_to[len(TOPICS) :])
        else:
            fields["reply_to"] = _short(name_of(reply_to[len(QUEUES) :]) if reply_to.startswith(QUEUES) else reply_to)


def _take_id(name: str, header: str, value: object, fields: dict[str, object], headers: dict[str, Encodable]) -> None:
    """An id: text and UUIDs as the property, what else there is, and what is too long, as a header."""
    if isinstance(value, UUID):
        fields[name] = URN + str(value)
    elif isinstance(value, str) and _short(value) is not None:
        fields[name] = value
    elif isinstance(value, str | bytes):
        headers[header] = value
    elif isinstance(value, ULong):
        headers[header] = field_of(value)


def name_of(part: str) -> str:
    """A part of an address as the name that it stands for; as it is where it is none."""
    from urllib.parse import unquote

    name = unquote(part, errors="surrogateescape")
    return name if encoded(name) == part or name == part else part


def _short(text: str | None) -> str | None:
    """A text that fits into a short string of AMQP 0-9-1, or None."""
    if text is None or len(text.encode("utf-8", "surrogateescape")) > SHORT_STRING_BYTES_MAX:
        return None
    return str(text)


def _list(data: bytes, section: Section | None) -> Any:
    """A header, or properties, whichever form of descriptor they have."""
    if section is None:
        return None
    whole = b"\x00\x53%c" % section.code + data[section.value_at : section.end]
    return decode_composite(whole, 0, len(whole))[0]


def _map(data: bytes, section: Section | None) -> dict[Value, Value]:
    if section is None:
        return {}
    value, _ = decode(data, section.value_at, section.end)
    return value if isinstance(value, dict) else {}
