"""Publishing, whatever protocol it came by: the checks, what the broker reads of the properties, the routing.

Adapters call `check_publish` once per exchange and routing key (and may remember that it passed, see
core.routing.known_routes), then `publish` per message.  The AMQP adapter, which has more to say
between the two (mandatory, transactions, frames kept as they came), uses the parts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.errors import AccessRefused
from warren.core.messages.checks import (
    DELIVERY_COUNTS,
    Identified,
    check_copies,
    check_expiration,
    check_user_id,
    extra_routing_keys,
    without_bcc,
)
from warren.core.messages.internal_headers import without_internal
from warren.core.messages.message import Message
from warren.core.queues.deaths import without_deaths
from warren.core.routing.known_routes import MANY_QUEUES
from warren.core.routing.vhost import DEFAULT_EXCHANGE, Outcome

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.messages.properties import Properties
    from warren.core.routing.receipt import Receipt
    from warren.core.routing.route import Route
    from warren.core.routing.vhost import VirtualHost

QUEUES_PER_COMMAND: Final = 16
"""So many queues that a message is given to are as much work as a command more: some 10 µs, with the look that each of
them has at whether there is something to deliver."""


class Publisher(Identified, Protocol):
    """Who publishes, or would: a core.clients.client.Client, or whoever asks what would become of it."""

    @property
    def vhost(self) -> VirtualHost:
        """Where."""


def check_publish(client: Publisher, exchange_name: str, routing_key: str | None) -> None:
    """Refuse what can be refused without looking at a message.  routing_key: None where each message says its own.

    Raises AccessRefused (403) without write permission or for an internal exchange, NotFound (404) without exchange.
    """
    vhost = client.vhost
    vhost.broker.users.check(client.user, vhost.name, "exchange", exchange_name, "write")
    if exchange_name == DEFAULT_EXCHANGE:
        return
    exchange = vhost.exchange(exchange_name)
    if exchange.internal:
        raise AccessRefused(
            f"cannot publish to internal exchange '{exchange_name}' in vhost '{vhost.name}'; "
            "publish to an exchange that is bound to it"
        )
    if routing_key is not None:
        check_topic_keys(client, exchange_name, [routing_key])


def check_topic_keys(client: Publisher, exchange_name: str, routing_keys: Iterable[str]) -> None:
    """Topic permissions (403), which exist for exchanges of type topic alone."""
    vhost = client.vhost
    exchange = vhost.exchanges.get(exchange_name)
    if exchange is not None and exchange.type_name == "topic":
        for routing_key in routing_keys:
            vhost.broker.users.check_topic(client.user, vhost.name, exchange_name, routing_key, "write")


def read_special(client: Publisher, exchange_name: str, properties: Properties) -> tuple[Properties, list[str]]:
    """What the broker acts on in the properties of a message that has such (`Properties.special`).

    Headers that are the broker's own word are taken off (docs/headers.md).  Gives the properties as consumers may see
    them, and the further routing keys of CC and BCC.  Raises PreconditionFailed (406) for an invalid user_id,
    expiration, CC or BCC, AccessRefused (403) for a key not allowed.
    """
    check_user_id(client, properties)
    check_expiration(properties)
    check_copies(properties)
    properties = without_internal(properties)
    headers = properties.headers
    if headers:
        claimed = [name for name in DELIVERY_COUNTS if name in headers]
        if claimed:
            properties = properties.with_header_entries({}, claimed)
    extra_keys = extra_routing_keys(properties)
    if extra_keys:
        check_topic_keys(client, exchange_name, extra_keys)
    properties = without_bcc(properties)
    if not client.vhost.broker.continue_client_deaths:
        properties = without_deaths(properties)
    return properties, extra_keys


def make_message(
    client: Client,
    exchange_name: str,
    routing_key: str,
    properties: Properties,
    body: bytes,
    extra_keys: Iterable[str] = (),
) -> tuple[Message, Route]:
    """The message and its route; nothing is published yet."""
    vhost = client.vhost
    broker = vhost.broker
    route = vhost.route(exchange_name, routing_key, properties.headers, extra_keys, properties)
    message = Message(broker.next_sequence(), route.address, properties, body, 0, len(body), 0, broker.now_ms)
    return message, route


def slow_down(client: Client, route: Route) -> None:
    """Who has published to a queue that can't keep up with what should leave it has had his turn with that, and who has
    published to very many queues has had a part of it.
    """
    ration = client.ration
    if ration is None:
        return
    if route.guarded and any(queue.is_overdue for queue in route.queues):
        ration.use_up()
    elif len(route.queues) > MANY_QUEUES:
        ration.spend(len(route.queues) // QUEUES_PER_COMMAND)


def publish(
    client: Client, exchange_name: str, routing_key: str, properties: Properties, body: bytes
) -> tuple[Outcome, Route]:
    """Publish a message whose address `check_publish` has passed.

    Gives what became of it (STORED: confirm after the next flush; REFUSED: a full queue) and where it went
    (`Route.routed`: False when nothing took it).  A protocol that confirms uses `publish_with_receipt`, and counts by
    itself what it publishes (core/counters.py), as it may give back what nothing took.
    """
    outcome, route, _ = publish_with_receipt(client, exchange_name, routing_key, properties, body)
    client.counts.own.published(route, len(body))
    return outcome, route


def publish_with_receipt(
    client: Client, exchange_name: str, routing_key: str, properties: Properties, body: bytes
) -> tuple[Outcome, Route, Receipt | None]:
    """The same, with the receipt that a confirm has to wait for if it is pending; None where no queue answers later."""
    extra_keys: list[str] = []
    if properties.special:
        properties, extra_keys = read_special(client, exchange_name, properties)
    message, route = make_message(client, exchange_name, routing_key, properties, body, extra_keys)
    receipt = route.receipt
    return client.vhost.publish(route, message, client, 0, receipt), route, receipt
