"""Looking for things at an upstream, and making them, each on a channel of its own: a refusal ends that alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from warren.adapters.amqp091.codec import methods
from warren.adapters.peers.errors import PeerError

if TYPE_CHECKING:
    from warren.gateway.plugin import AmqpPeer

NOT_FOUND: Final = 404
PRECONDITION_FAILED: Final = 406
"""Reply codes (AMQP 0-9-1 1.2)."""

AnyMethod = TypeVar("AnyMethod", bound=methods.Method)


async def ask_alone(peer: AmqpPeer, method: methods.Method, reply: type[AnyMethod]) -> AnyMethod:
    """Ask on a new channel; PeerError for a refusal, after which the connection goes on."""
    channel = peer.open_channel()
    answer = await peer.ask(channel, method, reply)
    channel.close()
    return answer


async def found(peer: AmqpPeer, check: methods.Method, reply: type[AnyMethod]) -> AnyMethod | None:
    """The answer to a passive declaration; None for what isn't there."""
    try:
        return await ask_alone(peer, check, reply)
    except PeerError as error:
        if error.code != NOT_FOUND:
            raise
        return None


async def find_exchange(peer: AmqpPeer, name: str) -> bool:
    """Whether there is such an exchange, whatever it is like."""
    check = methods.ExchangeDeclare(exchange=name, passive=True)
    return await found(peer, check, methods.ExchangeDeclareOk) is not None


async def find_queue(peer: AmqpPeer, name: str) -> methods.QueueDeclareOk | None:
    """What is told of a queue, whatever it is like; None if there is none."""
    return await found(peer, methods.QueueDeclare(queue=name, passive=True), methods.QueueDeclareOk)


async def is_auto_delete(peer: AmqpPeer, name: str, *, durable: bool, arguments_raw: bytes) -> bool:
    """Whether a queue that is there goes with its last consumer.

    Nothing tells that but a declaration that says otherwise and is refused with what differs: whether the queue is
    durable first, then this, then the arguments (RabbitMQ, and Warren).  durable, arguments_raw: what it may well have.
    Where even that is refused otherwise, it counts as none.
    """
    for each in (durable, not durable):
        declare = methods.QueueDeclare(queue=name, durable=each, arguments_raw=arguments_raw)
        try:
            await ask_alone(peer, declare, methods.QueueDeclareOk)
        except PeerError as error:
            if not error.code:
                raise
            if error.code != PRECONDITION_FAILED:
                return False
            if "inequivalent arg 'durable'" not in error.text:
                return "inequivalent arg 'auto_delete'" in error.text
        else:
            return False
    return False
