"""Replicas of quorum queues, as RabbitMQ answers on a single node: each queue has one, where it is, and it is the last.

In a cluster that is the node that has the queue's shard; its log's copies are NATS's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warren.core.administration import operations
from warren.core.administration.listing.queues import QueueRow
from warren.plugins.management.access import Needs
from warren.plugins.management.bodies import GrowBody, ReplicaBody
from warren.plugins.management.endpoint import Call, endpoint
from warren.plugins.management.endpoints.nodes import check_node
from warren.plugins.management.errors import bad_request

if TYPE_CHECKING:
    from warren.core.queues.base import Queue

QUORUM: Final = "quorum"
CLASSIC: Final = "classic"

STRATEGIES: Final = ("all", "even")
MEMBERSHIPS: Final = ("voter", "non_voter", "promotable")

OF_RAFT: Final = (
    "Last Log Index",
    "Last Written",
    "Last Applied",
    "Commit Index",
    "Snapshot Index",
    "Term",
    "Machine Version",
)
"""What there is no counterpart of; empty, as of a replica that RabbitMQ can't ask."""


@endpoint(
    "GET",
    "/queues/quorum/{vhost}/{queue}/status",
    "The replicas of a quorum queue: one, which leads.",
    answer=list[dict[str, Any]],
)
async def get_replicas(call: Call) -> object:
    node = QueueRow(_quorum_queue(call)).value("node") or call.node.alone
    if not node:
        return []
    return [{"Node Name": node, "Raft State": "leader", "Membership": "voter", **dict.fromkeys(OF_RAFT, "")}]


@endpoint(
    "POST",
    "/queues/quorum/{vhost}/{queue}/replicas/add",
    "Add a replica on a node: nothing on this one, which has it, and there is no other.",
    needs=Needs.ADMINISTRATOR,
    body=ReplicaBody,
)
async def add_replica(call: Call) -> None:
    body: ReplicaBody = call.body
    _check_membership(body.membership)
    _quorum_queue(call)
    if body.node != call.node.name:
        raise bad_request(f"node_not_running: there is no node '{body.node:.100}' here but this one")


@endpoint(
    "DELETE",
    "/queues/quorum/{vhost}/{queue}/replicas/delete",
    "Delete the replica on a node: it can't be, as it is the last one.",
    needs=Needs.ADMINISTRATOR,
    body=ReplicaBody,
    later=True,
)
async def delete_replica(call: Call) -> None:
    body: ReplicaBody = call.body
    _quorum_queue(call)
    if body.node == call.node.name:
        raise bad_request(f"last_node: the only replica is on '{body.node}'; delete the queue instead")


@endpoint(
    "POST",
    "/queues/quorum/replicas/on/{node}/grow",
    "Add replicas on a node: nothing, as every queue has its replica here.",
    needs=Needs.ADMINISTRATOR,
    body=GrowBody,
)
async def grow(call: Call) -> None:
    body: GrowBody = call.body
    check_node(call)
    _check_membership(body.membership)
    if body.strategy not in STRATEGIES:
        raise bad_request(f"strategy is {' or '.join(STRATEGIES)}, not '{body.strategy:.100}'")


@endpoint(
    "DELETE",
    "/queues/quorum/replicas/on/{node}/shrink",
    "Delete the replicas on a node: all stay, as each is its queue's last.",
    needs=Needs.ADMINISTRATOR,
    later=True,
)
async def shrink(call: Call) -> None:
    check_node(call)


def _quorum_queue(call: Call) -> Queue:
    """ApiError for a queue of another type, which RabbitMQ answers with 503, with RabbitMQ's word for it."""
    queue = operations.queues.existing(call.broker, call.vhost, call.path["queue"])
    if queue.type_name != QUORUM:
        word = "classic_queue_not_supported" if queue.type_name == CLASSIC else "not_quorum_queue"
        raise bad_request(f"{word}: '{queue.name}' is a {queue.type_name} queue and has no replicas")
    return queue


def _check_membership(membership: str) -> None:
    if membership not in MEMBERSHIPS:
        raise bad_request(f"membership is one of {', '.join(MEMBERSHIPS)}, not '{membership:.100}'")
