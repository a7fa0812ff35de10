"""Nodes that share their definitions: one winner, one outcome everywhere, and answers that are true."""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.core.cluster.definitions.commands import actor, bind_q, declare_q, declare_x, set_p
from tests.support.simulated_cluster import Node, run
from warren.core.administration.definitions_json.importing import import_definitions
from warren.core.cluster.definitions.rows import local_rows
from warren.core.declaring.bindings import unbind
from warren.core.declaring.exchanges import declare_exchange, delete_exchange
from warren.core.declaring.queues import declare_queue, delete_queue
from warren.core.errors import ClusterAway, NoSuchUser, PreconditionFailed


def shared(node: Node) -> dict[tuple[str, str, str], object]:
    """What is declared on a node of what is shared."""
    ignored = {"user", "permission"}
    return {change[:3]: change.value for change in local_rows(node.broker, "n") if change.kind not in ignored}


def test_the_first_node_brings_what_a_blank_broker_has_and_the_others_take_it(nodes: list[Node]) -> None:
    hashes = {node.broker.users["guest"].password_hash for node in nodes}
    assert len(hashes) == 1
    for node in nodes:
        assert list(node.broker.vhosts) == ["/"]
        assert node.broker.users.may_access_vhost("guest", "/")


def test_a_declaration_is_answered_when_it_is_there_and_here(nodes: list[Node]) -> None:
    one, *others = nodes
    one.ask("declare", declare_x)
    assert not one.answers
    one.take_writes()
    assert not one.answers, "it is there, and not here yet"
    one.deliver()
    assert one.answer("declare") == "direct"
    assert "x" not in others[0].broker.vhosts["/"].exchanges
    run(*nodes)
    assert all("x" in node.broker.vhosts["/"].exchanges for node in nodes)


def test_of_two_declarations_at_once_one_wins_and_the_other_is_refused_as_usual(nodes: list[Node]) -> None:
    one, two, three = nodes
    one.ask("declare", lambda broker: declare_x(broker, "direct"))
    two.ask("declare", lambda broker: declare_x(broker, "fanout"))
    three.ask("declare", lambda broker: declare_x(broker, "fanout"))
    run(two, one, three)
    assert two.answer("declare") == three.answer("declare") == "fanout"
    with pytest.raises(PreconditionFailed, match="inequivalent arg 'type'"):
        one.answer("declare")


def test_a_topology_of_several_steps_is_the_same_everywhere_and_goes_everywhere(nodes: list[Node]) -> None:
    one, two, three = nodes
    for name, command in {"x": declare_x, "q": declare_q, "b": bind_q}.items():
        one.ask(name, command)
        run(*nodes)
        one.answer(name)
    expected = shared(one)
    assert len(expected) == 4
    assert shared(two) == expected
    assert shared(three) == expected
    counts: list[object] = []
    two.ask("delete", lambda broker: delete_queue(actor(broker), "q", counts.append))
    run(*nodes)
    assert counts == [0]
    three.ask("delete", lambda broker: delete_exchange(actor(broker), "x"))
    run(*nodes)
    three.answer("delete")
    assert [len(shared(node)) for node in nodes] == [1, 1, 1]
    assert not [key for key, (_, value) in one.bucket.keys.items() if value is not None and key in one.replica.blocked]
    assert len(one.replica.table) == 3, "the binding was cleared away: what is left is the vhost, guest, its permission"


def test_a_binding_of_what_was_deleted_and_declared_again_stays_away(nodes: list[Node]) -> None:
    one, two, three = nodes
    for name, command in {"x": declare_x, "q": declare_q, "b": bind_q}.items():
        one.ask(name, command)
        run(*nodes)
    two.ask("delete", lambda broker: delete_exchange(actor(broker), "x"))
    two.take_writes()
    two.deliver()
    # Before the binding's key is cleared away.
    two.ask("x", declare_x)
    run(*nodes)
    two.answer("x")
    assert not any(node.broker.vhosts["/"].exchanges["x"].bindings for node in nodes)
    assert three.replica.table.orphans() == []


def test_unbinding(nodes: list[Node]) -> None:
    one, two, _ = nodes
    for name, command in {"x": declare_x, "q": declare_q, "b": bind_q}.items():
        one.ask(name, command)
        run(*nodes)
    two.ask("unbind", lambda broker: unbind(actor(broker), "queue", "q", "x", "k", {}))
    run(*nodes)
    assert two.answer("unbind") == []
    assert not any(node.broker.vhosts["/"].exchanges["x"].bindings for node in nodes)


