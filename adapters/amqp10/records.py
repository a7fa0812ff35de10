"""Messages as the records of streams, which are messages of AMQP 1.0 (core.streams.form).

The table of docs/conversions.md says how, and where the message was published to stands in the annotations x-exchange
and x-routing-key, as in RabbitMQ.  What AMQP 0-9-1 knows and AMQP 1.0 doesn't (tables in headers, say) would be lost by
that, so a message of which something would be carries its properties as they are, in an annotation of Warren's own; so
does one with more in front of its body than is decoded as a whole.

Messages of a stream are much alike.  What stands in front of the body of the last one that was written, or read, is
remembered, so that one which is the same up to its body is not looked into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10 import kept
from warren.adapters.amqp10.codec.decoding import decode, map_entries
from warren.adapters.amqp10.codec.encoding import described, encode, map_of
from warren.adapters.amqp10.codec.errors import PeerMistake, Undecodable
from warren.adapters.amqp10.codec.sections import DATA_LONG, DATA_SHORT, MESSAGE_ANNOTATIONS, Section, sections_of
from warren.adapters.amqp10.codec.values import Symbol
from warren.adapters.amqp10.fields import fields_of
from warren.adapters.amqp10.reading import AMQP_TYPE, data_head, read_body, read_message
from warren.adapters.amqp10.writing import body_head, parts_of
from warren.core.errors import MalformedField
from warren.core.messages.internal_headers import without_internal
from warren.core.messages.properties import Properties, encode_properties
from warren.core.streams.form import Record

if TYPE_CHECKING:
    from warren.adapters.amqp10.codec.values import Value
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.selectors.fields import Fields

PROPERTIES: Final = "x-opt-warren-properties"
"""The properties of AMQP 0-9-1 as they are."""

EXCHANGE: Final = "x-exchange"
ROUTING_KEY: Final = "x-routing-key"

_OWN: Final = {encode(key): str(key) for name in (PROPERTIES, EXCHANGE, ROUTING_KEY) for key in (Symbol(name), name)}

SHORT_BYTES_MAX: Final = 0xFF
"""Of a data section in its short form."""

_NO_PROPERTIES: Final = encode_properties()


class RecordForm:
    """See the head of this file."""

    def __init__(self) -> None:
        self._written_as: tuple[bytes, bytes] | None = None
        self._written = b""
        self._read_as = b""
        self._read: Record | None = None

    def encode(self, queue: Queue, message: Message) -> bytes:
        """A message that is published to this stream, as a record."""
        front, footer = self._parts(queue, message)
        return front + message.body + footer

    def front(self, queue: Queue, message: Message) -> bytes:
        """What stands in front of the body of this message and those like it; empty where that isn't all there is."""
        front, footer = self._parts(queue, message)
        return b"" if footer or not _is_usual(message) else front

    def _parts(self, queue: Queue, message: Message) -> tuple[bytes, bytes]:
        """What stands in front of the body's content, and behind it."""
        properties = message.properties
        known = (message.address.encoded, properties.raw)
        if known == self._written_as:
            return self._written + data_head(message.body_size), b""
        front, footer = parts_of(queue, message, redelivered=False)
        head = body_head(message)
        if kept.BARE not in (properties.headers or {}):
            front = _with_what_is_lost(front, message, head + message.body)
            if not footer and _is_usual(message):
                self._written_as, self._written = known, front
        return front + head, footer

    def fields(self, record: bytes, now_ms: int) -> Fields:
        """What a selector may look at in a record; nothing in one that nobody can read."""
        return fields_of(record, now_ms)

    def decode(self, record: bytes) -> Record:
        """The message of a record; one that nobody can read has the record itself as its body."""
        content_at = self._content_of_known(record)
        if content_at and self._read is not None:
            known = self._read
            return Record(known.exchange, known.routing_key, known.properties, record[content_at:], content_at)
        try:
            return self._decode(record)
        except (PeerMistake, ValueError):
            return Record(None, None, _NO_PROPERTIES, record)

    def _content_of_known(self, record: bytes) -> int:
        """Where the body's content begins in a record that is as the last one up to there; 0 for any other."""
        at = len(self._read_as)
        if not at or not record.startswith(self._read_as):
            return 0
        begin = record[at : at + 4]
        if begin == DATA_SHORT and len(record) > at + 4:
            content_at, size = at + 5, record[at + 4]
        elif begin == DATA_LONG:
            content_at, size = at + 8, int.from_bytes(record[at + 4 : at + 8], "big")
            if size <= SHORT_BYTES_MAX:
                # It isn't the shortest form, and is to come back as it is.
                return 0
        else:
            return 0
        return content_at if content_at + size == len(record) else 0

    def _decode(self, record: bytes) -> Record:
        sections = sections_of(record, section_bytes_max=len(record))
        annotations = _own_annotations(record, sections)
        properties = _exact(annotations)
        if properties is None:
            incoming = read_message(record)
            body = incoming.body
            is_usual = kept.BODY not in incoming.kept and kept.FOOTER not in incoming.kept
            properties = incoming.properties.with_header_entries(incoming.kept, (PROPERTIES,))
        else:
            body, is_usual = read_body(record, sections)
        made = Record(
            _text(annotations.get(EXCHANGE)),
            _text(annotations.get(ROUTING_KEY)),
            properties,
            body,
            len(record) - len(body) if is_usual else 0,
        )
        self._read = None
        self._read_as = b""
        if is_usual:
            self._read_as = record[: len(record) - len(body) - len(data_head(len(body)))]
            self._read = made
        return made


