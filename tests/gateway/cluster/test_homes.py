"""Durable queues that stay on the node where they were declared are used on every node of the cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pika import BasicProperties
from pika.exceptions import ChannelClosedByBroker, NackError

from tests.support import child
from tests.support.cluster import Nodes, channel_of, drained, linked_options, publish
from tests.support.ctl import ctl
from tests.support.nats_servers import NatsServer
from tests.support.warren_process import WarrenProcess

WAIT_S = 60.0

PERSISTENT = BasicProperties(delivery_mode=2)


@pytest.fixture
def nodes(tmp_path: Path, servers: list[NatsServer]) -> Iterator[Nodes]:
    with Nodes(tmp_path, servers) as found:
        yield found


def until(node: WarrenProcess, condition: Callable[[], bool], what: str) -> None:
    child.wait_until(condition, node.process, node.log, WAIT_S, what)


def queues(node: WarrenProcess) -> dict[str, dict[str, object]]:
    """What `list_queues` says of each, by name."""
    said = ctl(node.data_directory, "list_queues", "name", "messages", "state", "node", "--formatter", "json")
    return {row["name"]: row for row in json.loads(said)}


def bindings(node: WarrenProcess) -> list[str]:
    said = ctl(node.data_directory, "list_bindings", "source_name", "destination_name", "--formatter", "json")
    return [row["destination_name"] for row in json.loads(said) if row["source_name"] == "x"]


def has_all(node: WarrenProcess) -> bool:
    return bindings(node) == ["q"]


def test_a_client_of_any_node_uses_a_queue_that_stays_on_its_own(nodes: Nodes, tmp_path: Path) -> None:
    options = linked_options(tmp_path)
    n1, n2 = nodes.start("n1", *options), nodes.start("n2", *options)
    with channel_of(n1) as channel:
        channel.exchange_declare("x", "topic", durable=True)
        channel.queue_declare("q", durable=True)
        channel.queue_bind("q", "x", "k.#")
    until(n2, lambda: has_all(n2), "what was declared on n1")
    with channel_of(n2) as channel:
        # By the exchange, and by the queue's name.
        channel.basic_publish("x", "k.a", b"a", mandatory=True)
        publish(channel, "q", ["b", "c"])
        declared = channel.queue_declare("q", durable=True)
        assert declared.method.message_count == 3
        with pytest.raises(ChannelClosedByBroker, match="inequivalent arg 'x-max-length'"):
            channel.queue_declare("q", durable=True, arguments={"x-max-length": 5})
    with channel_of(n2) as channel:
        channel.basic_qos(prefetch_count=1)
        arriving = channel.consume("q", inactivity_timeout=WAIT_S)
        method, _, body = next(arriving)
        assert (method is not None, body) == (True, b"a")
        channel.basic_nack(method.delivery_tag)
        method, _, body = next(arriving)
        assert (method is not None and method.redelivered, body) == (True, b"a")
        channel.basic_ack(method.delivery_tag)
        channel.cancel()
        until(n2, lambda: queues(n2)["q"]["messages"] == 2, "how many there are")
        assert queues(n2)["q"]["node"] == "n1"
        with pytest.raises(ChannelClosedByBroker, match="not empty"):
            channel.queue_delete("q", if_empty=True)
    with channel_of(n2) as channel:
        assert channel.queue_purge("q").method.message_count == 2
        assert channel.queue_delete("q", if_empty=True).method.message_count == 0
        # It is gone everywhere, and the name is free: now it is this node's.
        channel.queue_declare("q", durable=True)
        publish(channel, "q", ["d"])
        until(n1, lambda: queues(n1).get("q", {}).get("node") == "n2", "the queue of n2")
    with channel_of(n1) as channel:
        assert drained(channel, "q") == ["d"]


def test_the_node_of_a_queue_goes_and_comes_back(nodes: Nodes, tmp_path: Path) -> None:
    options = linked_options(tmp_path)
    n1, n2 = nodes.start("n1", *options), nodes.start("n2", *options)
    with channel_of(n1) as channel:
        channel.exchange_declare("x", "fanout", durable=True)
        channel.queue_declare("q", durable=True)
        channel.queue_bind("q", "x", "")
        channel.basic_publish("", "q", b"a", PERSISTENT)
    until(n2, lambda: has_all(n2), "what was declared on n1")
    with channel_of(n2) as channel:
        channel.basic_publish("", "q", b"b", PERSISTENT)
        assert n1.stop() == 0
        with pytest.raises(NackError):
            publish(channel, "q", ["lost"])
        with pytest.raises(ChannelClosedByBroker, match="home node 'n1' of queue 'q'") as refused:
            channel.queue_declare("q", passive=True)
        assert refused.value.reply_code == 404
    assert queues(n2)["q"]["state"] == "down"
    assert n2.stop() == 0
    n2 = nodes.start("n2", *options)
    assert queues(n2)["q"]["state"] == "down"
    assert has_all(n2)
    n1 = nodes.start("n1", *options)
    with channel_of(n2) as channel:
        until(n2, lambda: queues(n2)["q"]["state"] == "running", "the way to n1")
        channel.basic_publish("x", "", b"c")
        assert drained(channel, "q") == ["a", "b", "c"]


def test_a_node_that_has_left_for_good_is_forgotten_with_its_queues(nodes: Nodes, tmp_path: Path) -> None:
    options = linked_options(tmp_path)
    n1, n2 = nodes.start("n1", *options), nodes.start("n2", *options)
    with channel_of(n1) as channel:
        channel.exchange_declare("x", "fanout", durable=True)
        for name in ("q", "other"):
            channel.queue_declare(name, durable=True)
        channel.queue_bind("q", "x", "")
        publish(channel, "q", ["a"])
    until(n2, lambda: has_all(n2), "what was declared on n1")
    with pytest.raises(AssertionError, match="node 'n1' is in the cluster: stop it first"):
        ctl(n2.data_directory, "forget_cluster_node", "n1")
    assert n1.stop() == 0
    assert "2 queues" in ctl(n2.data_directory, "forget_cluster_node", "n1")
    assert queues(n2) == {}
    assert bindings(n2) == []
    # If it does come back, it hears of that.
    n1 = nodes.start("n1", *options)
    until(n1, lambda: queues(n1) == {}, "what was forgotten")


def test_without_a_secret_the_name_is_taken_and_the_place_is_said(nodes: Nodes) -> None:
    n1, n2 = nodes.start("n1"), nodes.start("n2")
    with channel_of(n1) as channel:
        channel.exchange_declare("x", "fanout", durable=True)
        channel.queue_declare("q", durable=True)
        channel.queue_bind("q", "x", "")
    until(n2, lambda: has_all(n2), "what was declared on n1")
    with channel_of(n2) as channel:
        with pytest.raises(NackError):
            publish(channel, "q", ["a"])
        with pytest.raises(ChannelClosedByBroker, match="it is on node 'n1', which can't be reached from here"):
            channel.basic_get("q")
    with channel_of(n2) as channel:
        channel.queue_delete("q")
    until(n1, lambda: queues(n1) == {}, "the deletion")


def test_what_is_declared_on_a_drained_node_is_on_another_one(nodes: Nodes, tmp_path: Path) -> None:
    options = linked_options(tmp_path)
    n1, n2 = nodes.start("n1", *options), nodes.start("n2", *options)
    until(n1, lambda: "n2" in ctl(n1.data_directory, "cluster_status"), "n2")
    ctl(n1.data_directory, "drain")
    ctl(n1.data_directory, "resume_listeners")
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True)
        channel.queue_declare("mine", exclusive=True)
        publish(channel, "q", ["a", "b"])
        assert queues(n1)["q"]["node"] == queues(n2)["q"]["node"] == "n2"
        assert "mine" not in queues(n2)
        assert drained(channel, "q") == ["a", "b"]
    ctl(n1.data_directory, "revive")
    with channel_of(n1) as channel:
        channel.queue_declare("r", durable=True)
    until(n2, lambda: queues(n2).get("r", {}).get("node") == "n1", "the queue of n1")
