"""Streams whose definition is lost: their files are set aside, told of, and back when they are declared again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.amqp091.streams.talk import Talk
from tests.core.storage.test_damaged_definitions import DamagedDefinitions
from tests.core.storage.test_quarantine import is_queue
from tests.support.simulated_broker import SimulatedBroker
from warren.core.administration import operations
from warren.core.errors import NotFound, PreconditionFailed

BODIES = [b"%d" % number for number in range(5)]


@pytest.fixture
def definitions() -> DamagedDefinitions:
    return DamagedDefinitions()


@pytest.fixture
def broker(tmp_path: Path, definitions: DamagedDefinitions) -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker(tmp_path, definitions=definitions)
    yield broker
    broker.settle()
    broker.check()
    broker.close()


@pytest.fixture
def talk(broker: SimulatedBroker, definitions: DamagedDefinitions) -> Talk:
    """Stream s had five messages and an offset, and its definition is lost."""
    talk = Talk(broker)
    talk.declare()
    talk.publish(*BODIES)
    talk.queue.store_offset(b"r", 3)
    broker.settle()
    broker.crash(lambda: definitions.lose(is_queue))
    talk.reconnect()
    return talk


def set_aside(talk: Talk) -> list[tuple[str, str, int]]:
    return [(each.kind, each.name, each.messages) for each in operations.quarantine.quarantined(talk.broker.broker)]


def test_it_comes_back_with_all_that_it_had(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    assert set_aside(talk) == [("queue", "s", len(BODIES))]
    (report,) = talk.broker.broker.quarantine.reports()
    assert "of queue 's' in vhost '/'" in report
    assert report in [record.getMessage() for record in caplog.get_records("setup")]
    talk.declare()
    assert f"gets back its files, with {len(BODIES)} message(s)" in caplog.text
    assert talk.read("first") == BODIES
    assert talk.queue.stored_offset(b"r") == 3
    assert set_aside(talk) == []
    talk.publish(b"next")
    talk.broker.crash()
    talk.reconnect()
    assert talk.read("first") == [*BODIES, b"next"]


def test_it_waits_through_restarts(talk: Talk) -> None:
    talk.broker.crash()
    talk.broker.restart()
    talk.reconnect()
    assert set_aside(talk) == [("queue", "s", len(BODIES))]
    talk.declare()
    assert talk.read("first") == BODIES


def test_a_queue_of_another_type_does_not_get_it(talk: Talk) -> None:
    talk.client.declare("s", durable=True)
    talk.broker.settle()
    assert set_aside(talk) == [("queue", "s", len(BODIES))]
    operations.queues.delete(talk.broker.broker, "/", "s")
    talk.declare()
    assert talk.read("first") == BODIES


def test_nor_does_a_stream_of_another_name(talk: Talk) -> None:
    talk.ask_to_declare(name="t")
    talk.broker.settle()
    assert set_aside(talk) == [("queue", "s", len(BODIES))]


def number_of(talk: Talk) -> int:
    (number,) = talk.broker.broker.quarantine.streams
    return number


def test_it_is_deleted_by_its_number(talk: Talk, tmp_path: Path) -> None:
    number = number_of(talk)
    assert list(tmp_path.rglob("*.segment"))
    assert operations.quarantine.delete(talk.broker.broker, number).finish() == len(BODIES)
    talk.broker.settle()
    assert not list(tmp_path.rglob("*.segment"))
    assert set_aside(talk) == []
    talk.broker.crash()
    talk.reconnect()
    assert set_aside(talk) == []
    talk.declare()
    assert talk.queue.store_id > number
    assert talk.read("first") == []


def test_it_is_not_given_to_another_queue(talk: Talk) -> None:
    talk.client.declare("other", durable=True)
    with pytest.raises(PreconditionFailed, match="declare it again"):
        operations.quarantine.restore(talk.broker.broker, number_of(talk), "/", "other")


def test_what_came_back_meanwhile_is_not_deleted(talk: Talk) -> None:
    deleting = operations.quarantine.delete(talk.broker.broker, number_of(talk))
    assert deleting.step()
    talk.declare()
    with pytest.raises(NotFound):
        deleting.finish()
    assert talk.read("first") == BODIES
