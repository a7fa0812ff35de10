"""What a selector may look at in a message of a queue, whatever protocol it was published by.

The names are those of AMQP 1.0, and the values what a receiver of AMQP 1.0 would see (docs/conversions.md):

    a name alone, or application_properties.NAME     the header of that name
    properties.message_id, correlation_id, ...       the property; creation_time in milliseconds, user_id as binary
    header.durable, priority, ttl                    delivery_mode 2, priority (4 if nobody says), expiration

Headers of the broker's own are hidden.  What a protocol keeps with a message as it came (AMQP 1.0 does) says more than
the properties that were made of it, so who can read that makes it known by `read_kept`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from warren.core.messages.internal_headers import is_internal
from warren.core.messages.timestamp import Timestamp
from warren.core.selectors.fields import Fields

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message

PRIORITY_DEFAULT: Final = 4
"""AMQP 1.0, 3.2.1."""

_PLAIN: Final = (
    "message_id",
    "correlation_id",
    "reply_to",
    "content_type",
    "content_encoding",
)
"""Properties that have the same name in AMQP 1.0."""

_NONE: Final[dict[str, object]] = {}

Read = Callable[[bytes, int], Fields]
"""(what is kept, the time in milliseconds since 1970) -> its fields."""

_loaders: Final[dict[str, Callable[[], Read]]] = {}
_readers: Final[dict[str, Read]] = {}


def read_kept(header: str, load: Callable[[], Read]) -> None:
    """Have the properties of messages with this header of the broker's own read from it.

    load: gives what reads it, once there is such a message and a selector.
    """
    _loaders[header] = load


def fields_of_message(message: Message, now_ms: int) -> Fields:
    """The fields of a message.  now_ms: the time of the question, in milliseconds since 1970."""
    properties = message.properties
    headers = (properties.headers or {}) if properties.has_headers else {}
    found: Fields | None = None
    for header in _loaders:
        kept = headers.get(header)
        if isinstance(kept, bytes):
            found = _reader(header)(kept, now_ms)
    if found is None:
        sections: dict[str, object] = {}
        for name in properties.names:
            if name in _PLAIN:
                sections["properties." + name] = getattr(properties, name)
        user_id, timestamp, group_id = properties.user_id, properties.timestamp, properties.app_id
        if user_id is not None:
            sections["properties.user_id"] = user_id.encode("utf-8", "surrogateescape")
        if timestamp is not None:
            sections["properties.creation_time"] = timestamp * 1000
        if group_id is not None:
            sections["properties.group_id"] = group_id
        applications: Mapping[str, object] = _visible(headers) if headers else _NONE
    else:
        sections, applications = dict(found.sections), found.applications
    sections["header.durable"] = properties.persistent
    priority, expiration = properties.priority, properties.expiration
    sections["header.priority"] = PRIORITY_DEFAULT if priority is None else priority
    if expiration is not None and expiration.isascii() and expiration.isdigit():
        sections["header.ttl"] = int(expiration)
    return Fields(sections, applications, now_ms)


def _reader(header: str) -> Read:
    reader = _readers.get(header)
    if reader is None:
        reader = _readers[header] = _loaders[header]()
    return reader


def _visible(headers: Mapping[str, FieldValue]) -> Mapping[str, object]:
    """The headers that consumers see, with times in milliseconds, as AMQP 1.0 has them."""
    return {
        name: int(value) * 1000 if isinstance(value, Timestamp) else value
        for name, value in headers.items()
        if not is_internal(name)
    }
