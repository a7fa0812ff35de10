"""What the state of a cluster says of definitions that a node can't have: those of simulated nodes, without NATS."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from tests.support.simulated_cluster import Bucket, Node, run
from warren.core.administration.operations import queues
from warren.core.cluster.definitions.items import key_of
from warren.gateway.cluster.status import SHOWN_MAX, definition_rows, lines_of

if TYPE_CHECKING:
    from warren.gateway.cluster.node import ClusterNode


def rows_of(node: Node) -> dict[str, object]:
    return definition_rows(cast("ClusterNode", SimpleNamespace(definitions=SimpleNamespace(replica=node.replica))))


def lines(definitions: dict[str, object]) -> list[str]:
    """Those that say it."""
    status = {"node": "n1", "state": "joined", "reason": "", "nats_connected": True, "nodes": [], "shards": []}
    return lines_of({**status, "definitions": definitions})[4:]


def test_a_node_that_has_everything_says_so() -> None:
    node = Node("n1", Bucket())
    run(node)
    found = rows_of(node)
    assert (found["blocked"], found["unreadable"]) == ([], [])
    assert lines(found) == ["Definitions: all that the cluster has"]


def test_what_is_in_the_way_and_what_cannot_be_read_is_said_with_the_reason() -> None:
    bucket = Bucket()
    one, two = Node("n1", bucket), Node("n2", bucket)
    run(one, two)
    two.ask("own", lambda broker: queues.declare(broker, "/", "q", auto_delete=True)[0].name)
    one.ask("q", lambda broker: queues.declare(broker, "/", "q")[0].name)
    key = key_of("exchange", "/", "x")
    bucket.revision += 1
    bucket.keys[key] = bucket.revision, b"nonsense"
    run(one, two)
    found = rows_of(two)
    said = "queue 'q' in vhost '/': queue 'q' in vhost '/' is this node's own, and has the name"
    words = lines(found)
    assert words[:2] == ["Definitions of the cluster that this node can't have for now:", f"  {said}"]
    assert words[2] == "Definitions of the cluster that this node can't read:"
    assert words[3].startswith(f"  the key {key}: ")
    assert (found["blocked_count"], found["unreadable_count"]) == (1, 1)


def test_of_very_many_some_are_shown() -> None:
    node = Node("n1", Bucket())
    run(node)
    node.replica.blocked.update({f"key {number}": "why" for number in range(SHOWN_MAX + 7)})
    found = rows_of(node)
    assert found["blocked_count"] == SHOWN_MAX + 7
    assert lines(found)[-1] == "  and 7 more"
    assert str(found).count("'why'") == SHOWN_MAX
