"""A source and a destination at another broker, over AMQP 0-9-1: RabbitMQ, or Warren."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from warren.adapters.amqp091.client.incoming import Incoming
from warren.adapters.amqp091.codec import methods
from warren.adapters.peers.errors import PeerError
from warren.core.messages.field_table import encode_table
from warren.gateway.plugin import AmqpPeer
from warren.plugins.shovel.definition import NO_ACK, ON_CONFIRM
from warren.plugins.shovel.ends import Arrived, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.adapters.amqp091.client.channel import ClientChannel
    from warren.core.messages.properties import Properties
    from warren.plugins.shovel.definition import DestinationDefinition, SourceDefinition
    from warren.plugins.shovel.values import Arguments

NACKED: Final = "the destination refused a message (basic.nack): is its queue full?"

_Sent: TypeAlias = tuple[str, str, bytes, bytes]
"""Exchange, routing key, property list, body."""


class AmqpSource:
    """Implements ends.Source."""

    def __init__(self, peer: AmqpPeer, channel: ClientChannel, waiting: int | None, *, no_ack: bool) -> None:
        self.waiting = waiting
        self._peer = peer
        self._channel = channel
        self._no_ack = no_ack

    async def receive(self) -> Sequence[Incoming]:
        channel = self._channel
        while not channel.arrived:
            if channel.cancelled:
                raise PeerError("the source has ended the consumer: the queue was deleted, or its node is gone")
            await self._peer.channel_progress(channel)
        batch = list(channel.arrived)
        channel.arrived.clear()
        return batch

    def ack(self, message: Incoming) -> None:
        if not self._no_ack:
            self._channel.ack(message.tag, multiple=True)
            self._peer.flush()


async def open_source(peer: AmqpPeer, definition: SourceDefinition, ack_mode: str, prefetch: int) -> AmqpSource:
    """Declare or check what is consumed from, and consume; PeerError if the peer refuses."""
    channel = peer.open_channel()
    no_ack = ack_mode == NO_ACK
    await peer.ask(channel, methods.BasicQos(prefetch_count=prefetch), methods.BasicQosOk)
    if definition.exchange is not None:
        declared = await peer.ask(channel, methods.QueueDeclare(exclusive=True), methods.QueueDeclareOk)
        binding = methods.QueueBind(
            queue=declared.queue, exchange=definition.exchange, routing_key=definition.exchange_key
        )
        await peer.ask(channel, binding, methods.QueueBindOk)
        queue, waiting = declared.queue, None
    else:
        declared = await _declared(
            peer, channel, definition.queue or "", definition.queue_arguments, passive=definition.predeclared
        )
        queue, waiting = declared.queue, declared.message_count
    consume = methods.BasicConsume(
        queue=queue,
        consumer_tag=definition.consumer_name,
        no_ack=no_ack,
        arguments_raw=encode_table(definition.consumer_arguments),
    )
    await peer.ask(channel, consume, methods.BasicConsumeOk)
    return AmqpSource(peer, channel, waiting, no_ack=no_ack)


class AmqpDestination:
    """Implements ends.Destination.

    mandatory: the peer returns what no queue takes.  A return doesn't tell the number of its message, so what was sent
    is remembered until it is confirmed, and a return belongs to the oldest message that is the same in everything;
    between two that are, there is nothing to choose.
    """

    def __init__(self, peer: AmqpPeer, channel: ClientChannel, *, mandatory: bool) -> None:
        self._peer = peer
        self._channel = channel
        self._mandatory = mandatory
        self._sent: dict[int, _Sent] = {}

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
            self._sent[number] = exchange, routing_key, properties.raw, message.body
        return number

    def flush(self) -> None:
        self._peer.flush()

    async def outcomes(self) -> Sequence[Outcome]:
        channel = self._channel
        while not channel.confirmed:
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
            wanted = (back.exchange, back.routing_key, back.properties.raw, back.body)
            number = next((number for number, sent in self._sent.items() if sent == wanted), None)
            if number is not None:
                del self._sent[number]
                yield (
                    number,
                    f"the destination has no queue for the exchange '{back.exchange}' with the routing key "
                    f"'{back.routing_key}' ({method.reply_text}); 'dest-mandatory' false would drop such messages",
                )

    def _forget(self, number: int, *, multiple: bool) -> None:
        sent = self._sent
        if not multiple:
            sent.pop(number, None)
            return
        while sent and (first := next(iter(sent))) <= number:
            del sent[first]


async def open_destination(peer: AmqpPeer, definition: DestinationDefinition, ack_mode: str) -> AmqpDestination:
    """Declare or check the queue, if there is one, and ask for confirms; PeerError if the peer refuses."""
    channel = peer.open_channel()
    if definition.queue is not None:
        await _declared(peer, channel, definition.queue, definition.queue_arguments, passive=definition.predeclared)
    elif definition.exchange and definition.predeclared:
        check = methods.ExchangeDeclare(exchange=definition.exchange, passive=True)
        await peer.ask(channel, check, methods.ExchangeDeclareOk)
    if ack_mode == ON_CONFIRM:
        await peer.ask(channel, methods.ConfirmSelect(), methods.ConfirmSelectOk)
    return AmqpDestination(peer, channel, mandatory=definition.mandatory and ack_mode == ON_CONFIRM)


async def _declared(
    peer: AmqpPeer, channel: ClientChannel, queue: str, arguments: Arguments, *, passive: bool
) -> methods.QueueDeclareOk:
    """A durable queue, made or agreed with; or there already.

    PeerError if it is there with other arguments: 'src-predeclared' or 'dest-predeclared' takes it as it is.
    """
    raw = encode_table(arguments)
    declare = methods.QueueDeclare(queue=queue, passive=passive, durable=True, arguments_raw=raw)
    return await peer.ask(channel, declare, methods.QueueDeclareOk)
