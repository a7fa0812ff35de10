"""What a shovel is to do, read from a runtime parameter or from the configuration (spec E.1).

Each end speaks a protocol, and each protocol has keys of its own for a source and for a destination, in tables of what
reads their values; RabbitMQ's older names are read as the newer ones.  A definition that can't be used is refused as a
whole, with the key that is wrong and what it should be.

Longer than 400 lines because AMQP's own ends, and the tables in which all protocols meet, are read by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from warren.adapters.amqp091.client.uri import AmqpUri, parse_uri
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen
from warren.plugins.bridging import values
from warren.plugins.bridging.ack_modes import ACK_MODES, NO_ACK, ON_CONFIRM
from warren.plugins.bridging.values import Arguments, Readers
from warren.plugins.shovel import values as own_values
from warren.plugins.shovel.amqp10_definition import (
    AMQP10_DESTINATION,
    AMQP10_SOURCE,
    Amqp10DestinationDefinition,
    Amqp10SourceDefinition,
    amqp10_destination,
    amqp10_source,
)
from warren.plugins.shovel.buffer_definition import BUFFER_KEYS, BufferDefinition, read_buffer
from warren.plugins.shovel.declarations import Declarations, declarations
from warren.plugins.shovel.filter import Filter, read_filter
from warren.plugins.shovel.http_definition import (
    HTTP_DESTINATION,
    HTTP_SOURCE,
    HttpDestinationDefinition,
    HttpSourceDefinition,
    http_destination,
    http_source,
)
from warren.plugins.shovel.kafka_definition import (
    KAFKA_DESTINATION,
    KAFKA_SOURCE,
    KafkaDestinationDefinition,
    KafkaSourceDefinition,
    kafka_destination,
    kafka_source,
)
from warren.plugins.shovel.mqtt_definition import (
    MQTT_DESTINATION,
    MQTT_SOURCE,
    MqttDestinationDefinition,
    MqttSourceDefinition,
    mqtt_destination,
    mqtt_source,
)
from warren.plugins.shovel.stomp_definition import (
    STOMP_DESTINATION,
    STOMP_SOURCE,
    StompDestinationDefinition,
    StompSourceDefinition,
    stomp_destination,
    stomp_source,
)
from warren.plugins.shovel.values import InternalOwner

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON

PREFETCH_DEFAULT: Final = 1000
RECONNECT_DELAY_DEFAULT_S: Final = 5.0
"""RabbitMQ's defaults (spec E.1)."""

DURATION_LEAST_S: Final = 60
DURATION_MOST_S: Final = 10 * 365 * 86_400
"""Of `src-delete-after-duration`: RabbitMQ's least, and what nobody means."""

QUEUE_LENGTH: Final = "queue-length"

AMQP: Final = "amqp091"
AMQP10: Final = "amqp10"
LOCAL: Final = "local"
MQTT: Final = "mqtt"
STOMP: Final = "stomp"
HTTP: Final = "http"
KAFKA: Final = "kafka"
PROTOCOLS: Final = (AMQP, AMQP10, LOCAL, MQTT, STOMP, HTTP, KAFKA)
"""`local` is this broker itself, as an AMQP URI without a host is."""


DROP: Final = "drop"
DEAD_LETTER: Final = "dead-letter"
"""What becomes of messages that aren't moved."""


@frozen
class SourceDefinition:
    """Where messages come from over AMQP: a queue, or an exchange by a queue of the shovel's own."""

    uris: tuple[AmqpUri, ...]
    queue: str | None = None
    queue_arguments: Arguments = field(default_factory=dict)
    exchange: str | None = None
    exchange_key: str = ""
    predeclared: bool = False
    consumer_arguments: Arguments = field(default_factory=dict)
    consumer_name: str = ""
    declarations: Declarations = ()


@frozen
class DestinationDefinition:
    """Where messages go over AMQP; without queue and exchange to the exchange they were published to.

    exchange_key: None for the routing key that they have.  mandatory: what is unroutable is kept and tried again.
    """

    uris: tuple[AmqpUri, ...]
    queue: str | None = None
    queue_arguments: Arguments = field(default_factory=dict)
    exchange: str | None = None
    exchange_key: str | None = None
    predeclared: bool = False
    mandatory: bool = True
    declarations: Declarations = ()