def _is_usual(message: Message) -> bool:
    """True where the body is written as one data section in its shortest form, whatever is in it."""
    properties = message.properties
    return properties.type != AMQP_TYPE and kept.BODY not in (properties.headers or {})


def _with_what_is_lost(front: bytes, message: Message, body: bytes) -> bytes:
    """What stands in front of the body, with the properties beside it where reading it would give others."""
    visible = without_internal(message.properties)
    try:
        if read_message(front + body).properties.raw == visible.raw:
            return front
    except Undecodable:
        pass
    parts = []
    for section in sections_of(front, section_bytes_max=len(front)):
        if section.code == MESSAGE_ANNOTATIONS:
            entries = _annotations_beside(front, section, message)
            entries += [encode(Symbol(PROPERTIES)), encode(visible.raw)]
            parts.append(described(MESSAGE_ANNOTATIONS, map_of(entries)))
        else:
            parts.append(front[section.at : section.end])
    return b"".join(parts)


def _annotations_beside(front: bytes, section: Section, message: Message) -> list[bytes]:
    """The annotations that are written beside the properties, encoded: of very many none but the broker's own."""
    try:
        found, _ = decode(front, section.value_at, section.end)
    except Undecodable:
        address = message.address
        found = {Symbol(EXCHANGE): address.exchange, Symbol(ROUTING_KEY): address.routing_key}
    assert isinstance(found, dict)
    return [encode(each) for pair in found.items() for each in pair]


def _own_annotations(record: bytes, sections: list[Section]) -> dict[str, Value]:
    """The annotations that a record is read by.  The others aren't decoded, whatever there is of them."""
    found: dict[str, Value] = {}
    for section in sections:
        if section.code == MESSAGE_ANNOTATIONS:
            for key, at, end in map_entries(record, section.value_at, section.end):
                name = _OWN.get(key)
                if name is not None:
                    found[name], _ = decode(record, at, end)
    return found


def _exact(annotations: dict[str, Value]) -> Properties | None:
    """The properties that a message carries as they are; None where it has none, or what it has are none."""
    raw = annotations.get(PROPERTIES)
    if not isinstance(raw, bytes):
        return None
    try:
        return without_internal(Properties.parse(raw))
    except MalformedField:
        return None


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) else None
