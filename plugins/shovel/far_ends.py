"""How a shovel's ends at other places are reached, and what is remembered of those from one connection to the next."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from warren.adapters.amqp091.client.uri import AmqpUri
from warren.gateway.plugin import Amqp10Peer, AmqpPeer, StompPeer, connect_amqp, connect_amqp10, connect_stomp
from warren.plugins.bridging.attempts import pick
from warren.plugins.bridging.remembered import Remembered
from warren.plugins.bridging.turnstile import Turnstile
from warren.plugins.shovel import amqp10_ends, amqp_ends, http_source, kafka_ends, stomp_ends
from warren.plugins.shovel.amqp10_definition import Amqp10DestinationDefinition, Amqp10SourceDefinition
from warren.plugins.shovel.http_definition import HttpDestinationDefinition, HttpSourceDefinition
from warren.plugins.shovel.http_destination import HttpDestination
from warren.plugins.shovel.http_source import HttpMemory
from warren.plugins.shovel.kafka_definition import KafkaDestinationDefinition, KafkaSourceDefinition
from warren.plugins.shovel.left_behind import left_behind
from warren.plugins.shovel.mqtt_connections import MqttConnections
from warren.plugins.shovel.mqtt_definition import MqttDestinationDefinition, MqttSourceDefinition
from warren.plugins.shovel.mqtt_opening import MqttOpening
from warren.plugins.shovel.mqtt_sessions import KeptSession
from warren.plugins.shovel.places import Places
from warren.plugins.shovel.stomp_definition import StompDestinationDefinition, StompSourceDefinition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import trio

    from warren.adapters.amqp10.client.uri import Amqp10Uri
    from warren.adapters.http.client.uri import HttpUri
    from warren.adapters.mqtt.client.uri import MqttUri
    from warren.adapters.stomp.client.uri import StompUri
    from warren.gateway.plugin import Context
    from warren.plugins.bridging.ends import Arrived, Destination, Source
    from warren.plugins.shovel.definition import ShovelDefinition
    from warren.plugins.shovel.kafka_definition import KafkaUri
    from warren.plugins.shovel.left_behind import Kept
    from warren.plugins.shovel.left_file import LeftFile

    AnyUri: TypeAlias = AmqpUri | Amqp10Uri | MqttUri | StompUri | HttpUri | KafkaUri

PRODUCT: Final = "Warren"


class Shared:
    """What all shovels have in common.  left: what they have at other brokers.  turnstile: passed before connecting."""

    def __init__(self, left: LeftFile) -> None:
        self.left = left
        self.turnstile = Turnstile()
        self.mqtt = MqttConnections()


def own_id(vhost: str, name: str, cluster: str, end: str) -> str:
    """Who an end of a shovel is to a broker that keeps something for it, where nobody has said so."""
    return f"shovel {name} {end} {vhost} {cluster}"


class FarEnds:
    """Of one shovel.  name, vhost: the shovel's.  source_uri, destination_uri: where its ends are, once tried."""

    def __init__(self, context: Context, vhost: str, name: str, definition: ShovelDefinition, shared: Shared) -> None:
        self._context = context
        self._vhost = vhost
        self._name = name
        self._definition = definition
        self._shared = shared
        self._places = Places(context.facts.cluster_name)
        self._mqtt = MqttOpening(
            definition, f"the shovel '{name}' in virtual host '{vhost}'", self._own_id, shared.mqtt, shared.left
        )
        self.source_uri: AnyUri | None = None
        self.destination_uri: AnyUri | None = None
        self._http_memories: dict[HttpUri, HttpMemory] = {}
        self._remembered = Remembered(definition.prefetch)
        self._caution = stomp_ends.Caution()

    def left_behind(self) -> Iterator[Kept]:
        """What is left at other brokers."""
        return left_behind(self._definition, self._own_id)

    def is_another_ones(self, kept: Kept) -> bool:
        """Whether another shovel is the same client there."""
        return isinstance(kept, KeptSession) and self._shared.mqtt.is_used(kept.client_id, kept.uri)

    async def begin(self, prefetch: int) -> None:
        """Before anything is opened; PeerError where another shovel is in the way."""
        self._mqtt.begin(prefetch)
        await self._shared.left.note(*self.left_behind())

    async def announce(self) -> None:
        """Tell, where that is wanted, that messages go; PeerError where it is refused."""
        await self._mqtt.announce()

    def finish(self) -> None:
        """Nothing is opened any more."""
        self._mqtt.forget()

    def from_elsewhere(self) -> Callable[[Arrived], bool] | None:
        """Tells whether a message hasn't been at the destination; None where that makes no difference."""
        return self._places.not_from(self._definition.destination.uris) if self._definition.no_local else None

    @property
    def source_place(self) -> str | None:
        """Where messages are taken from, for who asks where they have been."""
        uri = self.source_uri
        return self._places.of(uri) if self._definition.no_local and uri is not None else None

    async def source(self, peers: trio.Nursery, held: AsyncExitStack, prefetch: int) -> Source[Any]:
        """The source at one of its URIs; PeerError if there is none.

        peers: where tasks of connections run.  held: what is let go with the source.
        """
        definition, mode = self._definition.source, self._definition.ack_mode
        if isinstance(definition, MqttSourceDefinition):
            mqtt_uri = self.source_uri = pick(definition.uris)
            return await self._mqtt.source(peers, held, definition, mqtt_uri, prefetch)
        if isinstance(definition, StompSourceDefinition):
            stomp_uri = self.source_uri = pick(definition.uris)
            stomp_peer = await self._stomp_peer(peers, held, stomp_uri)
            return await stomp_ends.open_source(stomp_peer, definition, mode, prefetch, self._own_id("source"))
        if isinstance(definition, Amqp10SourceDefinition):
            amqp10_uri = self.source_uri = pick(definition.uris)
            amqp10_peer = await self._amqp10_peer(peers, held, amqp10_uri)
            return await amqp10_ends.open_source(amqp10_peer, definition, mode, prefetch, self._own_id("source"))
        if isinstance(definition, HttpSourceDefinition):
            http_uri = self.source_uri = pick(definition.uris)
            memory = self._http_memories.setdefault(http_uri, HttpMemory())
            return await http_source.open_source(definition, http_uri, memory, held)
        if isinstance(definition, KafkaSourceDefinition):
            kafka_uri = self.source_uri = pick(definition.uris)
            return await kafka_ends.open_source(peers, held, definition, kafka_uri, prefetch, self._own_id("source"))
        # Picked already, by who has found that it isn't here.
        uri = self.source_uri = self.source_uri if isinstance(self.source_uri, AmqpUri) else pick(definition.uris)
        peer = await self._amqp_peer(peers, held, uri)
        return await amqp_ends.open_source(peer, definition, mode, prefetch, self._remembered)

    async def destination(self, peers: trio.Nursery, held: AsyncExitStack) -> Destination:
        """The destination at one of its URIs, likewise."""
        definition, mode = self._definition.destination, self._definition.ack_mode
        if isinstance(definition, MqttDestinationDefinition):
            mqtt_uri = self.destination_uri = pick(definition.uris)
            return await self._mqtt.destination(peers, held, definition, mqtt_uri)
        if isinstance(definition, StompDestinationDefinition):
            stomp_uri = self.destination_uri = pick(definition.uris)
            stomp_peer = await self._stomp_peer(peers, held, stomp_uri)
            return stomp_ends.StompDestination(stomp_peer, definition, mode, self._caution)
        if isinstance(definition, Amqp10DestinationDefinition):
            amqp10_uri = self.destination_uri = pick(definition.uris)
            amqp10_peer = await self._amqp10_peer(peers, held, amqp10_uri)
            name = self._own_id("destination")
            return await amqp10_ends.open_destination(amqp10_peer, definition, self._definition.changes, mode, name)
        if isinstance(definition, HttpDestinationDefinition):
            http_uri = self.destination_uri = pick(definition.uris)
            destination = HttpDestination(definition, http_uri, mode)
            await destination.open(peers, held)
            return destination
        if isinstance(definition, KafkaDestinationDefinition):
            kafka_uri = self.destination_uri = pick(definition.uris)
            client_id = self._own_id("destination")
            return await kafka_ends.open_destination(peers, held, definition, kafka_uri, client_id)
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
        self._places.met(uri, peer.connection.cluster_name)
        return peer

    async def _amqp10_peer(self, peers: trio.Nursery, held: AsyncExitStack, uri: Amqp10Uri) -> Amqp10Peer:
        peer = await connect_amqp10(
            peers, uri, product=PRODUCT, version=self._context.facts.version, name=f"Shovel {self._name}"
        )
        held.push_async_callback(peer.aclose)
        self._places.met(uri, peer.connection.cluster_name)
        return peer

    async def _stomp_peer(self, peers: trio.Nursery, held: AsyncExitStack, uri: StompUri) -> StompPeer:
        peer = await connect_stomp(peers, uri)
        held.push_async_callback(peer.aclose)
        return peer

    def _own_id(self, end: str) -> str:
        return own_id(self._vhost, self._name, self._context.facts.cluster_name, end)
