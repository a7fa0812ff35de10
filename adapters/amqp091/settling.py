"""basic.ack, basic.nack and basic.reject: what they mean for the queues and for the consumers' credit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from warren.adapters.amqp091.consumer import AmqpConsumer
from warren.core.queues.unacked import Delivery, take

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue


def settle(channel: Channel, tag: int, *, multiple: bool, outcome: str) -> None:
    """Settle one delivery, or all up to `tag`, now or, on a tx channel, at the commit.

    outcome: "ack", "discard", "requeue" (the delivery failed) or "return" (it didn't).
    Raises PreconditionFailed (406) for an unknown tag.
    """
    if tag in channel.expired:
        if not multiple:
            channel.expired.discard(tag)
            return
        tag = max((each for each in channel.unacked if each <= tag), default=0)
        if not tag:
            return
    deliveries = take(channel.unacked, tag, multiple=multiple)
    if channel.transaction is not None:
        channel.transaction.settlements.append((deliveries, outcome))
        return
    settle_deliveries(deliveries, outcome)


def settle_deliveries(deliveries: Mapping[int, Delivery], outcome: str) -> None:
    """Tell the queues, then give the consumers their credit back."""
    if outcome in ("requeue", "return"):
        returned: dict[int, tuple[Queue, list[Message]]] = {}
        for queue, message, _ in deliveries.values():
            returned.setdefault(id(queue), (queue, []))[1].append(message)
        for queue, messages in returned.values():
            queue.requeue(messages, failed=outcome == "requeue")
    elif outcome == "ack":
        for queue, message, _ in deliveries.values():
            queue.acknowledge(message)
    else:
        for queue, message, _ in deliveries.values():
            queue.discard(message)
    for _, _, consumer in deliveries.values():
        if isinstance(consumer, AmqpConsumer):
            consumer.acknowledged()
