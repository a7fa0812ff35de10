"""The end of a link between nodes for what other nodes publish: it goes to those of this node's own queues it is for.

A channel that is opened for the queue without a name is this.  Each publish says by its exchange and key where it was
published, or where it came from an exchange that had held it; it is routed again here, by what all nodes share and what
is this node's own.  Of what that finds, queues that other nodes know are left out, as the node that the message was
published at has seen to them, and so are other nodes: nothing goes on from here, and nothing is had twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.amqp091.late_rows import LateRows
from warren.adapters.amqp091.nodes.owning_end import KnownPassing, NodeEnd
from warren.core.cluster.own_bindings import is_own
from warren.core.errors import AccessRefused
from warren.core.messages.address import Address
from warren.core.messages.checks import extra_routing_keys, hidden_keys
from warren.core.messages.message import Message
from warren.core.routing.known_routes import may_be_remembered_late
from warren.core.routing.route import Route

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel
    from warren.adapters.amqp091.codec import methods
    from warren.adapters.amqp091.codec.content import IncomingContent
    from warren.core.messages.properties import Properties
    from warren.core.routing.vhost import VirtualHost


class AudienceEnd(NodeEnd):
    """Of one channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def check(self) -> None:
        """There is always somebody to route to, or nobody."""

    def publish(self, content: IncomingContent[methods.BasicPublish]) -> None:
        """Give a message to the queues that it is for, and remember the way."""
        channel, method = self._channel, content.method
        vhost = channel.client.vhost
        broker = vhost.broker
        body = content.body()
        route = own_route(vhost, method.exchange, method.routing_key, content.properties)
        message = Message(
            broker.next_sequence(), route.address, content.properties, body, 0, len(body), 0, broker.now_ms
        )
        receipt = route.receipt
        self._confirm(vhost.deliver_within(route, message, receipt), receipt)
        if may_be_remembered_late(vhost, route) and route.queues:
            late = LateRows(channel, route) if route.answers_late else None
            known = KnownPassing(route, channel.counts, channel.confirms, late)
            channel.connection.known.remember(content.frame, known)

    def consume(self, method: methods.BasicConsume) -> None:
        """There is no queue to consume from."""
        raise AccessRefused("this channel is for publishing to a node's own queues")

    def look(self) -> None:
        """Nor to look at."""
        raise AccessRefused("this channel is for publishing to a node's own queues")

    def browse(self, start: int, count: int) -> None:
        """Nor to browse."""
        raise AccessRefused("this channel is for publishing to a node's own queues")


def own_route(vhost: VirtualHost, exchange_name: str, routing_key: str, properties: Properties) -> Route:
    """Where a message of another node goes here.  There may be nobody: then the route has no queues."""
    extra_keys: list[str] = []
    if properties.has_headers:
        extra_keys = [*extra_routing_keys(properties), *hidden_keys(properties)]
    exchange = vhost.exchanges.get(exchange_name)
    if exchange_name and exchange is None:
        return Route(Address(exchange_name, routing_key), (), routed=False, cacheable=False)
    if exchange is not None and exchange.keeps_messages:
        # It has held the message where that was published.
        whole = vhost.route_behind(exchange, routing_key, properties, extra_keys)
    else:
        whole = vhost.route(exchange_name, routing_key, properties.headers, extra_keys, properties)
    own = tuple(queue for queue in whole.queues if is_own(queue))
    return Route(whole.address, own, routed=True, cacheable=whole.cacheable)
