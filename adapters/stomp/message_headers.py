"""Headers of SEND to the properties of a message, and those to headers of MESSAGE (spec B.5, B.6).

Fourteen properties have a header of their own; every other header of SEND, but for `destination` and `persistent`,
becomes an entry of the AMQP headers, a string.  The other way, entries of all types are written as text: numbers and
times in decimal, booleans as true and false, tables and arrays as JSON, nothing as an empty value.

A queue that answers are to go to is `/reply-queue/NAME` in STOMP and NAME in AMQP, so that both sides can answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

from warren.adapters.session.field_text import text_of
from warren.adapters.stomp.codec.errors import StompError, quoted
from warren.adapters.stomp.codec.limits import NUMBER_DIGITS_MAX
from warren.adapters.stomp.destinations import REPLY_PREFIX
from warren.core.messages.properties import EMPTY, Properties, PropertyChanges, encode_properties

TEXT_PROPERTIES: Final = {
    "content-type": "content_type",
    "content-encoding": "content_encoding",
    "correlation-id": "correlation_id",
    "reply-to": "reply_to",
    "expiration": "expiration",
    "amqp-message-id": "message_id",
    "type": "type",
    "user-id": "user_id",
    "app-id": "app_id",
}
"""Header to property, both strings."""

NUMBER_PROPERTIES: Final = {"priority": ("priority", 255), "timestamp": ("timestamp", 2**63 - 1)}
"""Header to property, and its largest value."""

PROPERTY_HEADERS: Final = {
    **{field: header for header, field in TEXT_PROPERTIES.items()},
    **{field: header for header, (field, _) in NUMBER_PROPERTIES.items()},
    "cluster_id": "cluster-id",
}
"""Property to header of MESSAGE, those that have the same value."""

OWN_HEADERS: Final = frozenset({*TEXT_PROPERTIES, *NUMBER_PROPERTIES, "persistent", "destination"})
"""What isn't an entry of the AMQP headers."""

RESERVED: Final = frozenset({"subscription", "destination", "message-id", "redelivered", "ack", "content-length"})
"""Headers of MESSAGE that are the broker's own; entries of these names can't be shown."""

TRUE: Final = ("true", "True")
FALSE: Final = ("false", "False")
"""How booleans are written (spec B.5); anything else counts as not given."""

PERSISTENT: Final = 2


def properties_of(headers: Mapping[str, str]) -> Properties:
    """The properties of a SEND with these headers; StompError for values that a property can't hold."""
    fields: dict[str, object] = {}
    table: dict[str, str] = {}
    for name, value in headers.items():
        if name not in OWN_HEADERS:
            table[name] = value
        elif name in TEXT_PROPERTIES:
            fields[TEXT_PROPERTIES[name]] = value
        elif name in NUMBER_PROPERTIES:
            fields[NUMBER_PROPERTIES[name][0]] = _number(name, value)
        elif name == "persistent" and value in TRUE:
            fields["delivery_mode"] = PERSISTENT
    if "reply_to" in fields:
        fields["reply_to"] = str(fields["reply_to"]).removeprefix(REPLY_PREFIX)
    if table:
        fields["headers"] = table
    if not fields:
        return EMPTY
    try:
        return encode_properties(**cast("PropertyChanges", fields))
    except ValueError as error:
        raise StompError("Invalid header", f"{error}; put such data into the body") from None


def headers_of(properties: Properties) -> Iterator[tuple[str, str]]:
    """The headers of a MESSAGE with these properties, but for those that are the broker's own."""
    shown = set(RESERVED)
    for header, value in _property_headers(properties):
        shown.add(header)
        yield header, value
    for name, entry in (properties.headers or {}).items():
        if name and name not in shown:
            yield name, text_of(entry)


def _property_headers(properties: Properties) -> Iterator[tuple[str, str]]:
    for name in properties.names:
        if name == "delivery_mode":
            if properties.persistent:
                yield "persistent", "true"
        elif name != "headers":
            value = str(getattr(properties, name))
            if name == "reply_to" and not value.startswith("/"):
                value = REPLY_PREFIX + value
            yield PROPERTY_HEADERS[name], value


def boolean(headers: Mapping[str, str], name: str) -> bool | None:
    """A header that is true or false; None when it is absent or anything else (spec B.5)."""
    value = headers.get(name)
    if value in TRUE:
        return True
    return False if value in FALSE else None


def number(headers: Mapping[str, str], name: str, maximum: int) -> int | None:
    """A header that is a whole number from 0; StompError for anything else that is given."""
    value = headers.get(name)
    return None if value is None else _number(name, value, maximum)


def _number(name: str, value: str, maximum: int | None = None) -> int:
    limit = NUMBER_PROPERTIES[name][1] if maximum is None else maximum
    digits = value.strip()
    if digits.isascii() and digits.isdecimal() and len(digits) <= NUMBER_DIGITS_MAX and int(digits) <= limit:
        return int(digits)
    raise StompError("Invalid header", f"'{name}' is '{quoted(value)}'; it has to be a whole number from 0 to {limit}")
