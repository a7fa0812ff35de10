"""What the nodes of a cluster list of each other: real nodes, real NATS servers."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ConnectionClosedByBroker

from tests.plugins.metrics.scrape import Page, read_page
from tests.support import child
from tests.support.cluster import QUORUM, Nodes, channel_of, linked_options, publish
from tests.support.ctl import ctl
from tests.support.nats_servers import NatsServer
from tests.support.warren_process import WarrenProcess

WAIT_S = 60.0


@pytest.fixture
def nodes(tmp_path: Path, servers: list[NatsServer]) -> Iterator[Nodes]:
    with Nodes(tmp_path, servers) as found:
        yield found


def until(node: WarrenProcess, condition: Callable[[], bool], what: str) -> None:
    child.wait_until(condition, node.process, node.log, WAIT_S, what)


def said(node: WarrenProcess, *words: str) -> Any:
    return json.loads(ctl(node.data_directory, *words, "--formatter", "json"))


def queues(node: WarrenProcess, *options: str) -> dict[str, dict[str, Any]]:
    found = said(node, "list_queues", *options, "name", "messages", "state", "node")
    return {row["name"]: row for row in found}


def connections(node: WarrenProcess, what: str = "list_connections") -> list[dict[str, Any]]:
    """Of clients: nodes are connected with each other, too."""
    return [row for row in said(node, what, "name", "user", "node") if row["user"] == "guest"]


def unknown(row: dict[str, Any]) -> bool:
    """One row says both, as the next may be of a node that answers again."""
    return row["messages"] is None and row["state"] in ("no answer", "down")


def test_queues_that_nobody_here_uses_show_their_messages(nodes: Nodes, tmp_path: Path) -> None:
    options = linked_options(tmp_path)
    n1, n2 = nodes.start("n1", *options), nodes.start("n2", *options)
    with channel_of(n1) as channel:
        names = [f"q{number}" for number in range(8)]
        for name in names:
            channel.queue_declare(name, durable=True, arguments=QUORUM)
        channel.queue_declare("own", durable=True)
        for name in ("own", *names):
            publish(channel, name, ["a", "b"])
    for node in (n1, n2):
        until(
            node,
            lambda node=node: (
                {name: row["messages"] for name, row in queues(node).items()}  # type: ignore[misc]
                == dict.fromkeys(("own", *names), 2)
            ),
            "how many there are",
        )
    local = [set(queues(node, "--local")) for node in (n1, n2)]
    assert "own" in local[0]
    assert local[0] | local[1] == {"own", *names}
    assert not local[0] & local[1]
    n1.process.send_signal(signal.SIGSTOP)
    try:
        # What it has said before serves for a second.
        until(n2, lambda: unknown(queues(n2)["own"]), "silence")
    finally:
        n1.process.send_signal(signal.SIGCONT)
    until(n2, lambda: queues(n2)["own"]["messages"] == 2, "an answer")


def test_connections_are_listed_and_closed_from_any_node(nodes: Nodes) -> None:
    n1, n2 = nodes.start("n1"), nodes.start("n2")
    with channel_of(n1) as channel, channel_of(n2) as other:
        # A node that takes its time is left out of an answer, and is in one of the next.
        for node, what in ((n2, "list_connections"), (n1, "list_channels")):
            until(
                node,
                lambda node=node, what=what: {row["node"] for row in connections(node, what)} == {"n1", "n2"},  # type: ignore[misc]
                f"both nodes in {what}",
            )
        (name,) = (row["name"] for row in connections(n1) if row["node"] == "n1")
        ctl(n2.data_directory, "close_connection", name, "that", "is", "enough")
        with pytest.raises(ConnectionClosedByBroker, match="that is enough"):
            channel.connection.process_data_events(WAIT_S)
        until(n2, lambda: {row["node"] for row in connections(n2)} == {"n2"}, "that it is gone")
        with pytest.raises(AssertionError, match="no connection has the pid or name"):
            ctl(n2.data_directory, "close_connection", name)
        # From the node where there is none.
        until(n1, lambda: closes_connections_of(n1, "guest") or is_closed(other), "that it is closed")
        until(n2, lambda: is_closed(other), "that its client knows")
        until(n1, lambda: set(said(n1, "cluster_status")["versions"]) == {"n1", "n2"}, "both versions")
        assert said(n1, "cluster_status")["running_nodes"] == ["n1", "n2"]
        ctl(n2.data_directory, "set_cluster_name", "north")
        until(n1, lambda: said(n1, "cluster_status")["cluster_name"] == "north", "the cluster's name")
        ctl(n1.data_directory, "await_online_nodes", "2")
        with pytest.raises(AssertionError, match="2 nodes are there, not 3"):
            ctl(n1.data_directory, "await_online_nodes", "3")
        assert "Definitions: all that the cluster has" in ctl(n1.data_directory, "cluster_status")


def closes_connections_of(node: WarrenProcess, user: str) -> bool:
    """Whether it found the one that there is."""
    return "Closed 1 connections" in ctl(node.data_directory, "close_all_user_connections", user)


def is_closed(channel: BlockingChannel) -> bool:
    """By the broker, as its client hears by now."""
    try:
        channel.connection.process_data_events(0)
    except ConnectionClosedByBroker:
        pass
    return bool(channel.connection.is_closed)


def scraped(node: WarrenProcess) -> Page:
    host, port = node.addresses["metrics"]
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=WAIT_S) as answer:
        return read_page(answer.read().decode())


def summed(node: WarrenProcess, name: str) -> float:
    page = scraped(node)
    return sum(page.value(name, **labels) for labels in page.labels(name))


def test_shards_and_links_are_measured(nodes: Nodes, tmp_path: Path) -> None:
    options = [*linked_options(tmp_path), "--set", "plugins=metrics", "--listen-only", "metrics=127.0.0.1:0"]
    n1, n2 = nodes.start("n1", *options), nodes.start("n2", *options)
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        publish(channel, "q", ["a"])
    until(n2, lambda: "q" in queues(n2), "the queue")
    with channel_of(n2) as channel:
        publish(channel, "q", ["b"])
    until(n1, lambda: summed(n1, "warren_shard_takeovers_total") >= 4, "the shards of the first node")
    until(n1, lambda: summed(n1, "warren_shard_queues") == 1, "the queue in its shard")
    for node in (n1, n2):
        until(
            node,
            lambda node=node: (  # type: ignore[misc]
                owners(node) == ["n1"] * 4 and scraped(node).value("warren_cluster_nodes") == 2
            ),
            "the owners and the nodes",
        )
    first, second = scraped(n1), scraped(n2)
    assert second.labels("rabbitmq_identity_info")[0]["rabbitmq_node"] == "n2"
    assert summed(n1, "warren_shard_last_sequence") > 0
    assert first.labels("warren_shard_last_sequence") != []
    assert second.labels("warren_shard_last_sequence") == []
    # What was published at n2 went by a link.
    assert second.value("warren_link_up", node="n1", vhost="/") == 1
    ctl(n1.data_directory, "drain")
    assert summed(n1, "warren_shard_hand_overs_total") >= 4
    until(n2, lambda: summed(n2, "warren_shard_takeovers_total") >= 4, "all shards")
    until(n2, lambda: summed(n2, "warren_shard_queues") == 1, "the queue")


def owners(node: WarrenProcess) -> list[str]:
    return [labels["node"] for labels in scraped(node).labels("warren_shard_owner")]
