"""Quorum queues of a node are replicated: they survive its restart, its crash, and the loss of the node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.cluster import QUORUM, Nodes, channel_of, drained, publish
from tests.support.nats_servers import NatsServer


@pytest.fixture
def nodes(tmp_path: Path, servers: list[NatsServer]) -> Iterator[Nodes]:
    with ExitStack() as stack:
        yield stack.enter_context(Nodes(tmp_path, servers))


def test_what_was_confirmed_is_there_after_a_stop_a_crash_and_on_another_node(nodes: Nodes) -> None:
    n1 = nodes.start("n1")
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        publish(channel, "q", ["a", "b", "c"])
        assert drained(channel, "q") == ["a", "b", "c"]
        publish(channel, "q", ["d", "e"])
    assert n1.stop() == 0
    n1 = nodes.start("n1")
    with channel_of(n1) as channel:
        publish(channel, "q", ["f"])
    n1.kill()
    n1 = nodes.start("n1")
    with channel_of(n1) as channel:
        assert drained(channel, "q", ack=False) == ["d", "e", "f"]
    n2 = nodes.start("n2")
    with channel_of(n2) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        n1.kill()
        # It waits for whoever has the shard next, which is this node.
        publish(channel, "q", ["g"])
        assert drained(channel, "q") == ["d", "e", "f", "g"]


def test_a_stop_gives_the_shards_to_the_others_and_consumers_go_on(nodes: Nodes) -> None:
    n1 = nodes.start("n1")
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        publish(channel, "q", ["a", "b"])
    n2 = nodes.start("n2")
    with channel_of(n2) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        arriving = channel.consume("q", inactivity_timeout=60)
        assert n1.stop() == 0
        found = []
        for method, _, body in arriving:
            assert method is not None, "nothing has come within a minute"
            found.append(body.decode())
            channel.basic_ack(method.delivery_tag)
            if len(found) == 2:
                break
        channel.cancel()
        assert found == ["a", "b"]
        publish(channel, "q", ["c"])
        assert drained(channel, "q") == ["c"]
    log = n2.log.read_text()
    assert "is this node's" in log
