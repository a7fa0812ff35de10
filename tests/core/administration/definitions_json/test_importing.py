"""Importing files of several versions of RabbitMQ, and our own; what happens to what is there already."""

from __future__ import annotations

import json

import pytest

from tests.core.access.listed import list_user_permissions
from tests.core.administration.definitions_json.documents import (
    FILES,
    Document,
    document,
    exported,
    exported_vhost,
    read,
    small,
)
from tests.support.core_broker import core_broker
from warren.core.administration.definitions_json.importing import import_definitions
from warren.core.broker import Broker
from warren.core.declaring.queues import create_queue
from warren.core.errors import AccessRefused
from warren.core.messages.field_table import FieldValue, encode_table
from warren.core.storage.definitions.memory import MemoryDefinitionStore


def arguments_of(broker: Broker, vhost: str, queue: str) -> dict[str, object]:
    return dict(broker.vhosts[vhost].queues[queue].arguments)


def test_there_are_files() -> None:
    assert len(FILES) == 3


@pytest.mark.parametrize("name", FILES)
def test_a_second_time_changes_nothing(store: MemoryDefinitionStore, broker: Broker, name: str) -> None:
    import_definitions(broker, read(name))
    rows, once = list(store.load()), exported(broker)
    again = import_definitions(broker, read(name))
    assert {"exchanges", "queues", "bindings"}.isdisjoint(again.counts)
    assert exported(broker) == once
    assert list(store.load()) == rows


@pytest.mark.parametrize("name", FILES)
def test_it_survives_a_restart(store: MemoryDefinitionStore, broker: Broker, name: str) -> None:
    import_definitions(broker, read(name))
    found = exported(core_broker(store))
    expected = exported(broker)
    for section in ("queues", "exchanges"):
        expected[section] = [row for row in expected[section] if row["durable"]]
    kept = {row["name"] for row in expected["queues"] + expected["exchanges"]} | {"amq.direct", "amq.fanout"}
    expected["bindings"] = [row for row in expected["bindings"] if {row["source"], row["destination"]} <= kept]
    assert found == expected


@pytest.mark.parametrize("name", FILES)
def test_what_we_export_imports_to_the_same(broker: Broker, name: str) -> None:
    import_definitions(broker, read(name))
    ours = exported(broker)
    other = core_broker()
    warnings = import_definitions(other, json.dumps(ours)).warnings
    assert [text for text in warnings if "nothing uses" not in text and "MIRRORED" not in text] == []
    assert exported(other) == ours


def test_a_file_of_3_10(broker: Broker) -> None:
    imported = import_definitions(broker, read("rabbitmq-3.10.8.json"))
    assert imported.counts == {
        "users": 2,
        "vhosts": 2,
        "permissions": 2,
        "topic_permissions": 1,
        "exchanges": 2,
        "global_parameters": 2,
        "policies": 4,
        "parameters": 1,
        "queues": 4,
        "bindings": 3,
    }
    (warning,) = imported.warnings
    assert "there is no exchange 'e-int', neither here nor in the definitions; left out" in warning
    broker.users.authenticate("guest", "guest", is_loopback=True)
    assert broker.vhosts["/"].limits == {"max-connections": 3}
    assert broker.vhosts["v2"].metadata == {"description": "desc", "tags": ["a", "b"]}
    queue = broker.vhosts["/"].queues["q1"]
    assert queue.arguments == {
        "x-bin": b"ab\xff",
        "x-flag": True,
        "x-list": [1, "a", {"b": 15}],
        "x-message-ttl": 1000,
        "x-null": None,
    }
    assert (queue.policy, queue.operator_policy) == ("p1", "op")
    assert queue.effective_policy == {"dead-letter-exchange": "dlx", "max-length": 5, "message-ttl": 200}
    assert broker.parameters.globals() == [("gp", {"x": [1, 2]}), ("gp2", "str")]


def test_a_file_of_4_1(broker: Broker) -> None:
    imported = import_definitions(broker, read("like-rabbitmq-4.1.json"))
    assert [text.rpartition(": ")[2] for text in imported.warnings] == [
        "nothing uses parameters of component 'shovel' yet; kept as it is"
    ]
    broker.users.authenticate("ann", "secret", is_loopback=True)
    broker.users.authenticate("app", "secret", is_loopback=True)
    assert broker.users["ann"].limits == {"max-channels": 5}
    orders = broker.vhosts["orders"]
    assert orders.metadata == {"description": "", "tags": ["production"], "default_queue_type": "quorum"}
    assert orders.limits == {"max-queues": 100}
    work = orders.queues["work"]
    assert work.type_name == "quorum"
    assert (work.policy, work.operator_policy) == ("dead-letters", "retries")
    assert work.effective_policy == {"consumer-timeout": 60000, "dead-letter-exchange": "dlx", "delivery-limit": 50}
    assert orders.queues["work.dead"].operator_policy is None
    assert [queue.name for queue in orders.route("events", "order.new").queues] == ["work"]
    headers: dict[str, FieldValue] = {"level": 3, "kind": "any", "ratio": 0.5}
    assert [queue.name for queue in orders.route("dlx", "", headers).queues] == ["work.dead"]
    assert orders.exchanges["dlx"].alternate == "amq.fanout"


