"""A message that its client doesn't take dies in the queue that it came from, wherever it is by then.

With QoS 1 it is unacknowledged in its queue.  One of QoS 2 may have left the queue for the session's own number in the
store (session.py), and over a restart nothing is known of where it came from but the filter that brought it.  So it is
given back to that queue as a delivery, and rejected there: the queue's rules apply to it as to any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.mqtt.sessions.queue_names import source_queue_name
from warren.adapters.mqtt.sessions.records import unsent_copy

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.outgoing import Outgoing
    from warren.adapters.mqtt.sessions.session import MqttSession
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue


def reject(session: MqttSession, packet_id: int) -> Outgoing | None:
    """PUBACK or PUBREC with a failure: the message is dead-lettered by its queue's rules, and its identifier is free.

    One whose queue is gone is dropped, as what was in that queue was.  None when nothing of that identifier is under
    way.
    """
    outgoing = session.outgoing.get(packet_id)
    if outgoing is None:
        return None
    store = session.registry.broker.store
    store.begin_group()
    try:
        delivery = take_back(session, outgoing)
        if delivery is not None:
            queue, message = delivery
            queue.discard(message)
        return session.acknowledge(packet_id)
    finally:
        store.end_group()


def take_back(session: MqttSession, outgoing: Outgoing) -> tuple[Queue, Message] | None:
    """What is under way, as an unsettled delivery of its queue, for the caller to settle; None where that can't be.

    To be called in a group of the store together with what frees the packet identifier.
    """
    message, queue = outgoing.message, outgoing.queue
    if message is None:
        return None
    if queue is not None:
        outgoing.queue = None
        return queue, message
    found = session.registry.vhost.queues.get(source_queue_name(session.client_id, outgoing.source))
    copy = unsent_copy(message)
    return (found, copy) if found is not None and found.reclaim(copy) else None
