"""A source and a destination at another broker, over MQTT: Mosquitto, RabbitMQ, Warren or any other.

A topic is a routing key on the way, as in the broker itself (spec C.1), and a message that came over MQTT keeps what
only MQTT knows of it: its retain flag, its topic, its properties.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final

import trio

from warren.adapters.mqtt.client.connection import MqttLogin
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import Publish, Subscription
from warren.adapters.mqtt.properties import EXPIRY_S_MAX, forwarded, properties_of, translated
from warren.adapters.mqtt.sessions.names import TopicNames
from warren.adapters.peers.errors import PeerError
from warren.core.messages.internal_headers import internal_headers
from warren.gateway.plugin import MqttPeer
from warren.plugins.bridging.ends import Arrived, Outcome, outcomes_of

if TYPE_CHECKING:
    from warren.adapters.mqtt.client.uri import MqttUri
    from warren.adapters.mqtt.codec.properties import Properties as MqttProperties
    from warren.core.messages.properties import Properties
    from warren.plugins.shovel.mqtt_definition import (
        MqttClientDefinition,
        MqttDestinationDefinition,
        MqttSourceDefinition,
        Renaming,
    )

SILENT_S: Final = 10.0
"""How long a broker may leave all messages unanswered before that is told: a disk that is very slow takes a few."""

STALLED: Final = (
    "the destination answers nothing of what it is sent: is there an alarm, or a full queue, of which MQTT 3.1.1 can't "
    "tell? 'restart_shovel' sends it again"
)

EXACTLY_ONCE: Final = 2
"""The QoS."""

GRACE_S: Final = 1.0
"""How long the destination has to confirm what is under way when the link to the source breaks: what it has, of QoS 2,
isn't taken again."""

NAMES: Final = TopicNames()
"""How topics are written as routing keys: as RabbitMQ does without a plugin of its own."""


class MqttMessage:
    """A message that came over MQTT, as AMQP has it, with the packet that it came in.  topic: as it is called here."""

    __slots__ = ("body", "exchange", "packet", "properties", "routing_key", "topic")

    def __init__(self, packet: Publish, topic: str) -> None:
        self.packet = packet
        self.topic = topic
        self.body = packet.payload
        self.exchange = NAMES.exchange
        self.routing_key = NAMES.key_of(topic)
        own = properties_of(NAMES, packet.properties, packet.qos, retain=False)
        self.properties: Properties = own.with_header_entries({}, internal_headers()) if own.has_headers else own


class MqttSource:
    """Implements ends.Source."""

    def __init__(self, peer: MqttPeer, renaming: Renaming) -> None:
        self.waiting: int | None = None
        self._topic_of = renaming.of
        self._peer = peer
        self._unacknowledged: deque[MqttMessage] = deque()
        peer.hold_back(lambda: peer.connection.arrived)

    async def receive(self) -> Sequence[MqttMessage]:
        arrived = self._peer.connection.arrived
        while not arrived:
            await self._peer.progress()
        batch = [MqttMessage(packet, self._topic_of(packet.topic)) for packet in arrived]
        arrived.clear()
        self._peer.taken()
        self._unacknowledged.extend(batch)
        return batch

    def ack(self, message: MqttMessage) -> None:
        """MQTT acknowledges one by one, and in the order of arrival (4.6).

        On a lost connection, messages of QoS 2 are remembered: the peer sends them again, and they are the same.
        """
        connection = self._peer.connection
        again = False
        while True:
            oldest = self._unacknowledged.popleft()
            connection.acknowledge(oldest.packet)
            again = again or oldest.packet.qos != EXACTLY_ONCE
            if oldest is message:
                break
        if connection.closed is not None and again:
            raise connection.closed
        self._peer.flush()

    def ack_alone(self, message: MqttMessage) -> None:
        """Answers keep the order of the messages (4.6), so it is only remembered."""
        self._peer.connection.remember(message.packet)


async def open_source(
    peer: MqttPeer, definition: MqttSourceDefinition, former_topics: Collection[str] = ()
) -> MqttSource:
    """Subscribe; PeerError if the peer refuses a filter.

    former_topics: subscriptions that the session may have from before, which end.
    """
    if former_topics:
        await peer.unsubscribe(*former_topics)
    no_local = definition.no_local
    await peer.subscribe(
        *(
            Subscription(each, definition.qos, no_local=no_local, retain_as_published=True, retain_handling=1)
            for each in definition.topics
        )
    )
    return MqttSource(peer, definition.renaming)


