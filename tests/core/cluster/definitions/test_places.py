"""Where a durable queue is to be is decided when it is declared: by its type, its policy, and where the client is."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tests.support.core_clients import table
from tests.support.simulated_cluster import Bucket, Node, run
from warren.core.administration.definitions_json.importing import import_definitions
from warren.core.broker import Broker
from warren.core.cluster.definitions.items import decode, key_of
from warren.core.declaring.actor import Administrator
from warren.core.declaring.queues import declare_queue
from warren.core.errors import NotFound, PreconditionFailed
from warren.core.messages.field_table import Encodable
from warren.core.policies.policy import OPERATOR_POLICY, POLICY, PolicyKind, make_policy
from warren.core.storage.definitions.store import JSON

REPLICATED = ""
"""What the cluster's row of a queue says in place of a node."""


@pytest.fixture
def nodes() -> list[Node]:
    """Two that have joined."""
    bucket = Bucket()
    found = [Node(name, bucket) for name in ("n1", "n2")]
    run(*found)
    return found


def set_policy(
    nodes: list[Node], definition: Mapping[str, JSON], *, kind: PolicyKind = POLICY, apply_to: str = "all"
) -> None:
    policy = make_policy(kind, "p", "^q", dict(definition), 0, apply_to)
    nodes[0].ask("policy", lambda broker: broker.policies.set(broker.vhosts["/"], policy))
    run(*nodes)
    nodes[0].answer("policy")


def place_of(nodes: list[Node], name: str, arguments: Mapping[str, Encodable] | None = None) -> str:
    """Where a durable queue that is declared on the first node is to be, by the cluster's row."""

    def declare(broker: Broker) -> str:
        decoded, raw = table(arguments or {})
        actor = Administrator(broker.vhosts["/"])
        return declare_queue(actor, name, durable=True, arguments=decoded, arguments_raw=raw).name

    nodes[0].ask(name, declare)
    run(*nodes)
    assert nodes[0].answer(name) == name
    assert all(name in node.broker.vhosts["/"].queues for node in nodes)
    return row_of(nodes, name)


def row_of(nodes: list[Node], name: str) -> str:
    revision, value = nodes[0].bucket.keys[key_of("queue", "/", name)]
    assert value is not None
    return str(decode(value, revision).row["node"])


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        ({"ha-mode": "all"}, REPLICATED),
        ({"ha-mode": "exactly", "ha-params": 2}, REPLICATED),
        ({"ha-mode": "nodes", "ha-params": ["rabbit@a", "rabbit@b"]}, REPLICATED),
        ({"ha-mode": "all", "max-length": 5, "ha-sync-mode": "automatic"}, REPLICATED),
        ({"ha-mode": "exactly", "ha-params": 1}, "n1"),
        ({"ha-mode": "exactly", "ha-params": True}, "n1"),
        ({"ha-mode": "exactly"}, "n1"),
        ({"ha-mode": "nodes", "ha-params": ["rabbit@a", "rabbit@a"]}, "n1"),
        ({"ha-mode": "nodes", "ha-params": "rabbit@a"}, "n1"),
        ({"ha-mode": "none"}, "n1"),
        ({"ha-sync-mode": "automatic"}, "n1"),
        ({"max-length": 5}, "n1"),
    ],
)
def test_a_policy_has_classic_queues_replicated(nodes: list[Node], definition: dict[str, JSON], place: str) -> None:
    set_policy(nodes, definition)
    assert place_of(nodes, "q") == place
    assert place_of(nodes, "q-by-type", {"x-queue-type": "classic"}) == place
    assert place_of(nodes, "another") == "n1"
    assert place_of(nodes, "q-quorum", {"x-queue-type": "quorum"}) == REPLICATED


@pytest.mark.parametrize(
    ("apply_to", "place"),
    [("queues", REPLICATED), ("classic_queues", REPLICATED), ("quorum_queues", "n1"), ("exchanges", "n1")],
)
def test_the_policy_is_for_such_queues(nodes: list[Node], apply_to: str, place: str) -> None:
    set_policy(nodes, {"ha-mode": "all"}, apply_to=apply_to)
    assert place_of(nodes, "q") == place


def test_an_operators_policy_counts_too(nodes: list[Node]) -> None:
    set_policy(nodes, {"ha-mode": "all"}, kind=OPERATOR_POLICY)
    assert place_of(nodes, "q") == REPLICATED


def test_what_is_there_stays_where_it_is(nodes: list[Node]) -> None:
    assert place_of(nodes, "q") == "n1"
    set_policy(nodes, {"ha-mode": "all"})
    assert place_of(nodes, "q") == "n1"
    assert place_of(nodes, "q2") == REPLICATED
    set_policy(nodes, {"max-length": 1})
    assert place_of(nodes, "q2") == REPLICATED
    assert place_of(nodes, "q3") == "n1"


def test_a_node_may_say_that_another_one_has_it(nodes: list[Node]) -> None:
    agreements = nodes[0].broker.agreements
    assert agreements is not None
    asked: list[tuple[str, str]] = []

    def elsewhere(vhost: str, name: str) -> str:
        asked.append((vhost, name))
        return "n2"

    agreements.elsewhere = elsewhere
    # There are no links between these.
    with pytest.raises(NotFound, match="it is on node 'n2'"):
        place_of(nodes, "q")
    assert row_of(nodes, "q") == "n2"
    assert ("/", "q") in asked
    assert place_of(nodes, "r", {"x-queue-type": "quorum"}) == REPLICATED


def test_queues_that_are_imported_are_under_the_policies_that_come_with_them(nodes: list[Node]) -> None:
    data = json.dumps(
        {
            "policies": [
                {"vhost": "/", "name": "ha", "pattern": "^q", "apply-to": "queues", "definition": {"ha-mode": "all"}}
            ],
            "queues": [
                {"vhost": "/", "name": name, "durable": True, "auto_delete": False, "arguments": {}}
                for name in ("q", "other")
            ],
        }
    )
    nodes[0].ask("import", lambda broker: import_definitions(broker, data).counts)
    run(*nodes)
    assert nodes[0].answer("import") == {"policies": 1, "queues": 2}
    assert row_of(nodes, "q") == REPLICATED
    assert row_of(nodes, "other") == "n1"


@pytest.mark.parametrize(
    "arguments",
    [
        {"x-max-length": -1},
        {"x-message-ttl": "1"},
        {"x-dead-letter-routing-key": "k"},
        {"x-queue-type": "quorum", "x-delivery-limit": "3"},
    ],
)
def test_what_no_node_could_make_is_refused_and_never_the_clusters(
    nodes: list[Node], arguments: dict[str, Encodable]
) -> None:
    with pytest.raises(PreconditionFailed, match=list(arguments)[-1]):
        place_of(nodes, "q", arguments)
    assert key_of("queue", "/", "q") not in nodes[0].bucket.keys
    assert place_of(nodes, "q") == "n1"
