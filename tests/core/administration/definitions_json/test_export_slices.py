"""An export in slices: no slice looks at much, and what changes meanwhile doesn't tear the document apart."""

from __future__ import annotations

import json

import pytest

from tests.support.core_broker import core_broker
from warren.core.administration import operations
from warren.core.administration.definitions_json import exporting
from warren.core.administration.definitions_json.exporting import OBJECTS_PER_SLICE, export_definitions, export_vhost
from warren.core.administration.definitions_json.importing import import_definitions
from warren.core.administration.steps import Steps
from warren.core.broker import Broker
from warren.core.queues.base import Queue
from warren.core.storage.definitions.store import JSON

QUEUES = 3 * OBJECTS_PER_SLICE

Document = dict[str, JSON]


@pytest.fixture
def broker() -> Broker:
    """With many queues, each bound."""
    broker = core_broker()
    for number in range(QUEUES):
        operations.queues.declare(broker, "/", f"q{number}")
        operations.bindings.add(broker, "/", "amq.topic", "queue", f"q{number}", "k")
    return broker


def begin(broker: Broker, *, of_vhost: bool) -> Steps[Document]:
    if of_vhost:
        return export_vhost(broker.vhosts["/"], product_name="", product_version="", rabbitmq_version="4.1.0")
    return export_definitions(broker, product_name="", product_version="", rabbitmq_version="4.1.0")


@pytest.mark.parametrize("of_vhost", [False, True])
def test_no_slice_looks_at_many(broker: Broker, monkeypatch: pytest.MonkeyPatch, of_vhost: bool) -> None:
    looked = 0
    is_declared = exporting._is_declared

    def count(queue: Queue) -> bool:
        nonlocal looked
        looked += 1
        return is_declared(queue)

    monkeypatch.setattr(exporting, "_is_declared", count)
    steps = begin(broker, of_vhost=of_vhost)
    slices = 0
    while steps.step():
        assert looked <= OBJECTS_PER_SLICE
        looked = 0
        slices += 1
    assert slices >= 2 * QUEUES // OBJECTS_PER_SLICE
    queues, bindings = steps.result["queues"], steps.result["bindings"]
    assert isinstance(queues, list)
    assert isinstance(bindings, list)
    assert len(queues) == len(bindings) == QUEUES
    assert ("vhost" in queues[0]) is not of_vhost


def test_what_changes_meanwhile_is_there_as_it_was(broker: Broker) -> None:
    """Whatever of it the export has come to: queues that go, and others that come with bindings, users with rights."""
    whole = begin(broker, of_vhost=False).finish()
    steps = begin(broker, of_vhost=False)
    number = 0
    while steps.step():
        for _ in range(20):
            operations.queues.delete(broker, "/", f"q{number}")
            operations.queues.declare(broker, "/", f"new {number}")
            operations.bindings.add(broker, "/", "amq.topic", "queue", f"new {number}", "k")
            operations.users.add(broker, f"user {number}", "password")
            operations.permissions.set_permissions(broker, f"user {number}", "/", ".*", ".*", ".*")
            number += 1
    assert number > 100
    assert steps.result == whole
    imported = import_definitions(core_broker(), json.dumps(steps.result))
    assert imported.counts["queues"] == imported.counts["bindings"] == QUEUES
