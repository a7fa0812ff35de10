"""What a shovel changes in a message: address, properties, and the headers that tell of the way (spec E.1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from warren.core.messages.field_table import Typed
from warren.plugins.shovel.amqp10_definition import Amqp10DestinationDefinition, Amqp10SourceDefinition
from warren.plugins.shovel.definition import DestinationDefinition, SourceDefinition
from warren.plugins.shovel.places import SHOVELLED, SOURCE_BROKER, way_of
from warren.plugins.shovel.stomp_definition import StompDestinationDefinition, StompSourceDefinition

if TYPE_CHECKING:
    from warren.core.messages.field_table import Encodable
    from warren.core.messages.properties import Properties
    from warren.plugins.bridging.ends import Arrived
    from warren.plugins.shovel.definition import ShovelDefinition
    from warren.plugins.shovel.stamping import Stamping

SHOVELLED_TIMESTAMP: Final = "x-shovelled-timestamp"


class Rewriting:
    """How one shovel's messages go out.

    source_uri, destination_uri: as they are shown.  source_place: see places.py; None where nobody asks.
    stamping: see there, None for none.  seconds: the time, in seconds since 1970.
    """

    def __init__(
        self,
        definition: ShovelDefinition,
        *,
        name: str,
        vhost: str,
        kind: str,
        cluster_name: str,
        source_uri: str,
        destination_uri: str,
        stamping: Stamping | None = None,
        source_place: str | None = None,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        destination, changes = definition.destination, definition.changes
        self._exchange: str | None = None
        self._routing_key: str | None = None
        if isinstance(destination, DestinationDefinition):
            self._exchange = "" if destination.queue is not None else destination.exchange
            self._routing_key = destination.queue if destination.queue is not None else destination.exchange_key
        self._changes: Mapping[str, Any] = changes.properties
        self._timestamp = changes.timestamp_header
        self._way: dict[str, Encodable] | None = None
        if changes.forward_headers:
            self._way = _way(definition, name, vhost, kind, cluster_name)
            self._way |= {"src-uri": source_uri, "dest-uri": destination_uri}
            if source_place is not None:
                self._way[SOURCE_BROKER] = source_place
        self._seconds = seconds
        self._stamping = stamping
        self.changes_properties = bool(self._changes or self._timestamp or self._way or stamping)

    def address(self, message: Arrived) -> tuple[str, str]:
        """The exchange and the routing key that it is published with."""
        return (
            message.exchange if self._exchange is None else self._exchange,
            message.routing_key if self._routing_key is None else self._routing_key,
        )

    def properties(self, message: Arrived) -> Properties:
        """Its properties on the way out."""
        properties = message.properties
        if not self.changes_properties:
            return properties
        if self._changes:
            properties = properties.with_changes(**self._changes)
        entries: dict[str, Encodable] = {}
        if self._way is not None:
            entries[SHOVELLED] = [self._way, *way_of(properties.headers)]
        if self._timestamp:
            entries[SHOVELLED_TIMESTAMP] = Typed("l", int(self._seconds()))
        if self._stamping is not None:
            stamp = self._stamping.stamp(message, properties)
            if stamp is not None:
                entries[self._stamping.header] = stamp
        return properties.with_header_entries(entries) if entries else properties


def _way(definition: ShovelDefinition, name: str, vhost: str, kind: str, cluster_name: str) -> dict[str, Encodable]:
    source, destination = definition.source, definition.destination
    found: dict[str, Encodable] = {
        "shovelled-by": cluster_name,
        "shovel-type": kind,
        "shovel-name": name,
        "shovel-vhost": vhost,
    }
    if isinstance(source, SourceDefinition):
        found |= {
            "src-queue": source.queue,
            "src-exchange": source.exchange,
            "src-exchange-key": source.exchange_key or None,
        }
    if isinstance(destination, DestinationDefinition):
        found |= {
            "dest-queue": destination.queue,
            "dest-exchange": destination.exchange,
            "dest-exchange-key": destination.exchange_key,
        }
    if isinstance(source, Amqp10SourceDefinition):
        found["src-address"] = source.address
    if isinstance(destination, Amqp10DestinationDefinition):
        found["dest-address"] = destination.address
    if isinstance(source, StompSourceDefinition):
        found["src-destination"] = " ".join(source.destinations)
    if isinstance(destination, StompDestinationDefinition):
        found["dest-destination"] = destination.destination
    return {key: value for key, value in found.items() if value is not None}
