"""What is exported, in which form, and what is left out (spec F.5)."""

from __future__ import annotations

from tests.core.administration.definitions_json.documents import exported, exported_vhost
from tests.support.core_broker import core_client
from warren.core.administration.definitions_json.importing import import_definitions
from warren.core.administration.parameters import set_parameter
from warren.core.broker import Broker
from warren.core.declaring.bindings import add_binding
from warren.core.declaring.exchanges import declare_exchange
from warren.core.declaring.queues import declare_queue
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding, Destination
from warren.core.messages.field_table import FieldTable, encode_table
from warren.core.policies.policy import POLICY, make_policy
from warren.core.routing.vhost import VirtualHost
from warren.core.storage.definitions.store import JSON


def bind(vhost: VirtualHost, source: Exchange, target: Destination, key: str = "", **arguments: int) -> None:
    table: FieldTable = dict(arguments)
    add_binding(vhost, source, Binding(source.name, target, key, table, encode_table(table)))


def fill(broker: Broker) -> None:
    """One of everything that is exported, and of everything that isn't."""
    client = core_client(broker)
    vhost = client.vhost
    source = declare_exchange(client, "source", "topic", durable=True)
    inner = declare_exchange(client, "inner", "fanout", internal=True)
    target = declare_exchange(client, "target", "direct", auto_delete=True)
    arguments: FieldTable = {"x-max-length": 5}
    kept = declare_queue(client, "kept", durable=True, arguments=arguments, arguments_raw=encode_table(arguments))
    mine = declare_queue(client, "mine", exclusive=True)
    passing = declare_queue(client, "passing", auto_delete=True)
    bind(vhost, source, kept, "a.#", x=1)
    bind(vhost, source, mine, "b")
    bind(vhost, source, inner, "c")
    bind(vhost, inner, kept)
    bind(vhost, source, target, "d")
    bind(vhost, vhost.exchanges["amq.fanout"], passing)
    limits: JSON = {"max-queues": 9}
    set_parameter(broker, "/", "vhost-limits", "limits", limits)
    operator: JSON = {"pattern": "", "definition": {"max-length": 1}, "priority": 0, "apply-to": "queues"}
    set_parameter(broker, "/", "operator_policy", "o", operator)
    broker.policies.set(vhost, make_policy(POLICY, "p", "^k", {"expires": 5}, 3, "queues"))
    broker.parameters.set_global("cluster_name", "here")
    broker.parameters.set_global("internal_cluster_id", "secret")
    broker.update_vhost("/", {"description": "d", "tags": ["t"], "default_queue_type": "classic"})
    broker.users.set_limits("guest", {"max-channels": 7})
    broker.users.set_topic_permissions("guest", "/", "amq.topic", "w", "r")


def test_everything(broker: Broker) -> None:
    fill(broker)
    found = exported(broker)
    (user,) = found.pop("users")
    assert len(user.pop("password_hash")) == 48
    assert user == {
        "name": "guest",
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": ["administrator"],
        "limits": {"max-channels": 7},
    }
    metadata = {"description": "d", "tags": ["t"], "default_queue_type": "classic"}
    operator = {"pattern": "", "definition": {"max-length": 1}, "priority": 0, "apply-to": "queues"}
    permission = {"user": "guest", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    topic_permission = {"user": "guest", "vhost": "/", "exchange": "amq.topic", "write": "w", "read": "r"}
    queue = {"vhost": "/", "type": "classic"}
    exchange = {"vhost": "/", "internal": False, "arguments": {}}
    binding = {"vhost": "/", "arguments": {}, "destination_type": "queue"}
    assert found == {
        "rabbit_version": "4.1.0",
        "rabbitmq_version": "4.1.0",
        "product_name": "Warren",
        "product_version": "0",
        "rabbitmq_definition_format": "cluster",
        "vhosts": [{"name": "/", **metadata, "metadata": metadata, "tracing": False, "limits": {"max-queues": 9}}],
        "permissions": [permission],
        "topic_permissions": [topic_permission],
        "parameters": [
            {"vhost": "/", "component": "vhost-limits", "name": "limits", "value": {"max-queues": 9}},
            {"vhost": "/", "component": "operator_policy", "name": "o", "value": operator},
        ],
        "global_parameters": [{"name": "cluster_name", "value": "here"}],
        "policies": [
            {
                "vhost": "/",
                "name": "p",
                "pattern": "^k",
                "definition": {"expires": 5},
                "priority": 3,
                "apply-to": "queues",
            }
        ],
        "queues": [
            {**queue, "name": "kept", "durable": True, "auto_delete": False, "arguments": {"x-max-length": 5}},
            {**queue, "name": "passing", "durable": False, "auto_delete": True, "arguments": {}},
        ],
        "exchanges": [
            {**exchange, "name": "source", "type": "topic", "durable": True, "auto_delete": False},
            {**exchange, "name": "target", "type": "direct", "durable": False, "auto_delete": True},
        ],
        "bindings": [
            {**binding, "source": "amq.fanout", "destination": "passing", "routing_key": ""},
            {**binding, "source": "source", "destination": "kept", "routing_key": "a.#", "arguments": {"x": 1}},
            {
                **binding,
                "source": "source",
                "destination": "target",
                "destination_type": "exchange",
                "routing_key": "d",
            },
        ],
    }


def test_one_virtual_host(broker: Broker) -> None:
    fill(broker)
    whole, found = exported(broker), exported_vhost(broker.vhosts["/"])
    assert found["rabbitmq_definition_format"] == "single_virtual_host"
    assert found["original_vhost_name"] == "/"
    assert found["metadata"]["description"] == "d"
    assert not {"users", "vhosts", "permissions", "topic_permissions", "global_parameters"} & set(found)
    for section in ("parameters", "policies", "queues", "exchanges", "bindings"):
        expected = [{key: value for key, value in row.items() if key != "vhost"} for row in whole[section]]
        assert found[section] == expected


def test_an_empty_broker_exports_and_imports(broker: Broker) -> None:
    before = exported(broker)
    assert import_definitions(broker, str(before).replace("'", '"').replace("False", "false")).warnings == []
    assert exported(broker) == before
