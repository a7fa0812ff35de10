"""The state of a cluster as one of its nodes sees it, for people and programs."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from warren.core.administration.steps import Steps
from warren.core.cluster.shards import spread
from warren.gateway.turns import in_turns

if TYPE_CHECKING:
    from warren.gateway.cluster.node import ClusterNode

QUEUES_PER_SLICE: Final = 5000
"""Counted in one go: a millisecond or two."""

SHOWN_MAX: Final = 100
"""Definitions with a trouble that are shown."""


def node_rows(node: ClusterNode) -> list[dict[str, object]]:
    """The nodes that are there, and how many shards each has."""
    owned = node.owners_of_shards()
    return [
        {
            "name": each.name,
            "link": each.link,
            "version": each.version,
            "started_at_ms": each.started_at_ms,
            "draining": each.is_draining,
            "shards": owned.count(each.name),
        }
        for each in sorted(node.nodes.values(), key=lambda each: each.name)
    ]


def shard_rows(node: ClusterNode) -> Steps[list[dict[str, object]]]:
    """Whose each shard is; of this node's own, what it is doing with them."""
    return Steps(_shard_rows(node))


def _shard_rows(node: ClusterNode) -> Generator[None, None, list[dict[str, object]]]:
    rows: list[dict[str, object]] = []
    for number in range(node.shards):
        row: dict[str, object] = {"shard": number, "node": node.owner_of(number), "state": "", "reason": ""}
        owned = node.owned.get(number)
        if owned is not None:
            row["state"], row["reason"] = owned.state, owned.reason
            if owned.shard is not None:
                queues = list(owned.shard.queues.values())
                messages = 0
                for first in range(0, len(queues), QUEUES_PER_SLICE):
                    messages += sum(queue.kept_count for queue in queues[first : first + QUEUES_PER_SLICE])
                    yield
                row["queues"], row["messages"] = len(queues), messages
                row["unconfirmed"] = owned.shard.waiting_count
        elif not row["node"]:
            row["state"] = "no owner"
        if not row["reason"] and row["node"] != node.name:
            row["reason"] = node.troubles.get(number, "")
        rows.append(row)
    return rows


def definition_rows(node: ClusterNode) -> dict[str, object]:
    """How far this node has what the cluster shares: what it can't have for now, and what it can't read, with why.

    Of very many, some; `blocked_count` and `unreadable_count` say how many there are.
    """
    replica = node.definitions.replica
    blocked = [
        {"what": str(replica.table.item(key) or key), "reason": reason}
        for key, reason in islice(replica.blocked.items(), SHOWN_MAX)
    ]
    unreadable = [
        {"what": f"the key {key}", "reason": reason} for key, reason in islice(replica.unreadable.items(), SHOWN_MAX)
    ]
    return {
        "revision": replica.revision,
        "blocked_count": len(replica.blocked),
        "blocked": blocked,
        "unreadable_count": len(replica.unreadable),
        "unreadable": unreadable,
    }


async def status_of(node: ClusterNode) -> dict[str, Any]:
    """All of it, for programs."""
    return {
        "node": node.name,
        "state": node.state,
        "reason": node.reason,
        "nats_connected": node.is_connected,
        "nodes": node_rows(node),
        "shards": await in_turns(shard_rows(node)),
        "definitions": definition_rows(node),
    }


def lines_of(status: Mapping[str, Any]) -> list[str]:
    """What `status_of` gives, in words."""
    reason = f": {status['reason']}" if status["reason"] else ""
    lines = [
        f"This node: {status['node']}, {status['state']}{reason}",
        f"NATS servers: {'connected' if status['nats_connected'] else 'not connected'}",
        "Nodes:",
    ]
    for each in status["nodes"]:
        draining = ", draining" if each["draining"] else ""
        lines.append(f"  {each['name']}, Warren {each['version']}, {each['shards']} shards{draining}")
    lines.append("Shards:")
    for row in status["shards"]:
        owner = row["node"] or "nobody"
        state = f", {row['state']}" if row["state"] else ""
        why = f": {row['reason']}" if row["reason"] else ""
        held = f", {row['queues']} queues, {row['messages']} messages" if "queues" in row else ""
        lines.append(f"  {row['shard']}: {owner}{state}{why}{held}")
    return [*lines, *_lines_of_definitions(status["definitions"])]


def _lines_of_definitions(found: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, title in (
        ("blocked", "Definitions of the cluster that this node can't have for now:"),
        ("unreadable", "Definitions of the cluster that this node can't read:"),
    ):
        rows = found[name]
        if rows:
            left = found[f"{name}_count"] - len(rows)
            more = [f"  and {left} more"] if left else []
            lines += [title, *(f"  {row['what']}: {row['reason']}" for row in rows), *more]
    return lines or ["Definitions: all that the cluster has"]


def is_balanced(node: ClusterNode) -> bool:
    """Whether each shard is where it should be."""
    there = [each.name for each in node.nodes.values() if not each.is_draining]
    return all(node.owner_of(number) == wanted for number, wanted in spread(there, node.shards).items())