class MqttDestination:
    """Implements ends.Destination.  let_go: of messages that come over its connection and that nobody waits for."""

    def __init__(self, peer: MqttPeer, definition: MqttDestinationDefinition, let_go: Callable[[], None]) -> None:
        self._peer = peer
        self._let_go = let_go
        self._topic_of = definition.renaming.of
        self._qos = min(definition.qos, peer.connection.maximum_qos)
        if definition.qos and not self._qos:
            raise PeerError("the peer takes messages of QoS 0 alone, of which nobody can say that they have arrived")
        self._retain = definition.retain
        self._silent_from_s = math.inf

    @property
    def blocked(self) -> str | None:
        """MQTT has no word for it: a broker that takes nothing doesn't answer."""
        unanswered = self._peer.connection.sending.unanswered
        return STALLED if unanswered and trio.current_time() - self._silent_from_s >= SILENT_S else None

    async def ready(self) -> None:
        await self._peer.room()
        while self._peer.connection.sending.waiting and self._peer.connection.closed is None:
            await self._peer.progress()
        if self._peer.connection.closed is not None:
            raise self._peer.connection.closed

    def publish(self, message: Arrived, exchange: str, routing_key: str, properties: Properties) -> int:
        packet = message.packet if isinstance(message, MqttMessage) else None
        topic = self._topic_of(topic_of(message, routing_key))
        if not self._peer.connection.sending.unanswered:
            self._silent_from_s = trio.current_time()
        return self._peer.connection.publish(
            Publish(
                topic,
                message.body,
                self._qos,
                retain=self._retains(packet) and self._peer.connection.retain_available,
                properties=_mqtt_properties(packet, message.properties, properties),
            )
        )

    def flush(self) -> None:
        self._peer.flush()
        if self._peer.connection.sending.settled:
            # With QoS 0 no answer comes that would wake who waits for the outcome.
            self._peer.wake()

    async def wait_ended(self) -> None:
        while True:
            await self._peer.progress()
            self._let_go()

    async def outcomes(self) -> Sequence[Outcome]:
        sending = self._peer.connection.sending
        while not sending.settled:
            await self._peer.progress()
        settled, sending.settled = sending.settled, []
        self._silent_from_s = trio.current_time()
        return outcomes_of(settled)

    def _retains(self, packet: Publish | None) -> bool:
        return self._retain if self._retain is not None else packet is not None and packet.retain


def topic_of(message: Arrived, routing_key: str) -> str:
    """A message's topic: the one that it came with, as it is called here, or the routing key as MQTT has it."""
    return message.topic if isinstance(message, MqttMessage) else NAMES.topic_of(routing_key)


def login_of(
    definition: MqttClientDefinition, uri: MqttUri, client_id: str, prefetch: int, *, no_local: bool = False
) -> MqttLogin:
    """Who a shovel is to an MQTT broker.  client_id: where the definition names none.

    no_local: what it publishes isn't to come back; in 3.1.1 only a bridge can ask for that.
    """
    return MqttLogin(
        definition.client_id or client_id,
        definition.level,
        definition.clean_start,
        definition.session_expiry_s,
        uri.user,
        uri.password,
        uri.keep_alive_s,
        prefetch,
        None if definition.notification is None else definition.notification.will,
        no_local and definition.level != versions.V5,
    )


def _mqtt_properties(packet: Publish | None, before: Properties, properties: Properties) -> MqttProperties:
    """A message's properties for MQTT 5: those that it came with, unless the shovel changes them.

    before: AMQP's properties as they came; properties: as they go out.
    """
    mqtt = (
        forwarded(packet.properties) if packet is not None and properties is before else translated(NAMES, properties)
    )
    expiration = properties.expiration
    if expiration is not None and expiration.isascii() and expiration.isdigit():
        mqtt["message_expiry_interval"] = min(-(-int(expiration) // 1000), EXPIRY_S_MAX)
    return mqtt
