"""What a shovel is to do, read from a runtime parameter or from the configuration (spec E.1).

Every key is in one table, with what reads its value; RabbitMQ's older names are read as the newer ones.  A definition
that can't be used is refused as a whole, with the key that is wrong and what it should be.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp091.client.uri import AmqpUri, parse_uri
from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import Encodable, encode_table
from warren.core.messages.properties import encode_properties

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON

PREFETCH_DEFAULT: Final = 1000
RECONNECT_DELAY_DEFAULT_S: Final = 5.0
"""RabbitMQ's defaults (spec E.1)."""

NEVER: Final = "never"
QUEUE_LENGTH: Final = "queue-length"

ON_CONFIRM: Final = "on-confirm"
ON_PUBLISH: Final = "on-publish"
NO_ACK: Final = "no-ack"
ACK_MODES: Final = (ON_CONFIRM, ON_PUBLISH, NO_ACK)

PROTOCOLS: Final = ("amqp091", "local")
"""`local` is this broker itself, as a URI without a host is."""

Arguments = Mapping[str, Encodable]


@dataclass(frozen=True, slots=True)
class SourceDefinition:
    """Where messages come from: a queue, or an exchange by a queue of the shovel's own.

    delete_after: messages after which the shovel is done, QUEUE_LENGTH for as many as there are at the start, None for
    never.  prefetch: how many may be under way.
    """

    uris: tuple[AmqpUri, ...]
    queue: str | None = None
    queue_arguments: Arguments = field(default_factory=dict)
    exchange: str | None = None
    exchange_key: str = ""
    predeclared: bool = False
    prefetch: int = PREFETCH_DEFAULT
    consumer_arguments: Arguments = field(default_factory=dict)
    consumer_name: str = ""
    delete_after: int | str | None = None


@dataclass(frozen=True, slots=True)
class DestinationDefinition:
    """Where messages go; without queue and exchange to the exchange they were published to.

    exchange_key: None for the routing key that they have.  mandatory: what is unroutable is kept and tried again.
    properties: what each message's are overridden by.
    """

    uris: tuple[AmqpUri, ...]
    queue: str | None = None
    queue_arguments: Arguments = field(default_factory=dict)
    exchange: str | None = None
    exchange_key: str | None = None
    predeclared: bool = False
    mandatory: bool = True
    properties: Mapping[str, Any] = field(default_factory=dict)
    forward_headers: bool = False
    timestamp_header: bool = False


@dataclass(frozen=True, slots=True)
class ShovelDefinition:
    """A shovel.  reconnect_delay_s: the least pause after a failure; 0 for no other try.

    rate_max: messages a second at most, None for no limit.
    """

    source: SourceDefinition
    destination: DestinationDefinition
    ack_mode: str = ON_CONFIRM
    reconnect_delay_s: float = RECONNECT_DELAY_DEFAULT_S
    rate_max: float | None = None


def pick(uris: tuple[AmqpUri, ...]) -> AmqpUri:
    """One of several URIs, by chance, for each attempt."""
    return random.choice(uris)


def read_definition(value: JSON) -> ShovelDefinition:
    """The shovel that a parameter's value is; PreconditionFailed (406), naming the key, for one that can't be used."""
    if not isinstance(value, dict):
        raise PreconditionFailed('a shovel is an object such as {"src-uri": "amqp://", "src-queue": "a", ...}')
    given = _read(value)
    source = _source(given)
    if given.get("ack-mode") == NO_ACK and isinstance(source.delete_after, int):
        raise PreconditionFailed(
            "'src-delete-after' with a number needs acknowledgements: 'ack-mode' can't be 'no-ack' with it"
        )
    return ShovelDefinition(
        source,
        _destination(given),
        given.get("ack-mode", ON_CONFIRM),
        given.get("reconnect-delay", RECONNECT_DELAY_DEFAULT_S),
        given.get("rate-limit"),
    )


def _source(given: Mapping[str, Any]) -> SourceDefinition:
    if "src-uri" not in given:
        raise PreconditionFailed("the key 'src-uri' is missing")
    if "src-queue" not in given and "src-exchange" not in given:
        raise PreconditionFailed("Must specify 'src-exchange' or 'src-queue'")
    if "src-queue" in given and "src-exchange" in given:
        raise PreconditionFailed("Cannot specify 'src-exchange' and 'src-queue'")
    return SourceDefinition(
        _uris(given, "src"),
        given.get("src-queue"),
        given.get("src-queue-args", {}),
        given.get("src-exchange"),
        given.get("src-exchange-key", ""),
        given.get("src-predeclared", False),
        given.get("src-prefetch-count", PREFETCH_DEFAULT),
        given.get("src-consumer-args", {}),
        given.get("src-consumer-name", ""),
        given.get("src-delete-after"),
    )


