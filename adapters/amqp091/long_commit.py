"""A tx.commit that is too much for one turn.

    rights              looked at once more; without one of them nothing is done
    acknowledgements    in slices: others see no more of them than that there is credit
    publishes           prepared in slices (core.routing.staging)
    all the rest        in one moment: the messages are there, what was rejected is, the store has it all as one group

Nothing else is done for the connection meanwhile.  The commit goes to its end even if the connection doesn't, as one
that is done at once does.  Where topology or rights change while publishes are prepared, they are prepared anew; if
that goes on, or some queue or exchange has to be asked about each message, they are published one by one in the end.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.transaction import route_now
from warren.core.errors import BrokerError
from warren.core.routing.staging import Staged

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel
    from warren.adapters.amqp091.transaction import Outcomes, Transaction, Uncommitted
    from warren.adapters.session.deliveries import Settlement

STAGED_PER_SLICE: Final = 1000
"""Publishes that are prepared in one turn: a few microseconds each."""

FORGOTTEN_PER_SLICE: Final = 10_000
"""What was to be done is let go of in slices."""

TRIES: Final = 3
"""So often publishes are prepared, where something changes meanwhile."""

TX_COMMIT: Final = (methods.TxCommit.CLASS_ID, methods.TxCommit.METHOD_ID)


def commit_in_turns(channel: Channel, transaction: Transaction) -> Iterator[None]:
    """Do the commit, slice by slice, and answer it; what is to be done is taken now, whatever ends meanwhile."""
    publishes, transaction.publishes = transaction.publishes, []
    settlements, transaction.settlements = transaction.settlements, []
    return _in_turns(channel, transaction, publishes, settlements)


def _in_turns(
    channel: Channel, transaction: Transaction, publishes: list[Uncommitted], settlements: list[Settlement]
) -> Iterator[None]:
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
                yield
    except Exception as error:
        channel.connection.break_off(error)


def _is_open(channel: Channel) -> bool:
    return channel.connection.channels.has(channel) and not channel.closing


def _commit(
    channel: Channel, transaction: Transaction, publishes: list[Uncommitted], settlements: list[Settlement]
) -> Generator[None, None, bool]:
    vhost = channel.client.vhost
    store = vhost.broker.store
    settled = store.long_group()
    rejected = yield from channel.deliveries.acknowledge_for(settled, store, settlements)
    for _ in range(TRIES):
        staged = Staged(vhost)
        is_staged = yield from _stage(channel, publishes, staged)
        if not is_staged or staged.holds:
            break
    outcomes: Outcomes = (0, [])
    if is_staged and staged.holds:
        staged.publish(channel.counts)
    else:
        staged = Staged(vhost)
        with store.collecting(staged.group):
            outcomes = transaction.publish_all(channel, publishes)
    with store.collecting(settled):
        for deliveries, verdict in rejected:
            channel.deliveries.settle(deliveries, verdict)
    store.add_group(staged.group, settled)
    return transaction.requested(channel, outcomes)


def _stage(channel: Channel, publishes: list[Uncommitted], staged: Staged) -> Generator[None, None, bool]:
    """Prepare all publishes; False when one of them can't be."""
    vhost = channel.client.vhost
    for at in range(0, len(publishes), STAGED_PER_SLICE):
        with vhost.broker.store.collecting(staged.group):
            for message, route, _ in publishes[at : at + STAGED_PER_SLICE]:
                if not staged.add(message, route_now(vhost, message, route)):
                    return False
        yield
        if not staged.holds:
            break
    return True
