"""What other plugins list: shovels, links of a federation, and plugins themselves.

Nothing of theirs is known here but the names of their listings, which are there while they run.
"""

from __future__ import annotations

from typing import Any, Final

from warren.core.administration.listing.selecting import Condition
from warren.core.errors import NotFound
from warren.gateway.plugin import Row
from warren.plugins.management import objects
from warren.plugins.management.access import Needs
from warren.plugins.management.endpoint import Call, Listed, endpoint
from warren.plugins.management.endpoints.nodes import check_node
from warren.plugins.management.views import NODE, Field, View, fields, listed

SHOVELS: Final = "shovels"
FEDERATION_LINKS: Final = "federation_links"
"""Names of listings."""


async def _of_plugin(call: Call, kind: str) -> Listed:
    """The rows of a listing that a plugin may have registered; none where there is no such."""
    listings = call.broker.listings
    if kind not in listings.names():
        return Listed([])
    names = listings.kind(kind).row.usual_names
    shown: dict[str, Field] = {"node": NODE, **fields(*names)}
    seen = call.vhosts
    conditions = [] if seen is None else [Condition("vhost", lambda value: value in seen)]
    return await listed(call, View(kind, shown), *conditions)


@endpoint("GET", "/shovels", "Shovels.", needs=Needs.MONITORING, answer=dict[str, Any], lists=True)
async def get_shovels(call: Call) -> Listed:
    return await _of_plugin(call, SHOVELS)


@endpoint(
    "GET",
    "/shovels/{vhost}",
    "Shovels of a virtual host.",
    needs=Needs.MONITORING,
    answer=dict[str, Any],
    lists=True,
)
async def get_shovels_of_vhost(call: Call) -> Listed:
    return await _of_plugin(call, SHOVELS)


@endpoint(
    "GET",
    "/federation-links",
    "Links of a federation.",
    needs=Needs.MONITORING,
    answer=dict[str, Any],
    lists=True,
)
async def get_links(call: Call) -> Listed:
    return await _of_plugin(call, FEDERATION_LINKS)


@endpoint(
    "GET",
    "/federation-links/{vhost}",
    "Links of a federation in a virtual host.",
    needs=Needs.MONITORING,
    answer=dict[str, Any],
    lists=True,
)
async def get_links_of_vhost(call: Call) -> Listed:
    return await _of_plugin(call, FEDERATION_LINKS)


SHOVEL: Final = "/shovels/vhost/{vhost}/{shovel}"
LINK: Final = "/federation-links/vhost/{vhost}/{link}/{node}/restart"


@endpoint("GET", SHOVEL, "A shovel, as a list of one.", needs=Needs.MONITORING, answer=dict[str, Any], lists=True)
async def get_shovel(call: Call) -> Listed:
    row = _named(call, SHOVELS, "name", call.path["shovel"])
    return Listed([{"node": call.node.name, **{name: row.value(name) for name in row.names()}}])


@endpoint("DELETE", SHOVEL, "Stop a shovel, and remove its parameter.", needs=Needs.POLICYMAKER)
async def delete_shovel(call: Call) -> None:
    _act(call, SHOVELS, "name", call.path["shovel"], "delete")


@endpoint("DELETE", f"{SHOVEL}/restart", "Connect a shovel anew.", needs=Needs.POLICYMAKER)
async def restart_shovel(call: Call) -> None:
    _act(call, SHOVELS, "name", call.path["shovel"], "restart")


@endpoint("DELETE", LINK, "Connect a link anew.", needs=Needs.POLICYMAKER)
async def restart_link(call: Call) -> None:
    check_node(call)
    _act(call, FEDERATION_LINKS, "id", call.path["link"], "restart")


def _named(call: Call, kind: str, column: str, wanted: str) -> Row:
    """The row of the object in the path; NotFound."""
    listings = call.broker.listings
    if kind in listings.names():
        for row in listings.kind(kind).rows(call.broker, [call.vhost]):
            if row.value(column) == wanted:
                return row
    raise NotFound(f"there is no '{wanted:.100}' among the {kind.replace('_', ' ')} of vhost '{call.vhost}'")


def _act(call: Call, kind: str, column: str, wanted: str, action: str) -> None:
    row = _named(call, kind, column, wanted)
    call.broker.listings.kind(kind).actions[action](row)


@endpoint("GET", "/plugins", "Plugins that are enabled.", needs=Needs.MONITORING, answer=objects.Plugin, lists=True)
async def get_plugins(call: Call) -> Listed:
    names = ("name", "state", "about", "restarts", "last_error", "since", "counters")
    return await listed(call, View("plugins", fields(*names)))


@endpoint("GET", "/extensions", "Parts of a page; there are none.", answer=dict[str, Any], lists=True)
async def get_extensions(call: Call) -> Listed:
    return Listed([])
