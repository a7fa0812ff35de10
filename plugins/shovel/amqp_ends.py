"""How a shovel's ends are opened at another broker, over AMQP 0-9-1: RabbitMQ, or Warren."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.amqp091.codec import methods
from warren.core.messages.field_table import encode_table
from warren.gateway.plugin import AmqpPeer
from warren.plugins.bridging.ack_modes import NO_ACK, ON_CONFIRM
from warren.plugins.bridging.amqp_ends import AmqpDestination, AmqpSource
from warren.plugins.shovel.declarations import declare_there

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.channel import ClientChannel
    from warren.plugins.bridging.remembered import Remembered
    from warren.plugins.bridging.values import Arguments
    from warren.plugins.shovel.definition import DestinationDefinition, SourceDefinition


async def open_source(
    peer: AmqpPeer, definition: SourceDefinition, ack_mode: str, prefetch: int, remembered: Remembered
) -> AmqpSource:
    """Declare or check what is consumed from, and consume; PeerError if the peer refuses.

    remembered: what the destination has, in case the source doesn't know that yet.
    """
    channel = peer.open_channel()
    no_ack = ack_mode == NO_ACK
    await declare_there(peer, channel, definition.declarations)
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
    known = remembered if ack_mode == ON_CONFIRM else None
    return AmqpSource(peer, channel, waiting, no_ack=no_ack, queue=queue, remembered=known)


async def open_destination(peer: AmqpPeer, definition: DestinationDefinition, ack_mode: str) -> AmqpDestination:
    """Declare or check the queue, if there is one, and ask for confirms; PeerError if the peer refuses."""
    channel = peer.open_channel()
    await declare_there(peer, channel, definition.declarations)
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
