"""NATS servers that are slow, full, cut off, or have lost their disks: publishes wait or are refused, in words, and
nothing that was confirmed is lost, or confirmed wrongly.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pika.exceptions
import pytest

from tests.cluster_history.proxies import Proxy
from tests.gateway.cluster.test_faults import says, wait_until
from tests.support import child
from tests.support.cluster import QUORUM, Nodes, channel_of, drained, publish
from tests.support.ctl import ctl
from tests.support.nats_servers import ACCOUNTS, NatsServer, answers, client_of, nats_cluster, nats_server_path
from tests.support.slow_proxy import SlowProxy
from tests.support.warren_process import WarrenProcess
from warren.gateway.cluster.definitions import DEFINITIONS
from warren.gateway.cluster.names import CLUSTER, NODES, SHARDS, stream_key, stream_name
from warren.gateway.cluster.retained import RETAINED
from warren.gateway.nats import jetstream
from warren.gateway.nats.errors import NatsError
from warren.gateway.nats.key_value import Bucket
from warren.gateway.nats.shard_stream import shard_stream_config

WAIT_S = 60.0
PATIENCE_S = 60.0
STREAM = stream_name(0)


@pytest.fixture
def nodes(tmp_path: Path, servers: list[NatsServer]) -> Iterator[Nodes]:
    with Nodes(tmp_path, servers) as found:
        yield found


@pytest.fixture
def hidden_nodes(tmp_path: Path, hidden_servers: list[NatsServer]) -> Iterator[Nodes]:
    with Nodes(tmp_path, hidden_servers) as found:
        yield found


class Publisher:
    """Publishes to a queue on a thread, one by one; which of them were confirmed, and which refused."""

    def __init__(self, node: WarrenProcess, queue: str, bodies: list[str]) -> None:
        self.confirmed: list[str] = []
        self.refused: list[str] = []
        self._node, self._queue, self._bodies = node, queue, bodies
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # A node that stops ends its connections.
        with suppress(pika.exceptions.AMQPError), channel_of(self._node) as channel:
            for body in self._bodies:
                try:
                    publish(channel, self._queue, [body])
                    self.confirmed.append(body)
                except pika.exceptions.NackError:
                    self.refused.append(body)

    def join(self) -> None:
        """All of them have their answers."""
        self._thread.join(2 * WAIT_S)
        assert not self._thread.is_alive(), "a publish has no answer"


def status(node: WarrenProcess) -> dict[str, Any]:
    """What a node says of its cluster."""
    found = json.loads(ctl(node.data_directory, "cluster_status", "--formatter", "json"))["cluster"]
    assert isinstance(found, dict)
    return found


def shard(node: WarrenProcess) -> dict[str, Any]:
    """What `cluster_status` says of the only shard."""
    (row,) = status(node)["shards"]
    assert isinstance(row, dict)
    return row


def test_answers_that_come_late_are_waited_for_and_stall_nothing_else(
    hidden_nodes: Nodes, hidden_servers: list[NatsServer]
) -> None:
    with ExitStack() as stack:
        proxies = [SlowProxy(server.port) for server in hidden_servers]
        for each in proxies:
            stack.callback(each.close)
        n1 = hidden_nodes.start("n1", shards=1, addresses=[each.address for each in proxies])
        with channel_of(n1) as channel:
            channel.queue_declare("q", durable=True, arguments=QUORUM)
            channel.queue_declare("own", durable=True)
            publish(channel, "own", [str(number) for number in range(20)])
            # Each answer a second late: within what a lease lives.
            for each in proxies:
                each.delay_s = 1.0
            before = lease_revision(hidden_servers)
            publish(channel, "q", ["a", "b"])
            wait_until(n1, lambda: lease_revision(hidden_servers) > before, "a lease that is renewed all the same")
            for each in proxies:
                each.delay_s = 0.0
                each.hold()
            publisher = Publisher(n1, "q", ["c"])
            says(n1, "the cluster's NATS servers don't take anything")
            # Nothing that needs no NATS server waits for one.
            assert drained(channel, "own") == [str(number) for number in range(20)]
            assert not publisher.confirmed
            for each in proxies:
                each.release()
            publisher.join()
            says(n1, "the cluster's NATS servers take messages again")
            found = drained(channel, "q")
        assert found[:2] == ["a", "b"]
        # Refused, it may be there all the same.
        assert found[2:] == ["c"] or not publisher.confirmed


def lease_revision(servers: list[NatsServer]) -> int:
    """How often the only shard's lease was written, by its stream."""
    with client_of(servers, patience_s=PATIENCE_S) as client:
        return client.call(jetstream.stream_info(Bucket(SHARDS).stream)).last_sequence


