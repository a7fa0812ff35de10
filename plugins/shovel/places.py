"""Where messages have been, so that two shovels of opposite directions don't bring them to and fro (`no-local`).

Each entry of `x-shovelled` says which broker it was that a shovel took the message from: by its cluster's name and the
virtual host where the broker tells a name, else by the address that the shovel has for it.  A shovel that is
`no-local` writes that, and doesn't bring a message to a broker that one of the entries names.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.client.uri import AmqpUri, parse_uri
from warren.adapters.amqp10.client.uri import Amqp10Uri
from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import encode_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.adapters.peers.uri import PeerUri
    from warren.core.messages.field_table import Encodable
    from warren.plugins.bridging.ends import Arrived

SHOVELLED: Final = "x-shovelled"
SOURCE_BROKER: Final = "src-broker"
"""The entry of x-shovelled that names a place; Warren's own."""


def place_in(cluster: str, vhost: str) -> str:
    """A virtual host of a broker that tells its cluster's name."""
    return f"{cluster} {vhost}"


def place_at(uri: PeerUri) -> str:
    """A broker that is known by its address."""
    vhost = getattr(uri, "vhost", None)
    return f"{uri.scheme}://{uri.host}:{uri.port}" + ("" if vhost is None else f" {vhost}")


class Places:
    """Which brokers a shovel's addresses are.  cluster: this broker's own name."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._met: dict[PeerUri, str] = {}

    def met(self, uri: AmqpUri | Amqp10Uri, cluster: str) -> None:
        """Who answered there; empty for somebody without a name."""
        if cluster:
            self._met[uri] = place_in(cluster, "/" if uri.vhost is None else uri.vhost)

    def of(self, uri: PeerUri) -> str:
        """The broker, as all shovels call it."""
        if isinstance(uri, AmqpUri) and not uri.host:
            return place_in(self._cluster, uri.vhost)
        return self._met.get(uri) or place_at(uri)

    def not_from(self, uris: Sequence[PeerUri]) -> Callable[[Arrived], bool]:
        """Tells of a message whether it hasn't been at one of these addresses, as its x-shovelled has it."""
        places = frozenset(map(self.of, uris))

        def is_new_there(message: Arrived) -> bool:
            if not message.properties.has_headers:
                return True
            return not any(_place_of(entry) in places for entry in way_of(message.properties.headers))

        return is_new_there


def way_of(headers: object) -> Sequence[Encodable]:
    """The entries of x-shovelled, the latest first; over STOMP and MQTT they come as JSON."""
    before: object = headers.get(SHOVELLED) if isinstance(headers, dict) else None
    if isinstance(before, str):
        try:
            before = json.loads(before)
            encode_value(before, SHOVELLED)  # type: ignore[arg-type]  # whatever it is, it says whether it can't be
        except (ValueError, RecursionError):
            return ()
    return before if isinstance(before, list) else ()


def _place_of(entry: Encodable) -> str | None:
    """Where an entry's shovel took the message from.

    One of RabbitMQ's says so where that is its own broker, by a URI without a host.
    """
    if not isinstance(entry, dict):
        return None
    named = entry.get(SOURCE_BROKER)
    if isinstance(named, str):
        return named
    cluster, uri = entry.get("shovelled-by"), entry.get("src-uri")
    if not isinstance(cluster, str) or not isinstance(uri, str):
        return None
    try:
        found: AmqpUri = parse_uri(uri)
    except PreconditionFailed:
        return None
    return None if found.host else place_in(cluster, found.vhost)
