"""Topics that a connection has published to before, and where their messages go.

The fast path of reading.py finds a topic's bytes here, which saves checking and routing it again.  What is remembered
rests on topology, users and alarms, and is forgotten when one of them changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.publishing import may_be_cut

if TYPE_CHECKING:
    from warren.adapters.mqtt.connection import MqttConnection
    from warren.core.queues.base import Queue
    from warren.core.routing.route import Route

KNOWN_TOPICS_MAX: Final = 1024
"""Remembered topics per connection; one that varies them endlessly starts over."""

KNOWN_TOPIC_BYTES_MAX: Final = 256
"""Longer topics than a routing key can hold are rare, and take memory."""


class KnownTopic:
    """What a topic led to: valid until topology, users or alarms change."""

    __slots__ = ("address", "queues", "routed", "store_ids")

    def __init__(self, route: Route, *, store_is_durable: bool) -> None:
        self.address = route.address
        self.queues: tuple[Queue, ...] = route.queues
        self.routed = route.routed
        self.store_ids = route.store_ids if store_is_durable else ()


def known_topics_now(connection: MqttConnection) -> dict[bytes, KnownTopic]:
    """The remembered topics, none of which is older than what it rests on; empty while publishing has to wait."""
    client = connection.client
    if client is None or connection.held is not None:
        return {}
    known = connection.known
    if known is None:
        known = connection.known = {}
    vhost_version = client.vhost.version
    users_version = connection.broker.users.version
    if vhost_version != connection.vhost_version or users_version != connection.users_version:
        connection.vhost_version = vhost_version
        connection.users_version = users_version
        known.clear()
    elif connection.broker.alarms.blocked is not None:
        known.clear()
    return known


def remember(connection: MqttConnection, raw_topic: bytes, route: Route) -> None:
    """Keep what a topic led to, if every message to it may be handled alike."""
    broker = connection.broker
    if (
        not route.plain
        or len(raw_topic) > KNOWN_TOPIC_BYTES_MAX
        or may_be_cut(route.address.routing_key)
        or connection.logged_in.vhost.tracing
        or broker.alarms.blocked is not None
    ):
        return
    known = known_topics_now(connection)
    if len(known) >= KNOWN_TOPICS_MAX:
        known.clear()
    known[raw_topic] = KnownTopic(route, store_is_durable=broker.store.durable)
