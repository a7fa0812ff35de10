"""What a node of a cluster measures of it, as metrics of Warren's own; without a cluster none of this is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.plugins.metrics.encoding import TOTAL, Family, Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.cluster.figures import ClusterFigures
    from warren.plugins.metrics.encoding import Kind

PREFIX: Final = "warren_cluster_"
SHARD_PREFIX: Final = "warren_shard_"
LINK_PREFIX: Final = "warren_link_"


def cluster_families(found: ClusterFigures) -> Iterator[Family]:
    """The node's place in it, each shard, and each link to another node."""
    of_node: tuple[tuple[str, Kind, str, float], ...] = (
        ("nodes", "gauge", "Nodes that are there.", found.nodes),
        ("nats_connected", "gauge", "1 while a NATS server is connected.", found.is_connected),
        ("lease_held", "gauge", "1 while this node's place in the cluster is its own.", found.holds_lease),
        (f"leases_lost{TOTAL}", "counter", "Leases of this node that ran out, or were taken.", found.leases_lost),
        ("definitions_blocked", "gauge", "Shared definitions that can't be had here for now.", found.blocked),
        ("definitions_unreadable", "gauge", "Shared definitions that can't be read.", found.unreadable),
    )
    for name, kind, about, value in of_node:
        yield Family(PREFIX + name, kind, about, (Series({}, value),))
    yield from _of_shards(found)
    yield from _of_links(found)


def _of_shards(found: ClusterFigures) -> Iterator[Family]:
    owners = [Series({"shard": str(each.number), "node": each.owner}, 1) for each in found.shards if each.owner]
    yield Family(f"{SHARD_PREFIX}owner", "gauge", "1 for the node that has a shard.", owners)
    own = [each for each in found.shards if each.is_active]
    gauges: tuple[tuple[str, str, list[float]], ...] = (
        ("queues", "Queues of a shard that this node has.", [each.queues for each in own]),
        ("unconfirmed_publishes", "Publishes that wait for a flush of it.", [each.unconfirmed for each in own]),
        ("flush_seconds", "How long the flush that is under way has been.", [each.flush_s for each in own]),
        ("last_sequence", "The last message of its stream.", [each.last_sequence or 0 for each in own]),
    )
    for name, about, values in gauges:
        series = [Series({"shard": str(each.number)}, value) for each, value in zip(own, values, strict=True)]
        yield Family(SHARD_PREFIX + name, "gauge", about, series)
    counters: tuple[tuple[str, str, list[int]], ...] = (
        ("takeovers", "How often this node has taken a shard over.", [each.taken_over for each in found.shards]),
        ("hand_overs", "How often it has handed one over in good order.", [each.handed_over for each in found.shards]),
        ("losses", "How often it has lost one that it had.", [each.lost for each in found.shards]),
        ("refused_publishes", "Publishes refused as their shard was lost.", [each.refused for each in found.shards]),
    )
    for name, about, counts in counters:
        series = [Series({"shard": str(each.number)}, count) for each, count in zip(found.shards, counts, strict=True)]
        yield Family(f"{SHARD_PREFIX}{name}{TOTAL}", "counter", about, series)


def _of_links(found: ClusterFigures) -> Iterator[Family]:
    links = [({"node": each.node, "vhost": each.vhost}, each) for each in found.links]
    up = [Series(labels, each.is_there) for labels, each in links]
    yield Family(f"{LINK_PREFIX}up", "gauge", "1 while a link to another node is there.", up)
    unsent = [Series(labels, each.unsent_bytes) for labels, each in links]
    yield Family(f"{LINK_PREFIX}unsent_bytes", "gauge", "Bytes that its socket hasn't taken.", unsent)
    opened = [Series(labels, each.opened) for labels, each in links]
    yield Family(f"{LINK_PREFIX}connections{TOTAL}", "counter", "How often it was made.", opened)
