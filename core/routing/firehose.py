"""The firehose: copies of every publish and delivery of a virtual host, for debugging (spec A.7).

While a virtual host is traced, each publish is copied to its exchange `amq.rabbitmq.trace` with the routing key
`publish.EXCHANGE`, each delivery with `deliver.QUEUE`, if anybody listens: a queue, or who watches the exchange.  The
headers say what it was and whose; the body is the original's.  Messages of that exchange aren't traced themselves, nor
are those that the broker publishes (dead letters).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from warren.core.messages.checks import extra_routing_keys
from warren.core.messages.field_table import Encodable, Typed
from warren.core.messages.internal_headers import without_internal
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.queues.base import Queue
    from warren.core.routing.route import Route
    from warren.core.routing.vhost import VirtualHost

TRACE_EXCHANGE: Final = "amq.rabbitmq.trace"
NODE: Final = "warren"

_INTEGER: Final = "I"
"""The type of RabbitMQ's integers in these headers."""


def trace_publish(
    vhost: VirtualHost, route: Route, message: Message, client: Client | None, channel_number: int
) -> None:
    """Copy a publish to the trace exchange, unless it is itself one to that exchange.

    client, channel_number: who published.
    """
    who = _who(client, channel_number)
    keys = [message.address.routing_key, *route.extra_keys]
    routed = {"routed_queues": [queue.name for queue in route.queues]}
    _trace(vhost, message, f"publish.{message.address.exchange}", keys, {**who, **routed})


def trace_delivery(
    queue: Queue, message: Message, client: Client | None, channel_number: int, *, redelivered: bool
) -> None:
    """Copy a delivery.  client, channel_number: who gets it."""
    who = _who(client, channel_number)
    keys = [message.address.routing_key, *extra_routing_keys(message.properties)]
    flag = {"redelivered": Typed(_INTEGER, int(redelivered))}
    _trace(queue.vhost, message, f"deliver.{queue.name}", keys, {**who, **flag})


def _who(client: Client | None, channel_number: int) -> dict[str, Encodable]:
    return {
        "connection": client.name if client else "",
        "channel": Typed(_INTEGER, channel_number),
        "user": client.user.name if client else "",
    }


def _trace(
    vhost: VirtualHost, message: Message, key: str, routing_keys: list[str], extra: Mapping[str, Encodable]
) -> None:
    address = message.address
    if address.exchange == TRACE_EXCHANGE:
        return
    route = vhost.route(TRACE_EXCHANGE, key)
    if not route.queues and not route.observers:
        return
    headers: dict[str, Encodable] = {
        "exchange_name": address.exchange,
        "routing_keys": routing_keys,
        "properties": _properties(message),
        "node": NODE,
        "vhost": vhost.name,
        **extra,
    }
    broker = vhost.broker
    body = message.body
    copy = Message(
        broker.next_sequence(),
        route.address,
        encode_properties(headers=headers),
        body,
        0,
        len(body),
        0,
        broker.now_ms,
    )
    vhost.deliver(route, copy)


def _properties(message: Message) -> dict[str, Encodable]:
    """Those that the message has, by name."""
    fields = cast("dict[str, Encodable]", without_internal(message.properties).fields())
    for name in ("delivery_mode", "priority"):
        value = fields.get(name)
        if isinstance(value, int):
            fields[name] = Typed(_INTEGER, value)
    return fields
