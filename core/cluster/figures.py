"""What is measured of a cluster on one of its nodes, for who counts."""

from __future__ import annotations

from typing import NamedTuple


class ShardFigures(NamedTuple):
    """A shard.  owner: the node that has it; empty where none has.  The rest is of one that this node has had since its
    start, or has: 0, and None for the sequence, where it hasn't it now.

    is_active: its queues are here.  queues: how many.  unconfirmed: publishes that wait for a flush.  flush_s: how long
    the flush that is under way has been; 0 while none is.  last_sequence: of its stream, as this node wrote it.
    taken_over, handed_over, lost: how often it was.  refused: publishes whose shard was lost before their flush.
    """

    number: int
    owner: str
    is_active: bool
    queues: int
    unconfirmed: int
    flush_s: float
    last_sequence: int | None
    taken_over: int
    handed_over: int
    lost: int
    refused: int


class LinkFigures(NamedTuple):
    """A link to another node, for a virtual host.  is_wanted: somebody waits for it, or uses it.  opened: how often it
    was there.  unsent_bytes: what its socket hasn't taken.
    """

    node: str
    vhost: str
    is_there: bool
    is_wanted: bool
    opened: int
    unsent_bytes: int


class ClusterFigures(NamedTuple):
    """nodes: that are there.  is_connected: a NATS server is.  holds_lease: this node's place there is its own.

    leases_lost: how often a lease of this node ran out, or was taken from it.  blocked, unreadable: definitions of the
    cluster that can't be had here for now, or not read.
    """

    nodes: int
    is_connected: bool
    holds_lease: bool
    leases_lost: int
    blocked: int
    unreadable: int
    shards: list[ShardFigures]
    links: list[LinkFigures]

    @property
    def unreachable(self) -> int:
        """Nodes that somebody wants something of, and that can't be reached."""
        return len({link.node for link in self.links if link.is_wanted and not link.is_there})


class Tally:
    """What has happened to a shard on this node since its start: see ShardFigures."""

    __slots__ = ("handed_over", "lost", "refused", "taken_over")

    def __init__(self) -> None:
        self.taken_over = self.handed_over = self.lost = self.refused = 0
