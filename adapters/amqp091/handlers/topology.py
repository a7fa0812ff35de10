"""exchange.* and queue.*: from the methods to core's operations and back (AMQP 0-9-1 1.6, 1.7; spec A.4 to A.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.amqp091.asking import ask
from warren.adapters.amqp091.codec import methods
from warren.core.declaring import bindings as declaration_binding
from warren.core.declaring import exchanges as declaration_exchange
from warren.core.declaring import queues as declaration_queue
from warren.core.declaring.names import clean_name
from warren.core.errors import NotFound
from warren.core.queues.answer import Answer
from warren.core.routing.vhost import REPLY_PREFIX

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel


def declare_exchange(channel: Channel, method: methods.ExchangeDeclare) -> None:
    """exchange.declare, passive too."""
    if method.passive:
        declaration_exchange.check_exchange(channel.client, method.exchange)
    else:
        declaration_exchange.declare_exchange(
            channel.client,
            method.exchange,
            method.type,
            durable=method.durable,
            auto_delete=method.auto_delete,
            internal=method.internal,
            arguments=method.arguments,
            arguments_raw=method.arguments_raw,
        )
    _answer(channel, methods.ExchangeDeclareOk(), nowait=method.nowait)


def delete_exchange(channel: Channel, method: methods.ExchangeDelete) -> None:
    """exchange.delete."""
    declaration_exchange.delete_exchange(channel.client, method.exchange, if_unused=method.if_unused)
    _answer(channel, methods.ExchangeDeleteOk(), nowait=method.nowait)


def exchange_bind(channel: Channel, method: methods.ExchangeBind) -> None:
    """exchange.bind: from `source` to `destination`."""
    declaration_binding.bind(
        channel.client,
        "exchange",
        method.destination,
        method.source,
        method.routing_key,
        method.arguments,
        method.arguments_raw,
    )
    _answer(channel, methods.ExchangeBindOk(), nowait=method.nowait)


def exchange_unbind(channel: Channel, method: methods.ExchangeUnbind) -> None:
    """exchange.unbind."""
    emptied = declaration_binding.unbind(
        channel.client, "exchange", method.destination, method.source, method.routing_key, method.arguments
    )
    declaration_exchange.remove_emptied(channel.client.vhost, emptied)
    _answer(channel, methods.ExchangeUnbindOk(), nowait=method.nowait)


def declare_queue(channel: Channel, method: methods.QueueDeclare) -> None:
    """queue.declare, passive too; the queue becomes the one that an empty name means on this channel."""
    name = clean_name(method.queue)
    if name == declaration_binding.REPLY_QUEUE or name.startswith(REPLY_PREFIX):
        _check_reply_queue(channel, name, nowait=method.nowait)
        return
    if method.passive:
        queue = declaration_queue.check_queue(channel.client, channel.queue_name(name))
    else:
        queue = declaration_queue.declare_queue(
            channel.client,
            name,
            durable=method.durable,
            exclusive=method.exclusive,
            auto_delete=method.auto_delete,
            arguments=method.arguments,
            arguments_raw=method.arguments_raw,
        )
    channel.queue_declared(queue.name)

    def declared(nothing: None) -> None:
        answered = methods.QueueDeclareOk(queue.name, queue.ready_count, queue.consumer_count)
        _answer(channel, answered, nowait=method.nowait)

    ask(channel, method, queue.when_ready, declared)


def delete_queue(channel: Channel, method: methods.QueueDelete) -> None:
    """queue.delete; answers with the number of ready messages that went."""
    name = channel.queue_name(method.queue)

    def question(answer: Answer[int]) -> None:
        if channel.node is not None:
            channel.node.delete(answer)
            return
        declaration_queue.delete_queue(
            channel.client, name, answer, if_unused=method.if_unused, if_empty=method.if_empty
        )

    def deleted(count: int) -> None:
        _answer(channel, methods.QueueDeleteOk(count), nowait=method.nowait)

    ask(channel, method, question, deleted)


def purge_queue(channel: Channel, method: methods.QueuePurge) -> None:
    """queue.purge: ready messages only."""
    name = channel.queue_name(method.queue)

    def purged(count: int) -> None:
        if not method.nowait:
            channel.send(methods.QueuePurgeOk(count))

    ask(channel, method, lambda answer: declaration_queue.purge_queue(channel.client, name, answer), purged)


def queue_bind(channel: Channel, method: methods.QueueBind) -> None:
    """queue.bind; with neither queue nor key, the last queue's name is both (spec A.4)."""
    queue = channel.queue_name(method.queue)
    routing_key = queue if not method.queue and not method.routing_key else method.routing_key
    declaration_binding.bind(
        channel.client,
        "queue",
        queue,
        method.exchange,
        routing_key,
        method.arguments,
        method.arguments_raw,
    )
    _answer(channel, methods.QueueBindOk(), nowait=method.nowait)


def queue_unbind(channel: Channel, method: methods.QueueUnbind) -> None:
    """queue.unbind, which has no nowait."""
    queue = channel.queue_name(method.queue)
    routing_key = queue if not method.queue and not method.routing_key else method.routing_key
    emptied = declaration_binding.unbind(channel.client, "queue", queue, method.exchange, routing_key, method.arguments)
    declaration_exchange.remove_emptied(channel.client.vhost, emptied)
    _answer(channel, methods.QueueUnbindOk())


def _answer(channel: Channel, answer: methods.Method, *, nowait: bool = False) -> None:
    """Answer once what is declared is kept; without an answer, whatever is said next waits for that."""
    if not nowait:
        channel.send(answer)
    channel.client.vhost.broker.unkept.hold(channel.connection.outbox)


def _check_reply_queue(channel: Channel, name: str, *, nowait: bool) -> None:
    """Declaring a reply pseudo-queue asks whether its requester is still there (spec A.7)."""
    if name != declaration_binding.REPLY_QUEUE and name not in channel.client.vhost.reply_queues:
        raise NotFound(f"no queue '{name}' in vhost '{channel.client.vhost.name}'; its requester is gone")
    if not nowait:
        channel.send(methods.QueueDeclareOk(name, 0, 1))
