"""What nodes of a cluster refuse, before anybody else hears of it or when it can't be made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.core.cluster.definitions.commands import actor, bind_q, declare_q, declare_x, set_p
from tests.support.simulated_cluster import Node, run
from warren.core.broker import Broker
from warren.core.declaring.bindings import bind
from warren.core.errors import ClusterAway, LowOnDisk, PreconditionFailed
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.core.policies.policy import make_policy
from warren.core.storage.definitions.store import JSON


def test_a_binding_that_its_exchange_has_no_use_for_is_refused_before_anybody_else_hears_of_it(
    nodes: list[Node],
) -> None:
    one = nodes[0]
    for name, command in {"x": lambda broker: declare_x(broker, "x-consistent-hash"), "q": declare_q}.items():
        one.ask(name, command)
        run(*nodes)
    before = dict(one.bucket.keys)
    one.ask("bad", bind_q)
    run(*nodes)
    with pytest.raises(PreconditionFailed, match="must be an integer"):
        one.answer("bad")
    assert one.bucket.keys == before
    one.ask("good", lambda broker: bind(actor(broker), "queue", "q", "x", "2", {}, EMPTY_TABLE_RAW))
    run(*nodes)
    one.answer("good")
    assert [len(node.broker.vhosts["/"].exchanges["x"].bindings) for node in nodes] == [1, 1, 1]


def test_what_was_agreed_on_and_cant_be_made_here_is_answered_with_that(nodes: list[Node]) -> None:
    """As by a node that knows no such type, though whoever asked has checked it."""
    one, two, _ = nodes
    row: dict[str, JSON] = {"type": "x-of-tomorrow", "auto_delete": False, "internal": False, "arguments": "AAAAAA=="}

    def declare(broker: Broker) -> None:
        assert broker.agreements is not None
        broker.agreements.ask_for("exchange", "/", "x", row)

    one.ask("declare", declare)
    run(*nodes)
    with pytest.raises(ClusterAway, match=r"exchange 'x' in vhost '/' is in the cluster's .*made on node 'n1'"):
        one.answer("declare")
    assert two.replica.blocked == one.replica.blocked
    assert "x-of-tomorrow" in next(iter(one.replica.blocked.values()))


@pytest.mark.parametrize(
    "command",
    [
        lambda broker: broker.policies.set(broker.vhosts["/"], make_policy("policy", "p", ".*", {"max-length": 1})),
        lambda broker: broker.users.add_user("ada", "secret"),
        lambda broker: broker.users.set_permissions("guest", "/", "", "", ""),
        lambda broker: broker.users.set_topic_permissions("guest", "/", "amq.topic", "", ""),
        lambda broker: set_p(broker, 1),
    ],
)
def test_what_couldnt_be_kept_here_isnt_asked_for(nodes: list[Node], command: Callable[[Broker], object]) -> None:
    one = nodes[0]
    before = dict(one.bucket.keys)
    asked: list[int] = []

    def refuse(value_bytes: int) -> None:
        asked.append(value_bytes)
        raise LowOnDisk("no room")

    assert one.broker.agreements is not None
    one.broker.agreements.check_room = refuse
    one.ask("command", command)
    run(*nodes)
    with pytest.raises(LowOnDisk):
        one.answer("command")
    assert asked > [0]
    assert one.bucket.keys == before