def test_users_passwords_and_permissions(nodes: list[Node]) -> None:
    one, two, three = nodes
    one.ask("add", lambda broker: broker.users.add_user("ada", "secret", ["monitoring"]))
    two.ask("add", lambda broker: broker.users.add_user("ada", "other"))
    run(*nodes)
    one.answer("add")
    with pytest.raises(PreconditionFailed, match="already exists"):
        two.answer("add")
    two.ask("permit", lambda broker: broker.users.set_permissions("ada", "/", "a", "b", "c"))
    three.ask("change", lambda broker: broker.users.change_password("ada", "new"))
    run(*nodes)
    two.answer("permit")
    three.answer("change")
    assert [node.broker.users["ada"] for node in nodes] == [one.broker.users["ada"]] * 3
    for node in nodes:
        node.broker.users.authenticate("ada", "new", True)
        assert node.broker.users.verifiers.get("ada") == one.broker.users.verifiers.get("ada") is not None
    one.ask("delete", lambda broker: broker.users.delete_user("ada"))
    run(*nodes)
    assert one.answer("delete") is None
    assert not any("ada" in node.broker.users for node in nodes)
    one.ask("delete again", lambda broker: broker.users.delete_user("ada"))
    with pytest.raises(NoSuchUser):
        one.answer("delete again")


def test_a_parameter_that_is_set_twice_has_the_last_value_everywhere(nodes: list[Node]) -> None:
    one, two, three = nodes
    for node, value in ((one, 1), (two, 2), (three, 3)):
        node.ask("set", partial(set_p, value=value))
    run(*nodes)
    for node in nodes:
        node.answer("set")
    assert len({node.broker.parameters.get_global("p") for node in nodes}) == 1
    one.ask("set", lambda broker: broker.parameters.set_global("p", 4))
    run(*nodes)
    assert [node.broker.parameters.get_global("p") for node in nodes] == [4, 4, 4]
    one.ask("clear", lambda broker: broker.parameters.clear_global("p"))
    run(*nodes)
    one.answer("clear")
    assert [node.broker.parameters.get_global("p") for node in nodes] == [None, None, None]


def test_virtual_hosts_go_with_all_that_is_in_them_and_can_be_made_again(nodes: list[Node]) -> None:
    one, two, three = nodes
    one.ask("add", lambda broker: broker.add_vhost("v", {"description": "d"}).name)
    run(*nodes)
    assert one.answer("add") == "v"
    two.ask("x", lambda broker: declare_exchange(actor(broker, "v"), "x", "fanout", durable=True).name)
    two.ask("p", lambda broker: broker.users.set_permissions("guest", "v", "", "", ""))
    run(*nodes)
    two.answer("x")
    two.ask("describe", lambda broker: broker.update_vhost("v", {"description": "e"}))
    run(*nodes)
    two.answer("describe")
    assert [node.broker.vhosts["v"].metadata for node in nodes] == [{"description": "e"}] * 3
    gone: list[object] = []
    three.ask("delete", lambda broker: broker.delete_vhost("v", gone.append))
    run(*nodes)
    assert gone == [None]
    assert not any("v" in node.broker.vhosts for node in nodes)
    one.ask("again", lambda broker: broker.add_vhost("v", {}).name)
    run(*nodes)
    for node in nodes:
        assert "x" not in node.broker.vhosts["v"].exchanges
        assert not node.broker.users.may_access_vhost("guest", "v")
        assert not node.replica.blocked


def test_who_waits_for_too_long_is_refused_in_words(nodes: list[Node]) -> None:
    one = nodes[0]
    one.ask("declare", declare_x)
    one.advance(9_000)
    assert not one.answers
    one.advance(1_001)
    with pytest.raises(ClusterAway, match="NATS can't be reached"):
        one.answer("declare")
    one.take_writes()
    assert "x" not in one.broker.vhosts["/"].exchanges
    one.ask("declare", declare_x)
    run(*nodes)
    assert one.answer("declare") == "direct"


def test_an_answer_that_is_lost_on_the_way_doesnt_make_it_twice_nor_never(nodes: list[Node]) -> None:
    one = nodes[0]
    one.ask("declare", declare_x)
    one.take_writes(lambda: True)
    one.deliver()
    assert not one.answers
    one.take_writes()
    assert one.answer("declare") == "direct"


def test_who_adds_a_user_isnt_told_that_there_is_one_since_an_answer_was_lost(nodes: list[Node]) -> None:
    one = nodes[0]
    one.ask("add", lambda broker: broker.users.add_user("ada", "secret").name)
    one.take_writes(lambda: True)
    run(*nodes)
    assert one.answer("add") == "ada"


