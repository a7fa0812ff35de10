"""How a shovel's ends are opened in this broker itself, without a socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from warren.adapters.peers.errors import PeerError
from warren.gateway.plugin import BrokerError, DirectError
from warren.plugins.bridging.ack_modes import NO_ACK, ON_CONFIRM
from warren.plugins.bridging.local_ends import LocalDestination, LocalSource, words
from warren.plugins.shovel.declarations import declare_here

if TYPE_CHECKING:
    from warren.core.queues.withheld import Withheld
    from warren.gateway.plugin import BrokerClient
    from warren.plugins.shovel.definition import DestinationDefinition, SourceDefinition


async def declare_source(client: BrokerClient, definition: SourceDefinition) -> None:
    """Have the queue that is consumed from: it takes messages while there is no destination yet.

    PeerError if it is refused, or isn't there.
    """
    await declare_here(client, definition.declarations)
    if definition.queue is None:
        return
    try:
        if definition.predeclared:
            await client.check_queue(definition.queue)
        else:
            await client.declare_queue(definition.queue, durable=True, arguments=definition.queue_arguments)
    except (BrokerError, DirectError) as error:
        raise PeerError(words(error)) from error


async def open_source(
    client: BrokerClient,
    held: AsyncExitStack,
    definition: SourceDefinition,
    ack_mode: str,
    prefetch: int,
    withheld: Withheld | None = None,
    stored: Callable[[], Awaitable[None]] | None = None,
) -> LocalSource:
    """Consume from what `declare_source` has seen to; PeerError if that is refused.

    held: what is let go with the source.  withheld, stored: see LocalSource.
    """
    try:
        if definition.exchange is not None:
            state = await client.declare_queue(exclusive=True)
            await client.bind_queue(state.name, definition.exchange, definition.exchange_key)
            waiting = None
        else:
            state = await client.check_queue(definition.queue or "")
            waiting = state.messages
        subscription = await held.enter_async_context(
            client.consume(
                state.name,
                prefetch=prefetch,
                no_ack=ack_mode == NO_ACK,
                tag=definition.consumer_name,
                arguments=definition.consumer_arguments,
            )
        )
    except (BrokerError, DirectError) as error:
        raise PeerError(words(error)) from error
    return LocalSource(subscription, waiting, no_ack=ack_mode == NO_ACK, withheld=withheld, stored=stored)


async def open_destination(client: BrokerClient, definition: DestinationDefinition, ack_mode: str) -> LocalDestination:
    """Declare or check the queue, if there is one; PeerError if that is refused."""
    await declare_here(client, definition.declarations)
    try:
        if definition.queue is not None:
            if definition.predeclared:
                await client.check_queue(definition.queue)
            else:
                await client.declare_queue(definition.queue, durable=True, arguments=definition.queue_arguments)
        elif definition.exchange and definition.predeclared:
            await client.check_exchange(definition.exchange)
    except (BrokerError, DirectError) as error:
        raise PeerError(words(error)) from error
    confirms = ack_mode == ON_CONFIRM
    return LocalDestination(client, confirms=confirms, mandatory=definition.mandatory and confirms)