AnySource: TypeAlias = (
    SourceDefinition
    | Amqp10SourceDefinition
    | MqttSourceDefinition
    | StompSourceDefinition
    | HttpSourceDefinition
    | KafkaSourceDefinition
)
AnyDestination: TypeAlias = (
    DestinationDefinition
    | Amqp10DestinationDefinition
    | MqttDestinationDefinition
    | StompDestinationDefinition
    | HttpDestinationDefinition
    | KafkaDestinationDefinition
)


@frozen
class Changes:
    """What is changed in messages on their way.

    properties: what each message's are overridden by.  deduplication_header: that gets a name of the message's own.
    """

    properties: Mapping[str, Any] = field(default_factory=dict)
    forward_headers: bool = False
    timestamp_header: bool = False
    deduplication_header: str | None = None


@frozen
class ShovelDefinition:
    """A shovel.  prefetch: how many messages may be under way.

    delete_after: messages after which the shovel is done, QUEUE_LENGTH for as many as there are at the start, None for
    never.  delete_after_s: seconds after which it is done, None for never.  reconnect_delay_s: the least pause after a
    failure; 0 for no other try.  rate_max: messages a second at most, None for no limit.  buffer: None where nothing is
    asked of the source.  internal, owner: it is there for something else, which is to end it.  filter: which messages
    are moved, None for all.  filter_rejects: the others are rejected at the source, else they are done with.
    dead_letter_after: how often a message may be refused before it is rejected at the source, None for any number.
    """

    source: AnySource
    destination: AnyDestination
    changes: Changes
    ack_mode: str = ON_CONFIRM
    prefetch: int = PREFETCH_DEFAULT
    delete_after: int | str | None = None
    reconnect_delay_s: float = RECONNECT_DELAY_DEFAULT_S
    rate_max: float | None = None
    buffer: BufferDefinition | None = None
    delete_after_s: int | None = None
    internal: bool = False
    owner: InternalOwner | None = None
    filter: Filter | None = None
    filter_rejects: bool = False
    dead_letter_after: int | None = None
    no_local: bool = False


def read_definition(value: JSON, *, static: bool = False) -> ShovelDefinition:
    """The shovel that a parameter's value is; PreconditionFailed (406), naming the key, for one that can't be used.

    static: it is in the configuration, which may have more keys.
    """
    if not isinstance(value, dict):
        raise PreconditionFailed('a shovel is an object such as {"src-uri": "amqp://", "src-queue": "a", ...}')
    for key in () if static else STATIC_KEYS.intersection(value):
        raise PreconditionFailed(f"the key '{key}' is for shovels of the configuration")
    given = _read(value)
    source = _SOURCES.get(given.get("src-protocol", AMQP), _source)(given)
    destination = _DESTINATIONS.get(given.get("dest-protocol", AMQP), _destination)(given)
    delete_after = given.get("src-delete-after")
    if given.get("ack-mode") == NO_ACK and delete_after is not None:
        raise PreconditionFailed(
            "'src-delete-after' needs acknowledgements, or more than that would be taken: 'ack-mode' can't be 'no-ack'"
        )
    if not isinstance(source, SourceDefinition) and delete_after == QUEUE_LENGTH:
        protocol = given["src-protocol"].upper()
        raise PreconditionFailed(
            f"'src-delete-after' can't be 'queue-length': {protocol} doesn't tell how much is waiting"
        )
    _check_rejecting(given, source)
    if "dest-deduplication-header" in given and given.get("ack-mode", ON_CONFIRM) != ON_CONFIRM:
        raise PreconditionFailed(
            "'dest-deduplication-header' needs the 'ack-mode' 'on-confirm': else nothing is sent again, but lost"
        )
    return ShovelDefinition(
        source,
        destination,
        Changes(
            given.get("dest-publish-properties", {}),
            given.get("dest-add-forward-headers", False) or given.get("no-local", False),
            given.get("dest-add-timestamp-header", False),
            given.get("dest-deduplication-header"),
        ),
        given.get("ack-mode", ON_CONFIRM),
        given.get("src-prefetch-count", PREFETCH_DEFAULT),
        delete_after,
        given.get("reconnect-delay", RECONNECT_DELAY_DEFAULT_S),
        given.get("rate-limit"),
        _buffer(given, source),
        given.get("src-delete-after-duration"),
        given.get("internal", False),
        given.get("internal_owner"),
        given.get("src-filter"),
        given.get("filter-else") == DEAD_LETTER,
        given.get("dead-letter-after"),
        given.get("no-local", False),
    )


