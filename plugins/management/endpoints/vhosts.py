"""Virtual hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from warren.core.administration import operations
from warren.core.administration.listing.selecting import equals
from warren.core.administration.listing.vhosts import VhostRow
from warren.gateway.plugin import answered
from warren.plugins.management import objects
from warren.plugins.management.access import Needs
from warren.plugins.management.bodies import VhostBody
from warren.plugins.management.endpoint import Call, Created, Listed, endpoint
from warren.plugins.management.endpoints.nodes import check_node
from warren.plugins.management.endpoints.permissions import PERMISSIONS, TOPIC_PERMISSIONS
from warren.plugins.management.ranges import LENGTH_NAMES, LENGTHS
from warren.plugins.management.views import STATS, Field, Sampled, View, details, fields, listed, one, prepared, same

if TYPE_CHECKING:
    from warren.plugins.management.series import Figures
    from warren.plugins.management.views import Cells, Look


def _figures(row: VhostRow) -> Figures:
    """Of a row whose sums are made (`prepare`)."""
    return {
        **row.message_stats,
        "messages": row.messages,
        "messages_ready": row.messages_ready,
        "messages_unacknowledged": row.messages_unacknowledged,
    }


def _metadata(cells: Cells, look: Look) -> object:
    return {"description": "", "tags": [], **cast("Mapping[str, object]", cells["metadata"])}


async def _figures_anew(row: VhostRow) -> Figures | None:
    return _figures(await prepared(VhostRow(row.vhost))) if row.exists else None


VHOSTS: Final = View(
    "vhosts",
    {
        "name": same("name"),
        "description": Field(("description",), lambda cells, look: cells["description"] or ""),
        "default_queue_type": same("default_queue_type"),
        "tags": Field(("tags",), lambda cells, look: cells["tags"] or []),
        **fields("tracing", "protected_from_deletion"),
        "metadata": Field(("metadata",), _metadata),
        "cluster_state": Field((), lambda cells, look: {look.node.name: "running"}),
        **fields(*LENGTH_NAMES),
        **details(LENGTHS, *LENGTH_NAMES),
        "message_stats": STATS,
    },
    Sampled(lambda row: row.vhost, _figures, _figures_anew),
    described=("name", "description", "default_queue_type", "tags", "tracing", "metadata", "cluster_state"),
)


@endpoint("GET", "/vhosts", "Virtual hosts.", answer=objects.Vhost, lists=True)
async def get_vhosts(call: Call) -> Listed:
    return await listed(call, VHOSTS)


@endpoint("GET", "/vhosts/{vhost}", "A virtual host.", answer=objects.Vhost)
async def get_vhost(call: Call) -> object:
    return one(call, VHOSTS, await prepared(VhostRow(operations.vhosts.existing(call.broker, call.vhost))))


@endpoint(
    "PUT",
    "/vhosts/{vhost}",
    "Make a virtual host, or change it.",
    needs=Needs.ADMINISTRATOR,
    body=VhostBody,
    enters=False,
)
async def put_vhost(call: Call) -> Created | None:
    body: VhostBody = call.body
    name = call.vhost
    made = name not in call.broker.vhosts or call.broker.has_just_made("vhost", "", name)
    change = operations.vhosts.add if made else operations.vhosts.update
    change(
        call.broker,
        name,
        description=body.description,
        tags=_tags(body.tags),
        default_queue_type=body.default_queue_type,
    )
    if made and call.user.rights is None:
        # Whoever makes one may use it, as in RabbitMQ; of others, whoever knows them says so.
        operations.permissions.set_permissions(call.broker, call.user.name, name, ".*", ".*", ".*")
    if body.protected_from_deletion is not None:
        operations.vhosts.set_protection(call.broker, name, body.protected_from_deletion)
    if body.tracing is not None:
        operations.vhosts.set_tracing(call.broker, name, body.tracing)
    return Created() if made else None


@endpoint("DELETE", "/vhosts/{vhost}", "Delete a virtual host with all in it.", needs=Needs.ADMINISTRATOR)
async def delete_vhost(call: Call) -> None:
    await answered(partial(operations.vhosts.delete, call.broker, call.vhost), call.context.changed)


@endpoint(
    "POST",
    "/vhosts/{vhost}/deletion/protection",
    "Protect a virtual host from being deleted.",
    needs=Needs.ADMINISTRATOR,
)
async def protect_vhost(call: Call) -> None:
    operations.vhosts.set_protection(call.broker, call.vhost, True)


@endpoint("DELETE", "/vhosts/{vhost}/deletion/protection", "Protect it no more.", needs=Needs.ADMINISTRATOR)
async def unprotect_vhost(call: Call) -> None:
    operations.vhosts.set_protection(call.broker, call.vhost, False)


@endpoint(
    "POST",
    "/vhosts/{vhost}/start/{node}",
    "Nothing: a virtual host that is there runs.",
    needs=Needs.ADMINISTRATOR,
)
async def start_vhost(call: Call) -> None:
    check_node(call)


@endpoint(
    "GET",
    "/vhosts/{vhost}/permissions",
    "Permissions in a virtual host.",
    needs=Needs.ADMINISTRATOR,
    answer=objects.Permission,
    lists=True,
)
async def get_permissions_of_vhost(call: Call) -> Listed:
    return await listed(call, PERMISSIONS, equals("vhost", call.vhost))


@endpoint(
    "GET",
    "/vhosts/{vhost}/topic-permissions",
    "Topic permissions in a virtual host.",
    needs=Needs.ADMINISTRATOR,
    answer=objects.TopicPermission,
    lists=True,
)
async def get_topic_permissions_of_vhost(call: Call) -> Listed:
    return await listed(call, TOPIC_PERMISSIONS, equals("vhost", call.vhost))


def _tags(given: str | list[str] | None) -> Sequence[str] | None:
    if isinstance(given, str):
        return [each.strip() for each in given.split(",") if each.strip()]
    return given
