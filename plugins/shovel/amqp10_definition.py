"""What a shovel's ends over AMQP 1.0 are to do: RabbitMQ's keys, and what these mean (docs/shovel.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from warren.adapters.amqp10.client.uri import Amqp10Uri, parse_amqp10_uri
from warren.adapters.amqp10.codec.composites import COMPOSITES, encode_composite
from warren.adapters.amqp10.codec.encoding import encode
from warren.adapters.amqp10.codec.sections import PROPERTIES, MessageProperties
from warren.adapters.amqp10.codec.values import Milliseconds, UInt
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen
from warren.plugins.bridging import values

_PROPERTIES: Final = frozenset(place.name for place in COMPOSITES[PROPERTIES].places)
_MILLISECONDS: Final = frozenset({"absolute_expiry_time", "creation_time"})


@frozen
class Amqp10SourceDefinition:
    """Where messages come from over AMQP 1.0.

    arguments: of the consumer: `x-priority`, and what a stream is asked.  name: of the link; empty for one of the
    shovel's own.
    """

    uris: tuple[Amqp10Uri, ...]
    address: str
    arguments: Mapping[str, Any]
    name: str


@frozen
class Amqp10DestinationDefinition:
    """Where messages go over AMQP 1.0.

    properties, applications, annotations: what every message's properties, application properties and annotations are
    overridden by.
    """

    uris: tuple[Amqp10Uri, ...]
    address: str
    properties: Mapping[str, Any]
    applications: Mapping[str, Any]
    annotations: Mapping[str, Any]

    @property
    def changes_bare(self) -> bool:
        """Whether the bare message, which is nobody's to change otherwise, gets another."""
        return bool(self.properties or self.applications)


def amqp10_source(given: Mapping[str, Any]) -> Amqp10SourceDefinition:
    """The source that these keys are; PreconditionFailed (406) if one is missing."""
    for key in ("src-uri", "src-address"):
        if key not in given:
            raise PreconditionFailed(f"the key '{key}' is missing")
    return Amqp10SourceDefinition(
        given["src-uri"], given["src-address"], given.get("src-consumer-args", {}), given.get("src-consumer-name", "")
    )


def amqp10_destination(given: Mapping[str, Any]) -> Amqp10DestinationDefinition:
    """The destination that these keys are; PreconditionFailed (406) if one is missing."""
    for key in ("dest-uri", "dest-address"):
        if key not in given:
            raise PreconditionFailed(f"the key '{key}' is missing")
    return Amqp10DestinationDefinition(
        given["dest-uri"],
        given["dest-address"],
        given.get("dest-properties", {}),
        given.get("dest-application-properties", {}),
        given.get("dest-message-annotations", {}),
    )


# Values


def _address(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be an address such as '/queues/a'")
    return value


def _properties(value: object) -> Mapping[str, Any]:
    """Reads properties by the specification's names, with `-` or `_`."""
    if not isinstance(value, dict):
        raise ValueError('must be an object of properties, such as {"content-type": "text/plain"}')
    made = MessageProperties()
    found = {}
    for name, each in value.items():
        field = name.replace("-", "_")
        if field not in _PROPERTIES:
            raise ValueError(f"has '{name}', which is no property of AMQP 1.0")
        found[field] = _property(field, each)
        setattr(made, field, found[field])
    try:
        encode_composite(made)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"can't be sent: {error}") from None
    return found


def _property(field: str, value: Any) -> Any:
    if field == "user_id" and isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, bool) or value is None or not isinstance(value, int | str):
        raise ValueError(f"has '{field}' with a value that is no text and no number")
    if (field in _MILLISECONDS or field == "group_sequence") != isinstance(value, int):
        raise ValueError(f"has '{field}' with a value of another type than it has")
    if field in _MILLISECONDS:
        return Milliseconds(value)
    return UInt(value) if isinstance(value, int) else value


def _entries(value: object) -> Mapping[str, Any]:
    """Reads an object of simple values."""
    if not isinstance(value, dict):
        raise ValueError("must be an object of texts, numbers, true and false")
    for name, each in value.items():
        if not isinstance(each, str | int | float):
            raise ValueError(f"has '{name}' with a value that is no text, no number, and neither true nor false")
        try:
            encode(each)
        except ValueError as error:
            raise ValueError(f"can't be sent: {error}") from None
    return value


def _annotations(value: object) -> Mapping[str, Any]:
    found = _entries(value)
    for name in found:
        if not name.isascii() or not name.startswith("x-"):
            raise ValueError(f"has '{name}': an annotation's name begins with 'x-'")
    return found


AMQP10_SOURCE: Final[values.Readers] = {
    "src-uri": values.uris(parse_amqp10_uri),
    "src-address": _address,
    "src-consumer-args": values.arguments,
    "src-consumer-name": values.text,
    "src-predeclared": values.truth,
}

AMQP10_DESTINATION: Final[values.Readers] = {
    "dest-uri": values.uris(parse_amqp10_uri),
    "dest-address": _address,
    "dest-properties": _properties,
    "dest-application-properties": _entries,
    "dest-message-annotations": _annotations,
    "dest-predeclared": values.truth,
}
