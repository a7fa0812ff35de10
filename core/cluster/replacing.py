"""One object for a queue takes the place of another one, since the queue is elsewhere from now on, or here.

Clients notice nothing of it but redeliveries.  Bindings lead to the new one, consumers are the new one's, policies
match it.  What was delivered by the old one and isn't settled yet comes again, from wherever the queue is now; what is
said of those deliveries by whoever has them is taken, and has no effect.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.core.errors import BrokerError
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.queues.base import Queue
    from warren.core.queues.consumer import Consumer
    from warren.core.routing.vhost import VirtualHost

_log = logging.getLogger("warren.cluster")


def replace(vhost: VirtualHost, old: Queue, new: Queue) -> None:
    """Put `new` into the place of `old`, of the same name, which lets go of what it has (`Queue.replaced`)."""
    name = old.name
    if vhost.queues.get(name) is not old:
        return
    broker = vhost.broker
    new.user, new.user_id = old.user, old.user_id
    new.made_at_ms, new.read_at_ms = old.made_at_ms, old.read_at_ms
    vhost.queues[name] = new
    broker.crowded_queues.discard(old)
    for source in vhost.sources.get((old.kind, name), ()):
        source.retarget(old, new)
    broker.policies.apply_to(vhost.name, new)
    for consumer in list(old.consumers):
        _move(consumer, old, new)
    old.replaced(new)
    vhost.changed()


def renumbered(message: Message, broker: Broker) -> Message:
    """A message that was held for a queue that nobody had: behind what the queue's log has brought since.

    Numbers are places in a queue, and those of a log may be far ahead of this broker's.  The message may be in other
    queues, too, so this is another one.
    """
    return Message(
        broker.next_sequence(),
        message.address,
        message.properties,
        message.content,
        message.body_at,
        message.body_size,
        message.framed_for,
        message.published_at_ms,
    )


def _move(consumer: Consumer, old: Queue, new: Queue) -> None:
    """Have a consumer served by the new one; it ends where that can't have it."""
    old.remove_consumer(consumer)
    consumer.queue = new
    consumer.active = True
    consumer.parked = False
    consumer.selector = None
    try:
        new.add_consumer(consumer)
    except BrokerError as error:
        _log.warning("consumer '%s' ends, as %s can't have it any more: %s", consumer.tag, new.description, error.text)
        consumer.active = False
        consumer.cancelled()