def _destination(given: Mapping[str, Any]) -> DestinationDefinition:
    if "dest-uri" not in given:
        raise PreconditionFailed("the key 'dest-uri' is missing")
    if "dest-queue" in given and "dest-exchange" in given:
        raise PreconditionFailed("Cannot specify 'dest-exchange' and 'dest-queue'")
    return DestinationDefinition(
        _uris(given, "dest"),
        given.get("dest-queue"),
        given.get("dest-queue-args", {}),
        given.get("dest-exchange"),
        given.get("dest-exchange-key"),
        given.get("dest-predeclared", False),
        given.get("dest-mandatory", True),
        given.get("dest-publish-properties", {}),
        given.get("dest-add-forward-headers", False),
        given.get("dest-add-timestamp-header", False),
    )


def _uris(given: Mapping[str, Any], end: str) -> tuple[AmqpUri, ...]:
    uris: tuple[AmqpUri, ...] = given[f"{end}-uri"]
    if given.get(f"{end}-protocol") == "local" and any(uri.host for uri in uris):
        raise PreconditionFailed(f"'{end}-protocol' is 'local', but '{end}-uri' has a host: leave that out")
    return uris


# Values


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if len(value.encode("utf-8", "surrogateescape")) > 255:
        raise ValueError("must be at most 255 bytes long")
    return value


def _name(value: object) -> str:
    if not _text(value):
        raise ValueError("must not be empty")
    return _text(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _one_of(*allowed: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return str(value)

    return read


def _count(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return read


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86_400:
        raise ValueError("must be a number of seconds from 0 to 86400")
    return float(value)


def _rate(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1_000_000:
        raise ValueError("must be a number of messages a second, above 0")
    return float(value)


def _arguments(value: object) -> Arguments:
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    try:
        encode_table(value)
    except ValueError as error:
        raise ValueError(f"can't be sent: {error}") from None
    return value


def _properties(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError('must be an object of properties, such as {"delivery_mode": 2}')
    encode_properties(**value)
    return value


def _delete_after(value: object) -> int | str | None:
    if value == NEVER:
        return None
    if value == QUEUE_LENGTH:
        return QUEUE_LENGTH
    try:
        return _count(0, 2**53)(value)
    except ValueError:
        raise ValueError("must be 'never', 'queue-length' or a number of messages") from None


def _uri_list(value: object) -> tuple[AmqpUri, ...]:
    given = value if isinstance(value, list) else [value]
    texts = [each for each in given if isinstance(each, str)]
    if not texts or len(texts) != len(given):
        raise ValueError("must be a URI, or a list of URIs")
    try:
        return tuple(parse_uri(each) for each in texts)
    except PreconditionFailed as error:
        raise ValueError(f"can't be used: {error.text}") from None


KEYS: Final[Mapping[str, Callable[[object], Any]]] = {
    "src-protocol": _one_of(*PROTOCOLS),
    "src-uri": _uri_list,
    "src-queue": _name,
    "src-queue-args": _arguments,
    "src-exchange": _name,
    "src-exchange-key": _text,
    "src-predeclared": _truth,
    "src-prefetch-count": _count(1, 0xFFFF),
    "src-consumer-args": _arguments,
    "src-consumer-name": _text,
    "src-delete-after": _delete_after,
    "dest-protocol": _one_of(*PROTOCOLS),
    "dest-uri": _uri_list,
    "dest-queue": _name,
    "dest-queue-args": _arguments,
    "dest-exchange": _text,
    "dest-exchange-key": _text,
    "dest-predeclared": _truth,
    "dest-mandatory": _truth,
    "dest-publish-properties": _properties,
    "dest-add-forward-headers": _truth,
    "dest-add-timestamp-header": _truth,
    "ack-mode": _one_of(*ACK_MODES),
    "reconnect-delay": _seconds,
    "rate-limit": _rate,
}

OLDER_NAMES: Final[Mapping[str, str]] = {
    "prefetch-count": "src-prefetch-count",
    "delete-after": "src-delete-after",
    "publish-properties": "dest-publish-properties",
    "add-forward-headers": "dest-add-forward-headers",
    "add-timestamp-header": "dest-add-timestamp-header",
}


def _read(value: Mapping[str, JSON]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, each in value.items():
        key = OLDER_NAMES.get(name, name)
        read = KEYS.get(key)
        if read is None:
            near = get_close_matches(name, [*KEYS, *OLDER_NAMES], 1)
            raise PreconditionFailed(f"unknown key '{name}'" + (f": did you mean '{near[0]}'?" if near else ""))
        try:
            given[key] = read(each)
        except ValueError as error:
            raise PreconditionFailed(f"the key '{name}' {error}") from None
    return given
