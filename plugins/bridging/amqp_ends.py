"""A source and a destination at another broker, over AMQP 0-9-1: RabbitMQ, or Warren."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Final, TypeAlias

from warren.adapters.amqp091.client.incoming import Incoming
from warren.adapters.amqp091.codec import methods
from warren.adapters.peers.errors import PeerError
from warren.gateway.plugin import AmqpPeer
from warren.plugins.bridging.ends import Arrived, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.adapters.amqp091.client.channel import ClientChannel
    from warren.core.messages.properties import Properties
    from warren.plugins.bridging.remembered import Remembered

NACKED: Final = "the destination refused a message (basic.nack): is its queue full?"

_Key: TypeAlias = tuple[str, str, bytes]
"""Exchange, routing key, body."""


class AmqpSource:
    """Implements ends.Source.

    remembered: of the link, whatever its connections; where there is one, what is known to be at the destination and
    is delivered again is acknowledged, and not given out.
    """

    def __init__(
        self,
        peer: AmqpPeer,
        channel: ClientChannel,
        waiting: int | None,
        *,
        no_ack: bool,
        queue: str = "",
        remembered: Remembered | None = None,
    ) -> None:
        self._queue = queue
        self._remembered = remembered
        if remembered is not None:
            remembered.begin()
        self.waiting = waiting
        self._peer = peer
        self._channel = channel
        self._no_ack = no_ack
        self._last_given = self._last_done = 0
        peer.hold_back(lambda: channel.arrived)

    async def receive(self) -> Sequence[Incoming]:
        while True:
            arrived = await self._receive()
            if self._remembered is None:
                return arrived
            new = [message for message in arrived if self._is_new(message, self._remembered)]
            if new:
                return new

    def _is_new(self, message: Incoming, remembered: Remembered) -> bool:
        if remembered.is_known(message):
            self._channel.ack(message.tag)
            self._peer.flush()
            return False
        remembered.forwarded(message)
        return True

    async def _receive(self) -> Sequence[Incoming]:
        channel = self._channel
        while not channel.arrived:
            if channel.cancelled:
                raise PeerError("the source has ended the consumer: the queue was deleted, or its node is gone")
            await self._peer.channel_progress(channel)
        batch = list(channel.arrived)
        channel.arrived.clear()
        self._peer.taken()
        self._last_given = batch[-1].tag
        return batch

    @property
    def unsettled(self) -> int:
        """Messages that have come and aren't done with; tags are counted up, one by one (AMQP 0-9-1 4.4.1.3)."""
        return self._last_given - self._last_done + len(self._channel.arrived)

    async def is_empty(self) -> bool:
        """Whether nothing is ready in the queue."""
        return not await self.ready_count()

    async def ready_count(self) -> int:
        """What is ready in the queue; asked on a channel of its own, which what comes may not delay."""
        channel = self._peer.open_channel()
        declare = methods.QueueDeclare(queue=self._queue, passive=True)
        try:
            return (await self._peer.ask(channel, declare, methods.QueueDeclareOk)).message_count
        finally:
            channel.close()
            self._peer.flush()

    def ack(self, message: Incoming) -> None:
        self._last_done = message.tag
        self._ack(message, multiple=True)

    def ack_alone(self, message: Incoming) -> None:
        self._ack(message, multiple=False)

    def reject(self, message: Incoming) -> None:
        """This message can't be used: the source's queue dead-letters it, or drops it."""
        if self._channel.closed is not None:
            raise self._channel.closed
        if self._remembered is not None:
            self._remembered.rejected(message.tag)
        self._channel.reject(message.tag)
        self._peer.flush()

    def _ack(self, message: Incoming, *, multiple: bool) -> None:
        if self._remembered is not None:
            # Also where the source doesn't hear of it any more: the destination has it.
            if multiple:
                self._remembered.acknowledged(message.tag)
            else:
                self._remembered.acknowledged_alone(message.tag)
        if self._channel.closed is not None:
            # Nobody hears of it: what was moved comes again, and hasn't been moved as far as the source knows.
            raise self._channel.closed
        if not self._no_ack:
            self._channel.ack(message.tag, multiple=multiple)
            self._peer.flush()