def test_a_file_of_3_5(broker: Broker) -> None:
    imported = import_definitions(broker, read("like-rabbitmq-3.5.json"))
    (warning,) = imported.warnings
    assert warning.startswith(
        "policies[0] 'mirror' in vhost '/': ha-mode, ha-params, ha-sync-mode: NOTHING IS MIRRORED"
    )
    user = broker.users.authenticate("old", "secret", is_loopback=True)
    assert (user.hashing_algorithm, user.tags) == (
        "rabbit_password_hashing_md5",
        frozenset({"administrator", "monitoring"}),
    )
    assert broker.users["nobody"].tags == frozenset()
    assert broker.vhosts["/"].queues["m.q"].effective_policy["max-length"] == 10


def test_what_exists_is_kept_or_replaced(broker: Broker) -> None:
    broker.add_vhost("v", {"description": "before", "tags": ["t"]})
    arguments = {"x-max-length": 99}
    create_queue(broker.vhosts["v"], "q", durable=True, arguments=arguments, arguments_raw=encode_table(arguments))
    broker.users.add_user("ann", "secret", ("administrator",))
    broker.users.set_limits("ann", {"max-channels": 1})
    broker.users.set_permissions("ann", "/", ".*", ".*", ".*")
    import_definitions(broker, json.dumps(small()))
    assert arguments_of(broker, "v", "q") == {"x-max-length": 99}
    assert broker.vhosts["v"].queues["q"].policy == "p"
    assert broker.vhosts["v"].metadata == {"description": "before", "tags": ["t"]}
    assert (broker.users["ann"].tags, broker.users["ann"].limits) == (frozenset({"monitoring"}), {"max-channels": 1})
    assert list_user_permissions(broker.users, "ann") == [
        {"vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
        {"vhost": "v", "configure": "a", "write": "b", "read": "c"},
    ]


def test_defaults_of_missing_keys(broker: Broker) -> None:
    import_definitions(broker, json.dumps(small()))
    vhost = broker.vhosts["v"]
    queue, exchange = vhost.queues["q"], vhost.exchanges["x"]
    assert (queue.durable, queue.auto_delete, queue.type_name, queue.store_id > 0) == (True, False, "classic", True)
    assert (exchange.durable, exchange.auto_delete, exchange.internal) == (True, False, False)


def test_users(broker: Broker) -> None:
    users = [
        {"name": "plain", "password": "secret", "tags": "management"},
        {"name": "none", "tags": []},
        {"name": "admin", "administrator": "true"},
        {"name": "let-in", "tags": [], "permissions": {"/": {"configure": "", "write": "a", "read": "b"}}},
    ]
    import_definitions(broker, document(users=users))
    broker.users.authenticate("plain", "secret", is_loopback=True)
    assert broker.users["none"].password_hash == ""
    assert broker.users["admin"].tags == frozenset({"administrator"})
    assert broker.users.may_access_vhost("let-in", "/")


def test_into_one_virtual_host(broker: Broker) -> None:
    import_definitions(broker, json.dumps(small()))
    broker.add_vhost("copy", {})
    single = exported_vhost(broker.vhosts["v"])
    assert import_definitions(broker, json.dumps(single), vhost="copy").warnings == []
    copied = exported_vhost(broker.vhosts["copy"])
    for section in ("parameters", "policies", "queues", "exchanges", "bindings"):
        assert copied[section] == single[section] != []


def test_a_whole_file_into_one_virtual_host(broker: Broker) -> None:
    imported = import_definitions(broker, json.dumps(small()), vhost="/")
    assert "users are not imported into a single virtual host; ignored" in imported.warnings
    assert len(imported.warnings) == 5
    assert ("ann" in broker.users, "v" in broker.vhosts) == (False, False)
    assert "q" in broker.vhosts["/"].queues


def test_what_is_left_out_with_a_warning(broker: Broker) -> None:
    imported = import_definitions(
        broker,
        json.dumps(
            {
                "frobs": [],
                "exchanges": [
                    {"vhost": "/", "name": "amq.direct", "type": "direct"},
                    {"vhost": "/", "name": "", "type": "direct"},
                ],
                "queues": [{"vhost": "/", "name": "amq.gen-abc"}],
                "bindings": [
                    {"vhost": "/", "source": "", "destination": "q", "destination_type": "queue"},
                    {"vhost": "/", "source": "amq.direct", "destination": "q", "destination_type": "queue"},
                ],
            }
        ),
    )
    assert imported.counts == {}
    assert [text.partition(": ")[0] for text in imported.warnings] == [
        "'frobs' is no part of definitions that is known here; ignored",
        "exchanges[0] 'amq.direct' in vhost '/'",
        "exchanges[1] '' in vhost '/'",
        "queues[0] 'amq.gen-abc' in vhost '/'",
        "bindings[1] 'amq.direct' in vhost '/'",
    ]


def test_the_default_queue_type_of_the_virtual_host(broker: Broker) -> None:
    queues = [
        {"vhost": "v", "name": "of-default"},
        {"vhost": "v", "name": "transient", "durable": False},
        {"vhost": "v", "name": "of-file", "type": "classic"},
    ]
    import_definitions(broker, document(vhosts=[{"name": "v", "default_queue_type": "quorum"}], queues=queues))
    types = {name: queue.type_name for name, queue in broker.vhosts["v"].queues.items()}
    assert types == {"of-default": "quorum", "transient": "classic", "of-file": "classic"}


def test_a_type_beside_the_arguments(broker: Broker) -> None:
    import_definitions(broker, document(queues=[{"vhost": "/", "name": "q", "type": "quorum"}]))
    assert arguments_of(broker, "/", "q") == {"x-queue-type": "quorum"}


def test_bytes_with_a_byte_order_mark(broker: Broker) -> None:
    text = document(queues=[{"vhost": "/", "name": "grün"}])
    import_definitions(broker, b"\xef\xbb\xbf" + text.encode())
    import_definitions(broker, "\ufeff" + text)
    assert list(broker.vhosts["/"].queues) == ["grün"]


def test_patterns_of_pcre_are_imported_as_they_are_written(broker: Broker) -> None:
    changed = small()
    changed["permissions"][0] |= {"configure": "^[[:alpha:]]+\\z", "write": "^\\Qa.b\\E", "read": "(?<n>x)\\k<n>"}
    changed["topic_permissions"][0] |= {"write": "^[\\w-.]+$", "read": "^\\h*$"}
    changed["policies"][0]["pattern"] = "^[[:lower:]]\\Z"
    imported = import_definitions(broker, json.dumps(changed))
    assert imported.warnings == []
    broker.users.check("ann", "v", "queue", "ab", "configure")
    for name in ("a1", "ab\n"):
        with pytest.raises(AccessRefused):
            broker.users.check("ann", "v", "queue", name, "configure")
    assert broker.vhosts["v"].queues["q"].policy == "p"
    found = exported(broker)
    assert changed["permissions"][0] in found["permissions"]
    assert found["policies"][0]["pattern"] == "^[[:lower:]]\\Z"


@pytest.mark.parametrize("queue", [{"type": "stream"}, {"arguments": {"x-queue-type": "stream", "x-max-age": "1D"}}])
def test_a_stream_is_imported_with_its_bindings(broker: Broker, queue: Document) -> None:
    changed = small()
    changed["queues"].append({"vhost": "v", "name": "s", **queue})
    changed["bindings"].append({"vhost": "v", "source": "x", "destination": "s", "arguments": {"x-match": "any"}})
    imported = import_definitions(broker, json.dumps(changed))
    assert imported.warnings == []
    assert broker.vhosts["v"].queues["s"].type_name == "stream"
    assert imported.counts["bindings"] == 2


@pytest.mark.parametrize(
    "described", [{"default_queue_type": "stream"}, {"metadata": {"default_queue_type": "stream"}}]
)
def test_a_default_type_that_is_a_stream_is_imported(broker: Broker, described: Document) -> None:
    changed = small()
    changed["queues"] = []
    changed["vhosts"][0] |= described
    changed["bindings"] = []
    imported = import_definitions(broker, json.dumps(changed))
    assert imported.warnings == []
    assert broker.vhosts["v"].metadata["default_queue_type"] == "stream"


@pytest.mark.parametrize("type_name", ["x-jms-topic", "x-federation-upstream"])
def test_exchanges_of_plugins_that_have_no_counterpart_are_left_out(broker: Broker, type_name: str) -> None:
    changed = small()
    changed["exchanges"][0]["type"] = type_name
    imported = import_definitions(broker, json.dumps(changed))
    assert imported.warnings == [
        f"exchanges[0] 'x' in vhost 'v': there are no exchanges of type '{type_name}' here; left out with its bindings",
        "bindings[0] 'x' in vhost 'v': there is no exchange 'x', neither here nor in the definitions; left out",
    ]
    assert "x" not in broker.vhosts["v"].exchanges


def test_mirroring_is_said_loudly_not_to_be_there(broker: Broker) -> None:
    mirrored = {"ha-mode": "all", "ha-sync-mode": "automatic", "max-length": 5}
    changed = small()
    changed["policies"][0]["definition"] = mirrored
    value = {"pattern": "q", "definition": mirrored}
    changed["parameters"].append({"vhost": "v", "component": "operator_policy", "name": "o", "value": value})
    imported = import_definitions(broker, json.dumps(changed))
    first, second = imported.warnings
    assert {text.partition(" ")[0] for text in (first, second)} == {"policies[0]", "parameters[1]"}
    for text in (first, second):
        assert "ha-mode, ha-sync-mode: NOTHING IS MIRRORED: what the policy matches is kept once" in text
    assert broker.vhosts["v"].queues["q"].effective_policy["max-length"] == 5
