"""Publishing while somebody looks: the firehose, or an observer of messages (core.message_observer)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.routing import firehose

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.messages.message import Message
    from warren.core.routing.receipt import Receipt
    from warren.core.routing.route import Route
    from warren.core.routing.vhost import Outcome, VirtualHost


def publish(
    vhost: VirtualHost,
    route: Route,
    message: Message,
    client: Client | None,
    channel_number: int,
    receipt: Receipt | None,
) -> Outcome:
    """As `VirtualHost.publish`, where it is seen."""
    if vhost.tracing:
        firehose.trace_publish(vhost, route, message, client, channel_number)
    observer = vhost.broker.observer
    noted = prepare(vhost, route, message, client)
    outcome = vhost.deliver(route, message, (), receipt)
    if observer is not None and noted is not None:
        observer.published(noted, outcome.value)
    return outcome


def prepare(vhost: VirtualHost, route: Route, message: Message, client: Client | None) -> object | None:
    """Show the observer a message that is to be published; what it has noted, None for nothing."""
    observer = vhost.broker.observer
    if observer is None:
        return None
    for queue in route.queues:
        queue.tell_departures()
    return observer.publishing(vhost, route, message, client)
