"""A start that salvaged the definitions and ended before it had seen to what was lost: the next one knows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT
from warren.core.administration import operations
from warren.core.broker import Broker
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore

COUNT = 5


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A database that will lose its queue, its users, and the rows that tell a crash; there are messages in the log."""
    path = tmp_path / "definitions.sqlite"
    definitions = SqliteDefinitionStore(path)
    broker = SimulatedBroker(tmp_path, definitions=definitions)
    client = broker.connect()
    client.declare("q", durable=True)
    for number in range(COUNT):
        client.publish("q", b"%d" % number, properties=PERSISTENT)
    client.settle()
    broker.close()
    definitions.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE definitions SET value = '{\"lost\":1}' WHERE kind IN ('queue', 'user', 'marker')")
    connection.commit()
    connection.close()
    return path


def lives_on(path: Path) -> None:
    """Start, look at what is there, declare the queue again, and stop; then start once more, without any damage."""
    definitions = SqliteDefinitionStore(path)
    broker = SimulatedBroker(path.parent, definitions=definitions)
    (found,) = operations.quarantine.quarantined(broker.broker)
    assert (found.name, found.messages) == ("q", COUNT)
    assert not broker.broker.users, "nobody is let in with the default password"
    broker.close()
    definitions.close()
    definitions = SqliteDefinitionStore(path)
    assert definitions.damage() == []
    broker = SimulatedBroker(path.parent, definitions=definitions)
    (found,) = operations.quarantine.quarantined(broker.broker)
    assert (found.name, found.messages) == ("q", COUNT)
    assert not broker.broker.users
    broker.close()
    definitions.close()


def test_it_ended_before_it_looked_at_the_messages(damaged: Path) -> None:
    store = SqliteDefinitionStore(damaged)
    assert len(store.damage()) == 1
    store.close()
    lives_on(damaged)


@pytest.mark.interpreted("replaces a method, which the compiled form doesn't let")
def test_it_ended_in_the_middle_of_recovery(damaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    definitions = SqliteDefinitionStore(damaged)

    def fail(broker: Broker) -> list[str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Broker, "damage", fail)
        with pytest.raises(KeyboardInterrupt):
            SimulatedBroker(damaged.parent, definitions=definitions)
    definitions.close()
    lives_on(damaged)


def test_it_was_not_cut_short(damaged: Path) -> None:
    lives_on(damaged)
