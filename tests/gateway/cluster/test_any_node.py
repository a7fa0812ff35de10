"""A client on any node uses any queue of the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.support.cluster import QUORUM, Nodes, channel_of, drained, linked_options, publish
from tests.support.nats_servers import NatsServer
from tests.support.warren_process import WarrenProcess


@pytest.fixture
def start(tmp_path: Path, servers: list[NatsServer]) -> Iterator[partial[WarrenProcess]]:
    with ExitStack() as stack:
        nodes = stack.enter_context(Nodes(tmp_path, servers))
        yield partial(_start, nodes, linked_options(tmp_path))


def _start(nodes: Nodes, options: list[str], name: str) -> WarrenProcess:
    return nodes.start(name, *options)


def test_a_client_uses_queues_of_another_node_and_goes_on_when_they_come_over(start: partial[WarrenProcess]) -> None:
    n1 = start("n1")
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        publish(channel, "q", ["a", "b"])
    n2 = start("n2")
    with channel_of(n2) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        # It is the other node's: what is there comes from there, and what is published goes there.
        publish(channel, "q", ["c"])
        assert channel.queue_declare("q", durable=True, arguments=QUORUM).method.message_count == 3
        assert drained(channel, "q") == ["a", "b", "c"]
        publish(channel, "q", ["d", "e"])
        arriving = channel.consume("q", inactivity_timeout=60)
        method, _, body = next(arriving)
        assert method is not None
        assert body == b"d"
        channel.basic_ack(method.delivery_tag)
        assert n1.stop() == 0
        # What was delivered and not acknowledged there comes again, now from here.
        publish(channel, "q", ["f"])
        found = []
        for method, _, body in arriving:
            assert method is not None, "nothing has come within a minute"
            channel.basic_ack(method.delivery_tag)
            found.append(body.decode())
            if "f" in found:
                break
        channel.cancel()
        assert [each for each in dict.fromkeys(found) if each != "d"] == ["e", "f"]
        assert drained(channel, "q") == []
