"""What goes wrong in a cluster: nothing is wrongly confirmed, and each node says what is the matter with it."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pika.exceptions
import pytest

from tests.gateway.cluster.test_words import shards, status
from tests.support import child
from tests.support.cluster import QUORUM, Nodes, channel_of, drained, publish
from tests.support.nats_servers import NatsServer
from tests.support.warren_process import WarrenProcess
from warren.core.cluster.shards import spread

WAIT_S = 60.0


@pytest.fixture
def nodes(tmp_path: Path, servers: list[NatsServer]) -> Iterator[Nodes]:
    with Nodes(tmp_path, servers) as found:
        yield found


def wait_until(node: WarrenProcess, condition: Callable[[], bool], what: str) -> None:
    child.wait_until(condition, node.process, node.log, WAIT_S, what)


def says(node: WarrenProcess, words: str) -> None:
    wait_until(node, lambda: words in node.log.read_text(), words)


def test_an_owner_that_was_paused_lets_go_of_its_shards_and_goes_on(nodes: Nodes) -> None:
    n1 = nodes.start("n1", shards=1)
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        publish(channel, "q", ["a"])
        n2 = nodes.start("n2", shards=1)
        os.kill(n1.process.pid, signal.SIGSTOP)
        try:
            with channel_of(n2) as other:
                other.queue_declare("q", durable=True, arguments=QUORUM)
                publish(other, "q", ["b"])
        finally:
            os.kill(n1.process.pid, signal.SIGCONT)
        # What it takes now may never be confirmed, as the shard is another node's.
        with pytest.raises(pika.exceptions.NackError):
            publish(channel, "q", ["stale"])
        says(n1, "shard 0 is let go")
        channel.queue_declare("own", durable=True)
        publish(channel, "own", ["c"])
        assert drained(channel, "own") == ["c"]
    assert shards(n1) == ["n2"]
    with channel_of(n2) as other:
        assert drained(other, "q") == ["a", "b"]


def test_nats_that_is_away_at_the_start_is_waited_for(nodes: Nodes, servers: list[NatsServer]) -> None:
    # A node that was never in its cluster has no users yet; this one has, and knows them.
    n1 = nodes.start("n1", shards=1)
    with channel_of(n1) as channel:
        channel.queue_declare("own", durable=True)
        channel.queue_declare("q", durable=True, arguments=QUORUM)
    assert n1.stop() == 0
    for server in servers:
        server.stop()
    n1 = nodes.start("n1", shards=1)
    with channel_of(n1) as channel:
        channel.queue_declare("own", durable=True)
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        found = status(n1)
        assert found["state"] == "joining"
        assert found["reason"]
        for server in servers:
            server.start()
        says(n1, "shard 0 is this node's")
        publish(channel, "own", ["a"])
        publish(channel, "q", ["b"])
        assert drained(channel, "q") == ["b"]


def test_publishes_wait_while_nats_is_away(nodes: Nodes, servers: list[NatsServer]) -> None:
    n1 = nodes.start("n1", shards=1)
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        publish(channel, "q", ["a"])
    for server in servers[:2]:
        server.stop(0)
    confirmed = threading.Event()

    def publish_one() -> None:
        with channel_of(n1) as channel:
            publish(channel, "q", ["b"])
            confirmed.set()

    publisher = threading.Thread(target=publish_one, daemon=True)
    publisher.start()
    says(n1, "the cluster's NATS servers don't take anything")
    assert not confirmed.is_set()
    for server in servers[:2]:
        server.start()
    says(n1, "the cluster's NATS servers take messages again")
    publisher.join(WAIT_S)
    assert confirmed.is_set()
    with channel_of(n1) as channel:
        assert drained(channel, "q") == ["a", "b"]


def test_a_shard_that_its_node_can_not_keep_is_another_ones(nodes: Nodes, tmp_path: Path) -> None:
    """The one that should have it, as both are there, is the one that has no place for its log."""
    name = next(each for each in ("a", "b", "c", "d", "e", "f") if spread([each, "n2"], 1)[0] == each)
    place = tmp_path / name / "data" / "shards"
    place.mkdir(parents=True)
    (tmp_path / name / "data").chmod(0o700)
    (place / "0").write_text("in the way")
    unable = nodes.start(name, shards=1)
    says(unable, "shard 0 is let go: it can't be taken over")

    def is_said() -> bool:
        (row,) = status(unable)["shards"]
        return row["state"] == "no owner" and "can't be taken over" in row["reason"]

    # Between two tries, which there are always some seconds between.
    wait_until(unable, is_said, "its state in words")
    n2 = nodes.start("n2", shards=1)
    says(n2, "shard 0 is this node's")
    with channel_of(n2) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        publish(channel, "q", ["a"])


def test_a_node_that_does_not_fit_is_refused_in_words(nodes: Nodes, tmp_path: Path) -> None:
    nodes.start("n1", shards=1)
    with pytest.raises(child.ChildError, match="cluster_shards = 1"):
        nodes.start("n2", shards=2)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(child.ChildError, match="another node of the cluster is called 'n1'"):
        nodes.start("elsewhere", "--node-name", "n1", shards=1)
    # Nor with a copy of the directory, which makes it look like the same one after a crash.
    (tmp_path / "copy" / "data").mkdir(mode=0o700, parents=True)
    shutil.copytree(tmp_path / "n1" / "data" / "cluster", tmp_path / "copy" / "data" / "cluster")
    with pytest.raises(child.ChildError, match="another node of the cluster is called 'n1'"):
        nodes.start("copy", "--node-name", "n1", shards=1)
