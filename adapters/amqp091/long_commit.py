"""A tx.commit that is too much for one turn.

    rights              looked at once more; without one of them nothing is done
    acknowledgements    in slices: others see no more of them than that there is credit
    rejections          in slices, too, but for their dead letters, which are published with the rest
    publishes           prepared in slices (core.routing.staging), and published in one moment: all of them are there,
                        and the store has it all as one group
    what follows        in slices: basic.return, the firehose, and what is requeued; tx.commit-ok comes behind it

Nothing else is done for the connection meanwhile.  The commit goes to its end even if the connection doesn't, as one
that is done at once does.  Where topology or rights change while publishes are prepared, they are prepared anew; if
that goes on, or some queue or exchange has to be asked about each message, they are published one by one in the end.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.handlers.publish import give_back
from warren.adapters.amqp091.transaction import route_now
from warren.core.errors import BrokerError
from warren.core.routing.staging import Staged, stage

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel
    from warren.adapters.amqp091.transaction import Outcomes, Transaction, Uncommitted
    from warren.adapters.session.deliveries import Settlement
    from warren.adapters.session.long_work import Slices
    from warren.core.messages.message import Message
    from warren.core.queues.dead_letter import Letter
    from warren.core.routing.route import Route

RETURNED_PER_SLICE: Final = 500
"""Mandatory publishes that nothing takes and that are given back in one turn: some 10 µs each."""

FORGOTTEN_PER_SLICE: Final = 10_000
"""What was to be done is let go of in slices."""

TX_COMMIT: Final = (methods.TxCommit.CLASS_ID, methods.TxCommit.METHOD_ID)


def commit_in_turns(channel: Channel, transaction: Transaction) -> Slices:
    """Do the commit, slice by slice, and answer it; what is to be done is taken now, whatever ends meanwhile."""
    publishes, transaction.publishes = transaction.publishes, []
    settlements, transaction.settlements = transaction.settlements, []
    return _in_turns(channel, transaction, publishes, settlements)


def _in_turns(
    channel: Channel, transaction: Transaction, publishes: list[Uncommitted], settlements: list[Settlement]
) -> Slices:
    try:
        try:
            yield from transaction.check_rights(channel.client, publishes)
            waits = yield from _commit(channel, transaction, publishes, settlements)
        except BrokerError as error:
            if _is_open(channel):
                transaction.settlements = settlements
                channel.connection.frame_failed(error, channel.number, TX_COMMIT)
            else:
                channel.deliveries.give_back([deliveries for deliveries, _ in settlements])
        else:
            if _is_open(channel):
                channel.committed(waits)
            # To let go of all of them at once would take a while, too.
            while publishes:
                del publishes[-FORGOTTEN_PER_SLICE:]
                yield None
    except Exception as fault:
        channel.connection.break_off(fault)


def _is_open(channel: Channel) -> bool:
    return channel.connection.channels.has(channel) and not channel.closing


def _commit(
    channel: Channel, transaction: Transaction, publishes: list[Uncommitted], settlements: list[Settlement]
) -> Generator[None, None, bool]:
    client, deliveries = channel.client, channel.deliveries
    vhost = client.vhost
    store = vhost.broker.store
    settled = store.long_group()
    letters: list[Letter] = []
    returning = yield from deliveries.settle_for(settled, vhost, settlements, letters)

    def publish(number: int) -> tuple[Message, Route]:
        message, route, _ = publishes[number]
        return message, route_now(vhost, message, route)

    staged = yield from stage(vhost, len(publishes), publish, letters, client)
    outcomes: Outcomes
    unroutable: list[Message] = []
    if staged is not None:
        unroutable = [publishes[number][0] for number in staged.unroutable if publishes[number][2]]
        outcomes = (len(staged.refused), [])
        staged.publish(channel.counts, len(unroutable))
    else:
        staged = Staged(vhost)
        with store.collecting(staged.group):
            outcomes = transaction.publish_all(channel, publishes)
            for letter in letters:
                letter.publish()
    store.add_group(staged.group, settled)
    is_stored = vhost.broker.messages_pending and store.durable
    for letter in staged.refused_letters:
        letter.not_taken()
    for count, message in enumerate(unroutable, 1):
        if _is_open(channel):
            give_back(channel, message)
        if count % RETURNED_PER_SLICE == 0:
            yield
    yield from staged.trace(client, channel.number)
    yield from deliveries.settle_late(returning)
    return transaction.requested(channel, outcomes, is_stored=is_stored)
