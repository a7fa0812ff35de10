"""The broker as a whole, and its node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.administration import operations
from warren.core.administration.listing.selecting import Query, select
from warren.core.errors import NotFound
from warren.core.exchanges.registry import type_names
from warren.gateway.plugin import in_turns
from warren.plugins.management import objects
from warren.plugins.management.access import Needs, sees_everything
from warren.plugins.management.bodies import NameBody
from warren.plugins.management.endpoint import Call, Listed, endpoint
from warren.plugins.management.node import PRODUCT
from warren.plugins.management.views import with_rates

if TYPE_CHECKING:
    from collections.abc import Sequence

CLUSTER_NAME: Final = "cluster_name"
"""The global parameter that RabbitMQ keeps it in."""

COUNTED: Final = ("channels", "consumers", "exchanges")
"""Kinds of objects that are only counted."""

RATES_MODE: Final = "basic"
"""RabbitMQ's word for rates of each object, and not of each pair of them."""

MANAGEMENT_PROTOCOL: Final = "http"


def _cluster_name(call: Call) -> str:
    given = call.broker.parameters.get_global(CLUSTER_NAME)
    return given if isinstance(given, str) and given else call.context.facts.cluster_name


def _exchange_types() -> list[dict[str, object]]:
    return [{"name": name, "description": "", "enabled": True} for name in type_names()]


def _listeners(call: Call) -> list[dict[str, object]]:
    return [
        {"node": call.node.name, "protocol": protocol, "ip_address": host, "port": port, "tls": tls}
        for protocol, host, port, tls in call.node.listeners()
    ]


def _contexts(call: Call) -> list[dict[str, object]]:
    return [
        {"node": call.node.name, "description": "Management API", "path": "/", "ip": host, "port": port, "tls": tls}
        for protocol, host, port, tls in call.node.listeners()
        if protocol.partition("/")[0] == MANAGEMENT_PROTOCOL
    ]


@endpoint("GET", "/overview", "The broker as a whole.", answer=objects.Overview)
async def get_overview(call: Call) -> object:
    broker, node, vhosts = call.broker, call.node, call.vhosts
    totals = await in_turns(operations.overview.totals(broker, vhosts))
    counts = await in_turns(operations.overview.message_counts(broker, vhosts))
    rates = node.growth.rates(None if vhosts is None else tuple(vhosts), counts, broker.now_ms)
    found: dict[str, object] = {
        "management_version": node.rabbitmq_version,
        "rates_mode": RATES_MODE,
        "product_name": PRODUCT,
        "product_version": node.warren_version,
        "rabbitmq_version": node.rabbitmq_version,
        "python_version": node.python_version,
        "cluster_name": _cluster_name(call),
        "node": node.name,
        "exchange_types": _exchange_types(),
        "message_stats": with_rates(counts, rates),
        "queue_totals": {
            "messages": totals.messages_ready + totals.messages_unacknowledged,
            "messages_ready": totals.messages_ready,
            "messages_unacknowledged": totals.messages_unacknowledged,
        },
        "object_totals": {
            "connections": totals.connection_count,
            "queues": totals.queue_count,
            **{
                what: operations.overview.count(broker, what, vhosts) for what in ("channels", "consumers", "exchanges")
            },
        },
    }
    if sees_everything(call.user):
        found |= {"listeners": _listeners(call), "contexts": _contexts(call)}
    return found


@endpoint("GET", "/cluster-name", "What the broker is called.", answer=objects.Name)
async def get_cluster_name(call: Call) -> object:
    return {"name": _cluster_name(call)}


@endpoint("PUT", "/cluster-name", "Call it otherwise.", needs=Needs.ADMINISTRATOR, body=NameBody)
async def put_cluster_name(call: Call) -> None:
    body: NameBody = call.body
    operations.parameters.set_global(call.broker, CLUSTER_NAME, body.name)


@endpoint("GET", "/nodes", "The node.", needs=Needs.MONITORING, answer=objects.NodeObject, lists=True)
async def get_nodes(call: Call) -> Listed:
    return Listed([await _node(call)])


@endpoint("GET", "/nodes/{node}", "The node.", needs=Needs.MONITORING, answer=objects.NodeObject)
async def get_node(call: Call) -> object:
    if call.path["node"] != call.node.name:
        raise NotFound(f"there is no node '{call.path['node']}'; this is '{call.node.name}'")
    return await _node(call)


async def _node(call: Call) -> dict[str, object]:
    node, resources = call.node, call.context.resources()
    raised = call.broker.alarms.raised()
    return {
        "name": node.name,
        "type": "disc",
        "running": True,
        "being_drained": False,
        "partitions": [],
        "uptime": node.uptime_ms,
        "os_pid": str(node.pid),
        "processors": node.processors,
        "rates_mode": RATES_MODE,
        "fd_used": resources.descriptors_used,
        "fd_total": resources.descriptors_max,
        "mem_used": resources.memory_used,
        "mem_limit": resources.memory_limit,
        "mem_alarm": "memory" in raised,
        "disk_free": resources.disk_free,
        "disk_free_limit": resources.disk_free_limit,
        "disk_free_alarm": "disk" in raised,
        "exchange_types": _exchange_types(),
        "contexts": _contexts(call),
        "enabled_plugins": await _enabled_plugins(call),
        "db_dir": str(call.context.facts.data_directory or ""),
    }


async def _enabled_plugins(call: Call) -> Sequence[str]:
    found = await in_turns(select(call.broker, Query("plugins", None, ("name",))))
    return [str(row["name"]) for row in found.rows]
