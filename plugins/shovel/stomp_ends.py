"""A source and a destination at another broker, over STOMP: RabbitMQ, ActiveMQ, Warren or any other.

Destinations and headers are AMQP's addresses and properties on the way, as in the broker itself (spec B.3, B.5, B.6):
`/queue/a` is the queue `a`, `/topic/a.b` the routing key `a.b` of the exchange `amq.topic`; headers that are no
property are entries of the AMQP headers, as texts.  What another broker calls its destinations is kept as it is called.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from warren.adapters.peers.errors import PeerError
from warren.adapters.stomp.codec.errors import StompError
from warren.adapters.stomp.codec.escaping import V1_0
from warren.adapters.stomp.destinations import TEMPORARY_PREFIX, destination_of, encoded, parse_destination
from warren.adapters.stomp.message_headers import RESERVED, headers_of, properties_of
from warren.adapters.stomp.subscribing import DECLARING_HEADERS
from warren.core.messages.address import Address
from warren.core.messages.properties import Properties, encode_properties
from warren.gateway.plugin import StompPeer
from warren.plugins.bridging.ack_modes import NO_ACK, ON_CONFIRM
from warren.plugins.bridging.ends import Arrived, Outcome, outcomes_of
from warren.plugins.shovel.mqtt_ends import NAMES, topic_of
from warren.plugins.shovel.stomp_definition import ROUTING_KEY, SENDS_ITSELF, TOPIC

if TYPE_CHECKING:
    from warren.adapters.stomp.client.sending import Sending
    from warren.adapters.stomp.codec.frames import Frame
    from warren.plugins.shovel.stomp_definition import StompDestinationDefinition, StompSourceDefinition

HEADS_MAX: Final = 256
"""Heads of SEND that are remembered: most messages of a shovel have the same."""

STALLED: Final = "the destination answers nothing of what it is sent: is there an alarm?"

MEANS_SOMETHING_ELSE: Final = frozenset({*RESERVED, *SENDS_ITSELF, *DECLARING_HEADERS})
"""Headers of a message that would be taken for the shovel's own wish in a SEND, and don't go along: nobody who writes a
message is to say how the destination's queue is declared."""

_fields = re.compile(r"\{(?:destination|topic|routing_key)\}")


class StompMessage:
    """A message that came over STOMP, as AMQP has it, with the frame that it came in."""

    __slots__ = ("body", "destination", "exchange", "frame", "properties", "routing_key")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.body = frame.body
        self.destination = frame.headers.get("destination", "")
        self.exchange, self.routing_key = _address_of(self.destination)
        self.properties = _properties_of(frame)


class StompSource:
    """Implements ends.Source."""

    def __init__(self, peer: StompPeer, *, no_ack: bool) -> None:
        self.waiting: int | None = None
        self._peer = peer
        self._no_ack = no_ack
        self._unacknowledged: deque[StompMessage] = deque()
        peer.hold_back(lambda: peer.connection.arrived)

    async def receive(self) -> Sequence[StompMessage]:
        arrived = self._peer.connection.arrived
        while not arrived:
            await self._peer.progress()
        batch = [StompMessage(frame) for frame in arrived]
        arrived.clear()
        self._peer.taken()
        if not self._no_ack:
            self._unacknowledged.extend(batch)
        return batch

    def ack(self, message: StompMessage) -> None:
        """One by one: what an ACK of more than one message settles differs between brokers."""
        if self._no_ack:
            return
        connection = self._peer.connection
        if connection.closed is not None:
            raise connection.closed
        while True:
            oldest = self._unacknowledged.popleft()
            connection.acknowledge(oldest.frame)
            if oldest is message:
                break
        self._peer.flush()

    def ack_alone(self, message: StompMessage) -> None:
        """Not in 1.0, whose ACK may settle everything before it, too."""
        if self._no_ack or self._peer.connection.version == V1_0:
            return
        connection = self._peer.connection
        if connection.closed is not None:
            raise connection.closed
        self._unacknowledged.remove(message)
        connection.acknowledge(message.frame)
        self._peer.flush()

    def reject(self, message: StompMessage) -> None:
        """This message can't be used (NACK): what becomes of it is the broker's affair, mostly a dead letter."""
        connection = self._peer.connection
        if connection.closed is not None:
            raise connection.closed
        self._unacknowledged.remove(message)
        try:
            connection.reject(message.frame)
        except ValueError as error:
            raise PeerError(f"the source can't be told that a message can't be used: {error}") from error
        self._peer.flush()


