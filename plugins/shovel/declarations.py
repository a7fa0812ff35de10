"""What a shovel of the configuration declares at its ends, whenever it connects: methods of AMQP 0-9-1 (spec E.1).

    src-declarations = [
        {method = "queue.declare", queue = "out", durable = true},
        {method = "queue.bind", queue = "out", exchange = "amq.topic", routing-key = "devices.#"},
    ]

A declaration is a table with the method's name and its fields, named as in the specification with `-` or `_`; a method
without fields may be its name alone.  As in AMQP, an empty queue name is that of the queue that was declared last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from warren.adapters.amqp091.codec import methods
from warren.adapters.peers.errors import PeerError
from warren.core.messages.field_table import encode_table
from warren.gateway.plugin import BrokerError, DirectError
from warren.plugins.bridging import values
from warren.plugins.bridging.local_ends import words

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.channel import ClientChannel
    from warren.gateway.plugin import AmqpPeer, BrokerClient

Declarations: TypeAlias = "tuple[methods.Method, ...]"

_REPLIES: Final[Mapping[type[methods.Method], type[methods.Method]]] = {
    methods.ExchangeDeclare: methods.ExchangeDeclareOk,
    methods.ExchangeDelete: methods.ExchangeDeleteOk,
    methods.ExchangeBind: methods.ExchangeBindOk,
    methods.ExchangeUnbind: methods.ExchangeUnbindOk,
    methods.QueueDeclare: methods.QueueDeclareOk,
    methods.QueueDelete: methods.QueueDeleteOk,
    methods.QueuePurge: methods.QueuePurgeOk,
    methods.QueueBind: methods.QueueBindOk,
    methods.QueueUnbind: methods.QueueUnbindOk,
}
"""The methods that there are, and the peer's answers."""

METHODS: Final = {method.NAME: method for method in _REPLIES}

_NOT_ASKED: Final = ("ticket", "nowait", "arguments_raw")
"""Fields that aren't a declaration's to say."""


def declarations(value: object) -> Declarations:
    """Reads a list of declarations; ValueError says which is wrong, and what it must be."""
    if not isinstance(value, list):
        raise ValueError('must be a list of methods, such as [{"method": "queue.declare", "queue": "a"}]')
    return tuple(_declaration(number, each) for number, each in enumerate(value, 1))


def _declaration(number: int, value: object) -> methods.Method:
    given = {"method": value} if isinstance(value, str) else value
    if not isinstance(given, dict) or not isinstance(given.get("method"), str):
        raise ValueError(f"must be methods, but number {number} isn't a method's name, nor a table with one")
    method = METHODS.get(given["method"])
    if method is None:
        raise ValueError(
            f"must be methods, but number {number} is '{given['method']}'; there are {', '.join(sorted(METHODS))}"
        )
    known = {each.name: each.default for each in fields(cast("Any", method)) if each.name not in _NOT_ASKED}
    read: dict[str, Any] = {}
    for name, each in given.items():
        field = name.replace("-", "_")
        if name == "method":
            continue
        if field not in known:
            raise ValueError(f"has no field '{name}' in number {number}, {method.NAME}; it has {', '.join(known)}")
        try:
            read.update(_field(field, each, known[field]))
        except ValueError as error:
            raise ValueError(f"has a field '{name}' in number {number}, {method.NAME}, that {error}") from None
    return method(**read)


def _field(name: str, value: object, default: object) -> dict[str, Any]:
    if name == "arguments":
        table = values.arguments(value)
        return {"arguments": table, "arguments_raw": encode_table(table)}
    return {name: values.truth(value) if isinstance(default, bool) else values.text(value)}


async def declare_there(peer: AmqpPeer, channel: ClientChannel, wanted: Declarations) -> None:
    """Declare at another broker, one after the other; PeerError if the peer refuses one."""
    for method in wanted:
        await peer.ask(channel, method, _REPLIES[type(method)])


async def declare_here(client: BrokerClient, wanted: Sequence[methods.Method]) -> None:
    """Declare in this broker, one after the other; PeerError if one is refused."""
    last = ""
    try:
        for method in wanted:
            last = await _declare_here(client, method, last)
    except (BrokerError, DirectError) as error:
        raise PeerError(words(error)) from error


async def _declare_here(client: BrokerClient, method: methods.Method, last: str) -> str:
    """The name of the queue that was declared last."""
    match method:
        case methods.QueueDeclare():
            if method.passive:
                return (await client.check_queue(method.queue or last)).name
            declared = await client.declare_queue(
                method.queue,
                durable=method.durable,
                exclusive=method.exclusive,
                auto_delete=method.auto_delete,
                arguments=method.arguments,
            )
            return declared.name
        case methods.QueueDelete():
            await client.delete_queue(method.queue or last, if_unused=method.if_unused, if_empty=method.if_empty)
        case methods.QueuePurge():
            await client.purge_queue(method.queue or last)
        case methods.QueueBind():
            await client.bind_queue(method.queue or last, method.exchange, method.routing_key, method.arguments)
        case methods.QueueUnbind():
            await client.unbind_queue(method.queue or last, method.exchange, method.routing_key, method.arguments)
        case methods.ExchangeDeclare() if method.passive:
            await client.check_exchange(method.exchange)
        case methods.ExchangeDeclare():
            await client.declare_exchange(
                method.exchange,
                method.type,
                durable=method.durable,
                auto_delete=method.auto_delete,
                internal=method.internal,
                arguments=method.arguments,
            )
        case methods.ExchangeDelete():
            await client.delete_exchange(method.exchange, if_unused=method.if_unused)
        case methods.ExchangeBind():
            await client.bind_exchange(method.destination, method.source, method.routing_key, method.arguments)
        case methods.ExchangeUnbind():
            await client.unbind_exchange(method.destination, method.source, method.routing_key, method.arguments)
    return last
