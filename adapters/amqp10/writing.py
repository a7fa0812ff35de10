"""A message of the broker's as AMQP 1.0: the sections in front of the body's content, and those behind it.

What was published by AMQP 1.0 has its bare message as it came (kept.py); of anything else it is made from the
properties, by the table of docs/conversions.md.  Header and annotations are made anew either way, as they say what has
become of the message since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from warren.adapters.amqp10 import kept
from warren.adapters.amqp10.addresses import encoded
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.decoding import decode
from warren.adapters.amqp10.codec.encoding import EMPTY_LIST, described, encode, map_of
from warren.adapters.amqp10.codec.errors import Undecodable
from warren.adapters.amqp10.codec.sections import (
    APPLICATION_PROPERTIES,
    DATA,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    VALUE,
    MessageHeader,
    MessageProperties,
    sections_of,
)
from warren.adapters.amqp10.codec.values import (
    Array,
    Byte,
    Float,
    Int,
    Milliseconds,
    Short,
    Symbol,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)
from warren.adapters.amqp10.reading import (
    AMQP_TYPE,
    BASIC_TYPE,
    COPIES,
    DEATHS,
    QUEUES,
    REPLY_TOPIC_HEADER,
    TOPICS,
    URN,
    data_head,
)
from warren.core.messages.checks import DELIVERY_COUNTS
from warren.core.messages.field_table import Typed
from warren.core.messages.internal_headers import internal_headers
from warren.core.messages.shown import shown_properties
from warren.core.messages.timestamp import Timestamp
from warren.core.queues.stream.arguments import OFFSET

if TYPE_CHECKING:
    from warren.core.messages.field_table import Encodable, FieldValue
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue

_NO_PROPERTIES: Final = described(PROPERTIES, EMPTY_LIST)

_DEATH_HEADERS: Final = {
    "x-death": DEATHS,
    "x-first-death-exchange": "x-first-death-exchange",
    "x-first-death-queue": "x-first-death-queue",
    "x-first-death-reason": "x-first-death-reason",
    "x-last-death-exchange": "x-last-death-exchange",
    "x-last-death-queue": "x-last-death-queue",
    "x-last-death-reason": "x-last-death-reason",
}
"""What the broker says of the deaths of a message, and the annotations for it."""

_TRANSLATED: Final = frozenset({*_DEATH_HEADERS, "x-message-id", "x-correlation-id", REPLY_TOPIC_HEADER})
"""Headers that aren't annotations of the same name."""

_NUMBERS: Final[dict[str, Callable[[Any], Value]]] = {
    "B": UByte,
    "u": UShort,
    "i": UInt,
    "b": Byte,
    "s": Short,
    "I": Int,
    "f": Float,
}
"""Classes of numbers by 0-9-1's letters for them; any other is a long or a double."""

_UINT_MOST: Final = 0xFFFF_FFFF


def parts_of(queue: Queue, message: Message, *, redelivered: bool) -> tuple[bytes, bytes]:
    """What stands in front of the body's content, but for the beginning of a data section, and what stands behind it.

    Whether a data section has to begin there, and how, says `body_head`.
    """
    properties = message.properties
    headers = properties.headers or {}
    front = _header(queue, message, redelivered=redelivered) + _annotations(queue, message, redelivered=redelivered)
    bare = headers.get(kept.BARE)
    footer = headers.get(kept.FOOTER)
    front += bare if isinstance(bare, bytes) else _bare(properties)
    return front, footer if isinstance(footer, bytes) else b""


def body_head(message: Message) -> bytes:
    """What stands between that and the content."""
    properties = message.properties
    if properties.has_headers:
        body = (properties.headers or {}).get(kept.BODY)
        if isinstance(body, bytes):
            return body
    if properties.type == AMQP_TYPE and is_body(message.body):
        return b""
    return data_head(message.body_size)


def header_of(properties: Properties) -> MessageHeader:
    """The header that says what these properties do."""
    made = MessageHeader()
    made.durable = properties.persistent
    made.priority = properties.priority
    expiration = properties.expiration
    if expiration is not None and expiration.isascii() and expiration.isdigit() and int(expiration) <= _UINT_MOST:
        made.ttl = int(expiration)
    return made


def _header(queue: Queue, message: Message, *, redelivered: bool) -> bytes:
    made = header_of(message.properties)
    made.first_acquirer = not redelivered
    if redelivered:
        made.delivery_count = queue.failures(message)
    return encode_composite(made)


def _annotations(queue: Queue, message: Message, *, redelivered: bool) -> bytes:
    properties = message.properties
    headers = properties.headers or {}
    entries: dict[bytes, bytes] = {}
    raw = headers.get(kept.ANNOTATIONS)
    if isinstance(raw, bytes):
        found, _ = decode(raw)
        if isinstance(found, dict):
            entries = {encode(key): encode(value) for key, value in found.items()}
    elif kept.BARE not in headers:
        entries = annotations_of_headers(properties.typed_headers())
    if properties.type is not None and properties.type != AMQP_TYPE and kept.BARE not in headers:
        entries[encode(Symbol(BASIC_TYPE))] = encode(properties.type)
    address = message.address
    entries[encode(Symbol("x-exchange"))] = encode(address.exchange)
    entries[encode(Symbol("x-routing-key"))] = encode(address.routing_key)
    if OFFSET in headers:
        entries[encode(Symbol(OFFSET))] = encode(value_of(headers[OFFSET]))
    for name, annotation in _DEATH_HEADERS.items():
        if name in headers:
            value = headers[name]
            told = _deaths(value) if name == "x-death" else value_of(value)
            entries[encode(Symbol(annotation))] = encode(told)
    if redelivered and queue.counts_deliveries:
        counted = shown_properties(queue, message, redelivered=True).headers or {}
        for name in DELIVERY_COUNTS:
            if name in counted:
                entries[encode(Symbol(name))] = encode(value_of(counted[name]))
    return described(MESSAGE_ANNOTATIONS, map_of([each for pair in entries.items() for each in pair]))


