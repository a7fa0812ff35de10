"""A shard that a node has: when it is to be let go."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import trio

from warren.gateway.cluster.owning import SLOW_S, OwnedShard
from warren.gateway.nats.addresses import parse_servers
from warren.gateway.nats.options import Options

if TYPE_CHECKING:
    from warren.gateway.cluster.flushing import ShardCommits
    from warren.gateway.cluster.node import ClusterNode


async def test_a_flush_that_takes_too_long_lets_the_shard_go_unless_there_is_no_room() -> None:
    """Another node may have a better way to the stream, but none to one that is full."""
    node = SimpleNamespace(
        options=Options(parse_servers("nats://127.0.0.1:1")),
        client=None,
        name="n1",
        identity="i",
        troubles={},
        tallies={},
    )
    owned = OwnedShard(cast("ClusterNode", node), 0)
    assert not owned.is_slow
    owned.commits = cast("ShardCommits", SimpleNamespace(began_s=trio.current_time() - SLOW_S - 1))
    assert owned.is_slow
    owned._stream.is_full = True
    assert not owned.is_slow
    assert owned.slow_s > SLOW_S
