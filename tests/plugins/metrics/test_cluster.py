"""What a node of a cluster measures of it; a broker by itself has no word of it."""

from __future__ import annotations

import httpx
import pytest

from tests.plugins.metrics.scrape import open_metrics, read_page
from tests.support.asked_nodes import AskedNode, Bus
from tests.support.linked_brokers import linked_brokers
from tests.support.tls_broker import run_of
from warren.core.cluster.figures import LinkFigures, ShardFigures
from warren.core.cluster.hook import Node
from warren.gateway.configuration.config import Config

SHARDS = [
    ShardFigures(0, "n1", True, 5, 7, 0.25, 99, 2, 1, 0, 0),
    ShardFigures(1, "n2", False, 0, 0, 0.0, None, 1, 0, 1, 3),
    ShardFigures(2, "", False, 0, 0, 0.0, None, 0, 0, 0, 0),
]
LINKS = [
    LinkFigures("n2", "/", True, True, 3, 512),
    LinkFigures("n3", "/", False, True, 0, 0),
    LinkFigures("n3", "other", False, True, 0, 0),
    LinkFigures("n4", "/", False, False, 1, 0),
]


@pytest.mark.parametrize("path", ["/metrics", "/metrics/per-object"])
async def test_shards_links_and_the_node_itself(path: str) -> None:
    async with open_metrics() as metrics:
        node = AskedNode("n1", metrics.broker, run_of(metrics.embedded).hub, Bus())
        node.nodes = {name: Node(name) for name in ("n1", "n2")}
        node.shards, node.links = SHARDS, LINKS
        page = await metrics.page(path)
        for name, value in (("nodes", 2), ("nats_connected", 1), ("lease_held", 1), ("leases_lost_total", 0)):
            assert page.value(f"warren_cluster_{name}") == value
        assert page.labels("warren_shard_owner") == [{"shard": "0", "node": "n1"}, {"shard": "1", "node": "n2"}]
        for name, figure in (
            ("queues", 5),
            ("unconfirmed_publishes", 7),
            ("flush_seconds", 0.25),
            ("last_sequence", 99),
        ):
            # Of this node's own alone.
            assert page.labels(f"warren_shard_{name}") == [{"shard": "0"}]
            assert page.value(f"warren_shard_{name}") == figure
        assert [page.value("warren_shard_takeovers_total", shard=str(each)) for each in range(3)] == [2, 1, 0]
        assert page.value("warren_shard_hand_overs_total", shard="0") == 1
        assert page.value("warren_shard_losses_total", shard="1") == 1
        assert page.value("warren_shard_refused_publishes_total", shard="1") == 3
        assert page.value("warren_link_up", node="n2") == 1
        assert page.value("warren_link_up", node="n3", vhost="other") == 0
        assert page.value("warren_link_unsent_bytes", node="n2") == 512
        assert page.value("warren_link_connections_total", node="n2") == 3
        # What nobody wants isn't missing.
        assert page.value("rabbitmq_unreachable_cluster_peers_count") == 1
        assert page.labels("rabbitmq_identity_info")[0]["rabbitmq_node"] == "n1"


async def test_queues_of_other_nodes_are_counted_there() -> None:
    config = Config(in_memory=True, plugins=("metrics",))
    async with linked_brokers(config, listen=("metrics=127.0.0.1:0",)) as both, httpx.AsyncClient() as http:
        near, far = both
        async with far.broker.connect() as owner:
            await owner.declare_queue("q", durable=True)
            await owner.publish("", "q", b"x")
            near.remote("q", far.name)
            for linked, shown in ((near, []), (far, ["q"])):
                ((host, port),) = linked.broker.listening["metrics"]
                for path, queues in (("/metrics/per-object", shown), ("/metrics", [])):
                    page = read_page((await http.get(f"http://{host}:{port}{path}")).text)
                    found = [labels.get("queue") for labels in page.labels("rabbitmq_queue_messages")]
                    assert [each for each in found if each] == queues
                    assert sum(
                        page.value("rabbitmq_queue_messages", **each) for each in page.labels("rabbitmq_queue_messages")
                    ) == len(shown)


async def test_a_broker_by_itself_has_none_of_it() -> None:
    async with open_metrics() as metrics:
        page = await metrics.page()
        assert not [
            name for name in page.names if name.startswith(("warren_cluster_", "warren_shard_", "warren_link_"))
        ]
        assert page.value("rabbitmq_unreachable_cluster_peers_count") == 0
