"""A stored session of a hundred thousand filters: its rows are written and leave in batches that are bounded."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.mqtt.sessions.session import MqttSession
from warren.adapters.mqtt.sessions.subscription import MqttSubscription
from warren.adapters.mqtt.sessions.subscription_rows import KIND, ROW_SUBSCRIPTIONS_MAX, SubscriptionRows
from warren.core.storage.definitions.deletions import ROWS_PER_SLICE
from warren.core.storage.definitions.sqlite import SqliteDefinitionStore

FILTERS = 100_000

ROWS = FILTERS // ROW_SUBSCRIPTIONS_MAX


def written(simulated: SimulatedBroker, client_id: str, count: int) -> SubscriptionRows:
    rows = SubscriptionRows(simulated.broker, "/", client_id)
    for number in range(count):
        rows.put(MqttSubscription(f"f/{number}", f"f/{number}"), None)
    simulated.settle()
    return rows


def stored(simulated: SimulatedBroker) -> list[str]:
    return [row[2] for row in simulated.broker.definitions.load() if row[0] == KIND]


def test_the_rows_of_a_session_that_ends_leave_in_slices(tmp_path: Path) -> None:
    definitions = SqliteDefinitionStore(tmp_path / "definitions.sqlite")
    simulated = SimulatedBroker(definitions=definitions)
    rows = written(simulated, "c", FILTERS)
    assert len(stored(simulated)) == ROWS
    written(simulated, "other", 1)
    connection = definitions._connection
    assert connection is not None
    changes = [connection.total_changes]
    rows.end()
    changes.append(connection.total_changes)
    assert stored(simulated) == ["other\0001"]
    again = written(simulated, "c", 40)
    while simulated.broker.end_turn():
        changes.append(connection.total_changes)
    changes.append(connection.total_changes)
    assert changes[-1] - changes[0] >= ROWS
    assert sum(1 for name in stored(simulated) if name.startswith("c\0")) == 2
    again.end()
    simulated.settle()
    assert stored(simulated) == ["other\0001"]
    assert definitions._run("SELECT count(*) FROM definitions WHERE kind = ?", (KIND,)) == [(1,)]
    definitions.close()


def test_no_turn_deletes_more_than_its_share(tmp_path: Path) -> None:
    definitions = SqliteDefinitionStore(tmp_path / "definitions.sqlite")
    simulated = SimulatedBroker(definitions=definitions)
    rows = written(simulated, "c", FILTERS)
    connection = definitions._connection
    assert connection is not None
    changes = [connection.total_changes]
    rows.end()
    while simulated.broker.end_turn():
        changes.append(connection.total_changes)
    changes.append(connection.total_changes)
    assert max(after - before for before, after in pairwise(changes)) <= ROWS_PER_SLICE + 2, "and the marker"
    assert len(changes) >= ROWS // ROWS_PER_SLICE
    definitions.close()


def test_a_session_of_a_hundred_thousand_filters_survives_a_restart_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "definitions.sqlite"
    definitions = SqliteDefinitionStore(path)
    simulated = SimulatedBroker(definitions=definitions)
    registry = simulated.mqtt.of(simulated.vhost)
    session = registry.sessions["c"] = MqttSession(registry, "c", 3600)
    session.save()
    written(simulated, "c", FILTERS)
    simulated.crash()
    session = simulated.mqtt.of(simulated.vhost).sessions["c"]
    assert len(session.subscriptions) == FILTERS
    session.end()
    simulated.settle()
    assert stored(simulated) == []
    simulated.crash()
    assert "c" not in simulated.mqtt.of(simulated.vhost).sessions
    definitions.close()
