"""A virtual host with very much in it goes in slices; meanwhile nobody gets in, and a crash leaves nothing behind."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT, SimulatedClient, handshake_bytes
from warren.core.administration import operations
from warren.core.administration.vhost_deletion import WORK_OF_REMOVING, WORK_PER_SLICE
from warren.core.declaring.bindings import add_binding
from warren.core.declaring.exchanges import add_exchange
from warren.core.declaring.queues import create_queue
from warren.core.errors import BrokerError, NotFound, PreconditionFailed, UnknownVirtualHost
from warren.core.exchanges.binding import Binding
from warren.core.exchanges.registry import create
from warren.core.queues.base import Queue
from warren.core.routing.vhost import VirtualHost
from warren.core.storage.recovery import add_vhost

PER_SLICE = WORK_PER_SLICE // WORK_OF_REMOVING

QUEUES = 10 * PER_SLICE


def filled(simulated: SimulatedBroker, queues: int = QUEUES) -> VirtualHost:
    vhost = add_vhost(simulated.broker, "v")
    exchange = create("direct", "x", durable=True)
    add_exchange(vhost, exchange)
    for number in range(queues):
        queue = create_queue(vhost, f"q{number}", durable=True)
        add_binding(vhost, exchange, Binding("x", queue, f"k{number}"))
    simulated.settle()
    return vhost


def delete(simulated: SimulatedBroker) -> list[object]:
    """Ask for the deletion; what is answered, once it is."""
    answers: list[object] = []
    operations.vhosts.delete(simulated.broker, "v", answers.append)
    return answers


def inside(simulated: SimulatedBroker) -> SimulatedClient:
    """A connection to the virtual host."""
    client = simulated.accept()
    client.send_bytes(handshake_bytes(vhost="v"))
    assert client.connection.state == "running"
    return client


def rows(simulated: SimulatedBroker) -> list[tuple[str, str, str]]:
    return [row[:3] for row in simulated.broker.definitions.load() if row[1] == "v" or row[2] == "v"]


def test_it_goes_in_slices_and_is_answered_when_all_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = SimulatedBroker()
    vhost = filled(simulated)
    left: Counter[str] = Counter()
    close = Queue.close

    for type_ in {type(queue) for queue in vhost.queues.values()}:
        close = type_.close

        def counting(self: Queue, *answer: Callable[[object], None], _close: Callable[..., None] = close) -> None:
            left["queues"] += 1
            _close(self, *answer)

        monkeypatch.setattr(type_, "close", counting)
    answers = delete(simulated)
    done = [0, left["queues"]]
    has_more = True
    while has_more:
        assert not answers
        assert "v" in simulated.broker.vhosts
        has_more = simulated.broker.end_turn()
        done.append(left["queues"])
    assert answers == [None]
    assert done[-1] == QUEUES
    assert max(after - before for before, after in pairwise(done)) <= PER_SLICE
    assert "v" not in simulated.broker.vhosts
    assert rows(simulated) == []


def test_a_small_one_goes_at_once() -> None:
    simulated = SimulatedBroker()
    filled(simulated, 3)
    assert delete(simulated) == [None]
    assert "v" not in simulated.broker.vhosts
    assert not simulated.broker.chores


REFUSED: dict[str, Callable[[SimulatedBroker], object]] = {
    "a connection": lambda simulated: simulated.broker.open_vhost(simulated.broker.users["guest"], "v"),
    "another deletion": lambda simulated: operations.vhosts.delete(simulated.broker, "v"),
    "a virtual host of the name": lambda simulated: operations.vhosts.add(simulated.broker, "v"),
    "a description": lambda simulated: operations.vhosts.update(simulated.broker, "v", description="d"),
    "a queue": lambda simulated: create_queue(simulated.broker.vhosts["v"], "new"),
    "an exchange": lambda simulated: add_exchange(simulated.broker.vhosts["v"], create("fanout", "new")),
    "permissions": lambda simulated: operations.permissions.set_permissions(
        simulated.broker, "guest", "v", ".*", ".*", ".*"
    ),
    "a queue by import": lambda simulated: operations.definitions.import_document(
        simulated.broker,
        json.dumps({"queues": [{"name": "new", "vhost": "v", "durable": True, "auto_delete": False, "arguments": {}}]}),
        None,
        source="test",
    ),
    "the same by import": lambda simulated: operations.definitions.import_document(
        simulated.broker, json.dumps({"vhosts": [{"name": "v"}]}), None, source="test"
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_nobody_gets_in_meanwhile(what: str) -> None:
    simulated = SimulatedBroker()
    filled(simulated)
    simulated.broker.users.set_permissions("guest", "v", ".*", ".*", ".*")
    answers = delete(simulated)
    simulated.broker.end_turn()
    with pytest.raises((NotFound, PreconditionFailed, UnknownVirtualHost), match="is being deleted") as refused:
        REFUSED[what](simulated)
    assert isinstance(refused.value, BrokerError)
    simulated.settle()
    assert answers == [None]
    assert rows(simulated) == []
    operations.vhosts.add(simulated.broker, "v")
    assert not simulated.broker.vhosts["v"].queues


@pytest.mark.parametrize("turns", [0, 1, 5, 9, 12])
def test_a_start_after_a_crash_goes_on_with_it(turns: int, tmp_path: Path) -> None:
    simulated = SimulatedBroker(tmp_path)
    vhost = filled(simulated)
    simulated.broker.users.set_permissions("guest", "v", ".*", ".*", ".*")
    client = inside(simulated)
    client.open(1)
    for number in range(QUEUES):
        client.publish(f"k{number}", b"kept", exchange="x", properties=PERSISTENT)
    simulated.settle()
    assert {queue.ready_count for queue in vhost.queues.values()} == {1}
    delete(simulated)
    for _ in range(turns):
        simulated.broker.end_turn()
    simulated.broker.definitions.commit()
    simulated.crash()
    simulated.settle()
    assert "v" not in simulated.broker.vhosts
    assert rows(simulated) == []
    assert not simulated.broker.quarantine.entries
    assert not simulated.broker.quarantine.bindings
    simulated.restart()
    assert not simulated.broker.quarantine.entries
    assert "v" not in simulated.broker.vhosts
    simulated.close()


def test_its_connections_are_closed_and_others_stay() -> None:
    simulated = SimulatedBroker()
    filled(simulated)
    simulated.broker.users.set_permissions("guest", "v", ".*", ".*", ".*")
    client = inside(simulated)
    outside = simulated.connect()
    delete(simulated)
    simulated.settle()
    assert client.connection.state != "running"
    assert outside.connection.state == "running"
    assert "v" not in simulated.broker.vhosts


def test_what_fails_keeps_nothing_else_from_going(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    simulated = SimulatedBroker()
    vhost = filled(simulated)
    broken = vhost.queues["q7"]
    close = type(broken).close

    def failing(self: Queue, *answer: Callable[[object], None]) -> None:
        if self is broken:
            raise RuntimeError("of the test")
        close(self, *answer)

    monkeypatch.setattr(type(broken), "close", failing)
    answers = delete(simulated)
    simulated.settle()
    assert answers == [None]
    assert rows(simulated) == []
    assert "queue 'q7' in vhost 'v' couldn't be ended with its vhost" in caplog.text


def test_a_deletion_is_no_part_of_what_a_virtual_host_is_described_by() -> None:
    simulated = SimulatedBroker()
    vhost = filled(simulated)
    delete(simulated)
    assert "deleting" not in vhost.metadata
    simulated.broker.definitions.commit()
    simulated.crash()
    assert "deleting" not in simulated.broker.vhosts["v"].metadata
