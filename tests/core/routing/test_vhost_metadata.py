"""What virtual hosts are described by, and the queue type that declarations get which name none (spec A.7)."""

from __future__ import annotations

import pytest

from tests.support.core_broker import core_broker, core_client
from warren.core.administration import operations
from warren.core.broker import Broker
from warren.core.declaring.queues import declare_queue
from warren.core.errors import NotAllowed, PreconditionFailed
from warren.core.messages.field_table import decode_table
from warren.core.routing.vhost_metadata import check_metadata
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.store import JSON


def row(broker: Broker, name: str) -> dict[str, object]:
    return next(row for row in broker.inspect("vhosts", None) if row["name"] == name)


def test_set_changed_and_kept() -> None:
    store = MemoryDefinitionStore()
    broker = core_broker(store)
    broker.add_vhost("v", {"description": "for tests", "tags": ["a", "b"], "default_queue_type": "quorum"})
    broker.update_vhost("v", {"tags": "c, d", "description": "new"})
    broker.set_tracing("v", True)
    expected = {"description": "new", "tags": ["c", "d"], "default_queue_type": "quorum"}
    for found in (broker, core_broker(store)):
        assert row(found, "v") == {
            "name": "v",
            "tracing": True,
            "protected_from_deletion": False,
            "metadata": expected,
            **expected,
        }
        assert found.vhosts["v"].tracing is True
    broker.set_tracing("v", False)
    broker.update_vhost("v", {"default_queue_type": ""})
    assert row(core_broker(store), "v")["metadata"] == {"description": "new", "tags": ["c", "d"]}
    assert core_broker(store).vhosts["v"].tracing is False


def test_tracing_voids_routes() -> None:
    vhost = core_broker().vhosts["/"]
    version = vhost.version
    vhost.broker.set_tracing("/", True)
    assert vhost.version > version


REFUSED: list[tuple[dict[str, JSON], str]] = [
    ({"description": 1}, "description must be a string"),
    ({"tags": 1}, "tags must be a list of strings"),
    ({"tags": [1]}, "tags must be a list of strings"),
    ({"default_queue_type": "mirrored"}, "'mirrored' is not a valid queue type; the types are classic, quorum"),
    ({"default_queue_type": 1}, "1 is not a valid queue type"),
]


@pytest.mark.parametrize(("metadata", "text"), REFUSED)
def test_refused(metadata: dict[str, JSON], text: str) -> None:
    broker = core_broker()
    with pytest.raises(PreconditionFailed, match=text):
        broker.add_vhost("v", metadata)
    assert "v" not in broker.vhosts
    with pytest.raises(PreconditionFailed, match=text):
        broker.update_vhost("/", metadata)


def test_what_means_nothing() -> None:
    assert check_metadata({"default_queue_type": "undefined", "tags": None, "description": None, "more": 1}) == {}
    with pytest.raises(NotAllowed):
        core_broker().update_vhost("gone", {})
    with pytest.raises(PreconditionFailed, match="needs a name"):
        core_broker().add_vhost("", {})


@pytest.mark.parametrize("of_broker", [True, False])
def test_the_default_queue_type(of_broker: bool) -> None:
    broker = core_broker(default_queue_type="quorum" if of_broker else "classic")
    if not of_broker:
        broker.update_vhost("/", {"default_queue_type": "quorum"})
    client = core_client(broker)
    queue = declare_queue(client, "q", durable=True)
    assert queue.type_name == "quorum"
    assert queue.arguments == decode_table(queue.arguments_raw, 0)[0] == {"x-queue-type": "quorum"}
    assert declare_queue(client, "q", durable=True) is queue
    raw = queue.arguments_raw
    assert declare_queue(client, "q", durable=True, arguments={"x-queue-type": "quorum"}, arguments_raw=raw) is queue


def test_other_queues_fall_back_to_classic() -> None:
    broker = core_broker(default_queue_type="quorum")
    client = core_client(broker)
    assert declare_queue(client, "transient").type_name == "classic"
    assert declare_queue(client, "exclusive", durable=True, exclusive=True).type_name == "classic"
    assert declare_queue(client, "auto", durable=True, auto_delete=True).type_name == "classic"
    found = declare_queue(client, "auto", durable=True, auto_delete=True)
    assert found.arguments == {}


def test_protection_from_deletion_is_kept() -> None:
    store = MemoryDefinitionStore()
    broker = core_broker(store)
    broker.add_vhost("v", {})
    operations.vhosts.set_protection(broker, "v", True)
    found = core_broker(store)
    with pytest.raises(PreconditionFailed, match="protected from deletion"):
        operations.vhosts.delete(found, "v")
    operations.vhosts.set_protection(found, "v", False)
    operations.vhosts.delete(found, "v")
    assert "v" not in found.vhosts
    with pytest.raises(PreconditionFailed, match="must be true or false"):
        broker.update_vhost("v", {"protected_from_deletion": "maybe"})
