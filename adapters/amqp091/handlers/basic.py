"""basic.*, except publishing: consuming, polling, acknowledging (AMQP 0-9-1 1.8; spec A.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from warren.adapters.amqp091.asking import ask
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.framing import content_frames
from warren.adapters.amqp091.consumer import AmqpConsumer
from warren.adapters.amqp091.fitting import does_not_fit, properties_bytes_max
from warren.core.clients.limits import check_consumer
from warren.core.declaring.bindings import REPLY_QUEUE
from warren.core.declaring.names import generated_name, unguessable
from warren.core.declaring.queues import accessible_queue
from warren.core.errors import NotAllowed, NotImplementedByBroker, PreconditionFailed
from warren.core.messages.shown import carried_properties, shown_properties
from warren.core.queues import observing
from warren.core.queues.answer import Answer, Polled
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.vhost import REPLY_PREFIX

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue


def qos(channel: Channel, method: methods.BasicQos) -> None:
    """basic.qos: for consumers to come, each; or with global, for all of the channel together."""
    if method.prefetch_size:
        raise NotImplementedByBroker(
            f"prefetch_size!=0 ({method.prefetch_size}); limit the number of messages by prefetch_count instead"
        )
    if method.global_:
        channel.set_global_limit(method.prefetch_count, lambda: channel.send(methods.BasicQosOk()))
        return
    channel.set_prefetch(method.prefetch_count)
    channel.send(methods.BasicQosOk())


def consume(channel: Channel, method: methods.BasicConsume) -> None:
    """basic.consume; consume-ok goes out before the first delivery."""
    if channel.node is not None:
        channel.node.consume(method)
        return
    tag = method.consumer_tag or generated_name("amq.ctag")
    if tag in channel.consumers:
        raise NotAllowed(f"attempt to reuse consumer tag '{tag}'", advice=f"it is in use on channel {channel.number}")
    check_consumer(channel.client.vhost.broker, len(channel.consumers))
    if method.queue == REPLY_QUEUE:
        _consume_replies(channel, method, tag)
    else:
        queue = accessible_queue(channel.client, channel.queue_name(method.queue), "read")
        if channel.shared_credit.limit and not queue.shares_prefetch:
            raise NotImplementedByBroker(
                f"{queue.description} does not support global qos; its type is {queue.type_name}, "
                "use basic.qos without global"
            )
        consumer = AmqpConsumer(
            channel,
            queue,
            tag,
            no_ack=method.no_ack,
            exclusive=method.exclusive,
            prefetch=channel.prefetch,
            arguments=method.arguments,
        )
        queue.add_consumer(consumer)
        channel.consumers[tag] = consumer
        if not consumer.no_ack:
            queue.vhost.broker.ack_timeouts.added(consumer)
    if not method.nowait:
        channel.send(methods.BasicConsumeOk(tag))


def cancel(channel: Channel, method: methods.BasicCancel) -> None:
    """basic.cancel; an unknown tag is fine."""
    channel.cancel(method.consumer_tag)
    if not method.nowait:
        channel.send(methods.BasicCancelOk(method.consumer_tag))


def cancel_ok(channel: Channel, method: methods.BasicCancelOk) -> None:
    """A client's answer to a cancel of ours: nothing is left to do."""


def get(channel: Channel, method: methods.BasicGet) -> None:
    """basic.get: the message at the head, if any.

    The queue is asked for one to settle, whatever the client wants: it may turn out that it can't be sent.
    """
    queue = accessible_queue(channel.client, channel.queue_name(method.queue), "read")

    def question(answer: Answer[Polled]) -> None:
        queue.get(answer, no_ack=False, client=channel.client, channel_number=channel.number)

    def give_back(found: Polled) -> None:
        if found is None:
            return
        if method.no_ack:
            _given_without_ack(queue, found[0])
        else:
            queue.requeue([found[0]], failed=False)

    ask(channel, method, question, lambda found: _got(channel, method, queue, found), give_back)


