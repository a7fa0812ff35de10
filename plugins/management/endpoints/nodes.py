"""The node that answers, what it uses, and what of it there is; in a cluster the others, as far as they are known."""

from __future__ import annotations

import resource
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from warren.core.administration.listing.selecting import Query, select
from warren.core.errors import NotFound
from warren.core.exchanges.registry import type_names
from warren.gateway.plugin import in_turns, memory_breakdown
from warren.plugins.management import node_objects
from warren.plugins.management.access import Needs
from warren.plugins.management.endpoint import Call, Listed, endpoint
from warren.plugins.management.node import PRODUCT
from warren.plugins.management.ranges import NODE_STATS, spans_of
from warren.plugins.management.series import OF_EVERYTHING
from warren.plugins.management.views import with_rates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.administration.operations.members import Member
    from warren.gateway.plugin import Context
    from warren.plugins.management.series import Figures

RATES_MODE: Final = "basic"
"""RabbitMQ's word for rates of each object, and not of each pair of them."""

MANAGEMENT_PROTOCOL: Final = "http"

MECHANISMS: Final = ("PLAIN", "AMQPLAIN", "EXTERNAL")

STRATEGY: Final = "rss"
"""How memory is measured: what the process has resident."""

TASKS_MAX: Final = 1_048_576
"""RabbitMQ's limit of processes; tasks have none here, and clients divide by it."""


def exchange_types() -> list[dict[str, object]]:
    """Those that there are."""
    return [{"name": name, "description": "", "enabled": True} for name in type_names()]


def contexts(call: Call) -> list[dict[str, object]]:
    """Where this API is."""
    return [
        {"node": call.node.name, "description": "Management API", "path": "/", "ip": host, "port": port, "tls": tls}
        for protocol, host, port, tls in call.node.listeners()
        if protocol.partition("/")[0] == MANAGEMENT_PROTOCOL
    ]


def _figures(context: Context) -> Figures:
    """What the process uses, and what comes and goes."""
    resources, tasks = context.resources(), trio.lowlevel.current_statistics()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found = {
        "mem_used": resources.memory_used,
        "fd_used": resources.descriptors_used,
        "sockets_used": context.broker.client_count,
        "proc_used": tasks.tasks_living,
        "context_switches": usage.ru_nvcsw + usage.ru_nivcsw,
        **context.broker.churn.snapshot(),
    }
    return found if resources.disk_free is None else {**found, "disk_free": resources.disk_free}


@endpoint("GET", "/nodes", "The nodes.", needs=Needs.MONITORING, answer=node_objects.NodeObject, lists=True)
async def get_nodes(call: Call) -> Listed:
    found = await _members(call)
    return Listed([await _node(call, found), *(_other(call, each) for each in found[1:])])


@endpoint("GET", "/nodes/{node}", "A node.", needs=Needs.MONITORING, answer=node_objects.NodeObject)
async def get_node(call: Call) -> object:
    name, found = call.path["node"], await _members(call)
    for each in found[1:]:
        if each.node.name == name:
            return _other(call, each)
    check_node(call)
    return await _node(call, found)


@endpoint(
    "GET",
    "/shards",
    "Whose each shard of the cluster is; without a cluster there are none.",
    needs=Needs.MONITORING,
    answer=node_objects.ShardObject,
    lists=True,
)
async def get_shards(call: Call) -> Listed:
    cluster = call.broker.cluster
    if cluster is None:
        return Listed([])
    rows = await in_turns(cluster.shard_rows())
    return Listed(rows)


@endpoint("GET", "/nodes/{node}/memory", "What memory is used for.", needs=Needs.MONITORING, answer=node_objects.Memory)
async def get_memory(call: Call) -> object:
    check_node(call)
    return {"memory": await _memory(call)}


@endpoint(
    "GET",
    "/nodes/{node}/memory/relative",
    "The same in percent.",
    needs=Needs.MONITORING,
    answer=node_objects.Memory,
)
async def get_relative_memory(call: Call) -> object:
    check_node(call)
    found = await _memory(call)
    whole = found["total"]["rss"] or 1
    shares = {name: round(100 * size / whole) for name, size in found.items() if isinstance(size, int)}
    return {"memory": {**shares, "total": 100}}


