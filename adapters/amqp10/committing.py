"""The work of a transaction at its discharge (part 4, 4.3): all of it as one atomic group of the store.

What fits into the turn is done at once.  Anything else takes several: deliveries are settled in slices, messages
prepared in slices (core.routing.staging) and published in one moment; nothing else is done for the connection
meanwhile, and it goes to its end even if the connection doesn't.

A message is published at the moment of the commit, to where its address leads then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from warren.adapters.amqp10.codec.termini import Accepted, TransactionalState
from warren.core.errors import NotFound
from warren.core.routing.route import Route
from warren.core.routing.staging import Staged, stage
from warren.core.routing.vhost import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.publishing_link import PublishingLink
    from warren.adapters.amqp10.transactions import Transaction
    from warren.adapters.session.deliveries import Settlement
    from warren.core.messages.message import Message
    from warren.core.queues.dead_letter import Letter

Committed = Callable[[int, bool], None]
"""Takes how many publishes full queues have refused, and whether some of the work waits for the disk."""


def commit(transaction: Transaction, then: Committed) -> None:
    """Do the work, now or in later turns; `then` is called when all of it is done."""
    connection = transaction.controller.session.connection
    if connection.settling.may(transaction.work):
        then(*_commit_now(transaction))
    else:
        connection.settling.begin(_commit_in_turns(transaction, then))


def _commit_now(transaction: Transaction) -> tuple[int, bool]:
    broker = transaction.controller.session.connection.broker
    store = broker.store
    refused = 0
    store.begin_group()
    try:
        for publish in transaction.publishes:
            refused += _publish(*publish) is Outcome.REFUSED
        for session, taken in transaction.settlements.items():
            for each in taken:
                for deliveries in each.written() if each.amended else (each.deliveries,):
                    session.deliveries.settle(deliveries, each.verdict)
    finally:
        store.end_group()
    _tell_settled(transaction, _told(transaction))
    return refused, broker.messages_pending and store.durable


def _publish(link: PublishingLink, message: Message, route: Route, at_ms: int | None) -> Outcome:
    vhost = link.session.client.vhost
    message.sequence = vhost.broker.next_sequence()
    message.published_at_ms = vhost.broker.now_ms
    if at_ms is not None:
        return link.defer(message, route, at_ms)
    now = _route_now(link, message, route)
    return link.give(message, now, now.receipt)


def _route_now(link: PublishingLink, message: Message, route: Route) -> Route:
    """Where a message goes by the bindings of this moment; nowhere, if its exchange is gone by then."""
    address, properties = route.address, message.properties
    try:
        return link.session.client.vhost.route(
            address.exchange, address.routing_key, properties.headers, route.extra_keys, properties
        )
    except NotFound:
        return Route(address, (), routed=False, cacheable=False)


def _commit_in_turns(transaction: Transaction, then: Committed) -> Iterator[None]:
    session = transaction.controller.session
    client, store = session.client, session.connection.broker.store
    vhost = client.vhost
    publishes = [publish for publish in transaction.publishes if publish[3] is None]
    deferred = [publish for publish in transaction.publishes if publish[3] is not None]
    told = _told(transaction)
    group = store.long_group()
    letters: list[Letter] = []
    late: list[tuple[AmqpSession, list[Settlement]]] = []
    for owner, taken in transaction.settlements.items():
        settlements: list[Settlement] = []
        for each in taken:
            if not each.amended:
                settlements.append((each.deliveries, each.verdict))
                continue
            written = each.written()
            while True:
                with store.collecting(group):
                    some = next(written, None)
                if some is None:
                    break
                settlements.append((some, each.verdict))
                yield
        others = yield from owner.deliveries.settle_for(group, vhost, settlements, letters)
        late.append((owner, others))

    def prepared(number: int) -> tuple[Message, Route]:
        link, message, route, _ = publishes[number]
        return message, _route_now(link, message, route)

    staged = yield from stage(vhost, len(publishes), prepared, letters, client)
    if staged is not None:
        refused = len(staged.refused)
        staged.publish(session.counts)
    else:
        staged = Staged(vhost)
        with store.collecting(staged.group):
            refused = sum(_publish(*one) is Outcome.REFUSED for one in publishes)
            for letter in letters:
                letter.publish()
    with store.collecting(staged.group):
        for one in deferred:
            _publish(*one)
    store.add_group(staged.group, group)
    is_stored = vhost.broker.messages_pending and store.durable
    for letter in staged.refused_letters:
        letter.not_taken()
    yield from staged.trace(client, session.channel)
    for owner, others in late:
        yield from owner.deliveries.settle_late(others)
    _tell_settled(transaction, told)
    then(refused, is_stored)
    session.connection.flush_batch()


def _told(transaction: Transaction) -> list[tuple[AmqpSession, list[int]]]:
    """Deliveries whose receivers wait for us to have settled them (2.6.12)."""
    return [
        (session, list(each.deliveries))
        for session, taken in transaction.settlements.items()
        for each in taken
        if not each.by_receiver
    ]


def _tell_settled(transaction: Transaction, told: list[tuple[AmqpSession, list[int]]]) -> None:
    state = TransactionalState(transaction.id, Accepted())
    for session, tags in told:
        for tag in tags if not session.ended else ():
            number = session.delivery_id(tag)
            session.settled(number, number, state)
