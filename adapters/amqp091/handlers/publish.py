"""basic.publish off the fast path: the checks, the special properties, the answer to what can't be routed.

The first publish with a given method frame comes through here; when nothing about it varies from message to message,
a `KnownPublish` is left behind for the fast path in frame_loop.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import NO_ROUTE
from warren.adapters.amqp091.codec.framing import content_frames
from warren.adapters.amqp091.known_publishes import KnownPublish
from warren.adapters.amqp091.late_rows import LateRows
from warren.core.errors import NotImplementedByBroker, PreconditionFailed
from warren.core.messages.internal_headers import without_internal
from warren.core.routing.known_routes import may_be_remembered_late
from warren.core.routing.publish import check_publish, make_message, read_special, slow_down
from warren.core.routing.vhost import Outcome

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel
    from warren.adapters.amqp091.codec.content import IncomingContent
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.routing.receipt import Receipt
    from warren.core.routing.route import Route

REPLY_QUEUE: Final = "amq.rabbitmq.reply-to"
"""reply_to of a request whose answers are to come to the requester's reply consumer."""


def check_method(channel: Channel, method: methods.BasicPublish) -> None:
    """Everything about a publish that its method alone can get wrong, before its content is taken."""
    if channel.node is not None:
        return
    if method.immediate:
        raise NotImplementedByBroker("immediate=true", advice="publish with an expiration of 0 instead")
    check_publish(channel.client, method.exchange, method.routing_key)


def publish(channel: Channel, content: IncomingContent[methods.BasicPublish]) -> None:
    """A whole publish has arrived: check its properties, route it, and deliver it or keep it for tx.commit."""
    if channel.node is not None:
        channel.node.publish(content)
        return
    vhost = channel.client.vhost
    method = content.method
    properties = content.properties
    extra_keys: list[str] = []
    if properties.special:
        properties, extra_keys = _special(channel, method, properties)
    message, route = make_message(
        channel.client, method.exchange, method.routing_key, properties, content.body(), extra_keys
    )
    if channel.transaction is not None:
        channel.transaction.publishes.append((message, route, method.mandatory))
        return
    deliver(channel, message, route, method.mandatory, route.receipt if channel.confirms is not None else None)
    if (route.routed or not method.mandatory) and may_be_remembered_late(vhost, route):
        late = LateRows(channel, route) if route.answers_late else None
        channel.connection.known.remember(content.frame, KnownPublish(route, channel.counts, channel.confirms, late))


def deliver(channel: Channel, message: Message, route: Route, mandatory: bool, receipt: Receipt | None) -> Outcome:
    """Give a message to its queues; one that nothing takes goes back if it is mandatory, before its confirm.

    receipt: of who wants to know what queues say that answer later; a confirm channel is told itself.
    """
    returned = mandatory and not route.routed
    if returned:
        give_back(channel, message)
    channel.counts.published(route, message.body_size, returned=returned)
    outcome = channel.client.vhost.publish(route, message, channel.client, channel.number, receipt)
    slow_down(channel.client, route)
    confirms = channel.confirms
    if confirms is not None:
        if outcome is Outcome.REFUSED:
            channel.send(methods.BasicNack(confirms.refuse(), multiple=False, requeue=False))
        elif receipt is not None and receipt.pending:
            number = confirms.add_late(stored=receipt.stored)
            receipt.then(lambda taken: channel.publish_answered(number, taken=taken))
        else:
            confirms.add(stored=outcome is Outcome.STORED)
    return outcome


def _special(channel: Channel, method: methods.BasicPublish, properties: Properties) -> tuple[Properties, list[str]]:
    properties, extra_keys = read_special(channel.client, method.exchange, properties)
    if properties.reply_to == REPLY_QUEUE:
        if channel.reply_queue is None:
            raise PreconditionFailed(
                "fast reply consumer does not exist; consume from 'amq.rabbitmq.reply-to' "
                "on the same channel before publishing requests"
            )
        properties = properties.with_changes(reply_to=channel.reply_queue.name)
    return properties, extra_keys


def give_back(channel: Channel, message: Message) -> None:
    """basic.return: nothing takes a message that was mandatory."""
    address = message.address
    connection = channel.connection
    connection.send(
        channel.number,
        methods.BasicReturn(NO_ROUTE, "NO_ROUTE", address.exchange, address.routing_key),
    )
    connection.outbox.write(
        content_frames(
            channel.number,
            without_internal(message.properties).raw,
            message.body,
            connection.body_frame_max,
        )
    )
