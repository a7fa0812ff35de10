"""A source and a destination at another broker, over AMQP 1.0: RabbitMQ, Warren, Qpid, Artemis, or any other.

What became of a message is told by its outcome: accepted is a confirm; rejected, released and modified are refusals, of
which released means that no queue is there.  The source is answered by ranges.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.client.connection import stream_filters
from warren.gateway.plugin import Amqp10Peer
from warren.plugins.bridging.ack_modes import NO_ACK, ON_CONFIRM
from warren.plugins.bridging.ends import Arrived, Outcome, outcomes_of
from warren.plugins.shovel.amqp10_messages import Amqp10Message, Payloads

if TYPE_CHECKING:
    from warren.adapters.amqp10.client.receiving import Receiving
    from warren.adapters.amqp10.client.sending import Sending
    from warren.core.messages.properties import Properties
    from warren.plugins.shovel.amqp10_definition import Amqp10DestinationDefinition, Amqp10SourceDefinition
    from warren.plugins.shovel.definition import Changes

STALLED: Final = "the destination gives no credit, or answers nothing: is there an alarm, or a full queue?"


class Amqp10Source:
    """Implements ends.Source."""

    def __init__(self, peer: Amqp10Peer, receiving: Receiving, address: str, *, no_ack: bool) -> None:
        self.waiting: int | None = None
        self._peer = peer
        self._receiving = receiving
        self._address = address
        self._no_ack = no_ack
        self._unacknowledged: deque[Amqp10Message] = deque()
        peer.hold_back(lambda: receiving.arrived)

    async def receive(self) -> Sequence[Amqp10Message]:
        receiving = self._receiving
        while not receiving.arrived:
            await self._peer.progress()
        batch = [Amqp10Message(received, self._address) for received in receiving.arrived]
        receiving.arrived.clear()
        settled = 0
        for message in batch:
            if message.received.settled:
                settled += 1
            elif self._no_ack:
                # The peer settles nothing by itself, though it was asked to.
                receiving.accept(message.received.delivery_id, message.received.delivery_id, 1)
            else:
                self._unacknowledged.append(message)
        receiving.settled_by_peer(settled)
        self._peer.taken()
        self._peer.flush()
        return batch

    def ack(self, message: Amqp10Message) -> None:
        """This and all before it; each run of numbers is one disposition."""
        if message.received.settled or self._no_ack:
            return
        self._raise_if_closed()
        first = last = self._unacknowledged[0].received.delivery_id
        count = 0
        while True:
            oldest = self._unacknowledged.popleft()
            number = oldest.received.delivery_id
            if number - last > 1 or number < last:
                self._receiving.accept(first, last, count)
                first, count = number, 0
            last = number
            count += 1
            if oldest is message:
                break
        self._receiving.accept(first, last, count)
        self._peer.flush()

    def ack_alone(self, message: Amqp10Message) -> None:
        if message.received.settled or self._no_ack:
            return
        self._raise_if_closed()
        self._unacknowledged.remove(message)
        self._receiving.accept(message.received.delivery_id, message.received.delivery_id, 1)
        self._peer.flush()

    def reject(self, message: Amqp10Message) -> None:
        """This message can't be used: the source's queue dead-letters it, or drops it."""
        self._raise_if_closed()
        if not message.received.settled:
            self._unacknowledged.remove(message)
            self._receiving.reject(message.received.delivery_id)
            self._peer.flush()

    def _raise_if_closed(self) -> None:
        if self._peer.connection.closed is not None:
            raise self._peer.connection.closed


async def open_source(
    peer: Amqp10Peer, definition: Amqp10SourceDefinition, ack_mode: str, prefetch: int, name: str
) -> Amqp10Source:
    """Attach a link; PeerError if the peer refuses it.  name: the link's, where the definition names none."""
    no_ack = ack_mode == NO_ACK
    priority = definition.arguments.get("x-priority")
    receiving = peer.connection.receive_from(
        definition.address,
        prefetch,
        name=definition.name or name,
        settled=no_ack,
        filters=stream_filters(definition.arguments),
        priority=priority if isinstance(priority, int) else None,
    )
    await peer.attached()
    return Amqp10Source(peer, receiving, definition.address, no_ack=no_ack)


class Amqp10Destination:
    """Implements ends.Destination."""

    def __init__(self, peer: Amqp10Peer, sending: Sending, payloads: Payloads, *, confirms: bool) -> None:
        self._peer = peer
        self._sending = sending
        self._payloads = payloads
        self._confirms = confirms

    @property
    def blocked(self) -> str | None:
        return STALLED if self._sending.stalled else None

    async def ready(self) -> None:
        await self._peer.room()
        while self._sending.stalled or self._sending.waiting:
            await self._peer.progress()
        if self._peer.connection.closed is not None:
            raise self._peer.connection.closed

    def publish(self, message: Arrived, exchange: str, routing_key: str, properties: Properties) -> int:
        connection = self._peer.connection
        if connection.closed is not None:
            raise connection.closed
        payload = self._payloads.of(message, routing_key, properties, message.body)
        return self._sending.send(payload, connection.now_ms, settled=not self._confirms)

    def flush(self) -> None:
        self._peer.flush()
        if self._sending.settled:
            # What is settled by being sent has no answer that would wake who waits for the outcome.
            self._peer.wake()

    async def wait_ended(self) -> None:
        while True:
            await self._peer.progress()

    async def outcomes(self) -> Sequence[Outcome]:
        sending = self._sending
        while not sending.settled:
            await self._peer.progress()
        settled, sending.settled = sending.settled, []
        return outcomes_of(settled)


async def open_destination(
    peer: Amqp10Peer, definition: Amqp10DestinationDefinition, changes: Changes, ack_mode: str, name: str
) -> Amqp10Destination:
    """Attach a link; PeerError if the peer refuses it.  name: the link's."""
    confirms = ack_mode == ON_CONFIRM
    sending = peer.connection.send_to(definition.address, name=name, settled=not confirms)
    await peer.attached()
    stamp = changes.deduplication_header
    keeps_bare = not changes.properties and (stamp is None or stamp.startswith("x-"))
    payloads = Payloads(definition, keeps_bare=keeps_bare, stamp=stamp)
    return Amqp10Destination(peer, sending, payloads, confirms=confirms)
