"""Queues."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.administration import operations
from warren.core.administration.listing.consumers import ConsumerRow
from warren.core.administration.listing.queues import QueueRow
from warren.gateway.plugin import answered
from warren.plugins.management import objects
from warren.plugins.management.bodies import QueueBody, check_table
from warren.plugins.management.endpoint import Call, Created, Listed, endpoint
from warren.plugins.management.endpoints.connections import CONSUMERS
from warren.plugins.management.views import NODE, STATS, Field, View, fields, listed, one, table

if TYPE_CHECKING:
    from warren.plugins.management.node import Node
    from warren.plugins.management.views import Cells


def _owner(cells: Cells, node: Node) -> object:
    """The connection of an exclusive queue."""
    return {"name": cells["owner_pid"]} if cells["owner_pid"] is not None else {}


QUEUES: Final = View(
    "queues",
    {
        **fields("name", "vhost", "type", "durable", "auto_delete", "exclusive"),
        "arguments": table("arguments"),
        "node": NODE,
        **fields("state", "policy", "operator_policy", "effective_policy_definition"),
        **fields("consumers", "messages", "messages_ready", "messages_unacknowledged"),
        **fields("message_bytes_ready", "memory", "exclusive_consumer_tag", "single_active_consumer_tag"),
        "owner_pid_details": Field(("owner_pid",), _owner),
        "message_stats": STATS,
    },
)


@endpoint("GET", "/queues", "Queues of all virtual hosts.", answer=objects.Queue, lists=True)
async def get_all_queues(call: Call) -> Listed:
    return await listed(call, QUEUES)


@endpoint("GET", "/queues/{vhost}", "Queues of a virtual host.", answer=objects.Queue, lists=True)
async def get_queues(call: Call) -> Listed:
    return await listed(call, QUEUES)


@endpoint("GET", "/queues/{vhost}/{queue}", "A queue, with its consumers.", answer=objects.QueueDetails)
async def get_queue(call: Call) -> object:
    queue = operations.queues.existing(call.broker, call.vhost, call.path["queue"])
    found = one(call, QUEUES, QueueRow(queue))
    if "columns" not in call.query:
        found["consumer_details"] = [one(call, CONSUMERS, ConsumerRow(each)) for each in queue.consumers]
    return found


@endpoint("PUT", "/queues/{vhost}/{queue}", "Declare a queue.", body=QueueBody)
async def put_queue(call: Call) -> Created | None:
    body: QueueBody = call.body
    queue, made = operations.queues.declare(
        call.broker,
        call.vhost,
        call.path["queue"],
        durable=body.durable,
        auto_delete=body.auto_delete,
        arguments=check_table("arguments", body.arguments),
        user=call.user.name,
    )
    await answered(queue.when_ready, call.context.changed)
    return Created() if made else None


@endpoint("DELETE", "/queues/{vhost}/{queue}", "Delete a queue; ?if-empty=true, ?if-unused=true.")
async def delete_queue(call: Call) -> None:
    delete = partial(
        operations.queues.delete,
        call.broker,
        call.vhost,
        call.path["queue"],
        if_empty=call.flag("if-empty"),
        if_unused=call.flag("if-unused"),
        user=call.user.name,
    )
    await answered(delete, call.context.changed)


@endpoint("DELETE", "/queues/{vhost}/{queue}/contents", "Drop the ready messages of a queue.")
async def purge_queue(call: Call) -> None:
    purge = partial(operations.queues.purge, call.broker, call.vhost, call.path["queue"], user=call.user.name)
    await answered(purge, call.context.changed)