def test_a_node_that_is_cut_off_lets_go_and_confirms_nothing(
    hidden_nodes: Nodes, hidden_servers: list[NatsServer]
) -> None:
    with ExitStack() as stack:
        proxies = [Proxy(server.port) for server in hidden_servers]
        for each in proxies:
            stack.callback(each.end)
        addresses = [f"nats://{child.LOOPBACK}:{each.port}" for each in proxies]
        n1 = hidden_nodes.start("n1", shards=1, addresses=addresses)
        n2 = hidden_nodes.start("n2", shards=1)
        with channel_of(n1) as channel:
            channel.queue_declare("q", durable=True, arguments=QUORUM)
            publish(channel, "q", ["a"])
        for each in proxies:
            each.cut(hangs=True)
        publisher = Publisher(n1, "q", ["late"])
        says(n2, "shard 0 is this node's")
        with channel_of(n2) as other:
            other.queue_declare("q", durable=True, arguments=QUORUM)
            publish(other, "q", ["b"])
        assert not publisher.confirmed
        for each in proxies:
            each.mend()
        says(n1, "shard 0 is let go")
        publisher.join()
        assert publisher.refused == ["late"]
        with channel_of(n2) as other:
            assert drained(other, "q") == ["a", "b"]


def test_a_stream_without_room_is_waited_for_and_said(nodes: Nodes, servers: list[NatsServer]) -> None:
    n1 = nodes.start("n1", shards=1)
    bodies = [f"{number}:".ljust(10_000, "x") for number in range(6)]
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        publish(channel, "q", ["a"])
    with client_of(servers, patience_s=PATIENCE_S) as client:
        info = client.call(jetstream.stream_info(STREAM))
        client.call(jetstream.update_stream({**info.config, "max_bytes": info.size_bytes + 25_000}))
        publisher = Publisher(n1, "q", bodies)
        says(n1, "there is no room for more")
        says(n1, "publishing is blocked until they do: there is no room")
        row = shard(n1)
        assert row["state"] == "active"
        assert "maximum bytes exceeded" in row["reason"]
        assert len(publisher.confirmed) < len(bodies)
        client.call(jetstream.update_stream({**info.config, "max_bytes": -1}))
        publisher.join()
    assert publisher.confirmed == bodies
    says(n1, "the cluster's NATS servers take messages again")
    assert shard(n1)["reason"] == ""
    with channel_of(n1) as channel:
        assert drained(channel, "q") == ["a", *bodies]


SMALL_ACCOUNT = ACCOUNTS.replace("jetstream: enabled", "jetstream: { max_file: 3000000 }")
"""Of all copies together."""


@pytest.mark.limits(seconds=300)
@pytest.mark.parametrize(
    ("lines", "file_store_max", "words"),
    [(SMALL_ACCOUNT, "1GB", "resource limits exceeded"), (ACCOUNTS, "1MB", "insufficient resources")],
    ids=["the account's", "the servers'"],
)
def test_a_limit_of_all_streams_stops_what_is_replicated_and_nothing_else(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, lines: str, file_store_max: str, words: str
) -> None:
    """Then the nodes' leases can't be written either."""
    if nats_server_path() is None:
        pytest.skip("nats-server isn't installed")
    # Servers tell each other only now and then how much an account has: until then more goes in than may.
    bodies = [f"{number}:".ljust(50_000, "x") for number in range(1_000)]
    directory = tmp_path_factory.mktemp("servers")
    with (
        nats_cluster(directory, lines=lines, file_store_max=file_store_max) as servers,
        Nodes(tmp_path, servers) as nodes,
    ):
        n1 = nodes.start("n1", shards=1)
        with channel_of(n1) as channel:
            channel.queue_declare("own", durable=True)
            channel.queue_declare("q", durable=True, arguments=QUORUM)
            publish(channel, "own", ["a"])
            publisher = Publisher(n1, "q", bodies)
            says(n1, "publishing is blocked until they do")
            says(n1, f"there is no room for more, {words}")
            assert drained(channel, "own") == ["a"]
            assert len(publisher.confirmed) < len(bodies)
            for server in servers:
                server.stop(0)
                server.configure(ACCOUNTS)
            for server in servers:
                server.start()
            publisher.join()
            assert publisher.confirmed == bodies
            assert drained(channel, "q") == bodies
        wait_until(n1, lambda: shard(n1)["node"] == "n1" and not shard(n1)["reason"], "that all is well")


