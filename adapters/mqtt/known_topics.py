"""Topics that a connection has published to before, and where their messages go.

The fast path of reading.py finds a topic's bytes here, which saves checking and routing it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.publishing import may_be_cut
from warren.core.routing.known_routes import KnownRoute, KnownRoutes, may_be_remembered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.adapters.mqtt.connection import MqttConnection
    from warren.core.routing.route import Route

KNOWN_TOPICS_MAX: Final = 1024
"""Remembered topics per connection; one that varies them endlessly starts over."""

KNOWN_TOPIC_BYTES_MAX: Final = 256
"""Longer topics than a routing key can hold are rare, and take memory."""

_NOTHING_KNOWN: Final[Mapping[bytes, KnownRoute]] = {}


def known_topics_now(connection: MqttConnection) -> Mapping[bytes, KnownRoute]:
    """The remembered topics; none while publishing has to wait."""
    known = connection.known
    return _NOTHING_KNOWN if known is None or connection.held is not None else known.now()


def remember(connection: MqttConnection, raw_topic: bytes, route: Route) -> None:
    """Keep what a topic led to, if every message to it may be handled alike."""
    vhost = connection.logged_in.vhost
    if (
        len(raw_topic) > KNOWN_TOPIC_BYTES_MAX
        or may_be_cut(route.address.routing_key)
        or not may_be_remembered(vhost, route)
    ):
        return
    if connection.known is None:
        connection.known = KnownRoutes(vhost, KNOWN_TOPICS_MAX)
    connection.known.remember(raw_topic, KnownRoute(route, connection.broker.store))