class AmqpDestination:
    """Implements ends.Destination.

    mandatory: the peer returns what no queue takes.  A return doesn't tell the number of its message, so what was sent
    is remembered until it is confirmed, and a return belongs to the oldest message that is the same in everything;
    between two that are, there is nothing to choose.  RabbitMQ may write the properties anew, with headers in another
    order: then it is the oldest with this address and body, if all such have properties that mean the same.  A return
    that can't be told whose it is ends the connection, and nothing that wasn't confirmed is acknowledged.
    """

    def __init__(self, peer: AmqpPeer, channel: ClientChannel, *, mandatory: bool) -> None:
        self._peer = peer
        self._channel = channel
        self._mandatory = mandatory
        self._sent: dict[int, tuple[_Key, Properties]] = {}
        self._by_content: dict[_Key, deque[int]] = {}

    @property
    def blocked(self) -> str | None:
        return self._peer.connection.blocked

    async def ready(self) -> None:
        await self._peer.room()
        while self._peer.connection.blocked is not None:
            await self._peer.channel_progress(self._channel)
        if self._channel.closed is not None:
            raise self._channel.closed

    def publish(self, message: Arrived, exchange: str, routing_key: str, properties: Properties) -> int:
        number = self._channel.publish(exchange, routing_key, properties, message.body, mandatory=self._mandatory)
        if self._mandatory:
            self._remember(number, (exchange, routing_key, message.body), properties)
        return number

    def flush(self) -> None:
        self._peer.flush()

    async def wait_ended(self) -> None:
        while not self._channel.arrived:
            await self._peer.channel_progress(self._channel)
        # Nobody would ever take it, and more would come.
        raise PeerError("the destination sent a message, though nobody consumes from it")

    async def outcomes(self) -> Sequence[Outcome]:
        channel = self._channel
        while not (channel.confirmed or channel.returned):
            await self._peer.channel_progress(channel)
        confirmed, channel.confirmed = channel.confirmed, []
        outcomes = [Outcome(number, False, why) for number, why in self._returned()]
        for number, multiple, taken in confirmed:
            self._forget(number, multiple=multiple)
            outcomes.append(Outcome(number, multiple, None if taken else NACKED))
        return outcomes

    def _returned(self) -> Iterator[tuple[int, str]]:
        """The numbers of messages that came back.  A return is sent before its confirm, so each is still known."""
        returned, self._channel.returned = self._channel.returned, []
        for method, back in returned:
            yield (
                self._take_number(back),
                f"the destination has no queue for the exchange '{back.exchange}' with the routing key "
                f"'{back.routing_key}' ({method.reply_text}); 'dest-mandatory' false would drop such messages",
            )

    def _take_number(self, back: Incoming) -> int:
        key = back.exchange, back.routing_key, back.body
        open_numbers = [number for number in self._by_content.get(key, ()) if number in self._sent]
        exact = [number for number in open_numbers if self._sent[number][1].raw == back.properties.raw]
        alike = exact or [number for number in open_numbers if _alike(self._sent[number][1], back.properties)]
        if not alike and len({self._sent[number][1].raw for number in open_numbers}) == 1:
            alike = open_numbers
        if not alike:
            raise PeerError(
                "the destination returned a message that can't be told from others; what isn't confirmed comes again"
            )
        del self._sent[alike[0]]
        return alike[0]

    def _remember(self, number: int, key: _Key, properties: Properties) -> None:
        self._sent[number] = key, properties
        numbers = self._by_content.get(key)
        if numbers is None:
            numbers = self._by_content[key] = deque()
        numbers.append(number)

    def _forget(self, number: int, *, multiple: bool) -> None:
        """A message, or all up to it, is settled."""
        sent = self._sent
        settled = list(takewhile(lambda each: each <= number, sent)) if multiple else [number]
        for each in settled:
            found = sent.pop(each, None)
            if found is not None:
                numbers = self._by_content[found[0]]
                while numbers and numbers[0] not in sent:
                    numbers.popleft()
                if not numbers:
                    del self._by_content[found[0]]


def _alike(one: Properties, other: Properties) -> bool:
    """Whether property lists mean the same: RabbitMQ fills in a delivery mode, and sorts headers."""
    return _meaning(one) == _meaning(other)


def _meaning(properties: Properties) -> dict[str, object]:
    meaning = {"delivery_mode": 1, **properties.fields()}
    return {name: value for name, value in meaning.items() if value != {}}
