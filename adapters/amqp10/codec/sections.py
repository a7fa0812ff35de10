"""The sections of a message (part 3, 3.2): where each of them is, without decoding what nobody asks for.

    header | delivery annotations | message annotations | properties | application properties | body | footer
    `--------------- for those on the way -------------'`------------------ the bare message ---------------'

The body is one value, or any number of data sections, or of sequences.  A bare message is nobody's to change, so it is
kept as the bytes that came.  A message without a body is taken, as Qpid Proton sends such.
"""

from __future__ import annotations

from typing import Final

from warren.adapters.amqp10.codec.composites import Composite, Place, declare
from warren.adapters.amqp10.codec.decoding import decode, skip
from warren.adapters.amqp10.codec.errors import Level, Undecodable
from warren.adapters.amqp10.codec.values import Symbol, ULong

HEADER: Final = 0x70
DELIVERY_ANNOTATIONS: Final = 0x71
MESSAGE_ANNOTATIONS: Final = 0x72
PROPERTIES: Final = 0x73
APPLICATION_PROPERTIES: Final = 0x74
DATA: Final = 0x75
SEQUENCE: Final = 0x76
VALUE: Final = 0x77
FOOTER: Final = 0x78

SECTION_BYTES_MAX: Final = 128 * 1024
"""Of header, annotations, properties and application properties each, which are decoded as a whole: as much as all
properties of a message have in AMQP 0-9-1, a frame."""

DATA_SHORT: Final = b"\x00\x53\x75\xa0"
DATA_LONG: Final = b"\x00\x53\x75\xb0"

_NAMES: Final[dict[int, str]] = {
    HEADER: "header",
    DELIVERY_ANNOTATIONS: "delivery-annotations",
    MESSAGE_ANNOTATIONS: "message-annotations",
    PROPERTIES: "properties",
    APPLICATION_PROPERTIES: "application-properties",
    DATA: "data",
    SEQUENCE: "amqp-sequence",
    VALUE: "amqp-value",
    FOOTER: "footer",
}

_BY_SYMBOL: Final[dict[str, int]] = {
    "amqp:header:list": HEADER,
    "amqp:delivery-annotations:map": DELIVERY_ANNOTATIONS,
    "amqp:message-annotations:map": MESSAGE_ANNOTATIONS,
    "amqp:properties:list": PROPERTIES,
    "amqp:application-properties:map": APPLICATION_PROPERTIES,
    "amqp:data:binary": DATA,
    "amqp:amqp-sequence:list": SEQUENCE,
    "amqp:amqp-value:*": VALUE,
    "amqp:footer:map": FOOTER,
}

_KINDS: Final[dict[int, frozenset[int]]] = {
    HEADER: frozenset({0x45, 0xC0, 0xD0}),
    DELIVERY_ANNOTATIONS: frozenset({0xC1, 0xD1}),
    MESSAGE_ANNOTATIONS: frozenset({0xC1, 0xD1}),
    PROPERTIES: frozenset({0x45, 0xC0, 0xD0}),
    APPLICATION_PROPERTIES: frozenset({0xC1, 0xD1}),
    DATA: frozenset({0xA0, 0xB0}),
    SEQUENCE: frozenset({0x45, 0xC0, 0xD0}),
    FOOTER: frozenset({0xC1, 0xD1}),
}
"""Format codes that the section may have; an amqp-value has any."""


class MessageHeader:
    """3.2.1."""

    def __init__(self) -> None:
        self.durable = False
        self.priority: int | None = None
        self.ttl: int | None = None
        self.first_acquirer = False
        self.delivery_count = 0


class MessageProperties:
    """3.2.4; ids are a ULong, a UUID, bytes or a str."""

    def __init__(self) -> None:
        self.message_id: object = None
        self.user_id: bytes | None = None
        self.to: object = None
        self.subject: str | None = None
        self.reply_to: object = None
        self.correlation_id: object = None
        self.content_type: str | None = None
        self.content_encoding: str | None = None
        self.absolute_expiry_time: int | None = None
        self.creation_time: int | None = None
        self.group_id: str | None = None
        self.group_sequence: int | None = None
        self.reply_to_group_id: str | None = None


