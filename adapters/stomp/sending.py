"""SEND: from headers to a published message (spec B.5).

The first SEND with a given head comes through `send`, which leaves behind what known_sends.py may remember of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.adapters.stomp.codec.errors import StompError
from warren.adapters.stomp.destinations import TEMPORARY_PREFIX, Kind, parse_destination
from warren.adapters.stomp.message_headers import properties_of
from warren.adapters.stomp.subscribing import declare_once
from warren.core.errors import AccessRefused, NotFound
from warren.core.messages.address import Address, short_key
from warren.core.messages.checks import IMPERSONATOR
from warren.core.messages.properties import Properties
from warren.core.routing.publish import check_publish, make_message, read_special, slow_down
from warren.core.routing.route import Route
from warren.core.routing.vhost import Outcome

if TYPE_CHECKING:
    from warren.adapters.stomp.codec.frames import Frame
    from warren.adapters.stomp.session import StompSession
    from warren.core.clients.client import Client
    from warren.core.messages.message import Message


@dataclass(frozen=True, slots=True)
class Publish:
    """A SEND that has passed all checks, to be made a message when its time has come."""

    exchange: str
    routing_key: str
    properties: Properties
    extra_keys: list[str]
    body: bytes
    receipt: str | None


def prepare(session: StompSession, frame: Frame) -> Publish:
    """Check a SEND and declare what it names; StompError or a BrokerError says what is wrong with it."""
    headers = frame.headers
    if "message-id" in headers:
        raise StompError("Invalid header", "'message-id' is not allowed on 'SEND'", "use amqp-message-id instead")
    name = headers.get("destination")
    if name is None:
        raise StompError("Missing destination", "\"SEND\" must include a 'destination' header")
    destination = parse_destination(name, session.settings.topic_exchange, "SEND")
    properties = properties_of(headers)
    client = session.logged_in
    check_publish(client, destination.exchange, destination.key)
    if destination.kind is Kind.QUEUE:
        declare_once(session, destination, headers)
    if properties.reply_to is not None and properties.reply_to.startswith(TEMPORARY_PREFIX):
        properties = properties.with_changes(reply_to=session.replies.queue_name(properties.reply_to))
    user = client.user
    if properties.user_id not in (None, user.name) and IMPERSONATOR not in client.tags:
        raise AccessRefused(f"user-id is '{properties.user_id}' but authenticated user was '{user.name}'; leave it out")
    extra_keys: list[str] = []
    if properties.special:
        properties, extra_keys = read_special(client, destination.exchange, properties)
    return Publish(destination.exchange, destination.key, properties, extra_keys, frame.body, frame.receipt)


def message_of(client: Client, publish: Publish) -> tuple[Message, Route]:
    """The message and where it goes."""
    return make_message(
        client,
        publish.exchange,
        publish.routing_key,
        publish.properties,
        publish.body,
        publish.extra_keys,
    )


def way_of(client: Client, publish: Publish) -> Route:
    """Where it goes now; nowhere, if its exchange is gone by then."""
    properties = publish.properties
    try:
        return client.vhost.route(
            publish.exchange, publish.routing_key, properties.headers, publish.extra_keys, properties
        )
    except NotFound:
        return Route(Address(publish.exchange, short_key(publish.routing_key)), (), routed=False, cacheable=False)


def send(session: StompSession, frame: Frame) -> None:
    """SEND outside of a transaction; its receipt says that the message is safe (spec B.5)."""
    publish = prepare(session, frame)
    message, route = message_of(session.logged_in, publish)
    counts = session.logged_in.counts.own
    counts.published(route, message.body_size)
    answer = route.receipt
    outcome = session.logged_in.vhost.publish(route, message, session.logged_in, 0, answer)
    slow_down(session.logged_in, route)
    if publish.receipt is not None and outcome is not Outcome.REFUSED:
        if answer is not None and answer.pending:
            answer.then(counts.confirmed_late)
        else:
            counts.confirmed(1)
    if outcome is Outcome.REFUSED:
        if publish.receipt is not None:
            raise refused(publish, route)
    elif answer is not None and answer.pending:
        session.receipts.after_answer(
            answer, [publish.receipt] if publish.receipt is not None else [], refused(publish, route)
        )
    elif outcome is Outcome.STORED:
        session.receipts.after_flush(publish.receipt)
    else:
        session.receipts.send(publish.receipt)
    session.known.remember(frame, route, message.properties)


def refused(publish: Publish, route: Route) -> StompError:
    """What a publisher is told whose message a queue didn't take."""
    return StompError("Message refused", f"on the way to '{publish.routing_key}': {route.refusal}")
