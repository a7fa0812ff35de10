"""What happens to a queue's messages while somebody looks: the firehose, or an observer of messages.

Queues come here only where one of the two is there (`VirtualHost.observed`, core.message_observer), so that the quick
ways ask nothing more than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.messages.shown import shown_properties
from warren.core.queues.dead_letter import dead_letter

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.message_observer import MessageObserver
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue
    from warren.core.queues.classic.rules import QueueRules
    from warren.core.queues.consumer import Consumer


def deliver(queue: Queue, consumer: Consumer, message: Message, redelivered: bool) -> bool:
    """As `Consumer.deliver`."""
    vhost = queue.vhost
    observer = vhost.broker.observer
    noted: object | None = None
    if observer is not None:
        queue.tell_departures()
        noted = observer.delivering(queue, message, consumer.client, consumer, redelivered)
    if observer is None or noted is None:
        more = consumer.deliver(message, redelivered)
    else:
        settled = True
        try:
            more = consumer.deliver(message, redelivered)
            settled = consumer.no_ack
        finally:
            observer.delivered(noted, settled=settled)
    if vhost.tracing and not consumer.is_of_node:
        # Another node shows what it delivers to its clients, which it knows.
        vhost.trace_delivery(queue, message, consumer.client, consumer.channel_number, redelivered=redelivered)
    return more


def polled(
    queue: Queue, message: Message, client: Client, channel_number: int, *, redelivered: bool, no_ack: bool
) -> Properties:
    """A message that was polled is about to be sent; its properties as `shown_properties` gives them."""
    vhost = queue.vhost
    if vhost.tracing:
        vhost.trace_delivery(queue, message, client, channel_number, redelivered=redelivered)
    observer = vhost.broker.observer
    noted: object | None = None
    if observer is not None:
        queue.tell_departures()
        noted = observer.delivering(queue, message, client, None, redelivered)
    properties = shown_properties(queue, message, redelivered=redelivered)
    if observer is not None and noted is not None:
        observer.delivered(noted, settled=no_ack)
    return properties


def bury(
    observer: MessageObserver,
    queue: Queue,
    rules: QueueRules,
    message: Message,
    reason: str,
    *,
    unless_full: bool = False,
) -> bool:
    """As `dead_letter`."""
    noted = observer.dying(queue, message, reason, rules.dead_letter_exchange)
    if noted is None:
        return dead_letter(queue, rules, message, reason, unless_full=unless_full)
    taken = False
    try:
        taken = dead_letter(queue, rules, message, reason, unless_full=unless_full)
    finally:
        observer.died(noted, taken=taken, stays=unless_full and not taken)
    return taken
