"""Durable classic queues that a policy has replicated go from node to node as quorum queues do, and stay classic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pika import BasicProperties
from pika.exceptions import ChannelClosedByBroker

from tests.support import child
from tests.support.cluster import AMQP, Nodes, channel_of, drained, linked_options, publish
from tests.support.ctl import ctl
from tests.support.nats_servers import NatsServer
from tests.support.warren_process import WarrenProcess
from warren.core.cluster.replication import NOT_REPLICATED, REPLICATED, UNWANTED, WANTED

WAIT_S = 60.0

PRIORITIES = {"x-max-priority": 5}


@pytest.fixture
def nodes(tmp_path: Path, servers: list[NatsServer]) -> Iterator[Nodes]:
    with Nodes(tmp_path, servers, (*AMQP, "http=127.0.0.1:0")) as found:
        yield found


def column(node: WarrenProcess, name: str) -> dict[str, str]:
    """What `list_queues` says of each queue."""
    rows = json.loads(ctl(node.data_directory, "list_queues", "name", name, "--formatter", "json"))
    return {row["name"]: row[name] for row in rows}


def over_http(node: WarrenProcess, name: str) -> Any:
    """What the management API says of a queue."""
    host, port = node.addresses["http"]
    answer = httpx.get(f"http://{host}:{port}/api/queues/%2F/{name}", auth=("guest", "guest"), timeout=WAIT_S)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_replicated_classic_queue_outlives_its_node(nodes: Nodes, tmp_path: Path) -> None:
    options = (*linked_options(tmp_path), "--set", "plugins=management")
    n1 = nodes.start("n1", *options)
    with channel_of(n1) as channel:
        channel.queue_declare("q-before", durable=True)
        channel.queue_declare("own", durable=True)
        said = ctl(n1.data_directory, "set_policy", "ha", "^q", '{"ha-mode": "all"}')
        assert "declared from now on are replicated" in said
        channel.queue_declare("q", durable=True, arguments=PRIORITIES)
        publish(channel, "q", ["a", "b"])
        channel.basic_publish("", "q", b"urgent", BasicProperties(priority=5))
    assert column(n1, "replication") == {"q-before": WANTED, "own": NOT_REPLICATED, "q": REPLICATED}
    assert column(n1, "type")["q"] == "classic"
    assert over_http(n1, "q")["replication"] == REPLICATED
    n2 = nodes.start("n2", *options)
    with channel_of(n2) as channel:
        channel.queue_declare("q", durable=True, arguments=PRIORITIES)
        publish(channel, "q", ["c"])
        assert column(n2, "node")["q"] == "n1"
        n1.kill()
        child.wait_until(lambda: column(n2, "node")["q"] == "n2", n2.process, n2.log, WAIT_S, "the queue to come over")
        publish(channel, "q", ["d"])
        assert drained(channel, "q") == ["urgent", "a", "b", "c", "d"]
        ctl(n2.data_directory, "clear_policy", "ha")
        assert column(n2, "replication") == {"q-before": NOT_REPLICATED, "own": NOT_REPLICATED, "q": UNWANTED}
        assert channel.queue_delete("q", if_empty=True).method.message_count == 0
        with pytest.raises(ChannelClosedByBroker, match="home node 'n1'"):
            channel.basic_get("q-before")
