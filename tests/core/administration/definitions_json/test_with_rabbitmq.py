"""Definitions between Warren and a real RabbitMQ, both ways.

Starting a node and running its command line takes long, so these run with `--broker rabbitmq` or `--broker both`, as
the scenario tests do that need one (CI does).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.administration.definitions_json.documents import Document, exported, read
from tests.support.core_broker import core_broker
from tests.support.rabbitmq import RabbitMQ, rabbitmq
from warren.core.administration.definitions_json.importing import import_definitions
from warren.core.broker import Broker

COMPARED = ("permissions", "topic_permissions", "queues", "exchanges", "bindings", "policies")
"""Sections that both write alike; the others differ in what versions leave out."""


@pytest.fixture(scope="module")
def node(request: pytest.FixtureRequest) -> Iterator[RabbitMQ]:
    if request.config.getoption("--broker") == "warren":
        pytest.skip("needs --broker rabbitmq or --broker both")
    with rabbitmq() as running:
        yield running


def definitions_of(node: RabbitMQ, directory: Path) -> str:
    path = directory / "exported.json"
    path.unlink(missing_ok=True)
    node.ctl("export_definitions", str(path))
    return path.read_text()


def rows(document: Document, section: str, vhost: str = "orders") -> list[str]:
    """The items of a section in one virtual host, in a form and an order that can be compared."""
    found = [row for row in document[section] if row["vhost"] == vhost]
    for row in found:
        row.pop("internal", None)
    return sorted(json.dumps(row, sort_keys=True) for row in found)


def described() -> Broker:
    """A broker with what both know: RabbitMQ 3.10 has no consumer-timeout, and a delivery limit from 0 only."""
    document = json.loads(read("like-rabbitmq-4.1.json"))
    document["policies"][0]["definition"] = {"dead-letter-exchange": "dlx", "delivery-limit": 9}
    document["parameters"][1]["value"]["apply-to"] = "queues"
    del document["parameters"][2]
    document["vhosts"][1]["metadata"]["default_queue_type"] = "undefined"
    document["vhosts"][1]["default_queue_type"] = "undefined"
    document["vhosts"][0]["metadata"]["default_queue_type"] = "undefined"
    document["vhosts"][0]["default_queue_type"] = "undefined"
    document["bindings"][1]["arguments"]["kind"] = "any"
    broker = core_broker()
    import_definitions(broker, json.dumps(document))
    return broker


def test_ours_imports_there_and_comes_back(node: RabbitMQ, tmp_path: Path) -> None:
    broker = described()
    path = tmp_path / "ours.json"
    path.write_text(json.dumps(exported(broker)))
    node.ctl("import_definitions", str(path))
    node.ctl("authenticate_user", "ann", "secret")
    node.ctl("authenticate_user", "app", "secret")
    theirs = json.loads(definitions_of(node, tmp_path))
    for section in COMPARED:
        assert rows(theirs, section) == rows(exported(broker), section), section
    assert {user["name"]: user["tags"] for user in theirs["users"]}["ann"] == ["administrator"]

    again = core_broker()
    assert import_definitions(again, json.dumps(theirs)).warnings == []
    again.users.authenticate("app", "secret", is_loopback=True)
    assert again.vhosts["orders"].limits == {"max-queues": 100}
    for section in (*COMPARED, "parameters"):
        assert rows(exported(again), section) == rows(exported(broker), section), section


def test_theirs_imports_here(node: RabbitMQ, tmp_path: Path) -> None:
    node.ctl("set_policy", "--priority", "3", "--apply-to", "queues", "p1", "^q", '{"message-ttl":500}')
    node.ctl("set_operator_policy", "op", "^q", '{"message-ttl":200,"max-length":5}')
    node.ctl("set_vhost_limits", '{"max-connections":3}')
    node.ctl("set_user_limits", "guest", '{"max-channels":20}')
    node.ctl("set_global_parameter", "gp", '{"x":[1,2]}')
    node.ctl("add_user", "eve", "geheim")
    broker = core_broker()
    import_definitions(broker, definitions_of(node, tmp_path))
    broker.users.authenticate("eve", "geheim", is_loopback=True)
    document = exported(broker)
    assert [row["definition"] for row in document["policies"] if row["name"] == "p1"] == [{"message-ttl": 500}]
    assert broker.vhosts["/"].limits == {"max-connections": 3}
    assert broker.users["guest"].limits == {"max-channels": 20}
    assert {"name": "gp", "value": {"x": [1, 2]}} in document["global_parameters"]
    operators = [row["value"]["definition"] for row in document["parameters"] if row["name"] == "op"]
    assert operators == [{"max-length": 5, "message-ttl": 200}]
