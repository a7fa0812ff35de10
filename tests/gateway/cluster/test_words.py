"""Words of `warren ctl` about a cluster: its state, draining a node, and spreading shards anew."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import child
from tests.support.cluster import QUORUM, Nodes, channel_of, drained, publish
from tests.support.nats_servers import NatsServer
from tests.support.warren_process import REPOSITORY, WarrenProcess

WAIT_S = 60.0


@pytest.fixture
def nodes(tmp_path: Path, servers: list[NatsServer]) -> Iterator[Nodes]:
    with Nodes(tmp_path, servers) as found:
        yield found


def ctl(node: WarrenProcess, *words: str) -> str:
    command = [sys.executable, "-m", "warren", "ctl", "--data-dir", str(node.data_directory), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def status(node: WarrenProcess) -> Any:
    return json.loads(ctl(node, "cluster_status", "--formatter", "json"))["cluster"]


def shards(node: WarrenProcess) -> list[str]:
    return [row["node"] for row in status(node)["shards"]]


def test_shards_are_spread_drained_and_taken_back(nodes: Nodes) -> None:
    n1 = nodes.start("n1")
    with channel_of(n1) as channel:
        for number in range(8):
            channel.queue_declare(f"q{number}", durable=True, arguments=QUORUM)
            publish(channel, f"q{number}", ["a"])
    n2 = nodes.start("n2")
    assert shards(n1) == ["n1"] * 4
    ctl(n1, "rebalance", "all")
    assert sorted(shards(n2)) == ["n1", "n1", "n2", "n2"]
    with channel_of(n2) as channel:
        for number in range(8):
            channel.queue_declare(f"q{number}", durable=True, arguments=QUORUM)
    ctl(n1, "drain")
    found = status(n1)
    assert found["state"] == "draining"
    assert {row["name"]: row["draining"] for row in found["nodes"]} == {"n1": True, "n2": False}
    with channel_of(n2) as channel:
        for number in range(8):
            # A publish waits for the shard, which may be on its way still.
            publish(channel, f"q{number}", ["b"])
            assert drained(channel, f"q{number}") == ["a", "b"]
    assert shards(n2) == ["n2"] * 4
    ctl(n1, "revive")

    def is_revived() -> bool:
        return not any(row["draining"] for row in status(n2)["nodes"])

    # What n2 counts as balanced depends on it.
    child.wait_until(is_revived, n2.process, n2.log, WAIT_S, "the other node to hear of it")
    ctl(n2, "rebalance", "quorum")
    assert sorted(shards(n2)) == ["n1", "n1", "n2", "n2"]
    assert "n1, joined" in ctl(n1, "cluster_status")