@pytest.mark.limits(seconds=400)
def test_servers_that_lose_their_disks_one_after_another_lose_nothing(nodes: Nodes, servers: list[NatsServer]) -> None:
    n1 = nodes.start("n1", shards=1)
    told: list[str] = []

    def tell(*bodies: str) -> None:
        with channel_of(n1) as channel:
            publish(channel, "q", bodies)
        told.extend(bodies)

    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
    with client_of(servers, patience_s=PATIENCE_S) as client:
        for server in servers:
            tell(f"before {server.name}")
            server.stop(0)
            shutil.rmtree(server.store)
            tell(f"without {server.name}")
            server.start()
            server.wait_until(lambda: all_are_current(client.call), "all to have everything")
    n1.kill()
    # This one has nothing but what is in the stream.
    n2 = nodes.start("n2", shards=1)
    says(n2, f"shard 0 is this node's, with {len(told)} messages")
    with channel_of(n2) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        assert drained(channel, "q") == told


def all_are_current(call: Callable[..., Any]) -> bool:
    """Whether each server has all of each stream."""
    names = [Bucket(name).stream for name in (CLUSTER, NODES, SHARDS, DEFINITIONS, RETAINED)]
    try:
        return all(len(call(jetstream.stream_info(name)).current) == 2 for name in (STREAM, *names))
    except NatsError:
        return False


@pytest.mark.limits(seconds=300)
def test_when_all_servers_have_lost_their_disks_nothing_goes_on_in_silence(
    nodes: Nodes, servers: list[NatsServer]
) -> None:
    n1 = nodes.start("n1", shards=1)
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        channel.queue_declare("own", durable=True)
        publish(channel, "q", ["a"])
        publish(channel, "own", ["b"])
    for server in servers:
        server.stop(0)
    for server in servers:
        shutil.rmtree(server.store)
        server.start()
    servers[0].wait_until(lambda: answers(servers, with_jetstream=True), "a leader of JetStream")
    says(n1, "the bucket of the cluster's definitions was emptied while this node was running")
    publisher = Publisher(n1, "q", ["never"])
    wait_until(n1, lambda: bool(shard(n1)["reason"]), "why the shard waits")
    assert "was emptied while this node was running" in status(n1)["reason"]
    with channel_of(n1) as channel:
        assert drained(channel, "own") == ["b"]
    assert n1.stop() == 0
    assert not publisher.confirmed
    with pytest.raises(child.ChildError, match="the bucket of the cluster's definitions is empty"):
        nodes.start("n1", shards=1)


@pytest.mark.limits(seconds=300)
def test_a_stream_that_is_gone_is_not_begun_anew(nodes: Nodes, servers: list[NatsServer]) -> None:
    """Whoever comes to it: also a node that never had it, for which there would be nothing to compare it with."""
    n1 = nodes.start("n1", shards=1)
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        publish(channel, "q", ["a"])
    with client_of(servers, patience_s=PATIENCE_S) as client:
        bucket = Bucket(CLUSTER)
        wait_until(n1, lambda: client.call(bucket.get(stream_key(0))) is not None, "how far the stream is")
        n1.kill()
        client.call(jetstream.delete_stream(STREAM))
        n2 = nodes.start("n2", shards=1)

        def says_why(words: str) -> bool:
            row = shard(n2)
            return row["state"] == "no owner" and words in row["reason"]

        wait_until(n2, lambda: says_why("isn't there any more"), "that there is no stream")
        client.call(jetstream.create_stream(shard_stream_config(STREAM, replicas=3)))
        wait_until(n2, lambda: says_why("have lost what they had confirmed"), "that the stream is another one")
        # Who says so goes on with what is left.
        entry = client.call(bucket.get(stream_key(0)))
        assert entry is not None
        client.call(bucket.delete(stream_key(0), entry.revision))
    says(n2, "shard 0 is this node's, with 0 messages")
