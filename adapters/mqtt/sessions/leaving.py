"""What a session leaves when its client goes or it is over: given back, settled, forgotten, in turns if it is long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from warren.core.chores import emptied
from warren.core.queues import returning
from warren.core.queues.returning import RETURNED_PER_SLICE

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.outgoing import Outgoing
    from warren.adapters.mqtt.sessions.registry import MqttSessions
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue

LEFT_PER_SLICE: Final = 500
"""Subscriptions of a session that has ended which are forgotten in one turn: five microseconds each."""

ENDED_PER_SLICE: Final = 20
"""Sessions of a virtual host that is deleted which end in one turn, each with its queue."""

WORK_OF_LEAVING: Final = 20
"""What it takes beside to leave a group, whose queue may go with it."""

LOOKED_AT: Final = 5 * LEFT_PER_SLICE
"""So many are in any case too much for one turn."""


def take(session: MqttSession, wanted: Callable[[Outgoing], bool]) -> list[tuple[Queue, Message]]:
    """What goes back to its queue, and is under way no more."""
    taken: list[tuple[Queue, Message]] = []
    for each in list(session.outgoing.values()):
        if each.queue is not None and each.message is not None and wanted(each):
            del session.outgoing[each.packet_id]
            taken.append((each.queue, each.message))
    return taken


def give_back(taken: list[tuple[Queue, Message]]) -> Iterator[None]:
    """All of it goes back to its queues."""
    coming = emptied(taken)
    parts = iter(lambda: list(islice(coming, RETURNED_PER_SLICE)), [])
    return returning.give_back(parts, lambda queue: True)


def return_shared(session: MqttSession) -> None:
    """What others may take goes back: QoS 1 by shared and named queues.

    A message of QoS 2 stays with the client that it was sent to, and is nobody else's even if that never comes back
    (MQTT-4.8.2-4 and -5).
    """
    taken = take(session, lambda each: bool(each.source) and each.qos == 1)
    in_turns(session, give_back(taken), len(taken))


def return_own(session: MqttSession) -> None:
    """Before a stop in good order: what waits for a PUBACK goes back to its queue, marked as delivered."""
    for queue, message in take(session, lambda each: True):
        queue.requeue([message])


def settle_all(session: MqttSession) -> Iterator[None]:
    """The session is over: neither queues nor the store have anything to keep for it."""
    outgoing, inbound = session.take_outgoing(), session.inbound
    session.inbound = {}
    session.has_entries_to_settle = True
    count = 0
    while outgoing or inbound:
        if outgoing:
            _, each = outgoing.popitem()
            each.settle()
            session.settle_record(each)
        else:
            _, record = inbound.popitem()
            if record is not None:
                session.registry.broker.store.settle(session.inbound_id, record)
        count += 1
        if count % RETURNED_PER_SLICE == 0:
            yield
    session.has_entries_to_settle = False


def work_of_leaving(session: MqttSession) -> int:
    """What `leave_all` takes, in subscriptions of a session's own; no more than is too much in any case."""
    return sum(map(_work_of, islice(session.subscriptions.values(), LOOKED_AT)))


def leave_all(session: MqttSession) -> Iterator[None]:
    """The session is over, and its own queue gone: what else knows of its subscriptions forgets them."""
    subscriptions, session.subscriptions = session.subscriptions, {}
    trie, session.trie = session.trie, None
    work = 0
    while subscriptions:
        _, subscription = subscriptions.popitem()
        if subscription.group:
            session.registry.leave(subscription)
        session.registry.subscription_changed(None, subscription)
        if trie is not None and subscription.is_own and subscription.has_wildcards:
            # Letting go of a large one as a whole would take long, too.
            trie.remove(subscription.words, subscription)
        work += _work_of(subscription)
        if work >= LEFT_PER_SLICE:
            work = 0
            yield


def leave_vhost(registry: MqttSessions) -> Iterator[None]:
    """The virtual host is being deleted: its sessions end, and so does what waits to be published there."""
    for number, session in enumerate(emptied(list(registry.sessions.values())), 1):
        session.end()
        if number % ENDED_PER_SLICE == 0:
            yield
    for number, (client_id, _) in enumerate(emptied(registry.wills.waiting()), 1):
        registry.wills.cancel(client_id)
        if number % LEFT_PER_SLICE == 0:
            yield
    yield from registry.retained.let_go()


def in_turns(session: MqttSession, slices: Iterator[None], work: int) -> None:
    """Do it at once if it fits into this turn (`Broker.settlements`), else in the turns that follow."""
    broker = session.registry.broker
    if not work or broker.settlements.take(work, broker.turn):
        for _ in slices:
            pass
        return

    def do_slice() -> bool:
        for _ in slices:
            return True
        return False

    do_slice()
    broker.chores.add(do_slice, to_the_end=True)


def _work_of(subscription: MqttSubscription) -> int:
    return 1 + WORK_OF_LEAVING if subscription.group else 1
