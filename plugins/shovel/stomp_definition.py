"""What a shovel's ends over STOMP are to do: their keys, and what these mean (docs/shovel.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from warren.adapters.stomp.client.uri import StompUri, parse_stomp_uri
from warren.adapters.stomp.codec.limits import HEADER_BYTES_MAX
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen
from warren.plugins.bridging import values

DESTINATION: Final = "{destination}"
TOPIC: Final = "{topic}"
ROUTING_KEY: Final = "{routing_key}"
FIELDS: Final = (DESTINATION, TOPIC, ROUTING_KEY)
"""What stands in a template for something of each message's own."""

SUBSCRIBES_ITSELF: Final = frozenset({"destination", "ack", "receipt"})
SENDS_ITSELF: Final = frozenset({"destination", "receipt", "transaction", "content-length", "message-id"})
"""Headers that are the shovel's own to write, or that no SEND may have."""

_fields = re.compile(r"\{[^{}]*\}")


@frozen
class StompSourceDefinition:
    """Where messages come from over STOMP.  headers: what SUBSCRIBE says beside destination and ack."""

    uris: tuple[StompUri, ...]
    destinations: tuple[str, ...]
    headers: Mapping[str, str]

    def subscriptions(self, own_id: str) -> Iterator[tuple[str, str]]:
        """Ids of subscriptions with their destinations.  own_id: where the headers name none."""
        id = self.headers.get("id", own_id)
        for number, destination in enumerate(self.destinations, 1):
            yield id if number == 1 else f"{id} {number}", destination


@frozen
class StompDestinationDefinition:
    """Where messages go over STOMP.

    destination: with FIELDS in it for what is each message's own.  headers: what every SEND says.
    """

    uris: tuple[StompUri, ...]
    destination: str
    headers: Mapping[str, str]


def stomp_source(given: Mapping[str, Any]) -> StompSourceDefinition:
    """The source that these keys are; PreconditionFailed (406) if one is missing."""
    for key in ("src-uri", "src-destination"):
        if key not in given:
            raise PreconditionFailed(f"the key '{key}' is missing")
    return StompSourceDefinition(given["src-uri"], given["src-destination"], given.get("src-headers", {}))


def stomp_destination(given: Mapping[str, Any]) -> StompDestinationDefinition:
    """The destination that these keys are; PreconditionFailed (406) if one is missing."""
    if "dest-uri" not in given:
        raise PreconditionFailed("the key 'dest-uri' is missing")
    return StompDestinationDefinition(
        given["dest-uri"], given.get("dest-destination", DESTINATION), given.get("dest-headers", {})
    )


# Values


def _destinations(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [value]
    found = tuple(each for each in given if isinstance(each, str) and each)
    if not found or len(found) != len(given) or len(set(found)) != len(found):
        raise ValueError("must be a destination such as '/queue/a', or a list of different ones")
    return tuple(_fitting(each) for each in found)


def _template(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a destination such as '/queue/a'")
    unknown = next((field for field in _fields.findall(value) if field not in FIELDS), None)
    if unknown is not None:
        raise ValueError(f"has '{unknown}' in it: there are {', '.join(FIELDS)}")
    return _fitting(value)


def _fitting(value: str) -> str:
    if len(value.encode("utf-8", "surrogateescape")) > HEADER_BYTES_MAX:
        raise ValueError(f"must be at most {HEADER_BYTES_MAX} bytes long")
    return value


def _headers(own: frozenset[str]) -> Any:
    """Reads headers of a frame.  own: those that can't be given."""

    def read(value: object) -> Mapping[str, str]:
        if not isinstance(value, dict):
            raise ValueError('must be an object of headers, such as {"persistent": true}')
        found = {}
        for name, each in value.items():
            if not name or not isinstance(each, str | int | float):
                raise ValueError(f"has the header '{name}', whose value must be a text, a number, true or false")
            if name in own:
                raise ValueError(f"can't have the header '{name}', which the shovel sets itself or which isn't allowed")
            found[name] = ("true" if each else "false") if isinstance(each, bool) else str(each)
        return found

    return read


STOMP_SOURCE: Final[values.Readers] = {
    "src-uri": values.uris(parse_stomp_uri),
    "src-destination": _destinations,
    "src-headers": _headers(SUBSCRIBES_ITSELF),
}

STOMP_DESTINATION: Final[values.Readers] = {
    "dest-uri": values.uris(parse_stomp_uri),
    "dest-destination": _template,
    "dest-headers": _headers(SENDS_ITSELF),
}
