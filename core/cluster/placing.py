"""Durable queues that other nodes have by themselves, among the queues of this node: made, kept, and moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from warren.core.cluster.away import away_queue
from warren.core.cluster.replacing import replace
from warren.core.declaring.queues import HOME, OF_CLUSTER

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON


def made_elsewhere(
    vhost: VirtualHost, name: str, node: str, arguments: Mapping[str, FieldValue], arguments_raw: bytes, store_id: int
) -> Queue:
    """What stands here for a queue of this node; it isn't among the queues of the virtual host yet.

    Raises PreconditionFailed (406) for arguments that can't be.
    """
    cluster = vhost.broker.cluster
    if cluster is None:
        return away_queue(vhost, name, node, arguments=arguments, arguments_raw=arguments_raw, store_id=store_id)
    return cluster.queue_at(vhost, name, node, arguments=arguments, arguments_raw=arguments_raw, store_id=store_id)


def place_elsewhere(
    vhost: VirtualHost,
    name: str,
    node: str,
    row: Mapping[str, JSON],
    arguments: Mapping[str, FieldValue],
    arguments_raw: bytes,
    number: int,
) -> Queue:
    """Have one among the queues here.  row: the cluster's of it.  number: a number of the cluster's, not 0."""
    vhost.check_stays()
    queue = made_elsewhere(vhost, name, node, arguments, arguments_raw, number)
    vhost.queues[name] = queue
    broker = vhost.broker
    broker.churn.queue_created += 1
    broker.policies.apply_to(vhost.name, queue)
    vhost.changed()
    broker.definitions.put("queue", vhost.name, name, {"id": number, **row, HOME: node, OF_CLUSTER: True})
    return queue


def move_elsewhere(queue: Queue, node: str, row: Mapping[str, JSON]) -> None:
    """A queue of another node is this node's from now on, as the cluster's row of it says."""
    vhost = queue.vhost
    new = made_elsewhere(vhost, queue.name, node, queue.arguments, queue.arguments_raw, queue.store_id)
    replace(vhost, queue, new)
    vhost.broker.definitions.put(
        "queue", vhost.name, queue.name, {"id": queue.store_id, **row, HOME: node, OF_CLUSTER: True}
    )
