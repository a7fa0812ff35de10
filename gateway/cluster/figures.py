"""What is measured of this node in its cluster (core.cluster.figures)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.cluster.figures import ClusterFigures, LinkFigures, ShardFigures, Tally
from warren.core.storage.replicated.engine import ReplicatedEngine
from warren.gateway.cluster.owning import ACTIVE

if TYPE_CHECKING:
    from warren.gateway.cluster.node import ClusterNode


def figures_of(node: ClusterNode) -> ClusterFigures:
    """All of it, as it is now."""
    replica = node.definitions.replica
    links = [] if node.links is None else node.links.links.all()
    return ClusterFigures(
        len(node.nodes),
        node.is_connected,
        node.holds_lease,
        node.leases_lost,
        len(replica.blocked),
        len(replica.unreadable),
        [_shard(node, number) for number in range(node.shards)],
        [
            LinkFigures(link.node, link.vhost, link.is_there, link.is_wanted, link.opened_count, link.unsent_bytes)
            for link in links
        ],
    )


def _shard(node: ClusterNode, number: int) -> ShardFigures:
    tally = node.tallies.get(number) or Tally()
    owned = node.owned.get(number)
    shard = None if owned is None else owned.shard
    last_sequence = None
    if shard is not None and isinstance(shard.engine, ReplicatedEngine):
        last_sequence = shard.engine.last_sequence
    return ShardFigures(
        number,
        node.owner_of(number),
        owned is not None and owned.state == ACTIVE,
        0 if shard is None else len(shard.queues),
        0 if shard is None else shard.waiting_count,
        0.0 if owned is None else owned.slow_s,
        last_sequence,
        tally.taken_over,
        tally.handed_over,
        tally.lost,
        tally.refused,
    )
