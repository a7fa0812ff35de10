"""The firehose: copies of every publish and delivery of a virtual host, for debugging (spec A.7).

While a virtual host is traced, each publish is copied to its exchange `amq.rabbitmq.trace` with the routing key
`publish.EXCHANGE`, each delivery with `deliver.QUEUE`.  The headers say what it was; the body is the original's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from core.field_table import FieldValue
from core.message import Message
from core.properties import encode_properties

if TYPE_CHECKING:
    from core.queues.base import Queue
    from core.route import Route
    from core.vhost import VirtualHost

TRACE_EXCHANGE: Final = "amq.rabbitmq.trace"
NODE: Final = "warren"


def trace_publish(vhost: VirtualHost, route: Route, message: Message) -> None:
    """Copy a publish to the trace exchange, unless it is itself one to that exchange."""
    exchange = message.address.exchange
    _trace(
        vhost,
        message,
        f"publish.{exchange}",
        {"routed_queues": [queue.name for queue in route.queues]},
    )


def trace_delivery(queue: Queue, message: Message, *, redelivered: bool) -> None:
    """Copy a delivery."""
    _trace(queue.vhost, message, f"deliver.{queue.name}", {"redelivered": int(redelivered)})


def _trace(vhost: VirtualHost, message: Message, key: str, extra: Mapping[str, FieldValue]) -> None:
    address = message.address
    if address.exchange == TRACE_EXCHANGE:
        return
    route = vhost.route(TRACE_EXCHANGE, key)
    if not route.queues:
        return
    headers: dict[str, FieldValue] = {
        "exchange_name": address.exchange,
        "routing_keys": [address.routing_key],
        "properties": cast("dict[str, FieldValue]", message.properties.fields()),
        "node": NODE,
        "vhost": vhost.name,
        "connection": "",
        "channel": 0,
        "user": "",
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