def annotations_of_headers(headers: Mapping[str, Encodable]) -> dict[bytes, bytes]:
    """Headers that begin with `x-`, as annotations.  headers: typed, so that numbers keep their width."""
    internal = internal_headers()
    entries: dict[bytes, bytes] = {}
    for name, value in headers.items():
        if name == "CC" and isinstance(value, list):
            entries[encode(Symbol(COPIES))] = encode(value_of(value))
        elif name.startswith("x-") and name.isascii() and name not in internal and name not in _TRANSLATED:
            entries[encode(Symbol(name))] = encode(value_of(value))
    return entries


def _bare(properties: Properties) -> bytes:
    """Properties and application properties of a message of another protocol."""
    bare = encoded_properties(message_properties(properties))
    entries = application_properties(properties)
    return bare + described(APPLICATION_PROPERTIES, map_of(entries)) if entries else bare


def encoded_properties(made: MessageProperties) -> bytes:
    """The section, if there is anything in it."""
    encoded = encode_composite(made)
    return b"" if encoded == _NO_PROPERTIES else encoded


def message_properties(properties: Properties) -> MessageProperties:
    """The properties section of a message of another protocol."""
    headers = properties.headers or {}
    made = MessageProperties()
    made.message_id = _id_of(properties.message_id, headers.get("x-message-id"))
    made.correlation_id = _id_of(properties.correlation_id, headers.get("x-correlation-id"))
    user_id = properties.user_id
    made.user_id = None if user_id is None else user_id.encode("utf-8", "surrogateescape")
    made.reply_to = _reply_to(properties.reply_to, headers.get(REPLY_TOPIC_HEADER))
    made.content_type = properties.content_type
    made.content_encoding = properties.content_encoding
    made.creation_time = None if properties.timestamp is None else Milliseconds(_ms(properties.timestamp))
    made.group_id = properties.app_id
    return made


def application_properties(properties: Properties) -> list[bytes]:
    """Its application properties: keys and values by turns, encoded."""
    internal = internal_headers()
    return [
        each
        for name, value in properties.typed_headers().items()
        if not name.startswith("x-") and name not in internal and name != "CC" and _is_simple(value)
        for each in (encode(name), encode(value_of(value)))
    ]


def _is_simple(value: Encodable) -> bool:
    """False for what an application property can't be (3.2.5)."""
    return not isinstance(value, dict | list)


def _id_of(text: str | None, header: FieldValue) -> Value:
    if text is not None:
        if text.startswith(URN):
            try:
                return UUID(text[len(URN) :])
            except ValueError:
                return text
        return text
    if isinstance(header, int) and not isinstance(header, bool) and header >= 0:
        return ULong(header)
    return header if isinstance(header, str | bytes) else None


def _reply_to(name: str | None, topic: FieldValue) -> str | None:
    if name is not None:
        return name if name.startswith("/") else QUEUES + encoded(name)
    return TOPICS + encoded(topic) if isinstance(topic, str) else None


def _deaths(value: FieldValue) -> Value:
    """x-death as RabbitMQ tells it here: an array of maps, the latest death first."""
    deaths: list[Value] = []
    for death in value if isinstance(value, list) else []:
        if not isinstance(death, dict):
            continue
        told: dict[Value, Value] = {}
        for name, entry in death.items():
            if name == "time":
                seconds = entry if isinstance(entry, int) else 0
                told[Symbol("first-time")] = told[Symbol("last-time")] = Milliseconds(_ms(seconds))
            elif name == "count":
                told[Symbol("count")] = ULong(entry if isinstance(entry, int) and entry >= 0 else 1)
            elif name == "reason":
                told[Symbol("reason")] = Symbol(str(entry))
            elif name == "routing-keys" and isinstance(entry, list):
                told[Symbol("routing-keys")] = Array([str(each) for each in entry], 0xB1)
            elif name.isascii():
                told[Symbol(name)] = value_of(entry)
        deaths.append(told)
    return Array(deaths, 0xD1)


def value_of(value: Encodable) -> Value:
    """A value of AMQP 0-9-1 as one of 1.0, a number as one of the same width where that is known."""
    if isinstance(value, Typed):
        kind = _NUMBERS.get(value.tag)
        return value.value if kind is None else kind(value.value)
    if isinstance(value, Timestamp):
        return Milliseconds(_ms(value))
    if isinstance(value, Mapping):
        return {name: value_of(each) for name, each in value.items()}
    if isinstance(value, list):
        return [value_of(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    return str(value)


def _ms(seconds: int) -> int:
    """Milliseconds, as far as a timestamp holds them."""
    return min(seconds * 1000, 2**63 - 1)


def is_body(data: bytes) -> bool:
    """Whether these bytes are the body of a message of AMQP 1.0, as a publisher says by the type."""
    try:
        return bool(data) and all(DATA <= section.code <= VALUE for section in sections_of(data))
    except Undecodable:
        return False
