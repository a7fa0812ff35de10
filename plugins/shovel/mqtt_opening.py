"""How a shovel's ends at MQTT brokers are opened: who they are there, what they share, and what they announce."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from warren.adapters.mqtt.client.connection import RECEIVE_MAXIMUM_MAX
from warren.plugins.shovel.mqtt_connections import Direction, MqttConnections, Wish
from warren.plugins.shovel.mqtt_definition import MqttDestinationDefinition, MqttSourceDefinition
from warren.plugins.shovel.mqtt_ends import MqttDestination, MqttSource, login_of, open_source
from warren.plugins.shovel.mqtt_sessions import noted, noted_topics

if TYPE_CHECKING:
    from collections.abc import Callable

    import trio

    from warren.adapters.mqtt.client.uri import MqttUri
    from warren.gateway.plugin import MqttPeer
    from warren.plugins.shovel.definition import ShovelDefinition
    from warren.plugins.shovel.left_file import LeftFile
    from warren.plugins.shovel.mqtt_notification import Notification


class MqttOpening:
    """Of one shovel.

    shovel: which one, in words.  own_id: who an end is that names no client id.  connections, left: of all shovels.
    """

    def __init__(
        self,
        definition: ShovelDefinition,
        shovel: str,
        own_id: Callable[[str], str],
        connections: MqttConnections,
        left: LeftFile,
    ) -> None:
        self._definition = definition
        self._shovel = shovel
        self._own_id = own_id
        self._connections = connections
        self._left = left
        self._to_announce: list[tuple[MqttPeer, Notification]] = []

    def begin(self, prefetch: int) -> None:
        """Say which connections are going to be made, before any is; PeerError where another shovel has them."""
        self._to_announce.clear()
        definition = self._definition
        for end in (definition.source, definition.destination):
            if isinstance(end, MqttSourceDefinition | MqttDestinationDefinition):
                for uri in end.uris:
                    self._connections.register(self._wish(end, uri, prefetch), uri)

    def forget(self) -> None:
        """No more are made."""
        self._connections.forget(self._shovel)

    async def source(
        self,
        peers: trio.Nursery,
        held: AsyncExitStack,
        definition: MqttSourceDefinition,
        uri: MqttUri,
        prefetch: int,
    ) -> MqttSource:
        """Connect and subscribe, to nothing that was subscribed to before and isn't wanted any more."""
        wish = self._wish(definition, uri, prefetch)
        peer, _ = await self._connections.connect(peers, held, wish, uri)
        key = "mqtt", wish.login.client_id, uri.host, uri.port
        former = set(noted_topics(self._left.get(key))).difference(definition.topics)
        source = await open_source(peer, definition, sorted(former) if peer.connection.session_present else ())
        await self._left.replace(key, noted(definition.topics))
        self._announces(peer, definition.client.notification)
        return source

    async def destination(
        self, peers: trio.Nursery, held: AsyncExitStack, definition: MqttDestinationDefinition, uri: MqttUri
    ) -> MqttDestination:
        """Connect."""
        wish = self._wish(definition, uri, RECEIVE_MAXIMUM_MAX)
        peer, let_go = await self._connections.connect(peers, held, wish, uri)
        self._announces(peer, definition.client.notification)
        return MqttDestination(peer, definition, let_go)

    async def announce(self) -> None:
        """Tell that the shovel runs, where that is wanted; PeerError where it is refused."""
        for peer, notification in self._to_announce:
            await peer.announce(notification.running)

    # Below

    def _announces(self, peer: MqttPeer, notification: Notification | None) -> None:
        if notification is not None:
            self._to_announce.append((peer, notification))

    def _wish(self, definition: MqttSourceDefinition | MqttDestinationDefinition, uri: MqttUri, prefetch: int) -> Wish:
        direction: Direction
        if isinstance(definition, MqttSourceDefinition):
            direction, qos, no_local = "source", 0, definition.no_local
        else:
            direction, qos, no_local, prefetch = "destination", definition.qos, False, RECEIVE_MAXIMUM_MAX
        login = login_of(definition.client, uri, self._own_id(direction), prefetch, no_local=no_local)
        return Wish(self._shovel, direction, login, qos)
