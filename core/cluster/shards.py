"""Shards: a queue belongs to one by its name, for good; a shard to one node at a time.

How shards are spread is a function of the nodes that are there, so that all nodes come to the same without a word:
each shard has an order of preference among the nodes, drawn by hashing, and takes the first one that has room.  When a
node comes or goes, its own shards move, and few others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from warren.core.exchanges.stable_hash import stable_hash

SHARDS_DEFAULT: Final = 16
"""Enough to spread over the nodes that a cluster has, few enough for streams that cost a server some 200 KiB each."""


def shard_of(vhost: str, queue: str, count: int) -> int:
    """The shard of a replicated queue, from 0 to below `count`, which never changes in a cluster's life."""
    return stable_hash(f"{vhost}\0{queue}") % count


def spread(nodes: Collection[str], count: int) -> dict[int, str]:
    """The node that each of `count` shards belongs to; empty without nodes.

    No node has more than one shard more than another one.
    """
    if not nodes:
        return {}
    least, with_one_more = divmod(count, len(nodes))
    held = dict.fromkeys(nodes, 0)
    owners: dict[int, str] = {}
    # Who wants a shard most is asked first, over all shards, so that what is decided early is what changes least.
    wishes = sorted((-stable_hash(f"{node}\0{shard}"), shard, node) for node in nodes for shard in range(count))
    for _, shard, node in wishes:
        if shard in owners or held[node] > least or (held[node] == least and not with_one_more):
            continue
        if held[node] == least:
            with_one_more -= 1
        held[node] += 1
        owners[shard] = node
    return owners


def to_claim(node: str, nodes: Collection[str], owners: Mapping[int, str], count: int) -> list[int]:
    """Shards that nobody owns and that this node is to claim.  nodes: all that are there.  owners: by shard."""
    return [shard for shard, wanted in sorted(spread(nodes, count).items()) if wanted == node and shard not in owners]


def to_hand_over(node: str, nodes: Collection[str], owners: Mapping[int, str], count: int) -> dict[int, str]:
    """What a rebalancing moves away from this node: shards, and who is to claim each."""
    wanted = spread(nodes, count)
    return {
        shard: wanted[shard]
        for shard, owner in sorted(owners.items())
        if owner == node and wanted.get(shard, node) != node
    }