def _got(channel: Channel, method: methods.BasicGet, queue: Queue, found: Polled) -> None:
    """basic.get-ok with the message, or basic.get-empty."""
    if found is None:
        channel.counts.of(queue).get_empty += 1
        channel.send(methods.BasicGetEmpty())
        return
    message, redelivered = found
    if channel.node is not None:
        # The other node shows it to whoever looks, as it knows its client.
        properties = carried_properties(queue, message, redelivered=redelivered)
    elif queue.vhost.observed:
        properties = observing.polled(
            queue, message, channel.client, channel.number, redelivered=redelivered, no_ack=method.no_ack
        )
    else:
        properties = shown_properties(queue, message, redelivered=redelivered)
    fits = len(properties.raw) <= properties_bytes_max(channel.connection.body_frame_max)
    tag = channel.deliveries.polled(queue, message, no_ack=method.no_ack and fits)
    if not fits:
        does_not_fit(channel.connection, queue.name, len(properties.raw))
        return
    if method.no_ack:
        _given_without_ack(queue, message)
    channel.counts.of(queue).polled(no_ack=method.no_ack, redelivered=redelivered)
    address = message.address
    channel.send(methods.BasicGetOk(tag, redelivered, address.exchange, address.routing_key, queue.ready_count))
    connection = channel.connection
    connection.outbox.write(
        content_frames(
            channel.number,
            properties.raw,
            message.body,
            connection.body_frame_max,
        )
    )


def _given_without_ack(queue: Queue, message: Message) -> None:
    queue.acknowledge(message)
    queue.counts.got_without_ack()


def ack(channel: Channel, method: methods.BasicAck) -> None:
    """basic.ack."""
    channel.settle(method.delivery_tag, multiple=method.multiple, verdict="ack")


def nack(channel: Channel, method: methods.BasicNack) -> None:
    """basic.nack; a message that returns this way counts towards a delivery limit as `delivery_limit_counts` says."""
    channel.settle(method.delivery_tag, multiple=method.multiple, verdict="return" if method.requeue else "discard")


def reject(channel: Channel, method: methods.BasicReject) -> None:
    """basic.reject."""
    channel.settle(method.delivery_tag, multiple=False, verdict="requeue" if method.requeue else "discard")


def recover(channel: Channel, method: methods.BasicRecover) -> None:
    """basic.recover: everything unacknowledged returns to its queue."""
    _recover(channel, lambda: channel.send(methods.BasicRecoverOk()), requeue=method.requeue)


def recover_async(channel: Channel, method: methods.BasicRecoverAsync) -> None:
    """basic.recover-async: the same without an answer."""
    _recover(channel, lambda: None, requeue=method.requeue)


def _recover(channel: Channel, then: Callable[[], None], *, requeue: bool) -> None:
    if not requeue:
        raise NotImplementedByBroker("requeue=false", advice="use requeue=true")

    def recovered() -> None:
        if channel.connection.channels.has(channel) and not channel.closing:
            then()

    channel.deliveries.recover(recovered)


def _consume_replies(channel: Channel, method: methods.BasicConsume, tag: str) -> None:
    """Direct reply-to: a queue of this channel alone, known by an unguessable name (spec A.7)."""
    if not method.no_ack:
        raise PreconditionFailed("reply consumer cannot acknowledge; consume replies with no_ack=true")
    if channel.reply_queue is not None:
        raise PreconditionFailed("reply consumer already set; there is one per channel")
    queue = ClassicQueue(channel.client.vhost, REPLY_PREFIX + unguessable())
    consumer = AmqpConsumer(channel, queue, tag, no_ack=True, exclusive=True, prefetch=0, arguments=method.arguments)
    queue.add_consumer(consumer)
    channel.consumers[tag] = consumer
    channel.begin_reply_consumer(queue)
