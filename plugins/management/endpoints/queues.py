"""Queues."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.administration import operations
from warren.core.administration.listing.consumers import ConsumerRow
from warren.core.administration.listing.queues import QueueRow
from warren.core.clients.transport import peer_of
from warren.gateway.plugin import answered
from warren.plugins.management import objects
from warren.plugins.management.access import Needs
from warren.plugins.management.bodies import ActionBody, QueueBody, check_table
from warren.plugins.management.endpoint import Call, Created, Listed, endpoint
from warren.plugins.management.endpoints.connections import CONSUMERS
from warren.plugins.management.errors import bad_request
from warren.plugins.management.ranges import LENGTH_NAMES, LENGTHS
from warren.plugins.management.views import (
    IDLE,
    STATS,
    Field,
    Sampled,
    View,
    details,
    fields,
    listed,
    one,
    prepared,
    table,
)

if TYPE_CHECKING:
    from warren.plugins.management.series import Figures
    from warren.plugins.management.views import Cells, Look


def _owner(cells: Cells, look: Look) -> object:
    """The connection of an exclusive queue."""
    name = cells["owner_pid"]
    return {"name": name, **peer_of(str(name))} if name is not None else None


def _figures(row: QueueRow) -> Figures:
    lengths = (row.messages, row.messages_ready, row.messages_unacknowledged)
    return {**row.message_stats, **dict(zip(LENGTH_NAMES, lengths, strict=True))}


STREAM_NAMES: Final = ("first_offset", "committed_offset", "segments", "bytes_on_disk")
"""What streams alone have."""


def _column(name: str, cells: Cells, look: Look) -> object:
    return cells[name]


QUEUES: Final = View(
    "queues",
    {
        **fields("name", "vhost", "type", "durable", "auto_delete", "exclusive"),
        "arguments": table("arguments"),
        "node": Field(("node",), lambda cells, look: cells["node"] or look.node.alone),
        "replication": Field(("replication",), lambda cells, look: cells["replication"] or None, omitted=True),
        **fields("state", "policy", "operator_policy", "effective_policy_definition"),
        **fields("consumers", "consumer_capacity", "consumer_utilisation"),
        **{name: Field((name,), partial(_column, name), omitted=True) for name in LENGTH_NAMES},
        **details(LENGTHS, *LENGTH_NAMES),
        **fields("messages_ram", "messages_ready_ram", "messages_unacknowledged_ram", "messages_paged_out"),
        **fields("messages_persistent", "message_bytes", "message_bytes_ready", "message_bytes_unacknowledged"),
        **fields("message_bytes_ram", "message_bytes_persistent", "message_bytes_paged_out"),
        **fields("memory", "head_message_timestamp"),
        "idle_since": IDLE,
        **fields("exclusive_consumer_tag", "single_active_consumer_tag"),
        "owner_pid_details": Field(("owner_pid",), _owner, omitted=True),
        **{name: Field((name,), partial(_column, name), omitted=True) for name in STREAM_NAMES},
        "message_stats": STATS,
    },
    Sampled(lambda row: row.queue, _figures),
    described=(
        *("name", "vhost", "type", "durable", "auto_delete", "exclusive", "arguments", "node", "state", "policy"),
        "operator_policy",
    ),
    totals=LENGTH_NAMES,
)


@endpoint("GET", "/queues", "Queues of all virtual hosts.", answer=objects.Queue, lists=True)
async def get_all_queues(call: Call) -> Listed:
    return await listed(call, QUEUES)


@endpoint("GET", "/queues/detailed", "The same.", answer=objects.Queue, lists=True)
async def get_detailed_queues(call: Call) -> Listed:
    return await listed(call, QUEUES)


@endpoint("GET", "/queues/{vhost}", "Queues of a virtual host.", answer=objects.Queue, lists=True)
async def get_queues(call: Call) -> Listed:
    return await listed(call, QUEUES)


@endpoint("GET", "/queues/{vhost}/{queue}", "A queue, with its consumers.", answer=objects.QueueDetails)
async def get_queue(call: Call) -> object:
    queue = operations.queues.existing(call.broker, call.vhost, call.path["queue"])
    if queue.is_remote and call.broker.cluster is not None:
        await call.broker.cluster.count_elsewhere(queue)
    found = one(call, QUEUES, await prepared(QueueRow(queue)))
    if "columns" not in call.query and not call.flag("disable_stats"):
        found["consumer_details"] = [one(call, CONSUMERS, ConsumerRow(each)) for each in queue.consumers]
        found |= {"incoming": [], "deliveries": []}
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
        user=call.user,
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
        user=call.user,
    )
    await answered(delete, call.context.changed)


@endpoint(
    "POST",
    "/queues/{vhost}/{queue}/actions",
    "sync or cancel_sync: nothing, as there are no mirrors.",
    body=ActionBody,
    needs=Needs.ADMINISTRATOR,
)
async def act_on_queue(call: Call) -> None:
    body: ActionBody = call.body
    operations.queues.existing(call.broker, call.vhost, call.path["queue"])
    if body.action not in ("sync", "cancel_sync"):
        raise bad_request(f"there is no action '{body.action:.100}'; there are sync and cancel_sync")


@endpoint("DELETE", "/queues/{vhost}/{queue}/contents", "Drop the ready messages of a queue.")
async def purge_queue(call: Call) -> None:
    purge = partial(operations.queues.purge, call.broker, call.vhost, call.path["queue"], user=call.user)
    await answered(purge, call.context.changed)