declare(
    Composite(
        "header",
        HEADER,
        MessageHeader,
        (
            Place("durable", "boolean"),
            Place("priority", "ubyte"),
            Place("ttl", "uint"),
            Place("first_acquirer", "boolean"),
            Place("delivery_count", "uint"),
        ),
    )
)
declare(
    Composite(
        "properties",
        PROPERTIES,
        MessageProperties,
        (
            Place("message_id", "message-id"),
            Place("user_id", "binary"),
            Place("to", "string"),
            Place("subject", "string"),
            Place("reply_to", "string"),
            Place("correlation_id", "message-id"),
            Place("content_type", "symbol"),
            Place("content_encoding", "symbol"),
            Place("absolute_expiry_time", "timestamp"),
            Place("creation_time", "timestamp"),
            Place("group_id", "string"),
            Place("group_sequence", "uint"),
            Place("reply_to_group_id", "string"),
        ),
    )
)


class Section:
    """One section: its code, where it begins with its descriptor, where the value does, and where both end."""

    __slots__ = ("at", "code", "end", "value_at")

    def __init__(self, code: int, at: int, value_at: int, end: int) -> None:
        self.code = code
        self.at = at
        self.value_at = value_at
        self.end = end


def sections_of(data: bytes, *, in_order: bool = True, section_bytes_max: int = SECTION_BYTES_MAX) -> list[Section]:
    """The sections of a message, checked for order, number and kind; Undecodable, which ends a link.

    in_order: whether they have to be; RabbitMQ's client for Python puts a body of null in front of its requests.
    section_bytes_max: of each in front of the body; for who doesn't decode them as a whole it may be more than usual.
    """
    found: list[Section] = []
    at, before = 0, 0
    while at < len(data):
        section = _section(data, at)
        code = section.code
        repeats = code == before and code in (DATA, SEQUENCE)
        if in_order and not repeats and (code <= before or (DATA <= before <= VALUE and code <= VALUE)):
            raise _wrong(f"the section {_NAMES[code]} behind {_NAMES[before]}", "3.2")
        if code < DATA and section.end - section.at > section_bytes_max:
            raise _wrong(
                f"{_NAMES[code]} of {section.end - section.at} bytes; at most {section_bytes_max} are taken", "3.2"
            )
        found.append(section)
        at, before = section.end, code
    return found


def name_of(code: int) -> str:
    """The name of a section."""
    return _NAMES[code]


def _section(data: bytes, at: int) -> Section:
    end = len(data)
    start = at
    if data[at] != 0 or at + 3 > end:
        raise _wrong("what is no section where one should begin", "3.2")
    if data[at + 1] == 0x53:
        code = data[at + 2]
        at += 3
    else:
        try:
            descriptor, at = decode(data, at + 1, end)
        except Undecodable as error:
            raise _wrong(error.text, error.clause) from None
        code = 0
        if isinstance(descriptor, Symbol):
            code = _BY_SYMBOL.get(descriptor, 0)
        elif isinstance(descriptor, ULong) and descriptor in _NAMES:
            code = int(descriptor)
    if code not in _NAMES:
        raise _wrong("a descriptor that is none of a section", "3.2")
    if at >= end:
        raise _wrong(f"the section {_NAMES[code]} without its value", "3.2")
    kinds = _KINDS.get(code)
    if kinds is not None and data[at] not in kinds:
        raise _wrong(f"the section {_NAMES[code]} as a value of the code 0x{data[at]:02x}", f"3.2.{code - HEADER + 1}")
    try:
        return Section(code, start, at, skip(data, at, end))
    except Undecodable as error:
        raise _wrong(f"{_NAMES[code]}: {error.text}", error.clause) from None


def _wrong(text: str, clause: str) -> Undecodable:
    return Undecodable(text, clause=clause, level=Level.LINK)