def test_a_node_that_was_away_catches_up_with_what_was_deleted_too(nodes: list[Node]) -> None:
    one, two, three = nodes
    one.ask("x", declare_x)
    run(*nodes)
    one.ask("delete", lambda broker: delete_exchange(actor(broker), "x"))
    run(one, two)
    one.ask("q", declare_q)
    run(one, two)
    one.bucket.forget_markers()
    three.begin_anew()
    run(*nodes)
    assert shared(three) == shared(one)
    assert "x" not in three.broker.vhosts["/"].exchanges


def test_a_node_starts_without_the_bucket_and_knows_everything(nodes: list[Node]) -> None:
    one, two, three = nodes
    for name, command in {"x": declare_x, "q": declare_q, "b": bind_q}.items():
        one.ask(name, command)
        run(*nodes)
    three.start()
    assert shared(three) == shared(one)
    three.ask("exists", declare_x)
    assert three.answer("exists") == "direct"
    two.ask("delete", lambda broker: delete_exchange(actor(broker), "x"))
    run(one, two)
    run(*nodes)
    assert three.has_joined
    assert shared(three) == shared(one)


def test_an_import_is_agreed_on_and_what_is_a_nodes_own_of_it_is_done_there(nodes: list[Node]) -> None:
    one, two, _ = nodes
    data = json.dumps(
        {
            "vhosts": [{"name": "v", "description": "d"}],
            "users": [{"name": "ada", "password_hash": "", "tags": []}],
            "permissions": [{"user": "ada", "vhost": "v", "configure": "", "write": "", "read": ""}],
            "policies": [{"vhost": "v", "name": "p", "pattern": "", "definition": {"max-length": 5}}],
            "exchanges": [
                {"vhost": "v", "name": "x", "type": "direct", "durable": True},
                {"vhost": "v", "name": "own", "type": "direct", "durable": False},
            ],
            "queues": [
                {"vhost": "v", "name": "q", "durable": True, "arguments": {"x-queue-type": "quorum"}},
                {"vhost": "v", "name": "s", "durable": True, "arguments": {"x-queue-type": "stream"}},
            ],
            "bindings": [
                {"vhost": "v", "source": source, "destination": queue, "destination_type": "queue", "routing_key": "k"}
                for source in ("x", "own", "amq.direct")
                for queue in ("q", "s")
            ],
        }
    )
    one.ask("import", lambda broker: import_definitions(broker, data).counts)
    assert not one.answers
    run(*nodes)
    counts = {"users": 1, "vhosts": 1, "permissions": 1, "policies": 1, "exchanges": 2, "queues": 2, "bindings": 6}
    assert one.answer("import") == counts
    first, other = one.broker.vhosts["v"], two.broker.vhosts["v"]
    assert {"q", "s"} <= set(first.queues)
    assert "own" in first.exchanges
    assert set(other.queues) == {"q"}
    assert "own" not in other.exchanges
    assert [len(first.exchanges[name].bindings) for name in ("x", "own", "amq.direct")] == [2, 2, 2]
    assert [len(other.exchanges[name].bindings) for name in ("x", "amq.direct")] == [1, 1]
    assert other.queues["q"].policy == "p"
    assert two.broker.users.may_access_vhost("ada", "v")
    assert {key: value for key, value in shared(one).items() if "own" not in key[2]} == shared(two)


def test_what_is_a_nodes_own_stays_there(nodes: list[Node]) -> None:
    one, two, _ = nodes
    one.ask("temporary", lambda broker: declare_queue(actor(broker), "t", auto_delete=True).name)
    assert one.answer("temporary") == "t"
    one.ask("exchange", lambda broker: declare_exchange(actor(broker), "e", "fanout").name)
    assert one.answer("exchange") == "e"
    stream = {"x-queue-type": "stream"}
    one.ask("stream", lambda broker: declare_queue(actor(broker), "s", durable=True, arguments=stream).name)
    assert one.answer("stream") == "s"
    run(*nodes)
    assert not two.broker.vhosts["/"].queues


def test_what_has_the_name_on_a_node_alone_is_in_the_way_as_long_as_it_is_there(nodes: list[Node]) -> None:
    one, two, three = nodes
    two.ask("own", lambda broker: declare_queue(actor(broker), "q", auto_delete=True).name)
    one.ask("q", declare_q)
    run(*nodes)
    assert one.answer("q") == "q"
    assert not two.broker.vhosts["/"].queues["q"].durable
    assert list(two.replica.blocked.values()) == ["queue 'q' in vhost '/' is this node's own, and has the name"]
    delete_queue(actor(two.broker), "q")
    two.settle()
    assert two.broker.vhosts["/"].queues["q"].durable
    assert not two.replica.blocked
    assert shared(two) == shared(three)
