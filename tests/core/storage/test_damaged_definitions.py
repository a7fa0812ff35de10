"""A start on definitions of which rows are lost to damage: the rest is served, and no door opens by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT, SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.messages.message import Message
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.store import JSON, Row
from warren.core.storage.recovery import MARKER, NOTES_DELETIONS


class DamagedDefinitions(MemoryDefinitionStore):
    """Rows in memory that can be lost; a start that follows is told so once, as by the store on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[str] = []

    def damage(self) -> list[str]:
        return list(self.reports)

    def lose(self, is_lost: Callable[[Row], bool]) -> None:
        """Lose rows; at least one must be there to be lost."""
        lost = [row for row in self.load() if is_lost(row)]
        assert lost
        for kind, vhost, name, _ in lost:
            self.delete(kind, vhost, name)
        self.commit()
        self.reports.append("some rows are lost")

    def recovered(self) -> None:
        """Forget the damage, as a start on the sound rows does."""
        self.reports.clear()


@pytest.fixture
def definitions() -> DamagedDefinitions:
    return DamagedDefinitions()


@pytest.fixture
def broker(definitions: DamagedDefinitions) -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker(definitions=definitions)
    yield broker
    broker.settle()
    broker.check()
    broker.close()


def filled(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.connect()
    client.declare("q", durable=True)
    client.send(1, methods.QueueBind(queue="q", exchange="amq.topic", routing_key="a"))
    client.settle()
    return client


def test_a_lost_vhost_is_made_anew_for_what_is_in_it(
    broker: SimulatedBroker, definitions: DamagedDefinitions, caplog: pytest.LogCaptureFixture
) -> None:
    filled(broker)
    broker.broker.update_vhost("/", {"description": "ours"})
    broker.crash(lambda: definitions.lose(lambda row: row[0] == "vhost"))
    assert "the row of vhost '/' is lost" in caplog.text
    assert set(broker.vhost.queues) == {"q"}
    assert broker.vhost.metadata == {}
    definitions.recovered()
    broker.broker.update_vhost("/", {"description": "again"})
    caplog.clear()
    broker.crash()
    assert "lost" not in caplog.text
    assert set(broker.vhost.queues) == {"q"}
    assert broker.vhost.metadata == {"description": "again"}


def test_lost_users_do_not_bring_the_default_user_back(
    broker: SimulatedBroker, definitions: DamagedDefinitions, caplog: pytest.LogCaptureFixture
) -> None:
    filled(broker)
    broker.crash(lambda: definitions.lose(lambda row: row[0] in ("user", "marker")))
    assert not broker.broker.users
    assert "no users are left" in caplog.text
    definitions.recovered()
    broker.crash()
    assert not broker.broker.users


def test_a_start_without_definitions_may_be_cut_short(broker: SimulatedBroker, definitions: DamagedDefinitions) -> None:
    """Whatever of it is committed, the next start still knows that messages may have lost their queues."""
    filled(broker)
    seen: list[bool] = []

    def lose_everything() -> None:
        definitions.clear()
        seen.clear()

    put = definitions.put

    def note(kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> None:
        put(kind, vhost, name, value)
        seen.append((MARKER, "", NOTES_DELETIONS) in definitions._rows)

    definitions.put = note  # type: ignore[method-assign]
    broker.crash(lose_everything)
    assert seen
    assert all(seen)


def test_a_start_on_damage_is_reported_and_shown(broker: SimulatedBroker, definitions: DamagedDefinitions) -> None:
    filled(broker)
    broker.crash(lambda: definitions.lose(lambda row: row[0] == "binding"))
    assert broker.broker.damage() == ["definitions: some rows are lost"]
    assert set(broker.vhost.queues) == {"q"}


def test_after_damage_nobody_relies_on_a_clean_stop(definitions: DamagedDefinitions, tmp_path: Path) -> None:
    """The row that tells of a crash may be what was lost, so messages are marked as perhaps delivered."""
    broker = SimulatedBroker(tmp_path, definitions=definitions)
    filled(broker).publish("q", b"1", properties=PERSISTENT)
    broker.restart()
    assert not broker.queue("q").was_delivered(head_of(broker))
    broker.restart(lambda: definitions.lose(lambda row: row[0] == "binding"))
    assert broker.queue("q").was_delivered(head_of(broker))
    broker.close()


def head_of(broker: SimulatedBroker) -> Message:
    """The first message of the queue q."""
    (message,) = broker.queue("q").browse(0, 1)
    return message
