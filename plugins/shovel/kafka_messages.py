"""How a message is Kafka's, and a record of Kafka's a message (docs/shovel.md, "Kafka").

Properties are headers, content type and encoding under the names that they have in HTTP, the others with `amqp-` before
them, in small letters; headers of applications keep their names, as texts.  A record's topic is its routing key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from warren.adapters.session.field_text import text_of
from warren.core.messages.field_table import Typed
from warren.core.messages.properties import Properties, encode_properties
from warren.plugins.shovel.http_messages import PROPERTY_HEADERS
from warren.plugins.shovel.mqtt_ends import NAMES, topic_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.plugins.bridging.ends import Arrived

HEADERS: Final[Mapping[str, str]] = {
    "content_type": "content-type",
    "content_encoding": "content-encoding",
    **{name: header.lower() for name, header in PROPERTY_HEADERS.items()},
}
"""Property to header."""

NUMBERS: Final = frozenset({"priority", "delivery_mode", "timestamp"})
TEXT_BYTES_MAX: Final = 255
"""Properties and routing keys are shortstrs (AMQP 0-9-1 4.2.5.3)."""

TOPIC_CHARACTERS_MAX: Final = 249
PERSISTENT: Final = 2

_fields = re.compile(r"\{(topic|routing_key|exchange|message_id)\}")
_not_of_topics = re.compile(r"[^A-Za-z0-9._-]")


class KafkaMessage:
    """A record, as AMQP has it.  source_id: which it is of all records of its cluster."""

    __slots__ = ("body", "exchange", "offset", "partition", "properties", "routing_key", "source_id", "topic")

    def __init__(self, record: Any, cluster: str) -> None:
        self.topic: str = record.topic()
        self.partition: int = record.partition()
        self.offset: int = record.offset()
        self.exchange = NAMES.exchange
        self.routing_key = self.topic
        self.body: bytes = record.value() or b""
        self.properties = _properties(record, self.topic, self.partition, self.offset)
        self.source_id = f"{cluster} {self.topic} {self.partition} {self.offset}"


def topic_for(template: str, message: Arrived, exchange: str, routing_key: str, properties: Properties) -> str:
    """A record's topic; what no topic may have in it is written as `_`."""
    if "{" not in template:
        return template
    filled = _filled(template, message, exchange, routing_key, properties)
    return _not_of_topics.sub("_", filled.replace("/", "."))[:TOPIC_CHARACTERS_MAX] or "_"


def key_for(template: str, message: Arrived, exchange: str, routing_key: str, properties: Properties) -> bytes | None:
    """A record's key, which its partition follows from; None for an empty one, and for any partition."""
    filled = template
    if "{" in template:
        filled = _filled(template, message, exchange, routing_key, properties)
    return filled.encode("utf-8", "surrogateescape") or None


def headers_for(properties: Properties) -> list[tuple[str, bytes]]:
    """A record's headers."""
    found = []
    for name, header in HEADERS.items():
        value = getattr(properties, name)
        if value is not None:
            found.append((header, str(value).encode("utf-8", "surrogateescape")))
    taken = {header for header, _ in found}
    for name, entry in (properties.headers or {}).items():
        if name not in taken:
            found.append((name, text_of(entry).encode("utf-8", "surrogateescape")))
    return found


def _filled(template: str, message: Arrived, exchange: str, routing_key: str, properties: Properties) -> str:
    own: Mapping[str, Callable[[], str]] = {
        "topic": lambda: topic_of(message, routing_key),
        "routing_key": lambda: routing_key,
        "exchange": lambda: exchange,
        "message_id": lambda: properties.message_id or "",
    }
    return _fields.sub(lambda found: own[found[1]](), template)


def _properties(record: Any, topic: str, partition: int, offset: int) -> Properties:
    fields: dict[str, Any] = {"delivery_mode": PERSISTENT}
    headers: dict[str, Any] = {
        "kafka-topic": topic,
        "kafka-partition": partition,
        "kafka-offset": Typed("l", offset),
    }
    key = record.key()
    if key is not None:
        headers["kafka-key"] = _decoded(key)
    if record.value() is None:
        headers["kafka-null"] = True
    kind, at_ms = record.timestamp()
    if kind and at_ms > 0:
        fields["timestamp"] = at_ms // 1000
    names = {header: name for name, header in HEADERS.items()}
    for name, value in record.headers() or ():
        _take_header(name, value, names.get(name), fields, headers)
    return encode_properties(**fields, headers=headers)


def _take_header(
    name: str, value: bytes | None, of: str | None, fields: dict[str, Any], headers: dict[str, Any]
) -> None:
    found = None if value is None else _decoded(value)
    if of is not None and isinstance(found, str):
        if of in NUMBERS:
            if found.isascii() and found.isdigit() and int(found[:20]) <= (255 if of != "timestamp" else 2**62):
                fields[of] = int(found)
                return
        elif len(found.encode("utf-8", "surrogateescape")) <= TEXT_BYTES_MAX:
            fields[of] = found
            return
    if len(name.encode("utf-8", "surrogateescape")) <= TEXT_BYTES_MAX:
        headers[name] = found


def _decoded(value: Sequence[int] | bytes | str) -> str | bytes:
    """Text, where it is some."""
    if isinstance(value, str):
        return value
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        return bytes(value)
