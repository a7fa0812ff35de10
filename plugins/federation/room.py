"""Whether all queues here that a message would go to have room for it, asked before it is published.

A queue that is full and refuses (x-overflow: reject-publish) has a message stay at the upstream, to be tried again.
Published each time, it would come to the other queues again and again, or to a dead letter exchange; so it is published
only when nobody would refuse it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from warren.core.errors import BrokerError
from warren.core.messages.checks import extra_routing_keys
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost

Refuses = Callable[[str, str, "Properties", bytes], str | None]
"""Takes exchange, routing key, properties and body; gives why a message can't be published now, None if it can."""


def refusal_in(vhost: VirtualHost) -> Refuses:
    """Asks the queues of a virtual host."""

    def refuses(exchange: str, routing_key: str, properties: Properties, body: bytes) -> str | None:
        try:
            extra_keys = extra_routing_keys(properties) if properties.special else []
            route = vhost.route(exchange, routing_key, properties.headers, extra_keys, properties)
        except BrokerError:
            # Publishing says it better.
            return None
        if not route.guarded:
            return None
        message = Message(0, route.address, properties, body, 0, len(body), 0, vhost.broker.now_ms)
        for queue in route.queues:
            if queue.guarded and _is_full_for(queue, message):
                return f"queue '{queue.name}' has not taken it: {queue.refusal}"
        return None

    return refuses


def _is_full_for(queue: Queue, message: Message) -> bool:
    """Whether it would refuse; where a consumer may take the message at once, only trying tells."""
    return queue.has_no_room_for(message) and (queue.ready_count > 0 or not queue.consumers)
