"""Which nodes a cluster has, as one of them knows: those that are there, and those that queues are waiting for."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from warren.core.administration.steps import Steps
from warren.core.cluster.away import home_of
from warren.core.cluster.hook import Node
from warren.core.frozen import frozen

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.cluster.hook import ClusterHook

QUEUES_PER_SLICE: Final = 5000
"""Looked at in one go, a third of a microsecond each."""


@frozen
class Member:
    """A node.  is_there: whether it is in the cluster now; of one that isn't, the name alone is known.

    shard_count: how many shards it has.
    """

    node: Node
    is_there: bool
    shard_count: int


def members(broker: Broker, cluster: ClusterHook) -> Steps[list[Member]]:
    """All nodes: this one first, the others by name."""
    return Steps(_members(broker, cluster))


def _members(broker: Broker, cluster: ClusterHook) -> Generator[None, None, list[Member]]:
    there = dict(cluster.nodes)
    there.setdefault(cluster.name, Node(cluster.name))
    away: set[str] = set()
    looked_at = 0
    for vhost in list(broker.vhosts.values()):
        for queue in list(vhost.queues.values()):
            looked_at += 1
            home = home_of(queue)
            if home and home not in there:
                away.add(home)
            if looked_at % QUEUES_PER_SLICE == 0:
                yield
    owners = cluster.owners_of_shards()
    found = [Member(node, True, owners.count(name)) for name, node in there.items()]
    found += [Member(Node(name), False, owners.count(name)) for name in away]
    return sorted(found, key=lambda each: (each.node.name != cluster.name, each.node.name))
