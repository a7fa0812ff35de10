"""How a shovel's ends at other places are reached, and what is remembered of those from one connection to the next."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from warren.adapters.amqp091.client.uri import AmqpUri
from warren.adapters.mqtt.client.connection import RECEIVE_MAXIMUM_MAX
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.gateway.plugin import AmqpPeer, MqttPeer, StompPeer, connect_amqp, connect_mqtt, connect_stomp
from warren.plugins.bridging.attempts import pick
from warren.plugins.bridging.remembered import Remembered
from warren.plugins.shovel import amqp_ends, mqtt_ends, stomp_ends
from warren.plugins.shovel.mqtt_definition import MqttDestinationDefinition, MqttSourceDefinition
from warren.plugins.shovel.stomp_definition import StompDestinationDefinition, StompSourceDefinition

if TYPE_CHECKING:
    import trio

    from warren.adapters.mqtt.client.uri import MqttUri
    from warren.adapters.stomp.client.uri import StompUri
    from warren.gateway.plugin import Context
    from warren.plugins.bridging.ends import Destination, Source
    from warren.plugins.shovel.definition import ShovelDefinition
    from warren.plugins.shovel.mqtt_definition import MqttClientDefinition

    AnyUri: TypeAlias = AmqpUri | MqttUri | StompUri

PRODUCT: Final = "Warren"


class FarEnds:
    """Of one shovel.  name, vhost: the shovel's.  source_uri, destination_uri: where its ends are, once tried."""

    def __init__(self, context: Context, vhost: str, name: str, definition: ShovelDefinition) -> None:
        self._context = context
        self._vhost = vhost
        self._name = name
        self._definition = definition
        self.source_uri: AnyUri | None = None
        self.destination_uri: AnyUri | None = None
        self._former_topics: frozenset[str] = frozenset()
        self._memories: dict[tuple[str, str, int], ClientMemory] = {}
        self._remembered = Remembered(definition.prefetch)
        self._caution = stomp_ends.Caution()

    def follow(self, before: FarEnds) -> None:
        """They take the place of other ones: what MQTT brokers keep for those is theirs, if it is the same client."""
        self._memories = before._memories
        self._former_topics = before._former_topics
        if isinstance(before._definition.source, MqttSourceDefinition):
            self._former_topics |= frozenset(before._definition.source.topics)

    def own_id(self, end: str) -> str:
        """Who this end is to a broker that keeps something for it."""
        return f"shovel {self._name} {end} {self._vhost} {self._context.facts.cluster_name}"

    async def source(self, peers: trio.Nursery, held: AsyncExitStack, prefetch: int) -> Source[Any]:
        """The source at one of its URIs; PeerError if there is none.

        peers: where tasks of connections run.  held: what is let go with the source.
        """
        definition, mode = self._definition.source, self._definition.ack_mode
        if isinstance(definition, MqttSourceDefinition):
            mqtt_uri = self.source_uri = pick(definition.uris)
            mqtt_peer = await self._mqtt_peer(peers, held, mqtt_uri, definition.client, "source", prefetch)
            former = self._former_topics.difference(definition.topics)
            return await mqtt_ends.open_source(mqtt_peer, definition, sorted(former))
        if isinstance(definition, StompSourceDefinition):
            stomp_uri = self.source_uri = pick(definition.uris)
            stomp_peer = await self._stomp_peer(peers, held, stomp_uri)
            return await stomp_ends.open_source(stomp_peer, definition, mode, prefetch, self.own_id("source"))
        # Picked already, by who has found that it isn't here.
        uri = self.source_uri = self.source_uri if isinstance(self.source_uri, AmqpUri) else pick(definition.uris)
        peer = await self._amqp_peer(peers, held, uri)
        return await amqp_ends.open_source(peer, definition, mode, prefetch, self._remembered)

    async def destination(self, peers: trio.Nursery, held: AsyncExitStack) -> Destination:
        """The destination at one of its URIs, likewise."""
        definition, mode = self._definition.destination, self._definition.ack_mode
        if isinstance(definition, MqttDestinationDefinition):
            mqtt_uri = self.destination_uri = pick(definition.uris)
            mqtt_peer = await self._mqtt_peer(
                peers, held, mqtt_uri, definition.client, "destination", RECEIVE_MAXIMUM_MAX
            )
            return mqtt_ends.MqttDestination(mqtt_peer, definition)
        if isinstance(definition, StompDestinationDefinition):
            stomp_uri = self.destination_uri = pick(definition.uris)
            stomp_peer = await self._stomp_peer(peers, held, stomp_uri)
            return stomp_ends.StompDestination(stomp_peer, definition, mode, self._caution)
        # Picked already, as the source's.
        uri = self.destination_uri if isinstance(self.destination_uri, AmqpUri) else pick(definition.uris)
        self.destination_uri = uri
        peer = await self._amqp_peer(peers, held, uri)
        return await amqp_ends.open_destination(peer, definition, mode)

    # Below

    async def _amqp_peer(self, peers: trio.Nursery, held: AsyncExitStack, uri: AmqpUri) -> AmqpPeer:
        peer = await connect_amqp(
            peers, uri, product=PRODUCT, version=self._context.facts.version, name=f"Shovel {self._name}"
        )
        held.push_async_callback(peer.aclose)
        return peer

    async def _mqtt_peer(
        self,
        peers: trio.Nursery,
        held: AsyncExitStack,
        uri: MqttUri,
        client: MqttClientDefinition,
        end: str,
        prefetch: int,
    ) -> MqttPeer:
        login = mqtt_ends.login_of(client, uri, self.own_id(end), prefetch)
        peer = await connect_mqtt(
            peers, uri, login, self._memories.setdefault((login.client_id, uri.host, uri.port), ClientMemory())
        )
        held.push_async_callback(peer.aclose)
        return peer

    async def _stomp_peer(self, peers: trio.Nursery, held: AsyncExitStack, uri: StompUri) -> StompPeer:
        peer = await connect_stomp(peers, uri)
        held.push_async_callback(peer.aclose)
        return peer
