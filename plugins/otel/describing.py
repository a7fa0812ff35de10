"""The attributes of spans (OpenTelemetry semantic conventions for messaging, and for RabbitMQ).

The conventions are for clients; the broker is the other side.  What comes in is received there and what goes out is
sent, so a publish has the operation type `receive` and a delivery `send`, while their names are those of the protocols.
What the conventions have no word for begins with `warren.`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from warren.plugins.otel.span import AttributeValue

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.queues.consumer import Consumer
    from warren.core.routing.route import Route

SYSTEM: Final = "warren"
"""`messaging.system`: there is no word of the conventions for it, and RabbitMQ's would be wrong."""

PUBLISH: Final = "publish"
ROUTE: Final = "route"
DELIVER: Final = "deliver"
ACK: Final = "ack"
REQUEUE: Final = "requeue"
DEAD_LETTER: Final = "dead_letter"
"""Names of operations; further ones are the reasons of deaths."""

RECEIVE: Final = "receive"
SEND: Final = "send"
SETTLE: Final = "settle"
"""Types of operations."""

QUEUES_SHOWN: Final = 16
"""Names of queues in one span, at most; how many they are is told anyhow."""

Attributes = dict[str, AttributeValue]


def of_message(vhost: str, message: Message, operation: str, kind: str = "") -> Attributes:
    """What is known of a message.  operation, kind: the operation's name, and its type if it has one."""
    address, properties = message.address, message.properties
    found: Attributes = {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.destination.name": destination(address.exchange, address.routing_key),
        "messaging.message.body.size": message.body_size,
        "warren.vhost": vhost,
    }
    if kind:
        found["messaging.operation.type"] = kind
    if address.routing_key:
        found["messaging.rabbitmq.destination.routing_key"] = address.routing_key
    message_id, correlation_id = properties.message_id, properties.correlation_id
    if message_id:
        found["messaging.message.id"] = message_id
    if correlation_id:
        found["messaging.message.conversation_id"] = correlation_id
    return found


def add_client(found: Attributes, client: Client | None) -> None:
    """Who publishes, or gets a message."""
    if client is None:
        return
    found["user.name"] = client.user.name
    found["warren.connection.name"] = client.name
    name, _, version = client.protocol.partition(" ")
    found["network.protocol.name"] = name.lower()
    if version:
        found["network.protocol.version"] = version if version.startswith("0-") else version.replace("-", ".")
    if client.id:
        found["messaging.client.id"] = client.id


def of_route(vhost: str, message: Message, route: Route, outcome: str) -> Attributes:
    """Where a message went.  outcome: as `MessageObserver.published` has it."""
    found = of_message(vhost, message, ROUTE)
    queues: Sequence[Queue] = route.queues
    found["warren.route.queue_count"] = len(queues)
    found["warren.route.queues"] = [queue.name for queue in queues[:QUEUES_SHOWN]]
    found["warren.route.outcome"] = outcome if route.routed else "unroutable"
    return found


def of_delivery(queue: Queue, message: Message, client: Client | None, consumer: Consumer | None) -> Attributes:
    """Who gets a message of which queue; consumer: None for one who polls."""
    found = of_message(queue.vhost.name, message, DELIVER if consumer is not None else "get", SEND)
    add_queue(found, queue)
    add_client(found, client)
    if consumer is not None and consumer.tag:
        found["warren.consumer.tag"] = consumer.tag
    return found


def of_settlement(queue: Queue, message: Message, outcome: str) -> Attributes:
    """What became of a message that was in the queue."""
    found = of_message(queue.vhost.name, message, outcome, SETTLE)
    add_queue(found, queue)
    return found


def add_queue(found: Attributes, queue: Queue) -> None:
    """Of a span that is about one queue: it is the last part of the destination (conventions for RabbitMQ)."""
    name = str(found["messaging.destination.name"])
    if name != queue.name:
        found["messaging.destination.name"] = f"{name}:{queue.name}"
    found["messaging.destination.subscription.name"] = queue.name


def destination(exchange: str, routing_key: str) -> str:
    """Exchange and routing key as one name; the default exchange has none (conventions for RabbitMQ)."""
    return ":".join(filter(None, (exchange, routing_key))) or "amq.default"


def published_to(message: Message) -> str:
    """What a span of a publish is called after: few names, so not the routing key, unless it is a queue's."""
    return message.address.exchange or message.address.routing_key or "amq.default"
