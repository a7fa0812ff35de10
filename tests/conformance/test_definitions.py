"""Definitions exported to a file and imported again, as administrators do it, seen by clients (F.5, G)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ProbableAccessDeniedError, ProbableAuthenticationError

from tests.conformance.scenario import Workbench, drain, fill, queue_exists, send, synchronise
from tests.support.brokers import Broker
from tests.support.child import ChildError

VHOST, USER, PASSWORD = "defined", "defined-user", "a salted secret"


@pytest.fixture
def defined(broker: Broker, bench: Workbench) -> Iterator[None]:
    """A virtual host with a user who may use it, a policy, a queue, and an exchange that is bound to it."""
    broker.ctl("add_vhost", VHOST)
    broker.ctl("add_user", USER, PASSWORD)
    broker.ctl("set_permissions", "-p", VHOST, USER, ".*", ".*", ".*")
    broker.ctl("set_policy", "-p", VHOST, "short", "^short", '{"max-length": 1}')
    channel = bench.connect(user=USER, password=PASSWORD, virtual_host=VHOST).channel()
    channel.queue_declare("short", durable=True, arguments={"x-message-ttl": 3_600_000})
    channel.exchange_declare("in", "topic", durable=True)
    channel.queue_bind("short", "in", "a.#")
    channel.connection.close()
    yield
    delete(broker)


def delete(broker: Broker) -> None:
    broker.ctl("delete_vhost", VHOST)
    broker.ctl("delete_user", USER)


def exported(broker: Broker, directory: Path) -> Path:
    path = directory / "exported.json"
    broker.ctl("export_definitions", str(path))
    return path


def use(bench: Workbench) -> list[bytes]:
    """What is left of three messages that the user publishes, which are consumed."""
    channel = bench.connect(user=USER, password=PASSWORD, virtual_host=VHOST).channel()
    send(channel, "in", "a.b", b"1", b"2", b"3")
    synchronise(channel)
    found = drain(channel, "short")
    channel.queue_declare("short", durable=True, arguments={"x-message-ttl": 3_600_000})
    channel.connection.close()
    return found


@pytest.mark.usefixtures("defined")
def test_everything_comes_back(bench: Workbench, broker: Broker, tmp_path: Path) -> None:
    """The password by its hash, too."""
    assert use(bench) == [b"3"]
    path = exported(broker, tmp_path)
    assert PASSWORD not in path.read_text()
    delete(broker)
    with pytest.raises((ProbableAuthenticationError, ProbableAccessDeniedError)):
        bench.connect(user=USER, password=PASSWORD, virtual_host=VHOST)
    broker.ctl("import_definitions", str(path))
    assert use(bench) == [b"3"]
    with pytest.raises(ProbableAuthenticationError):
        bench.connect(user=USER, password="another", virtual_host=VHOST)


def test_what_is_there_already_stays(
    bench: Workbench, channel: BlockingChannel, broker: Broker, tmp_path: Path
) -> None:
    """Messages, and queues that the file describes differently."""
    queue = bench.queue(channel, durable=True)
    bodies = fill(channel, queue, 3)
    path = tmp_path / "definitions.json"
    row: dict[str, Any] = {"vhost": "/", "name": queue, "durable": True, "auto_delete": False}
    path.write_text(json.dumps({"queues": [{**row, "arguments": {"x-max-length": 1}}]}))
    broker.ctl("import_definitions", str(path))
    assert drain(channel, queue) == bodies


def test_a_truncated_file_changes_nothing(
    bench: Workbench, channel: BlockingChannel, broker: Broker, tmp_path: Path
) -> None:
    queue = bench.name("never")
    path = tmp_path / "truncated.json"
    document = {"queues": [{"vhost": "/", "name": queue, "durable": True, "auto_delete": False, "arguments": {}}]}
    path.write_text(json.dumps(document)[:-2])
    with pytest.raises((AssertionError, ChildError)):
        broker.ctl("import_definitions", str(path))
    assert not queue_exists(bench, queue)


def test_one_bad_item_refuses_the_whole_file(bench: Workbench, broker: Broker, tmp_path: Path) -> None:
    if not broker.is_warren:
        pytest.skip("RabbitMQ imports what comes before the bad item")
    names = [bench.name("never") for _ in range(3)]
    row = {"vhost": "/", "durable": True, "auto_delete": False, "arguments": {}}
    rows = [{**row, "name": name} for name in names]
    rows[1]["arguments"] = {"x-max-length": -1}
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"queues": rows}))
    with pytest.raises(AssertionError, match="invalid arg 'x-max-length'"):
        broker.ctl("import_definitions", str(path))
    assert not any(queue_exists(bench, name) for name in names)


def test_a_single_virtual_host(
    bench: Workbench, broker: Broker, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Exported with -p, imported into another; who may use it isn't part of it."""
    if not broker.is_warren:
        pytest.skip("RabbitMQ does this over HTTP only")
    request.getfixturevalue("defined")
    path = tmp_path / "one.json"
    broker.ctl("export_definitions", "-p", VHOST, str(path))
    document = json.loads(path.read_text())
    assert "users" not in document
    broker.ctl("delete_vhost", VHOST)
    broker.ctl("add_vhost", VHOST)
    broker.ctl("set_permissions", "-p", VHOST, USER, ".*", ".*", ".*")
    broker.ctl("import_definitions", "-p", VHOST, str(path))
    assert use(bench) == [b"3"]