def _buffer(given: Mapping[str, Any], source: AnySource) -> BufferDefinition | None:
    is_here = isinstance(source, SourceDefinition) and not any(uri.host for uri in source.uris)
    return read_buffer(given, [uri.vhost for uri in source.uris if isinstance(uri, AmqpUri)] if is_here else [])


def _check_rejecting(given: Mapping[str, Any], source: AnySource) -> None:
    """Whether the source can be told of a message that it can't be used, if it is to be."""
    if "filter-else" in given and "src-filter" not in given:
        raise PreconditionFailed("'filter-else' says what becomes of what 'src-filter' leaves out: there is none")
    if given.get("filter-else") == DEAD_LETTER:
        key = "'filter-else' can't be 'dead-letter'"
    elif "dead-letter-after" in given:
        key = "'dead-letter-after' can't be given"
    else:
        return
    if not isinstance(source, SourceDefinition | Amqp10SourceDefinition | StompSourceDefinition):
        raise PreconditionFailed(f"{key}: {given['src-protocol'].upper()} has no word for a message that can't be used")
    mode = given.get("ack-mode", ON_CONFIRM)
    if mode == NO_ACK or ("dead-letter-after" in given and mode != ON_CONFIRM):
        raise PreconditionFailed(f"{key} with the 'ack-mode' '{mode}': it needs 'on-confirm'")


def _source(given: Mapping[str, Any]) -> SourceDefinition:
    if "src-uri" not in given:
        raise PreconditionFailed("the key 'src-uri' is missing")
    if "src-queue" not in given and "src-exchange" not in given:
        raise PreconditionFailed("Must specify 'src-exchange' or 'src-queue'")
    if "src-queue" in given and "src-exchange" in given:
        raise PreconditionFailed("Cannot specify 'src-exchange' and 'src-queue'")
    return SourceDefinition(
        _amqp_uris(given, "src"),
        given.get("src-queue"),
        given.get("src-queue-args", {}),
        given.get("src-exchange"),
        given.get("src-exchange-key", ""),
        given.get("src-predeclared", "src-declarations" in given),
        given.get("src-consumer-args", {}),
        given.get("src-consumer-name", ""),
        given.get("src-declarations", ()),
    )


def _destination(given: Mapping[str, Any]) -> DestinationDefinition:
    if "dest-uri" not in given:
        raise PreconditionFailed("the key 'dest-uri' is missing")
    if "dest-queue" in given and "dest-exchange" in given:
        raise PreconditionFailed("Cannot specify 'dest-exchange' and 'dest-queue'")
    return DestinationDefinition(
        _amqp_uris(given, "dest"),
        given.get("dest-queue"),
        given.get("dest-queue-args", {}),
        given.get("dest-exchange"),
        given.get("dest-exchange-key"),
        given.get("dest-predeclared", "dest-declarations" in given),
        given.get("dest-mandatory", True),
        given.get("dest-declarations", ()),
    )


def _amqp_uris(given: Mapping[str, Any], end: str) -> tuple[AmqpUri, ...]:
    uris: tuple[AmqpUri, ...] = given[f"{end}-uri"]
    if given.get(f"{end}-protocol") == LOCAL and any(uri.host for uri in uris):
        raise PreconditionFailed(f"'{end}-protocol' is 'local', but '{end}-uri' has a host: leave that out")
    return uris


_SOURCES: Final[Mapping[str, Callable[[Mapping[str, Any]], AnySource]]] = {
    AMQP10: amqp10_source,
    MQTT: mqtt_source,
    STOMP: stomp_source,
    HTTP: http_source,
    KAFKA: kafka_source,
}
_DESTINATIONS: Final[Mapping[str, Callable[[Mapping[str, Any]], AnyDestination]]] = {
    AMQP10: amqp10_destination,
    MQTT: mqtt_destination,
    STOMP: stomp_destination,
    HTTP: http_destination,
    KAFKA: kafka_destination,
}
"""What makes an end of the keys of its protocol; AMQP 0-9-1's for the others."""

# The keys

