"""Messages of AMQP 1.0 on a shovel's way: as AMQP 0-9-1 has them, and back.

A message that came over AMQP 1.0 and goes on over it keeps its bare message as the bytes that came, unless the shovel
is to change that.  What a shovel tells of the way stands in its annotations, by Warren's names and by RabbitMQ's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp10.addresses import target_named
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.decoding import decode
from warren.adapters.amqp10.codec.encoding import described, encode, map_of
from warren.adapters.amqp10.codec.errors import PeerMistake
from warren.adapters.amqp10.codec.sections import (
    APPLICATION_PROPERTIES,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    sections_of,
)
from warren.adapters.amqp10.codec.values import Milliseconds, Symbol
from warren.adapters.amqp10.reading import AMQP_TYPE, BASIC_TYPE, data_head, read_message
from warren.adapters.amqp10.writing import (
    annotations_of_headers,
    application_properties,
    encoded_properties,
    header_of,
    is_body,
    message_properties,
)
from warren.adapters.peers.errors import PeerError
from warren.core.messages.properties import Properties
from warren.plugins.shovel.places import SHOVELLED
from warren.plugins.shovel.rewriting import SHOVELLED_TIMESTAMP

if TYPE_CHECKING:
    from warren.adapters.amqp10.client.receiving import Received
    from warren.plugins.shovel.amqp10_definition import Amqp10DestinationDefinition

EXCHANGE: Final = "x-exchange"
ROUTING_KEY: Final = "x-routing-key"
"""Annotations by which RabbitMQ and Warren tell where a message was published."""

FRONTS_MAX: Final = 256
"""Fronts of messages that are remembered: most of a shovel have the same."""

_OF_THE_WAY: Final = {
    "x-opt-shovelled-by": "shovelled-by",
    "x-opt-shovel-type": "shovel-type",
    "x-opt-shovel-name": "shovel-name",
}
"""RabbitMQ's annotations, and what of x-shovelled each repeats."""


class Amqp10Message:
    """A message that came over AMQP 1.0.  annotations: those that go on with it.  bare: the bare message."""

    __slots__ = ("annotations", "bare", "body", "exchange", "properties", "received", "routing_key", "subject")

    def __init__(self, received: Received, address: str) -> None:
        self.received = received
        data = received.data
        try:
            incoming = read_message(data)
            sections = sections_of(data)
            annotations: dict[Any, Any] = {}
            self.bare = b""
            for section in sections:
                if section.code == MESSAGE_ANNOTATIONS:
                    found, _ = decode(data, section.value_at, section.end)
                    annotations = found if isinstance(found, dict) else {}
                elif section.code >= PROPERTIES:
                    self.bare = data[section.at :]
                    break
        except PeerMistake as mistake:
            raise PeerError(f"a message of the source can't be read: {mistake.text}") from mistake
        self.body = incoming.body
        self.properties: Properties = incoming.properties
        self.subject = incoming.subject
        exchange, key = annotations.pop(EXCHANGE, None), annotations.pop(ROUTING_KEY, None)
        if isinstance(exchange, str) and isinstance(key, str):
            self.exchange, self.routing_key = str(exchange), str(key)
        else:
            self.exchange, self.routing_key = _address_of(incoming.to or address, incoming.subject)
        self.annotations: dict[Any, Any] = annotations


class Payloads:
    """How messages go out to one destination.  keeps_bare: of those that came over AMQP 1.0."""

    def __init__(self, definition: Amqp10DestinationDefinition, *, keeps_bare: bool, stamp: str | None) -> None:
        self._definition = definition
        self._keeps_bare = keeps_bare and not definition.changes_bare
        self._own = {SHOVELLED, SHOVELLED_TIMESTAMP, stamp}
        self._annotations = {encode(Symbol(key)): encode(value) for key, value in definition.annotations.items()}
        self._fronts: dict[tuple[str, bytes], bytes] = {}

    def of(self, message: object, routing_key: str, properties: Properties, body: bytes) -> bytes:
        """A message's sections."""
        if isinstance(message, Amqp10Message):
            front = encode_composite(header_of(properties)) + self._annotations_of(properties, message.annotations)
            if self._keeps_bare:
                return front + message.bare
            front += self._bare(properties, message.subject)
        else:
            key = routing_key, properties.raw
            found = self._fronts.get(key)
            if found is None:
                found = encode_composite(header_of(properties)) + self._annotations_of(properties, None)
                found += self._bare(properties, routing_key or None)
                if len(self._fronts) >= FRONTS_MAX:
                    self._fronts.clear()
                self._fronts[key] = found
            front = found
        if properties.type == AMQP_TYPE and is_body(body):
            return front + body
        return front + data_head(len(body)) + body

    def _annotations_of(self, properties: Properties, theirs: Mapping[Any, Any] | None) -> bytes:
        """theirs: of a message that has some; those alone are changed that say what the shovel does."""
        headers = properties.headers or {}
        if theirs is None:
            entries = annotations_of_headers(properties.typed_headers())
            if properties.type is not None and properties.type != AMQP_TYPE:
                entries[encode(Symbol(BASIC_TYPE))] = encode(properties.type)
        else:
            entries = {encode(key): encode(value) for key, value in theirs.items()}
            ours = {name: value for name, value in properties.typed_headers().items() if name in self._own}
            entries |= annotations_of_headers(ours)
        way = headers.get(SHOVELLED)
        latest = way[0] if isinstance(way, list) and way else None
        if isinstance(latest, dict):
            for annotation, name in _OF_THE_WAY.items():
                if name in latest:
                    entries[encode(Symbol(annotation))] = encode(str(latest[name]))
        seconds = headers.get(SHOVELLED_TIMESTAMP)
        if isinstance(seconds, int):
            entries[encode(Symbol("x-opt-shovelled-timestamp"))] = encode(Milliseconds(seconds * 1000))
        entries |= self._annotations
        if not entries:
            return b""
        return described(MESSAGE_ANNOTATIONS, map_of([each for pair in entries.items() for each in pair]))

    def _bare(self, properties: Properties, subject: str | None) -> bytes:
        definition = self._definition
        made = message_properties(properties)
        made.subject = subject
        for field, value in definition.properties.items():
            setattr(made, field, value)
        bare = encoded_properties(made)
        applications = application_properties(properties)
        entries = dict(zip(applications[::2], applications[1::2], strict=True))
        entries |= {encode(name): encode(value) for name, value in definition.applications.items()}
        if not entries:
            return bare
        return bare + described(APPLICATION_PROPERTIES, map_of([each for pair in entries.items() for each in pair]))


def _address_of(address: str, subject: str | None) -> tuple[str, str]:
    """Exchange and routing key that an address is; what isn't one of RabbitMQ's is a queue that is called so."""
    try:
        exchange, key = target_named(address, v1=True).routing
    except PeerMistake:
        return "", address
    return exchange, (subject or "") if key is None else key