def check_node(call: Call) -> None:
    """NotFound for another node than this."""
    name, cluster = call.path["node"], call.broker.cluster
    if name == call.node.name:
        return
    if cluster is not None and name in cluster.nodes:
        raise NotFound(f"node '{name}' answers that itself; this is '{call.node.name}'")
    raise NotFound(f"there is no node '{name}'; this is '{call.node.name}'")


async def _members(call: Call) -> list[Member]:
    """The nodes of the cluster, this one first; none for a broker by itself."""
    cluster = call.broker.cluster
    if cluster is None:
        return []
    from warren.core.administration.operations.members import members

    return await in_turns(members(call.broker, cluster))


def _other(call: Call, member: Member) -> dict[str, object]:
    """Another node: what it says of itself in the cluster.  What it uses, it knows alone."""
    node = member.node
    found: dict[str, object] = {"name": node.name, "type": "disc", "running": member.is_there}
    if not member.is_there:
        return found
    found |= {"being_drained": node.is_draining, "shards": member.shard_count}
    if node.started_at_ms:
        found["uptime"] = max(0, call.broker.now_ms - node.started_at_ms)
    if node.version:
        found["applications"] = applications(node.version)
    return found


def applications(version: str) -> list[dict[str, object]]:
    """What runs on a node with this version of Warren."""
    return [{"name": PRODUCT.lower(), "description": PRODUCT, "version": version}]


async def _memory(call: Call) -> dict[str, Any]:
    """RabbitMQ's parts of it, as far as they are known here."""
    used = call.context.resources().memory_used
    parts = await in_turns(memory_breakdown(call.broker, used))
    return {
        **parts,
        "strategy": STRATEGY,
        "total": {"erlang": used, "rss": used, "allocated": used},
    }


async def _node(call: Call, members: Sequence[Member]) -> dict[str, object]:
    """This one.  members: as `_members` gives them."""
    node, resources = call.node, call.context.resources()
    raised = call.broker.alarms.raised()
    figures = _figures(call.context)
    series = node.sampler.of("the node", lambda: figures, partial(_figures, call.context), charts=OF_EVERYTHING)
    of_cluster = {"shards": members[0].shard_count} if members else {}
    return {
        "name": node.name,
        "type": "disc",
        "running": True,
        "being_drained": call.context.facts.suspended or any(each.node.is_draining for each in members[:1]),
        "partitions": [],
        "cluster_links": [],
        "uptime": node.uptime_ms,
        "os_pid": str(node.pid),
        "processors": node.processors,
        "run_queue": trio.lowlevel.current_statistics().tasks_runnable,
        "rates_mode": RATES_MODE,
        **with_rates(figures, series, spans_of(call.query).get(NODE_STATS)),
        "fd_total": resources.descriptors_max,
        "sockets_total": resources.descriptors_max,
        "proc_total": TASKS_MAX,
        "mem_limit": resources.memory_limit,
        "mem_alarm": "memory" in raised,
        "mem_calculation_strategy": STRATEGY,
        "disk_free": resources.disk_free,
        "disk_free_limit": resources.disk_free_limit,
        "disk_free_alarm": "disk" in raised,
        "exchange_types": exchange_types(),
        "auth_mechanisms": [{"name": name, "description": "", "enabled": True} for name in MECHANISMS],
        "applications": applications(node.warren_version),
        "contexts": contexts(call),
        "enabled_plugins": await _enabled_plugins(call),
        "config_files": [],
        "log_files": ["<stderr>"],
        "db_dir": str(call.context.facts.data_directory or ""),
        **of_cluster,
    }


async def _enabled_plugins(call: Call) -> Sequence[str]:
    found = await in_turns(select(call.broker, Query("plugins", None, ("name",))))
    return [str(row["name"]) for row in found.rows]