async def open_source(
    peer: StompPeer, definition: StompSourceDefinition, ack_mode: str, prefetch: int, id: str
) -> StompSource:
    """Subscribe; PeerError if the peer refuses.  id: the subscription's, where the definition names none."""
    no_ack = ack_mode == NO_ACK
    ack = "auto" if no_ack else "client-individual"
    headers = {} if no_ack else {"prefetch-count": str(prefetch)}
    headers |= {name: value for name, value in definition.headers.items() if name != "id"}
    for own_id, destination in definition.subscriptions(id):
        await peer.subscribe(own_id, destination, ack, headers)
    return StompSource(peer, no_ack=no_ack)


class Caution:
    """What a shovel remembers of its destination between connections: whether that hung up on what it was sent."""

    def __init__(self) -> None:
        self._sending: Sending | None = None

    def begin(self, sending: Sending) -> None:
        """There is a new connection."""
        if self._sending is not None and self._sending.unanswered:
            sending.begin_carefully()
        self._sending = sending


class StompDestination:
    """Implements ends.Destination.  caution: the shovel's, for all of its connections."""

    def __init__(
        self, peer: StompPeer, definition: StompDestinationDefinition, ack_mode: str, caution: Caution
    ) -> None:
        self._peer = peer
        caution.begin(peer.connection.sending)
        self._template = definition.destination
        self._headers = definition.headers
        self._confirms = ack_mode == ON_CONFIRM
        self._heads: dict[tuple[str, bytes], bytes] = {}

    @property
    def blocked(self) -> str | None:
        """STOMP has no word for it: a broker that takes nothing doesn't answer."""
        return STALLED if self._peer.connection.sending.stalled else None

    async def ready(self) -> None:
        await self._peer.room()
        connection = self._peer.connection
        while (connection.sending.stalled or connection.sending.waiting) and connection.closed is None:
            await self._peer.progress()
        if connection.closed is not None:
            raise connection.closed

    def publish(self, message: Arrived, exchange: str, routing_key: str, properties: Properties) -> int:
        key = self._destination_of(message, exchange, routing_key), properties.raw
        head = self._heads.get(key)
        if head is None:
            head = self._remember(key, properties)
        return self._peer.connection.send(head, message.body, receipt=self._confirms)

    def flush(self) -> None:
        self._peer.flush()
        if self._peer.connection.sending.settled:
            # Without receipts no answer comes that would wake who waits for the outcome.
            self._peer.wake()

    async def wait_ended(self) -> None:
        while True:
            await self._peer.progress()
            # Answers to a `reply-to` of the shovel's own headers have nobody who reads them.
            self._peer.connection.arrived.clear()

    async def outcomes(self) -> Sequence[Outcome]:
        sending = self._peer.connection.sending
        while not sending.settled:
            await self._peer.progress()
        settled, sending.settled = sending.settled, []
        return outcomes_of(settled)

    def _destination_of(self, message: Arrived, exchange: str, routing_key: str) -> str:
        if "{" not in self._template:
            return self._template
        return _fields.sub(lambda found: _own(found[0], message, exchange, routing_key), self._template)

    def _remember(self, key: tuple[str, bytes], properties: Properties) -> bytes:
        head = self._peer.connection.prepare([("destination", key[0]), *self._headers_of(properties)])
        if len(self._heads) >= HEADS_MAX:
            self._heads.clear()
        self._heads[key] = head
        return head

    def _headers_of(self, properties: Properties) -> Iterator[tuple[str, str]]:
        yield from self._headers.items()
        for name, value in headers_of(properties):
            private = name == "reply-to" and value.startswith(TEMPORARY_PREFIX)
            if name not in MEANS_SOMETHING_ELSE and name not in self._headers and not private:
                yield name, value


def _own(field: str, message: Arrived, exchange: str, routing_key: str) -> str:
    """What a field of the template is for this message."""
    if field == ROUTING_KEY:
        return encoded(routing_key)
    if field == TOPIC:
        return "/".join(map(encoded, topic_of(message, routing_key).split("/")))
    if isinstance(message, StompMessage):
        return message.destination
    return destination_of(Address(exchange, routing_key), NAMES.exchange)


def _address_of(destination: str) -> tuple[str, str]:
    """Exchange and routing key; what isn't one of RabbitMQ's destinations is a queue that is called so."""
    try:
        found = parse_destination(destination, NAMES.exchange, "MESSAGE")
    except StompError:
        return "", destination
    return found.exchange, found.key


def _properties_of(frame: Frame) -> Properties:
    """A message's properties; where a header says what no property can hold, all headers are entries."""
    headers = {name: value for name, value in frame.headers.items() if name not in RESERVED}
    try:
        return properties_of(headers)
    except StompError:
        pass
    try:
        return encode_properties(headers=headers)
    except ValueError as error:
        raise PeerError(f"a message of the source has headers that AMQP's can't hold: {error}") from error