COMMON_KEYS: Final[Readers] = {
    "src-protocol": values.one_of(*PROTOCOLS),
    "src-prefetch-count": own_values.prefetch,
    "src-delete-after": own_values.delete_after,
    "src-delete-after-duration": values.count(DURATION_LEAST_S, DURATION_MOST_S),
    "dest-protocol": values.one_of(*PROTOCOLS),
    "dest-publish-properties": own_values.properties,
    "dest-add-forward-headers": values.truth,
    "dest-add-timestamp-header": values.truth,
    "dest-deduplication-header": values.name,
    "ack-mode": values.one_of(*ACK_MODES),
    "reconnect-delay": values.seconds,
    "rate-limit": own_values.rate,
    "src-filter": read_filter,
    "filter-else": values.one_of(DROP, DEAD_LETTER),
    "dead-letter-after": values.count(1, 1_000_000),
    "internal": values.truth,
    "internal_owner": own_values.internal_owner,
    "no-local": values.truth,
    **BUFFER_KEYS,
}
"""Whatever the ends speak."""

_AMQP_SOURCE: Final[Readers] = {
    "src-uri": values.uris(parse_uri),
    "src-queue": values.name,
    "src-queue-args": values.arguments,
    "src-exchange": values.name,
    "src-exchange-key": values.text,
    "src-predeclared": values.truth,
    "src-consumer-args": values.arguments,
    "src-consumer-name": values.text,
    "src-declarations": declarations,
}

_AMQP_DESTINATION: Final[Readers] = {
    "dest-uri": values.uris(parse_uri),
    "dest-queue": values.name,
    "dest-queue-args": values.arguments,
    "dest-exchange": values.text,
    "dest-exchange-key": values.text,
    "dest-predeclared": values.truth,
    "dest-mandatory": values.truth,
    "dest-declarations": declarations,
}

SOURCE_KEYS: Final[Mapping[str, Readers]] = {
    AMQP: _AMQP_SOURCE,
    AMQP10: AMQP10_SOURCE,
    LOCAL: _AMQP_SOURCE,
    MQTT: MQTT_SOURCE,
    STOMP: STOMP_SOURCE,
    HTTP: HTTP_SOURCE,
    KAFKA: KAFKA_SOURCE,
}
DESTINATION_KEYS: Final[Mapping[str, Readers]] = {
    AMQP: _AMQP_DESTINATION,
    AMQP10: AMQP10_DESTINATION,
    LOCAL: _AMQP_DESTINATION,
    MQTT: MQTT_DESTINATION,
    STOMP: STOMP_DESTINATION,
    HTTP: HTTP_DESTINATION,
    KAFKA: KAFKA_DESTINATION,
}
"""The keys of each end by its protocol."""

STATIC_KEYS: Final = frozenset({"src-declarations", "dest-declarations"})
"""For shovels of the configuration: whoever may declare a shovel while the broker runs may do no more by that."""

OLDER_NAMES: Final[Mapping[str, str]] = {
    "prefetch-count": "src-prefetch-count",
    "delete-after": "src-delete-after",
    "publish-properties": "dest-publish-properties",
    "add-forward-headers": "dest-add-forward-headers",
    "add-timestamp-header": "dest-add-timestamp-header",
}


def _read(value: Mapping[str, JSON]) -> dict[str, Any]:
    keys = {**COMMON_KEYS}
    for end, by_protocol in (("src", SOURCE_KEYS), ("dest", DESTINATION_KEYS)):
        protocol = value.get(f"{end}-protocol", AMQP)
        keys.update(by_protocol.get(str(protocol), {}))
    given: dict[str, Any] = {}
    # The protocols first: an unknown one makes every other key unknown, too.
    for name in sorted(value, key=lambda each: not each.endswith("-protocol")):
        key = OLDER_NAMES.get(name, name)
        read = keys.get(key)
        if read is None:
            raise PreconditionFailed(_unknown(name, keys))
        try:
            given[key] = read(value[name])
        except ValueError as error:
            raise PreconditionFailed(f"the key '{name}' {error}") from None
    return given


def _unknown(name: str, keys: Readers) -> str:
    for end, by_protocol in (("src", SOURCE_KEYS), ("dest", DESTINATION_KEYS)):
        owners = [protocol for protocol, readers in by_protocol.items() if name in readers]
        if owners:
            return f"the key '{name}' is for '{end}-protocol' {' or '.join(owners)}"
    near = get_close_matches(name, [*keys, *OLDER_NAMES], 1)
    return f"unknown key '{name}'" + (f": did you mean '{near[0]}'?" if near else "")
