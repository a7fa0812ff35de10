"""The state of a cluster as one of its nodes sees it, for people and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.cluster.shards import spread

if TYPE_CHECKING:
    from warren.gateway.cluster.node import ClusterNode


def node_rows(node: ClusterNode) -> list[dict[str, object]]:
    """The nodes that are there, and how many shards each has."""
    owned = [node.owner_of(number) for number in range(node.shards)]
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


def shard_rows(node: ClusterNode) -> list[dict[str, object]]:
    """Whose each shard is; of this node's own, what it is doing with them."""
    rows: list[dict[str, object]] = []
    for number in range(node.shards):
        row: dict[str, object] = {"shard": number, "node": node.owner_of(number), "state": "", "reason": ""}
        owned = node.owned.get(number)
        if owned is not None:
            row["state"], row["reason"] = owned.state, owned.reason
            if owned.shard is not None:
                row["queues"] = len(owned.shard.queues)
                row["messages"] = sum(queue.kept_count for queue in owned.shard.queues.values())
                row["unconfirmed"] = owned.shard.waiting_count
        elif not row["node"]:
            row["state"] = "no owner"
        if not row["reason"] and row["node"] != node.name:
            row["reason"] = node.troubles.get(number, "")
        rows.append(row)
    return rows


def status_of(node: ClusterNode) -> dict[str, object]:
    """All of it, for programs."""
    return {
        "node": node.name,
        "state": node.state,
        "reason": node.reason,
        "nats_connected": node.is_connected,
        "nodes": node_rows(node),
        "shards": shard_rows(node),
    }


def lines_of(node: ClusterNode) -> list[str]:
    """The same in words."""
    reason = f": {node.reason}" if node.reason else ""
    lines = [
        f"This node: {node.name}, {node.state}{reason}",
        f"NATS servers: {'connected' if node.is_connected else 'not connected'}",
        "Nodes:",
    ]
    for each in node_rows(node):
        draining = ", draining" if each["draining"] else ""
        lines.append(f"  {each['name']}, Warren {each['version']}, {each['shards']} shards{draining}")
    lines.append("Shards:")
    for row in shard_rows(node):
        owner = row["node"] or "nobody"
        state = f", {row['state']}" if row["state"] else ""
        why = f": {row['reason']}" if row["reason"] else ""
        held = f", {row['queues']} queues, {row['messages']} messages" if "queues" in row else ""
        lines.append(f"  {row['shard']}: {owner}{state}{why}{held}")
    return lines


def is_balanced(node: ClusterNode) -> bool:
    """Whether each shard is where it should be."""
    there = [each.name for each in node.nodes.values() if not each.is_draining]
    return all(node.owner_of(number) == wanted for number, wanted in spread(there, node.shards).items())
